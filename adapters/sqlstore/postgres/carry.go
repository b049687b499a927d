package postgres

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/events"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
)

// carryForward carries the events of schema 3 over and drops their table.
func (d *Database) carryForward(ctx context.Context, report migrations.Report) error {
	var left bool // false if an earlier call was stopped after it dropped the table
	if err := d.owner.QueryRowContext(ctx, "SELECT to_regclass('events_before') IS NOT NULL").Scan(&left); err != nil {
		return fmt.Errorf("looking for the events of schema 3: %w", err)
	}
	if !left {
		return nil
	}
	if err := d.carrier(report).Forward(ctx); err != nil {
		return err
	}
	if _, err := d.owner.ExecContext(ctx, "DROP TABLE events_before"); err != nil {
		return fmt.Errorf("dropping the table of schema 3: %w", err)
	}
	return nil
}

// tableBefore is the table of events as schema 4 leaves it, on a cluster distributed as the events are.
const tableBefore = `CREATE TABLE events_before (
    tenant_id       uuid NOT NULL CONSTRAINT events_tenant_id_fkey REFERENCES tenants (id),
    id              uuid NOT NULL,
    event_type      text COLLATE "C" NOT NULL,
    user_identifier text COLLATE "C" NOT NULL,
    session_id      text,
    value           double precision,
    source          text COLLATE "C",
    occurred_at     timestamptz NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX events_by_time ON events_before (tenant_id, occurred_at, id);
CREATE INDEX events_by_type ON events_before (tenant_id, event_type, occurred_at, id);
ALTER TABLE events_before ENABLE ROW LEVEL SECURITY;
ALTER TABLE events_before FORCE ROW LEVEL SECURITY;
CREATE POLICY events_of_tenant ON events_before
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
DO $$
BEGIN
    IF to_regclass('pg_dist_partition') IS NOT NULL THEN
        EXECUTE $citus$
            SELECT create_distributed_table('events_before', 'tenant_id', colocate_with => 'events')
            FROM pg_dist_partition WHERE logicalrelid = 'events'::regclass
        $citus$;
    END IF;
END $$`

// carryBack carries all events back to the table of schema 3.
func (d *Database) carryBack(ctx context.Context, report migrations.Report) error {
	var there bool
	if err := d.owner.QueryRowContext(ctx, "SELECT to_regclass('events_before') IS NOT NULL").Scan(&there); err != nil {
		return fmt.Errorf("looking for the table of schema 3: %w", err)
	}
	if !there {
		if _, err := d.owner.ExecContext(ctx, tableBefore); err != nil { // several statements are one transaction
			return fmt.Errorf("creating the table of schema 3: %w", err)
		}
	}
	return d.carrier(report).Back(ctx)
}

// carrier carries events as the owner of the tables.
func (d *Database) carrier(report migrations.Report) events.Carrier {
	db := sqlx.NewDb(d.owner, driverName)
	return events.Carrier{Dialect: d.dialect, Report: report, Step: func(ctx context.Context, fn func(from, to *sqlx.Tx) error) error {
		tx, err := db.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after the commit
		// On a cluster, a transaction that has changed a table can't change its rows on several connections at once.
		if _, err := tx.ExecContext(ctx, "SET LOCAL citus.multi_shard_modify_mode = 'sequential'"); err != nil {
			return err
		}
		if err := withoutForceOn(ctx, tx.Tx, []string{"events", "events_before"}, func() error { return fn(tx, tx) }); err != nil {
			return err
		}
		return tx.Commit()
	}}
}
