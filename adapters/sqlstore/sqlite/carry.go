package sqlite

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/events"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
)

// Migrations returns the runner of the migrations of both files.
func (d *Database) Migrations() (*migrations.Runner, error) {
	ofEvents, err := migrations.NewRunner(goose.DialectSQLite3, "sqlite-events", d.eventFile.migrating, migrations.Carry{})
	if err != nil {
		return nil, err
	}
	carry := migrations.Carry{Up: d.carryForward, Down: d.carryBack}
	runner, err := migrations.NewRunner(goose.DialectSQLite3, "sqlite", d.identities.migrating, carry)
	if err != nil {
		return nil, err
	}
	return runner.With(migrations.Beside{Runner: ofEvents, Join: d.join}), nil
}

// carryForward carries the events of schema 3 over to the other file, and gives the space that they took back to the file system.
func (d *Database) carryForward(ctx context.Context, report migrations.Report) error {
	writer := d.identities.writer
	var left bool // false if an earlier call was stopped after it dropped the table
	if err := writer.GetContext(ctx, &left, "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'events_before')"); err != nil {
		return fmt.Errorf("looking for the events of schema 3: %w", err)
	}
	if left {
		if err := carrier(writer, d.eventFile.writer, report).Forward(ctx); err != nil {
			return err
		}
	}
	if _, err := writer.ExecContext(ctx, "DROP TABLE IF EXISTS events_before"); err != nil {
		return fmt.Errorf("dropping the table of schema 3: %w", err)
	}
	for _, statement := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		_, _ = writer.ExecContext(ctx, statement) // where there is no room for it, the file keeps the space for what comes
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
	if _, err := d.identities.writer.ExecContext(ctx, tableBefore); err != nil {
		return fmt.Errorf("creating the table of schema 3: %w", err)
	}
	return carrier(d.eventFile.writer, d.identities.writer, report).Back(ctx)
}

// carrier carries events from one pool to another.
func carrier(from, to *sqlx.DB, report migrations.Report) events.Carrier {
	return events.Carrier{Dialect: dialect{}, Report: report, Step: func(ctx context.Context, fn func(from, to *sqlx.Tx) error) error {
		return inTransactions(ctx, from, to, fn)
	}}
}

// inTransactions runs fn in a transaction on each of two pools and commits that of the second first.
func inTransactions(ctx context.Context, from, to *sqlx.DB, fn func(from, to *sqlx.Tx) error) error {
	source, err := from.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = source.Rollback() }() // does nothing after the commit
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
