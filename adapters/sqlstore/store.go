// Package sqlstore provides the repositories over SQL, shared by SQLite and Postgres. Differences are in Dialect and in the
// migrations.
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

// Dialect holds the differences between the databases.
type Dialect interface {
	// Rebind replaces the placeholders ? by the database's own.
	Rebind(query string) string
	// ForUpdate is the clause that locks the selected rows until the transaction ends; empty if write transactions are
	// exclusive anyway.
	ForUpdate() string
	// Day is the expression for the day in UTC of a column in microseconds since 1970, as 2026-01-31.
	Day(column string) string
	// ID is the form in which the tables of events keep a UUID.
	ID(text string) (any, error)
	// Rows is a query that returns rows, for an INSERT or an IN, and its arguments: the values of one row after the other, each
	// of the given columns. The query depends on the number of rows alone.
	Rows(columns []ColumnType, values []any) (query string, args []any)
	// InsertSize is how many of many rows a statement should insert.
	InsertSize(rows int) int
	// AfterErasing returns a statement that overwrites what the database keeps beside its tables of what was deleted; empty: none does.
	AfterErasing() string
	// InsertsByWith reports whether one statement can insert rows into two tables, into one of them by WITH.
	InsertsByWith() bool
	// RowLevelSecurity reports whether the database isolates tenants, so that a transaction sees rows only after EnterTenant.
	RowLevelSecurity() bool
	// EnterTenant makes the rows of one tenant accessible until the transaction ends.
	EnterTenant(ctx context.Context, tx *sqlx.Tx, tenant id.Tenant) error
	// Duplicate reports whether err is a violation of the uniqueness of a column.
	Duplicate(err error, table, column string) bool
	// KeyExists reports whether err is a violation of the uniqueness of a primary key.
	KeyExists(err error) bool
	// Unsupported reports whether err means that the database, or an extension of it, has no such statement.
	Unsupported(err error) bool
	// Unavailable reports whether err means that the database can't be reached or can't work at the moment.
	Unavailable(err error) bool
	// Retryable reports whether err is a serialization failure or a deadlock, after which the transaction should be retried.
	Retryable(err error) bool
	// RolledBack reports whether err, from a COMMIT, guarantees that nothing was committed.
	RolledBack(err error) bool
	// Denied reports whether err means that the database role lacks a privilege.
	Denied(err error) bool
	// Clock is the expression for the current time by the server's clock, which all replicas share; empty if there is only
	// one process, whose own clock will do.
	Clock() string
	// TimedOut reports whether err means that a statement ran until its timeout.
	TimedOut(err error) bool
	// Timeout limits a transaction, or a statement outside of one, including the wait for a connection.
	Timeout() time.Duration
}

// ColumnType is the type of a column.
type ColumnType int

// The types.
const (
	UUID ColumnType = iota
	Bytes
	Integer
	Real
	Text
	Timestamp // of the tables of earlier versions of the schema
)

// ErrDenied: the database role lacks a privilege. No request of the API needs such a privilege; commands of the operator that
// need the owner of the tables fail with it if MIGRATION_DATABASE_URL is not set.
var ErrDenied = errors.New("only the owner of the tables may do this: set MIGRATION_DATABASE_URL")

// Store is a database.
type Store struct {
	repositories
	writer, reader, queries *sqlx.DB
	dialect                 Dialect
	schema                  int64 // the version of the schema that this program needs
	lastCheck               lastCheck
}

// New returns a store that writes through one pool and reads through another, or the same. Queries have a separate pool, so
// that slow ones do not keep anyone from signing in. schema is the version of the schema that the database needs.
func New(writer, reader, queries *sqlx.DB, dialect Dialect, schema int64) *Store {
	s := &Store{writer: writer, reader: reader, queries: queries, dialect: dialect, schema: schema}
	s.repositories = repositories{db: pool{s}, dialect: dialect}
	return s
}

// Pools returns the pools by name: write, and read and query where these are separate.
func (s *Store) Pools() map[string]*sql.DB {
	pools := map[string]*sql.DB{"write": s.writer.DB}
	if s.reader != s.writer {
		pools["read"] = s.reader.DB
	}
	if s.queries != s.reader {
		pools["query"] = s.queries.DB
	}
	return pools
}

// Close closes the pools.
func (s *Store) Close() error {
	return errors.Join(s.writer.Close(), s.reader.Close(), s.queries.Close()) // closing a pool twice is harmless
}

// Purpose is what a statement is for. It selects the pool.
type Purpose int

// The purposes.
const (
	Write Purpose = iota
	LookUp
	Analyse
)

func (s *Store) pool(use Purpose) *sqlx.DB {
	switch use {
	case LookUp:
		return s.reader
	case Analyse:
		return s.queries
	default:
		return s.writer
	}
}

// maxAttempts limits the attempts of a transaction that fails with a retryable error.
const maxAttempts = 3

// InTx runs a transaction; see ports.Store.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context, tx ports.Repositories) error) error {
	return s.transact(ctx, func(ctx context.Context, tx repositories) error { return fn(ctx, tx) })
}

// Transaction runs statements in one transaction.
type Transaction struct{ repositories }

// In returns an executor for the data of one tenant.
func (t Transaction) In(tenant id.Tenant) Executor { return t.in(tenant, Write) }

// Outside returns an executor for statements that belong to no tenant.
func (t Transaction) Outside() Executor { return t.outside(Write) }

// Transact runs a transaction as InTx does, for statements of other packages.
func (s *Store) Transact(ctx context.Context, fn func(ctx context.Context, tx Transaction) error) error {
	return s.transact(ctx, func(ctx context.Context, tx repositories) error { return fn(ctx, Transaction{tx}) })
}

// Snapshot runs queries on the data of one tenant, which all see the same state of it. On a cluster that is so for each
// statement only.
func (s *Store) Snapshot(ctx context.Context, tenant id.Tenant, fn func(ctx context.Context, in Executor) error) error {
	return s.inTx(ctx, Analyse, func(ctx context.Context, tx *sqlx.Tx) error {
		r := repositories{db: &transaction{tx: tx, dialect: s.dialect}, dialect: s.dialect}
		return fn(ctx, r.in(tenant, Analyse))
	})
}

// In returns an executor for the data of one tenant. Each statement runs on its own.
func (s *Store) In(tenant id.Tenant, use Purpose) Executor { return s.in(tenant, use) }

// Outside returns an executor for statements that belong to no tenant.
func (s *Store) Outside(use Purpose) Executor { return s.outside(use) }

// Dialect returns the differences between the databases.
func (s *Store) Dialect() Dialect { return s.dialect }

// transact runs a transaction, and retries it after a retryable error.
func (s *Store) transact(ctx context.Context, fn func(ctx context.Context, tx repositories) error) error {
	for left := maxAttempts - 1; ; left-- {
		err := s.inTx(ctx, Write, func(ctx context.Context, tx *sqlx.Tx) error {
			return fn(ctx, repositories{db: &transaction{tx: tx, dialect: s.dialect}, dialect: s.dialect})
		})
		if left == 0 || ctx.Err() != nil || !s.dialect.Retryable(err) {
			return err
		}
	}
}

// InTxAsSuperAdmin runs a transaction; see ports.Store.
func (s *Store) InTxAsSuperAdmin(ctx context.Context, fn func(ctx context.Context, tx ports.Repositories) error) error {
	return s.InTx(ctx, fn)
}

func (s *Store) inTx(caller context.Context, use Purpose, fn func(ctx context.Context, tx *sqlx.Tx) error) error {
	ctx, cancel := context.WithTimeout(caller, s.dialect.Timeout())
	defer cancel()
	options := sql.TxOptions{ReadOnly: use != Write}
	if use == Analyse {
		options.Isolation = sql.LevelRepeatableRead // SQLite has it anyway
	}
	tx, err := s.pool(use).BeginTxx(ctx, &options)
	if err != nil {
		return asFault(caller, s.dialect, "beginning a transaction", err)
	}
	// Also if fn panics. If the rollback fails, the connection is lost, which rolls back too. After a commit it does nothing.
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
	case use == Write && !s.dialect.RolledBack(err) && !errors.Is(err, sql.ErrTxDone):
		return ports.ErrOutcomeUnknown.Because(err)
	default: // a read-only transaction, or certainly rolled back
		return asFault(caller, s.dialect, "committing", err)
	}
}

// asFault maps a lost connection or an exceeded deadline to ports.ErrUnavailable and a missing privilege to ErrDenied. If the
// caller's context has ended, that is the cause, whatever the driver reports.
func asFault(caller context.Context, d Dialect, doing string, err error) error {
	var f *fault.Error
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case caller.Err() != nil:
		return fmt.Errorf("%s: %w: %w", doing, caller.Err(), err)
	case d.Unavailable(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrTxDone): // ErrTxDone: the deadline ended the transaction
		return ports.ErrUnavailable.Because(fmt.Errorf("%s: %w", doing, err))
	case d.Denied(err):
		return fmt.Errorf("%s: %w: %w", doing, ErrDenied, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// handle runs statements with ? placeholders, outside or inside a transaction.
type handle interface {
	// outside returns an executor for statements that belong to no tenant.
	outside(use Purpose) sqlx.ExtContext
	// inTenant calls fn with an executor for statements on the data of one tenant.
	inTenant(ctx context.Context, tenant id.Tenant, use Purpose, fn func(context.Context, sqlx.ExtContext) error) error
}

// pool runs each statement on its own, in a transaction only if row level security needs one.
type pool struct {
	store *Store
}

func (p pool) outside(use Purpose) sqlx.ExtContext { return p.store.pool(use) }

func (p pool) inTenant(ctx context.Context, tenant id.Tenant, use Purpose, fn func(context.Context, sqlx.ExtContext) error) error {
	if !p.store.dialect.RowLevelSecurity() {
		return fn(ctx, p.store.pool(use))
	}
	return p.store.inTx(ctx, use, func(ctx context.Context, tx *sqlx.Tx) error {
		return (&transaction{tx: tx, dialect: p.store.dialect}).inTenant(ctx, tenant, use, fn)
	})
}

// transaction runs statements in one transaction.
type transaction struct {
	tx      *sqlx.Tx
	dialect Dialect
	entered id.Tenant // the tenant set last
}

func (t *transaction) outside(Purpose) sqlx.ExtContext { return t.tx }

func (t *transaction) inTenant(ctx context.Context, tenant id.Tenant, _ Purpose, fn func(context.Context, sqlx.ExtContext) error) error {
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
func (r repositories) Audit() ports.AuditTrail                { return auditTrail{r} }
