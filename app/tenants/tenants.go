// Package tenants has the use cases about tenants themselves.
package tenants

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Service carries out the use cases.
type Service struct {
	tenants ports.Tenants
}

// NewService returns a service.
func NewService(tenants ports.Tenants) *Service {
	return &Service{tenants: tenants}
}

// Enter authorizes a principal in a tenant, and makes sure that there is one: whoever may enter every tenant is told
// that this one does not exist, all others are refused as for any other. An empty id means the principal's own.
// Errors: access.ErrForbidden, tenant.ErrNotFound.
func (s *Service) Enter(ctx context.Context, p access.Principal, permission access.Permission, tenantID id.Tenant) (access.Scope, error) {
	scope, err := p.Authorize(permission, tenantID)
	if err != nil {
		return access.Scope{}, err
	}
	if tenantID != "" && tenantID != p.Tenant() {
		if _, err := s.tenants.ByID(ctx, tenantID); err != nil {
			return access.Scope{}, err
		}
	}
	return scope, nil
}

// List returns all tenants by slug. Errors: access.ErrForbidden.
func (s *Service) List(ctx context.Context, p access.Principal) ([]tenant.Tenant, error) {
	scope, err := p.Authorize(access.ManageTenantUsers, access.EveryTenant)
	if err != nil {
		return nil, err
	}
	return s.tenants.List(ctx, scope)
}
