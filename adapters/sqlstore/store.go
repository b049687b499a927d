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
	// GuardsTenants reports whether the database itself keeps tenants apart, so that EnterTenant must be called in a
	// transaction before any of their rows can be seen.
	GuardsTenants() bool
	// EnterTenant opens the rows of one tenant until the transaction ends.
	EnterTenant(ctx context.Context, tx *sqlx.Tx, tenant id.Tenant) error
	// Duplicate reports whether err says that the value of a unique column is taken.
	Duplicate(err error, table, column string) bool
	// Lost reports whether err says that the database can't be reached or can't work now.
	Lost(err error) bool
	// GaveWay reports whether err says that the transaction was given up in favour of another one, with which it could not
	// be at once, and is to be tried again.
	GaveWay(err error) bool
	// RolledBack reports whether err, which answers a COMMIT, says for certain that nothing was committed.
	RolledBack(err error) bool
	// Patience is how long a statement by itself or a transaction may take, with the wait for a connection.
	Patience() time.Duration
}

// Store is a database.
type Store struct {
	repositories
	writer, reader *sqlx.DB
	dialect        Dialect
	pulse          pulse
}

// New returns a store that writes through one pool and reads through another, or the same.
func New(writer, reader *sqlx.DB, dialect Dialect) *Store {
	s := &Store{writer: writer, reader: reader, dialect: dialect}
	s.repositories = repositories{db: pool{s}, dialect: dialect}
	return s
}

// Close closes the pools.
func (s *Store) Close() error {
	err := s.writer.Close()
	if s.reader != s.writer {
		err = errors.Join(err, s.reader.Close())
	}
	return err
}

// attempts is how often a unit of work is tried that the database gives up in favour of another one.
const attempts = 3

// InTx runs a unit of work; see ports.Store.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context, tx ports.Repositories) error) error {
	for left := attempts - 1; ; left-- {
		err := s.inTx(ctx, nil, func(tx *sqlx.Tx) error {
			return fn(ctx, repositories{db: transaction{tx: tx, dialect: s.dialect}, dialect: s.dialect})
		})
		if left == 0 || ctx.Err() != nil || !s.dialect.GaveWay(err) {
			return err
		}
	}
}

func (s *Store) inTx(ctx context.Context, options *sql.TxOptions, fn func(tx *sqlx.Tx) error) error {
	db := s.writer
	if options != nil && options.ReadOnly {
		db = s.reader
	}
	ctx, cancel := context.WithTimeout(ctx, s.dialect.Patience())
	defer cancel()
	tx, err := db.BeginTxx(ctx, options)
	if err != nil {
		return s.fault("opening a transaction", err)
	}
	// Also where fn panics. Where the rollback fails the connection is lost, which rolls back too; after the commit
	// it does nothing.
	defer func() { _ = tx.Rollback() }()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return s.commitFault(err)
	}
	return nil
}

// commitFault tells a commit that certainly failed from one of which it is not known.
func (s *Store) commitFault(err error) error {
	if s.dialect.RolledBack(err) {
		return s.fault("committing", err)
	}
	return ports.ErrOutcomeUnknown.Because(err)
}

// fault gives an error of the database its place among the faults of a store.
func (s *Store) fault(doing string, err error) error { return asFault(s.dialect, doing, err) }

func asFault(d Dialect, doing string, err error) error {
	var f *fault.Error
	if err == nil || errors.As(err, &f) {
		return err
	}
	if d.Lost(err) || errors.Is(err, context.DeadlineExceeded) {
		return ports.ErrUnavailable.Because(fmt.Errorf("%s: %w", doing, err))
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// handle runs statements, with placeholders as ?, outside of a transaction or within one.
type handle interface {
	// reading and writing return what runs statements about identities: tenants, users, sessions.
	reading() sqlx.ExtContext
	writing() sqlx.ExtContext
	// inTenant runs statements about one tenant's own data: events, audit entries.
	inTenant(ctx context.Context, tenant id.Tenant, readOnly bool, fn func(sqlx.ExtContext) error) error
}

// pool runs each statement by itself.
type pool struct {
	store *Store
}

func (p pool) reading() sqlx.ExtContext { return p.store.reader }
func (p pool) writing() sqlx.ExtContext { return p.store.writer }

func (p pool) inTenant(ctx context.Context, tenant id.Tenant, readOnly bool, fn func(sqlx.ExtContext) error) error {
	if !p.store.dialect.GuardsTenants() {
		if readOnly {
			return fn(p.store.reader)
		}
		return fn(p.store.writer)
	}
	return p.store.inTx(ctx, &sql.TxOptions{ReadOnly: readOnly}, func(tx *sqlx.Tx) error {
		if err := p.store.dialect.EnterTenant(ctx, tx, tenant); err != nil {
			return p.store.fault("entering a tenant", err)
		}
		return fn(tx)
	})
}

// transaction runs statements in a unit of work.
type transaction struct {
	tx      *sqlx.Tx
	dialect Dialect
}

func (t transaction) reading() sqlx.ExtContext { return t.tx }
func (t transaction) writing() sqlx.ExtContext { return t.tx }

func (t transaction) inTenant(ctx context.Context, tenant id.Tenant, _ bool, fn func(sqlx.ExtContext) error) error {
	if t.dialect.GuardsTenants() {
		if err := t.dialect.EnterTenant(ctx, t.tx, tenant); err != nil {
			return asFault(t.dialect, "entering a tenant", err)
		}
	}
	return fn(t.tx)
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

// get reads one row into dest, or returns absent where there is none.
func (r repositories) get(ctx context.Context, q sqlx.ExtContext, dest any, absent error, doing, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, r.dialect.Patience())
	defer cancel()
	err := sqlx.GetContext(ctx, q, dest, r.dialect.Rebind(query), args...)
	if errors.Is(err, sql.ErrNoRows) {
		return absent
	}
	return asFault(r.dialect, doing, err)
}

// list reads all rows into dest.
func (r repositories) list(ctx context.Context, q sqlx.ExtContext, dest any, doing, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, r.dialect.Patience())
	defer cancel()
	return asFault(r.dialect, doing, sqlx.SelectContext(ctx, q, dest, r.dialect.Rebind(query), args...))
}

// exec changes rows and returns how many.
func (r repositories) exec(ctx context.Context, q sqlx.ExtContext, doing, query string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, r.dialect.Patience())
	defer cancel()
	result, err := q.ExecContext(ctx, r.dialect.Rebind(query), args...)
	if err != nil {
		return 0, asFault(r.dialect, doing, err)
	}
	n, err := result.RowsAffected()
	return n, asFault(r.dialect, doing, err)
}

// execOne changes one row, or returns absent where there is none.
func (r repositories) execOne(ctx context.Context, q sqlx.ExtContext, absent error, doing, query string, args ...any) error {
	n, err := r.exec(ctx, q, doing, query, args...)
	if err == nil && n == 0 {
		return absent
	}
	return err
}
