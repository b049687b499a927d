package sqlstore

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
)

// retentionOf returns a retention as it is stored: NULL is for ever.
func retentionOf(days *int) (tenant.Retention, error) {
	if days == nil {
		return tenant.Retention{}, nil
	}
	r, err := tenant.NewRetention(*days)
	if err != nil {
		return tenant.Retention{}, fmt.Errorf("a retention of %d days is stored: %w", *days, err)
	}
	return r, nil
}

// platformDays reads the retention of the platform.
const platformDays = "SELECT days FROM retention WHERE id = 1"

// PlatformRetention returns the retention of the platform; see ports.Tenants.
func (t tenants) PlatformRetention(ctx context.Context, scope access.Scope) (tenant.Retention, error) {
	if !scope.Everywhere() {
		return tenant.Retention{}, access.ErrNoScope
	}
	var days *int
	if err := t.outside(LookUp).Get(ctx, &days, tenant.ErrNotFound, "reading the retention of the platform", platformDays); err != nil {
		return tenant.Retention{}, err
	}
	return retentionOf(days)
}

// SetRetention sets the retention of a tenant, or of the platform; see ports.Tenants.
func (t tenants) SetRetention(ctx context.Context, scope access.Scope, r tenant.Retention) (before tenant.Retention, err error) {
	var days *int
	if r.Days() > 0 {
		days = new(r.Days())
	}
	in, read, change, args := t.outside(Write), platformDays, "UPDATE retention SET days = ? WHERE id = 1", []any{}
	if !scope.Everywhere() {
		tenantID, err := scope.Tenant()
		if err != nil {
			return tenant.Retention{}, err
		}
		in, args = t.in(tenantID, Write), []any{tenantID}
		read, change = "SELECT retention_days FROM tenants WHERE id = ?", "UPDATE tenants SET retention_days = ? WHERE id = ?"
	}
	err = in.run(ctx, func(ctx context.Context, q sqlx.ExtContext) error {
		var old *int
		if err := t.getFrom(ctx, q, &old, tenant.ErrNotFound, "reading a retention", read+t.dialect.ForUpdate(), args...); err != nil {
			return err
		}
		if before, err = retentionOf(old); err != nil {
			return err
		}
		_, err := t.execOn(ctx, q, "changing a retention", change, append([]any{days}, args...)...)
		return err
	})
	return before, err
}

// Retentions returns, for each tenant whose events are not kept for ever, how many days they are kept: the shorter of its own
// retention and the platform's. Where row level security isolates tenants, only the owner of the tables may read that.
func (s *Store) Retentions(ctx context.Context) (map[id.Tenant]int, error) {
	var rows []struct {
		Tenant id.Tenant `db:"id"`
		Days   int       `db:"days"`
	}
	err := s.outside(LookUp).List(ctx, &rows, "reading the retentions",
		"SELECT t.id, CASE WHEN t.retention_days IS NULL OR r.days < t.retention_days THEN r.days ELSE t.retention_days END AS days"+
			" FROM tenants t, retention r WHERE r.id = 1 AND (t.retention_days IS NOT NULL OR r.days IS NOT NULL)")
	if err != nil {
		return nil, err
	}
	kept := make(map[id.Tenant]int, len(rows))
	for _, r := range rows {
		kept[r.Tenant] = r.Days
	}
	return kept, nil
}
