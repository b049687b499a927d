// Package sqlstore provides the repositories over SQL, one set for SQLite and Postgres. What differs between the two
// is behind Dialect and in the migrations.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Dialect is what differs between the databases.
type Dialect interface {
	// Rebind turns the placeholders ? into the database's own.
	Rebind(query string) string
	// ForUpdate is the clause that locks the selected rows until the transaction ends; empty where a write
	// transaction is alone anyway.
	ForUpdate() string
	// Day is the expression for the day in UTC of a column that holds a time, as 2026-01-31.
	Day(column string) string
	// RowLevelSecurity reports whether the database itself keeps tenants apart, so that EnterTenant must be called in a
	// transaction before any of their rows can be seen.
	RowLevelSecurity() bool
	// EnterTenant opens the rows of one tenant until the transaction ends.
	EnterTenant(ctx context.Context, tx *sqlx.Tx, tenant id.Tenant) error
	// Duplicate reports whether err says that the value of a unique column is taken.
	Duplicate(err error, table, column string) bool
	// Unavailable reports whether err says that the database can't be reached or can't work now.
	Unavailable(err error) bool
	// Retryable reports whether err says that the transaction was given up in favour of another one, with which it could not
	// be at once, and is to be tried again.
	Retryable(err error) bool
	// RolledBack reports whether err, which answers a COMMIT, says for certain that nothing was committed.
	RolledBack(err error) bool
	// Denied reports whether err says that the database's role may not do this.
	Denied(err error) bool
	// Clock is the expression for the present by the server's clock, which all replicas share; empty where there is one
	// process, whose own clock is as good.
	Clock() string
	// TimedOut reports whether err says that the database was at work on a statement until its time was up.
	TimedOut(err error) bool
	// Timeout is how long a statement by itself or a transaction may take, with the wait for a connection.
	Timeout() time.Duration
}

// ErrDenied says that the role may not do what was asked. Nothing that a request may ask for meets it; what the operator
// does with the rights of the tables' owner does where the owner is not given.
var ErrDenied = errors.New("the database lets none but the owner of its tables do this: set MIGRATION_DATABASE_URL")

// Store is a database.
type Store struct {
	repositories
	writer, reader, queries *sqlx.DB
	dialect                 Dialect
	lastPing                lastPing
}

// New returns a store that writes through one pool and looks up through another, or the same. The analyst is a pool
// apart from both, so that questions that take long keep nobody from signing in.
func New(writer, reader, queries *sqlx.DB, dialect Dialect) *Store {
	s := &Store{writer: writer, reader: reader, queries: queries, dialect: dialect}
	s.repositories = repositories{db: pool{s}, dialect: dialect}
	return s
}

// Pools returns the pools by name: write, query, and read where that is not the same as write.
func (s *Store) Pools() map[string]*sql.DB {
	pools := map[string]*sql.DB{"write": s.writer.DB, "query": s.queries.DB}
	if s.reader != s.writer {
		pools["read"] = s.reader.DB
	}
	return pools
}

// Close closes the pools.
func (s *Store) Close() error {
	return errors.Join(s.writer.Close(), s.reader.Close(), s.queries.Close()) // to close a pool twice does nothing
}

// purpose is what a statement about a tenant's own data is for. It decides on the pool.
type purpose int

const (
	write purpose = iota
	lookUp
	analyse
)

func (s *Store) pool(use purpose) *sqlx.DB {
	switch use {
	case lookUp:
		return s.reader
	case analyse:
		return s.queries
	default:
		return s.writer
	}
}

// maxAttempts is how often a unit of work is tried that the database gives up in favour of another one.
const maxAttempts = 3

// InTx runs a unit of work; see ports.Store.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context, tx ports.Repositories) error) error {
	for left := maxAttempts - 1; ; left-- {
		err := s.inTx(ctx, write, func(ctx context.Context, tx *sqlx.Tx) error {
			return fn(ctx, repositories{db: &transaction{tx: tx, dialect: s.dialect}, dialect: s.dialect})
		})
		if left == 0 || ctx.Err() != nil || !s.dialect.Retryable(err) {
			return err
		}
	}
}

// InTxAsSuperAdmin runs a unit of work; see ports.Store.
func (s *Store) InTxAsSuperAdmin(ctx context.Context, fn func(ctx context.Context, tx ports.Repositories) error) error {
	return s.InTx(ctx, fn)
}

func (s *Store) inTx(caller context.Context, use purpose, fn func(ctx context.Context, tx *sqlx.Tx) error) error {
	ctx, cancel := context.WithTimeout(caller, s.dialect.Timeout())
	defer cancel()
	tx, err := s.pool(use).BeginTxx(ctx, &sql.TxOptions{ReadOnly: use != write})
	if err != nil {
		return asFault(caller, s.dialect, "opening a transaction", err)
	}
	// Also where fn panics. Where the rollback fails the connection is lost, which rolls back too; after the commit
	// it does nothing.
	defer func() { _ = tx.Rollback() }()
	err = fn(ctx, tx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = asFault(caller, s.dialect, "working in a transaction", err)
	}
	if err != nil {
		return err
	}
	switch err := tx.Commit(); {
	case err == nil:
		return nil
	case use == write && !s.dialect.RolledBack(err) && !errors.Is(err, sql.ErrTxDone):
		return ports.ErrOutcomeUnknown.Because(err)
	default: // there was nothing to change, or certainly nothing was changed
		return asFault(caller, s.dialect, "committing", err)
	}
}

// asFault gives an error of the database its place among the faults of a store. Where the caller's own context has
// ended that is the cause, whatever the driver makes of it.
func asFault(caller context.Context, d Dialect, doing string, err error) error {
	var f *fault.Error
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case caller.Err() != nil:
		return fmt.Errorf("%s: %w: %w", doing, caller.Err(), err)
	case d.Unavailable(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrTxDone): // the last by its time
		return ports.ErrUnavailable.Because(fmt.Errorf("%s: %w", doing, err))
	case d.Denied(err):
		return fmt.Errorf("%s: %w: %w", doing, ErrDenied, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// handle runs statements, with placeholders as ?, outside of a transaction or within one.
type handle interface {
	// outside returns what runs statements that belong to no tenant.
	outside(use purpose) sqlx.ExtContext
	// inTenant runs statements about what is one tenant's own.
	inTenant(ctx context.Context, tenant id.Tenant, use purpose, fn func(context.Context, sqlx.ExtContext) error) error
}

// pool runs each statement by itself.
type pool struct {
	store *Store
}

func (p pool) outside(use purpose) sqlx.ExtContext { return p.store.pool(use) }

func (p pool) inTenant(ctx context.Context, tenant id.Tenant, use purpose, fn func(context.Context, sqlx.ExtContext) error) error {
	if !p.store.dialect.RowLevelSecurity() {
		return fn(ctx, p.store.pool(use))
	}
	return p.store.inTx(ctx, use, func(ctx context.Context, tx *sqlx.Tx) error {
		return (&transaction{tx: tx, dialect: p.store.dialect}).inTenant(ctx, tenant, use, fn)
	})
}

// transaction runs statements in a unit of work.
type transaction struct {
	tx      *sqlx.Tx
	dialect Dialect
	entered id.Tenant // whose rows are open now
}

func (t *transaction) outside(purpose) sqlx.ExtContext { return t.tx }

func (t *transaction) inTenant(ctx context.Context, tenant id.Tenant, _ purpose, fn func(context.Context, sqlx.ExtContext) error) error {
	if t.dialect.RowLevelSecurity() && tenant != t.entered {
		if err := t.dialect.EnterTenant(ctx, t.tx, tenant); err != nil {
			return asFault(ctx, t.dialect, "entering a tenant", err)
		}
		t.entered = tenant
	}
	return fn(ctx, t.tx)
}

// repositories are the collections on a handle.
type repositories struct {
	db      handle
	dialect Dialect
}

func (r repositories) Tenants() ports.Tenants                 { return tenants{r} }
func (r repositories) Identities() ports.Identities           { return identities{r} }
func (r repositories) Users() ports.Users                     { return users{r} }
func (r repositories) SignInAddresses() ports.SignInAddresses { return signInAddresses{r} }
func (r repositories) Sessions() ports.Sessions               { return sessions{r} }
func (r repositories) Events() ports.Events                   { return events{r} }
func (r repositories) Audit() ports.AuditTrail                { return auditTrail{r} }
