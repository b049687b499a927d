package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// executor is where a statement finds its rows: in one tenant, or outside of all.
type executor struct {
	repositories
	inside bool // of the tenant; an empty one is a mistake, and not the outside
	tenant id.Tenant
	use    purpose
}

// in returns the place of what is a tenant's own.
func (r repositories) in(tenant id.Tenant, use purpose) executor {
	return executor{repositories: r, inside: true, tenant: tenant, use: use}
}

// outside returns the place of what is asked before any tenant is known.
func (r repositories) outside(use purpose) executor { return executor{repositories: r, use: use} }

// run gives fn what runs statements there.
func (p executor) run(ctx context.Context, fn func(context.Context, sqlx.ExtContext) error) error {
	if !p.inside {
		return fn(ctx, p.db.outside(p.use))
	}
	return p.db.inTenant(ctx, p.tenant, p.use, fn)
}

// get reads one row into dest, or returns absent where there is none.
func (p executor) get(ctx context.Context, dest any, absent error, doing, query string, args ...any) error {
	return p.run(ctx, func(ctx context.Context, q sqlx.ExtContext) error {
		return p.getFrom(ctx, q, dest, absent, doing, query, args...)
	})
}

// list reads all rows into dest.
func (p executor) list(ctx context.Context, dest any, doing, query string, args ...any) error {
	return p.run(ctx, func(ctx context.Context, q sqlx.ExtContext) error {
		return p.listFrom(ctx, q, dest, doing, query, args...)
	})
}

// exec changes rows and returns how many.
func (p executor) exec(ctx context.Context, doing, query string, args ...any) (changed int64, err error) {
	err = p.run(ctx, func(ctx context.Context, q sqlx.ExtContext) (err error) {
		changed, err = p.execOn(ctx, q, doing, query, args...)
		return err
	})
	return changed, err
}

// execOne changes one row, or returns absent where there is none.
func (p executor) execOne(ctx context.Context, absent error, doing, query string, args ...any) error {
	n, err := p.exec(ctx, doing, query, args...)
	if err == nil && n == 0 {
		return absent
	}
	return err
}

// getFrom, listFrom and execOn do so with q, for what takes more than one statement, each within the dialect's patience.
// Errors: those of asFault.
func (r repositories) getFrom(caller context.Context, q sqlx.ExtContext, dest any, absent error, doing, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(caller, r.dialect.Timeout())
	defer cancel()
	err := sqlx.GetContext(ctx, q, dest, r.dialect.Rebind(query), args...)
	if errors.Is(err, sql.ErrNoRows) {
		return absent
	}
	return asFault(caller, r.dialect, doing, err)
}

func (r repositories) listFrom(caller context.Context, q sqlx.ExtContext, dest any, doing, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(caller, r.dialect.Timeout())
	defer cancel()
	return asFault(caller, r.dialect, doing, sqlx.SelectContext(ctx, q, dest, r.dialect.Rebind(query), args...))
}

func (r repositories) execOn(caller context.Context, q sqlx.ExtContext, doing, query string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(caller, r.dialect.Timeout())
	defer cancel()
	result, err := q.ExecContext(ctx, r.dialect.Rebind(query), args...)
	if err != nil {
		return 0, asFault(caller, r.dialect, doing, err)
	}
	n, err := result.RowsAffected()
	return n, asFault(caller, r.dialect, doing, err)
}

// functionOr returns what answers a question that is asked before any tenant has been entered: a function that the database
// keeps for that question alone, where it guards tenants, and else a plain expression.
func (r repositories) functionOr(function, plain string) string {
	if r.dialect.RowLevelSecurity() {
		return function
	}
	return plain
}

// convert turns rows into what they stand for.
func convert[R, D any](rows []R, one func(R) (D, error)) ([]D, error) {
	list := make([]D, 0, len(rows))
	for _, row := range rows {
		d, err := one(row)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}
