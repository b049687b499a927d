package postgres_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/pressly/goose/v3"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// versionsUpTo returns a runner of the versions up to the given one.
func versionsUpTo(t *testing.T, owner *sql.DB, newest int64) *migrations.Runner {
	t.Helper()
	var later []int64
	for version := newest + 1; version <= migrations.Newest; version++ {
		later = append(later, version)
	}
	runner, err := migrations.NewRunner(goose.DialectPostgres, "postgres", owner, migrations.Carry{}, goose.WithExcludeVersions(later))
	if err != nil {
		t.Fatal(err)
	}
	return runner
}

func applyUpTo(t *testing.T, owner *sql.DB, newest int64) {
	t.Helper()
	if _, err := versionsUpTo(t, owner, newest).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// layout describes the columns, constraints, indexes and policies of a table.
func layout(t *testing.T, db *sql.DB, table string) string {
	t.Helper()
	return scalar[string](t, db, `SELECT string_agg(line, E'\n' ORDER BY line) FROM (
		SELECT attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || ' ' || attnum FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0
		UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $1::regclass
		UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = $1::regclass
		UNION ALL SELECT polname || pg_get_expr(polqual, polrelid) || pg_get_expr(polwithcheck, polrelid) FROM pg_policy WHERE polrelid = $1::regclass
		UNION ALL SELECT relrowsecurity || ' ' || relforcerowsecurity FROM pg_class WHERE oid = $1::regclass
	) AS l (line)`, table)
}

const (
	beforePartitions = 3
	withPartitions   = 4
	partitionsOnce   = 6
)

// testEventsByMonth: version 4 keeps the old events under another name, where nobody but the owner may access them, and gives them
// their name back when it is rolled back. If they are gone by then, it makes the old table again.
func testEventsByMonth(t *testing.T, server *container.Container) {
	ownerURL, serviceURL := server.Database(t)
	owner, admin := driverConn(t, ownerURL), driverConn(t, server.AdminURL(databaseOf(t, ownerURL)))
	applyUpTo(t, owner, beforePartitions)
	before := layout(t, owner, "events")
	server.Admin(t, databaseOf(t, ownerURL), `CREATE ROLE "`+roleOf(t, serviceURL)+`"`, `GRANT SELECT, INSERT ON events TO "`+roleOf(t, serviceURL)+`"`)
	tenant := uuid.NewString()
	exec(t, admin, "INSERT INTO tenants (id, slug, created_at) VALUES ($1::uuid, $1::text, now())", tenant)
	insert := "INSERT INTO events (tenant_id, id, event_type, user_identifier, occurred_at) VALUES ($1, gen_random_uuid(), 'x', 'u', now())"
	exec(t, admin, insert, tenant)

	applyUpTo(t, owner, withPartitions)
	if _, err := admin.ExecContext(t.Context(), insert, tenant); !hasCode(err, "42804") {
		t.Errorf("the statement of an older version: %v", err)
	}
	if n := scalar[int](t, admin, "SELECT COUNT(*) FROM events_before"); n != 1 {
		t.Errorf("%d events were kept", n)
	}
	if scalar[bool](t, admin, "SELECT has_any_column_privilege($1, 'events_before', 'SELECT, INSERT')", roleOf(t, serviceURL)) {
		t.Error("the service may still access the old table")
	}
	rollBack := func() {
		t.Helper()
		if name, err := versionsUpTo(t, owner, withPartitions).Down(t.Context()); err != nil || !strings.HasPrefix(name, "00004") {
			t.Fatalf("rolled back: %q, %v", name, err)
		}
		if got := layout(t, owner, "events"); got != before {
			t.Errorf("after it was rolled back, the table is\n%s\nand was\n%s", got, before)
		}
	}
	rollBack()
	if n := scalar[int](t, admin, "SELECT COUNT(*) FROM events"); n != 1 {
		t.Errorf("after it was rolled back there are %d events", n)
	}
	applyUpTo(t, owner, withPartitions)
	exec(t, owner, "DROP TABLE events_before")
	rollBack()
}

// testPartitionsOnce: version 6 gives its function the rights of the one that it replaces, and that one is back when it is rolled back.
func testPartitionsOnce(t *testing.T, server *container.Container) {
	ownerURL, _ := server.Database(t)
	owner := driverConn(t, ownerURL)
	describe := func(signature, what string) string {
		t.Helper()
		return scalar[string](t, owner, "SELECT "+what+" FROM pg_proc WHERE oid = $1::regprocedure", signature)
	}
	const (
		replaced, added = "drop_event_partitions()", "drop_event_partitions(uuid)"
		rights          = "concat_ws(' ', prosecdef, proconfig, proacl)"
		whole           = rights + " || pg_get_functiondef(oid)"
	)
	applyUpTo(t, owner, withPartitions)
	before, allowed := describe(replaced, whole), describe(replaced, rights)
	applyUpTo(t, owner, partitionsOnce)
	if got := describe(added, rights); got != allowed {
		t.Errorf("the function has the rights %s, want %s", got, allowed)
	}
	if !scalar[bool](t, owner, "SELECT to_regprocedure($1) IS NULL", replaced) {
		t.Error("the function that it replaces is still there")
	}
	if name, err := versionsUpTo(t, owner, partitionsOnce).Down(t.Context()); err != nil || !strings.HasPrefix(name, "00006") {
		t.Fatalf("rolled back: %q, %v", name, err)
	}
	if got := describe(replaced, whole); got != before {
		t.Errorf("after it was rolled back, the function is\n%s\nand was\n%s", got, before)
	}
}

// testMigrateDistributed: where the tables are distributed already, version 4 distributes the new ones.
func testMigrateDistributed(t *testing.T, server *container.Container) {
	server.Extension(t, "citus", citusControl, citusScript)
	for name, tables := range map[string][]string{"distributed": {"audit_entries", "event_keys", "events", "events_before"}, "not distributed": nil} {
		ownerURL, _ := server.Database(t)
		owner := driverConn(t, ownerURL)
		applyUpTo(t, owner, beforePartitions)
		server.Admin(t, databaseOf(t, ownerURL), "CREATE EXTENSION citus")
		if tables != nil {
			exec(t, owner, "SELECT create_distributed_table('events', 'tenant_id'), create_distributed_table('audit_entries', 'tenant_id')")
		}
		applyUpTo(t, owner, withPartitions)
		got := queryTexts(t, owner, "SELECT logicalrelid::text FROM pg_dist_partition ORDER BY 1")
		if !slices.Equal(got, tables) {
			t.Errorf("%s: distributed are %q, want %q", name, got, tables)
		}
	}
}
