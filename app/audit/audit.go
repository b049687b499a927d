// Package audit has the use case of reading a tenant's audit trail.
package audit

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/app/tenants"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Service implements the use case.
type Service struct {
	entries ports.AuditTrail
	tenants *tenants.Service
}

// NewService returns a service.
func NewService(entries ports.AuditTrail, tenants *tenants.Service) *Service {
	return &Service{entries: entries, tenants: tenants}
}

// List returns a page of a tenant's entries, newest first. An empty tenant is the principal's own.
// Errors: access.ErrForbidden, tenant.ErrNotFound.
func (s *Service) List(ctx context.Context, p access.Principal, tenantID id.Tenant, part page.Page) ([]audit.Entry, error) {
	scope, err := s.tenants.Enter(ctx, p, access.ReadAuditLogs, tenantID)
	if err != nil {
		return nil, err
	}
	return s.entries.List(ctx, scope, part)
}
