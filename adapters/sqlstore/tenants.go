package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
)

const tenantColumns = "id, slug, created_at, retention_days"

type tenantRow struct {
	ID        id.Tenant `db:"id"`
	Slug      string    `db:"slug"`
	CreatedAt Time      `db:"created_at"`
	Retention *int      `db:"retention_days"`
}

func (r tenantRow) tenant() (tenant.Tenant, error) {
	slug, err := tenant.ParseSlug(r.Slug)
	if err != nil {
		return tenant.Tenant{}, fmt.Errorf("reading tenant %s: %w", r.ID, errors.Unwrap(err))
	}
	retention, err := retentionOf(r.Retention)
	if err != nil {
		return tenant.Tenant{}, fmt.Errorf("reading tenant %s: %w", r.ID, err)
	}
	return tenant.Tenant{ID: r.ID, Slug: slug, CreatedAt: r.CreatedAt.Time, Retention: retention}, nil
}

type tenants struct{ repositories }

func (t tenants) Add(ctx context.Context, added tenant.Tenant) error {
	_, err := t.in(added.ID, Write).Exec(ctx, "adding a tenant",
		"INSERT INTO tenants (id, slug, created_at) VALUES (?, ?, ?)",
		added.ID, added.Slug.String(), Time{added.CreatedAt})
	if t.dialect.Duplicate(err, "tenants", "slug") {
		return tenant.ErrSlugTaken
	}
	return err
}

func (t tenants) ByID(ctx context.Context, tenantID id.Tenant) (tenant.Tenant, error) {
	return oneTenant(ctx, t.in(tenantID, LookUp), "SELECT "+tenantColumns+" FROM tenants WHERE id = ?", tenantID)
}

func (t tenants) BySlug(ctx context.Context, slug tenant.Slug) (tenant.Tenant, error) {
	return oneTenant(ctx, t.outside(LookUp), "SELECT "+tenantColumns+" FROM "+t.functionOr("tenant_by_slug(?)", "tenants WHERE slug = ?"), slug.String())
}

// oneTenant reads a tenant. Errors: tenant.ErrNotFound.
func oneTenant(ctx context.Context, p Executor, query string, key any) (tenant.Tenant, error) {
	var row tenantRow
	if err := p.Get(ctx, &row, tenant.ErrNotFound, "reading a tenant", query, key); err != nil {
		return tenant.Tenant{}, err
	}
	return row.tenant()
}

func (t tenants) List(ctx context.Context, scope access.Scope) ([]tenant.Tenant, error) {
	if !scope.Everywhere() {
		return nil, access.ErrNoScope
	}
	var rows []tenantRow
	err := t.outside(LookUp).List(ctx, &rows, "listing tenants", "SELECT "+tenantColumns+" FROM "+t.functionOr("all_tenants()", "tenants")+" ORDER BY slug")
	if err != nil {
		return nil, err
	}
	return convert(rows, tenantRow.tenant)
}
