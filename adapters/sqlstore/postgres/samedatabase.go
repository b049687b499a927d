package postgres

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrDifferentDatabases: the service would not use the database that was migrated.
var ErrDifferentDatabases = errors.New("DATABASE_URL and MIGRATION_DATABASE_URL lead to different databases; both must lead to the same one")

// CheckSameDatabase checks that both URLs lead to the same database, whatever names and poolers are in between: a lock
// taken over one is not free over the other. It is skipped while the service's role does not exist.
// Errors: ErrDifferentDatabases.
func (d *Database) CheckSameDatabase(ctx context.Context) error {
	if d.options.MigrationURL == d.options.URL {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.dialect.Timeout())
	defer cancel()
	service, err := d.options.serviceRole()
	if err != nil {
		return err
	}
	tx, err := d.owner.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("connecting with MIGRATION_DATABASE_URL: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // releases the lock
	var there bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", service.Username()).Scan(&there); err != nil {
		return fmt.Errorf("looking for the role of DATABASE_URL: %w", err)
	}
	if !there {
		return nil
	}
	key := lockKey()
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", key); err != nil {
		return fmt.Errorf("taking a lock with MIGRATION_DATABASE_URL: %w", err)
	}
	var free bool
	if err := d.service.GetContext(ctx, &free, "SELECT pg_try_advisory_xact_lock($1)", key); err != nil {
		return fmt.Errorf("trying a lock with DATABASE_URL: %w", err)
	}
	if free {
		return ErrDifferentDatabases
	}
	return nil
}

// lockKey returns a random key, on which nobody else takes a lock.
func lockKey() int64 {
	var key [8]byte
	rand.Read(key[:]) // never fails: crypto/rand aborts the program instead
	return int64(binary.NativeEndian.Uint64(key[:]))
}
