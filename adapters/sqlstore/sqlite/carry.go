package sqlite

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/events"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
)

// Migrations returns the runner of the migrations.
func (d *Database) Migrations() (*migrations.Runner, error) {
	return migrations.NewRunner(goose.DialectSQLite3, "sqlite", d.migrating, migrations.Carry{Up: d.carryForward, Down: d.carryBack})
}

// carryForward carries the events of schema 3 over and gives the space that they took back to the file system.
func (d *Database) carryForward(ctx context.Context, report migrations.Report) error {
	var left bool // false if an earlier call was stopped after it dropped the table
	if err := d.writer.GetContext(ctx, &left, "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'events_before')"); err != nil {
		return fmt.Errorf("looking for the events of schema 3: %w", err)
	}
	if left {
		if err := d.carrier(d.writer, d.eventWriter(), report).Forward(ctx); err != nil {
			return err
		}
	}
	for _, statement := range []string{"DROP TABLE IF EXISTS events_before", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := d.writer.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// tableBefore is the table of events as schema 4 leaves it.
const tableBefore = `CREATE TABLE IF NOT EXISTS events_before (
    tenant_id       TEXT NOT NULL REFERENCES tenants (id),
    id              TEXT NOT NULL,
    event_type      TEXT NOT NULL,
    user_identifier TEXT NOT NULL,
    session_id      TEXT,
    value           REAL,
    source          TEXT,
    occurred_at     TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX IF NOT EXISTS events_by_time ON events_before (tenant_id, occurred_at, id);
CREATE INDEX IF NOT EXISTS events_by_type ON events_before (tenant_id, event_type, occurred_at, id)`

// carryBack carries all events back to the table of schema 3.
func (d *Database) carryBack(ctx context.Context, report migrations.Report) error {
	if _, err := d.writer.ExecContext(ctx, tableBefore); err != nil {
		return fmt.Errorf("creating the table of schema 3: %w", err)
	}
	return d.carrier(d.eventWriter(), d.writer, report).Back(ctx)
}

// eventWriter returns the pool that writes events.
func (d *Database) eventWriter() *sqlx.DB { return d.writer }

// carrier carries events from one pool to another.
func (d *Database) carrier(from, to *sqlx.DB, report migrations.Report) events.Carrier {
	return events.Carrier{Dialect: dialect{}, Report: report, Step: func(ctx context.Context, fn func(from, to *sqlx.Tx) error) error {
		return inTransactions(ctx, from, to, fn)
	}}
}

// inTransactions runs fn in a transaction on each of two pools and commits that of the second first; in one if they are the same.
func inTransactions(ctx context.Context, from, to *sqlx.DB, fn func(from, to *sqlx.Tx) error) error {
	source, err := from.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = source.Rollback() }() // does nothing after the commit
	if from == to {
		if err := fn(source, source); err != nil {
			return err
		}
		return source.Commit()
	}
	target, err := to.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = target.Rollback() }()
	if err := fn(source, target); err != nil {
		return err
	}
	if err := target.Commit(); err != nil {
		return err
	}
	return source.Commit()
}
