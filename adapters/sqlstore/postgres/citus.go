package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/lib/pq"
)

// Errors of a database on Citus.
var (
	// ErrNoCitus: the extension is not installed.
	ErrNoCitus = errors.New("the extension citus is not installed: install it on every node, add it to shared_preload_libraries, and run CREATE EXTENSION citus")
	// ErrDistributed: the tables are distributed already.
	ErrDistributed = errors.New("tables are distributed already; nothing was changed")
	// ErrTenantNotPropagated: the tenant of a transaction would not be propagated to the workers of a cluster, which would then
	// show no rows and accept none.
	ErrTenantNotPropagated = errors.New("on Citus the role of DATABASE_URL needs citus.propagate_set_commands = 'local'; an administrator of the database sets it: " +
		"ALTER ROLE ... SET citus.propagate_set_commands = 'local' for that role, or ALTER DATABASE ... SET for all")
)

// distributedTables are the tables that Distribute moves, in an order that their foreign keys allow: tables that are
// needed before a tenant is known are copied to every node, the others are sharded by tenant.
var distributedTables = []struct{ table, distribute string }{
	{"tenants", "SELECT create_reference_table('tenants')"},
	{"users", "SELECT create_reference_table('users')"},
	{"sessions", "SELECT create_reference_table('sessions')"},
	{"sign_in_addresses", "SELECT create_reference_table('sign_in_addresses')"},
	{"events", "SELECT create_distributed_table('events', 'tenant_id')"}, // with its partitions
	{"event_keys", "SELECT create_distributed_table('event_keys', 'tenant_id', colocate_with => 'events')"},
	{"seals", "SELECT create_distributed_table('seals', 'tenant_id', colocate_with => 'events')"},
	{"deltas", "SELECT create_distributed_table('deltas', 'tenant_id', colocate_with => 'events')"},
	{"blocks", "SELECT create_distributed_table('blocks', 'tenant_id', colocate_with => 'events')"},
	{"block_parts", "SELECT create_distributed_table('block_parts', 'tenant_id', colocate_with => 'events')"},
	{"tombstones", "SELECT create_distributed_table('tombstones', 'tenant_id', colocate_with => 'events')"},
	{"event_users", "SELECT create_distributed_table('event_users', 'tenant_id', colocate_with => 'events')"},
	{"erasures", "SELECT create_distributed_table('erasures', 'tenant_id', colocate_with => 'events')"},
	{"erased_events", "SELECT create_distributed_table('erased_events', 'tenant_id', colocate_with => 'events')"},
	{"audit_entries", "SELECT create_distributed_table('audit_entries', 'tenant_id', colocate_with => 'events')"},
}

// queryer is a connection or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func hasCitus(ctx context.Context, q queryer) (there bool, err error) {
	if err := q.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')").Scan(&there); err != nil {
		return false, fmt.Errorf("checking for the extension citus: %w", err)
	}
	return there, nil
}

// distributed returns which of the tables are distributed.
func distributed(ctx context.Context, q queryer) ([]string, error) {
	there, err := hasCitus(ctx, q)
	if err != nil || !there {
		return nil, err
	}
	names := make([]string, 0, len(distributedTables))
	for _, s := range distributedTables {
		names = append(names, s.table)
	}
	const query = "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IN (SELECT logicalrelid FROM pg_dist_partition)"
	found, err := queryTexts(ctx, q, query, pq.Array(names))
	if err != nil {
		return nil, fmt.Errorf("reading the distributed tables: %w", err)
	}
	return found, nil
}

// propagateTenant makes the role's transactions propagate their tenant to the workers.
// Errors: ErrTenantNotPropagated, if another role created this one.
func propagateTenant(ctx context.Context, tx *sql.Tx, role string) error {
	_, err := tx.ExecContext(ctx, "ALTER ROLE "+pq.QuoteIdentifier(role)+" SET citus.propagate_set_commands = 'local'")
	var refused *pq.Error
	if errors.As(err, &refused) && refused.Code == insufficientPrivilege {
		return fmt.Errorf("%w (%w)", ErrTenantNotPropagated, err)
	}
	if err != nil {
		return fmt.Errorf("setting citus.propagate_set_commands of %s: %w", role, err)
	}
	return nil
}

// propagatesTenant reports whether a connection propagates its tenant, however that was configured.
func propagatesTenant(ctx context.Context, q queryer) (bool, error) {
	var setting sql.NullString
	if err := q.QueryRowContext(ctx, "SELECT current_setting('citus.propagate_set_commands', true)").Scan(&setting); err != nil {
		return false, fmt.Errorf("reading citus.propagate_set_commands: %w", err)
	}
	return setting.String == "local", nil
}

// CheckCitus checks that the service can use a distributed database. Errors: ErrTenantNotPropagated.
func (d *Database) CheckCitus(ctx context.Context) error {
	tables, err := distributed(ctx, d.service)
	if err != nil || len(tables) == 0 {
		return err
	}
	reaches, err := propagatesTenant(ctx, d.service)
	if err == nil && !reaches {
		return ErrTenantNotPropagated
	}
	return err
}

// Distribute distributes the tables over a Citus cluster, with all their rows or not at all.
// Errors: ErrNoCitus, ErrDistributed, ErrTenantNotPropagated.
func (d *Database) Distribute(ctx context.Context) error {
	there, err := hasCitus(ctx, d.owner)
	if err != nil {
		return err
	}
	if !there {
		return ErrNoCitus
	}
	tables, err := distributed(ctx, d.owner)
	if err != nil {
		return err
	}
	if len(tables) > 0 {
		return fmt.Errorf("%w: %s", ErrDistributed, strings.Join(tables, ", "))
	}
	reaches, err := propagatesTenant(ctx, d.service)
	if err != nil {
		return err
	}
	tx, err := d.owner.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("distributing: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if !reaches {
		service, err := d.options.serviceRole()
		if err != nil {
			return err
		}
		if err := propagateTenant(ctx, tx, service.Username()); err != nil {
			return err
		}
	}
	if err := distribute(ctx, tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("distributing: %w", err)
	}
	return nil
}

// distribute moves the tables. Citus copies their rows as the owner, to whom they are hidden while row level security is
// forced. The local copies are then truncated.
func distribute(ctx context.Context, tx *sql.Tx) error {
	exec := func(statement string) error {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		return nil
	}
	return withoutForcedRLS(ctx, tx, func() error {
		for _, s := range distributedTables {
			if err := exec("LOCK TABLE " + s.table + " IN SHARE ROW EXCLUSIVE MODE"); err != nil { // blocks writes meanwhile
				return err
			}
		}
		before, err := countRows(ctx, tx)
		if err != nil {
			return err
		}
		for _, s := range distributedTables {
			if err := exec(s.distribute); err != nil {
				return err
			}
		}
		for _, s := range distributedTables {
			if err := exec("SELECT truncate_local_data_after_distributing_table('" + s.table + "')"); err != nil {
				return err
			}
		}
		after, err := countRows(ctx, tx)
		if err != nil {
			return err
		}
		for _, s := range distributedTables {
			if before[s.table] != after[s.table] {
				return fmt.Errorf("the table %s had %d rows and would have %d; nothing was changed", s.table, before[s.table], after[s.table])
			}
		}
		return nil
	})
}

// withoutForcedRLS runs fn while row level security does not apply to the owner of the tables. While it is forced, the
// owner sees empty tables. Code that reads or copies tenants' tables as the owner must use it; a migration must do the
// same in SQL.
func withoutForcedRLS(ctx context.Context, tx *sql.Tx, fn func() error) error {
	tables, err := queryTexts(ctx, tx, "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relforcerowsecurity ORDER BY relname")
	if err != nil {
		return fmt.Errorf("reading the tables with row level security: %w", err)
	}
	return withoutForceOn(ctx, tx, tables, fn)
}

// withoutForceOn is withoutForcedRLS on some tables, named as SQL does.
func withoutForceOn(ctx context.Context, tx *sql.Tx, tables []string, fn func() error) error {
	force := func(how string) error {
		for _, table := range tables {
			if _, err := tx.ExecContext(ctx, "ALTER TABLE "+table+" "+how+" ROW LEVEL SECURITY"); err != nil {
				return fmt.Errorf("%s row level security on %s: %w", how, table, err)
			}
		}
		return nil
	}
	if err := force("NO FORCE"); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return err
	}
	return force("FORCE")
}

// queryTexts returns the rows of a query with one column.
func queryTexts(ctx context.Context, q queryer, query string, args ...any) (texts []string, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, rows.Err()
}

func countRows(ctx context.Context, tx *sql.Tx) (map[string]int64, error) {
	counts := make(map[string]int64, len(distributedTables))
	for _, s := range distributedTables {
		var n int64
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+s.table).Scan(&n); err != nil {
			return nil, fmt.Errorf("counting the rows of %s: %w", s.table, err)
		}
		counts[s.table] = n
	}
	return counts, nil
}
