package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// Executor runs statements on the data of one tenant, or outside of all tenants.
type Executor struct {
	repositories
	inside bool // the tenant; an empty tenant is then an error, and does not mean outside
	tenant id.Tenant
	use    Purpose
	on     sqlx.ExtContext // the transaction of Together; nil outside it
}

// in returns an executor for the data of one tenant.
func (r repositories) in(tenant id.Tenant, use Purpose) Executor {
	return Executor{repositories: r, inside: true, tenant: tenant, use: use}
}

// outside returns an executor for statements before the tenant is known.
func (r repositories) outside(use Purpose) Executor { return Executor{repositories: r, use: use} }

// Dialect returns the differences between the databases.
func (e Executor) Dialect() Dialect { return e.dialect }

// run calls fn with sqlx's executor.
func (e Executor) run(ctx context.Context, fn func(context.Context, sqlx.ExtContext) error) error {
	switch {
	case e.on != nil:
		return fn(ctx, e.on)
	case !e.inside:
		return fn(ctx, e.db.outside(e.use))
	}
	return e.db.inTenant(ctx, e.tenant, e.use, fn)
}

// Together calls fn with an executor that enters the tenant once for all its statements.
func (e Executor) Together(ctx context.Context, fn func(ctx context.Context, e Executor) error) error {
	return e.run(ctx, func(ctx context.Context, q sqlx.ExtContext) error {
		e.on = q
		return fn(ctx, e)
	})
}

// Get reads one row into dest, or returns absent if there is none.
func (e Executor) Get(ctx context.Context, dest any, absent error, doing, query string, args ...any) error {
	return e.run(ctx, func(ctx context.Context, q sqlx.ExtContext) error {
		return e.getFrom(ctx, q, dest, absent, doing, query, args...)
	})
}

// List reads all rows into dest.
func (e Executor) List(ctx context.Context, dest any, doing, query string, args ...any) error {
	return e.run(ctx, func(ctx context.Context, q sqlx.ExtContext) error {
		return e.listFrom(ctx, q, dest, doing, query, args...)
	})
}

// Each calls scan on each row, one after the other. It must not run other statements.
func (e Executor) Each(ctx context.Context, doing, query string, scan func(*sql.Rows) error, args ...any) error {
	return e.run(ctx, func(caller context.Context, q sqlx.ExtContext) error {
		ctx, cancel := context.WithTimeout(caller, e.dialect.Timeout())
		defer cancel()
		return asFault(caller, e.dialect, doing, each(ctx, q, e.dialect.Rebind(query), scan, args))
	})
}

func each(ctx context.Context, q sqlx.QueryerContext, query string, scan func(*sql.Rows) error, args []any) (err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Exec changes rows and returns their number.
func (e Executor) Exec(ctx context.Context, doing, query string, args ...any) (changed int64, err error) {
	err = e.run(ctx, func(ctx context.Context, q sqlx.ExtContext) (err error) {
		changed, err = e.execOn(ctx, q, doing, query, args...)
		return err
	})
	return changed, err
}

// ExecEach executes a statement, which is prepared once, with each list of arguments. It is for transactions.
func (e Executor) ExecEach(ctx context.Context, doing, query string, lists [][]any) error {
	return e.run(ctx, func(ctx context.Context, q sqlx.ExtContext) error {
		return asFault(ctx, e.dialect, doing, execEach(ctx, q.(sqlx.PreparerContext), e.dialect.Rebind(query), lists))
	})
}

func execEach(ctx context.Context, q sqlx.PreparerContext, query string, lists [][]any) (err error) {
	statement, err := q.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, statement.Close()) }()
	for _, args := range lists {
		if _, err := statement.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// ExecOne changes one row, or returns absent if there is none.
func (e Executor) ExecOne(ctx context.Context, absent error, doing, query string, args ...any) error {
	n, err := e.Exec(ctx, doing, query, args...)
	if err == nil && n == 0 {
		return absent
	}
	return err
}

// getFrom, listFrom and execOn do the same on q, for more than one statement in a row, each within the dialect's timeout.
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

// functionOr returns the source of a lookup that runs before a tenant is entered: with row level security the SECURITY DEFINER
// function that the migrations create for this lookup alone, otherwise the plain SQL.
func (r repositories) functionOr(function, plain string) string {
	if r.dialect.RowLevelSecurity() {
		return function
	}
	return plain
}

// convert maps rows to domain values.
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
