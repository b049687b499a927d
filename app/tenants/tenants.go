// Package tenants has the use cases of tenants.
package tenants

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Service implements the use cases.
type Service struct {
	tenants  ports.Tenants
	recorder *recorder.Recorder
	clock    ports.Clock
	ids      ports.IDs
}

// NewService returns a service.
func NewService(tenants ports.Tenants, recorder *recorder.Recorder, clock ports.Clock, ids ports.IDs) *Service {
	return &Service{tenants: tenants, recorder: recorder, clock: clock, ids: ids}
}

// Create creates a tenant without users. Errors: access.ErrForbidden, tenant.ErrSlugTaken.
func (s *Service) Create(ctx context.Context, p access.Principal, slug tenant.Slug) (tenant.Tenant, error) {
	created := tenant.Tenant{ID: id.Tenant(s.ids.New()), Slug: slug, CreatedAt: s.clock.Now()}
	scope, err := p.Authorize(access.ManageTenants, created.ID)
	if err != nil {
		return tenant.Tenant{}, err
	}
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		return Add(ctx, tx, scope, created)
	})
	return created, err
}

// Add stores a new tenant and records it, within a transaction. Errors: tenant.ErrSlugTaken.
func Add(ctx context.Context, tx *recorder.Tx, scope access.Scope, t tenant.Tenant) error {
	if err := tx.Tenants().Add(ctx, t); err != nil {
		return err
	}
	return tx.Record(ctx, scope, audit.Entry{
		TenantID: t.ID, Severity: audit.Info, Act: audit.TenantCreated, Detail: map[string]string{"slug": t.Slug.String()},
	})
}

// BySlug returns a tenant. Errors: access.ErrForbidden, tenant.ErrNotFound.
func (s *Service) BySlug(ctx context.Context, p access.Principal, slug tenant.Slug) (tenant.Tenant, error) {
	if _, err := p.Authorize(access.ManageTenants, access.EveryTenant); err != nil {
		return tenant.Tenant{}, err
	}
	return s.tenants.BySlug(ctx, slug)
}

// SetRetention sets how long the events of a tenant are kept, and returns what it was.
// Errors: access.ErrForbidden, tenant.ErrNotFound.
func (s *Service) SetRetention(ctx context.Context, p access.Principal, t id.Tenant, r tenant.Retention) (before tenant.Retention, err error) {
	scope, err := p.Authorize(access.ManageTenants, t)
	if err != nil {
		return tenant.Retention{}, err
	}
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) (err error) {
		if before, err = tx.Tenants().SetRetention(ctx, scope, r); err != nil {
			return err
		}
		entry := retentionChanged(p, before, r)
		entry.TenantID = t
		return tx.Record(ctx, scope, entry)
	})
	return before, err
}

// SetPlatformRetention sets how long the events of all tenants are kept at most, and returns what it was. As it belongs to no tenant,
// the change is in the operator's log only. Errors: access.ErrForbidden.
func (s *Service) SetPlatformRetention(ctx context.Context, p access.Principal, r tenant.Retention) (before tenant.Retention, err error) {
	scope, err := p.Authorize(access.ManageTenants, access.EveryTenant)
	if err != nil {
		return tenant.Retention{}, err
	}
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) (err error) {
		before, err = tx.Tenants().SetRetention(ctx, scope, r)
		return err
	})
	if err == nil {
		s.recorder.Note(ctx, retentionChanged(p, before, r))
	}
	return before, err
}

// PlatformRetention returns how long the events of all tenants are kept at most. Errors: access.ErrForbidden.
func (s *Service) PlatformRetention(ctx context.Context, p access.Principal) (tenant.Retention, error) {
	scope, err := p.Authorize(access.ManageTenants, access.EveryTenant)
	if err != nil {
		return tenant.Retention{}, err
	}
	return s.tenants.PlatformRetention(ctx, scope)
}

// retentionChanged returns the entry of a change.
func retentionChanged(p access.Principal, before, after tenant.Retention) audit.Entry {
	return audit.Entry{
		Severity: audit.Warning, Act: audit.RetentionChanged, Actor: p.User(),
		Detail: map[string]string{"old": before.String(), "new": after.String()},
	}
}

// Enter authorizes a principal in a tenant and checks that the tenant exists. Only a principal with access to every tenant
// learns that it does not exist; all others are refused as for any other tenant. An empty id means the principal's own.
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
