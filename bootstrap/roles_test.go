package bootstrap_test

import (
	"database/sql"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// TestRoles tests the two roles on Postgres, and the service when they are misconfigured.
func TestRoles(t *testing.T) {
	server := container.Postgres(t)
	t.Run("no owner connection", func(t *testing.T) { testNoOwnerConnection(t, server) })
	t.Run("without the owner", func(t *testing.T) { testWithoutOwner(t, server) })
	t.Run("two databases", func(t *testing.T) { testTwoDatabases(t, server) })
	t.Run("row level security off", func(t *testing.T) { testRowLevelSecurityOff(t, server) })
}

// onPostgres returns the settings of a new database.
func onPostgres(t *testing.T, server *container.Container) settings {
	ownerURL, serviceURL := server.Database(t)
	return generous().with(settings{"DATABASE_URL": serviceURL, "MIGRATION_DATABASE_URL": ownerURL, "DATABASE_POOL_SIZE": "4"})
}

// without returns s without some settings.
func (s settings) without(names ...string) settings {
	left := s.with()
	for _, name := range names {
		delete(left, name)
	}
	return left
}

// openUntilEnd opens a service with the settings, and closes it at the end of the test.
func openUntilEnd(t *testing.T, s settings) *bootstrap.App {
	t.Helper()
	app := open(t, s, bootstrap.Runtime{Output: &log{}, Version: "test", Clock: porttest.NewClock(), After: time.After, Serving: true})
	t.Cleanup(func() {
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	})
	return app
}

// refusal returns why a service with the settings does not start.
func refusal(t *testing.T, s settings) error {
	t.Helper()
	return openUntilEnd(t, s).Serve(t.Context(), func(net.Addr) { t.Fatal("it serves") })
}

// testNoOwnerConnection: while the service serves, it has no connection as the owner, which could change the schema.
func testNoOwnerConnection(t *testing.T, server *container.Container) {
	all := onPostgres(t, server)
	owner, _ := roleIn(t, all["MIGRATION_DATABASE_URL"])
	service, _ := roleIn(t, all["DATABASE_URL"])
	s := start(t, all)
	db, err := sql.Open("postgres", all["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	connections := func(role string) (n int) {
		t.Helper()
		const query = "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = $1 AND pid <> pg_backend_pid()"
		if err := db.QueryRowContext(t.Context(), query, role).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if connections(service) == 0 {
		t.Error("connections are not seen at all")
	}
	porttest.Eventually(t, "no connection of the owner", func() bool { return connections(owner) == 0 })
	s.want(t, 200, request{method: "GET", path: api + "/health/ready"})
}

// testWithoutOwner: a replica without MIGRATION_DATABASE_URL serves if the schema is up to date; otherwise it does not start, and
// says what is missing. The same applies behind a pooler, where advisory locks don't work.
func testWithoutOwner(t *testing.T, server *container.Container) {
	all := onPostgres(t, server)
	migrating := openUntilEnd(t, all.with(settings{"ENVIRONMENT": "production"}))
	alone := all.without("MIGRATION_DATABASE_URL").with(settings{"ENVIRONMENT": "production"})
	service, database := roleIn(t, all["DATABASE_URL"])
	password, _ := parse(t, all["DATABASE_URL"]).User.Password()
	server.Admin(t, database, `CREATE ROLE "`+service+`" LOGIN PASSWORD '`+password+`'`)
	outdated := func(when string, s settings) {
		t.Helper()
		err := refusal(t, s)
		if !errors.Is(err, postgres.ErrOutdated) || !strings.Contains(err.Error(), "migrate up") || !strings.Contains(err.Error(), "MIGRATION_DATABASE_URL") {
			t.Errorf("%s: %v", when, err)
		}
	}
	outdated("without a schema", alone)
	if _, err := migrating.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	pooled := alone.with(settings{"DATABASE_URL": server.PgBouncer(t, all["DATABASE_URL"])})
	for _, s := range []settings{alone, pooled} {
		running := start(t, s)
		running.newPerson(t, newSlug(), access.Viewer)
	}
	server.Admin(t, database, "DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)")
	outdated("with a version missing", alone)
	outdated("behind a pooler", pooled)
	server.Admin(t, database, "INSERT INTO goose_db_version (version_id, is_applied) SELECT generate_series(1, 1000), true")
	if err := refusal(t, alone); !errors.Is(err, migrations.ErrNewer) {
		t.Errorf("with a version of a newer program: %v", err)
	}
}

// testTwoDatabases: if the URLs lead to different databases, nothing is changed in either, in every environment.
func testTwoDatabases(t *testing.T, server *container.Container) {
	one, other := onPostgres(t, server), onPostgres(t, server)
	for _, s := range []settings{one, other} {
		if _, err := openUntilEnd(t, s).Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	third := onPostgres(t, server)
	mixed := one.with(settings{"MIGRATION_DATABASE_URL": third["MIGRATION_DATABASE_URL"]})
	for _, environment := range []string{config.Development, config.Staging, config.Production} {
		if err := refusal(t, mixed.with(settings{"ENVIRONMENT": environment})); !errors.Is(err, postgres.ErrDifferentDatabases) {
			t.Errorf("%s: %v", environment, err)
		}
	}
	if versions, err := openUntilEnd(t, third).SchemaStatus(t.Context()); err != nil || len(versions) == 0 || versions[0].Applied {
		t.Errorf("the other database was migrated: %+v, %v", versions, err)
	}
}

// testRowLevelSecurityOff: if row level security does not apply to the service, production does not start and is not recorded as
// served, and in other environments the log has a warning.
func testRowLevelSecurityOff(t *testing.T, server *container.Container) {
	all := onPostgres(t, server)
	if _, err := openUntilEnd(t, all).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, database := roleIn(t, all["DATABASE_URL"])
	server.Admin(t, database, "ALTER TABLE events DISABLE ROW LEVEL SECURITY")
	const breach = "row level security is off on the table events"
	if err := refusal(t, all.with(settings{"ENVIRONMENT": "production"})); !errors.Is(err, postgres.ErrUnsafeRole) || !strings.Contains(err.Error(), breach) {
		t.Errorf("in production: %v", err)
	}
	owner, err := sql.Open("postgres", all["MIGRATION_DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	wantServed := func(when string, want ...string) {
		t.Helper()
		var served []string
		err := owner.QueryRowContext(t.Context(), "SELECT array_agg(environment ORDER BY environment) FROM served").Scan(pq.Array(&served))
		if err != nil || !slices.Equal(served, want) {
			t.Errorf("%s the recorded environments are %q, %v", when, served, err)
		}
	}
	wantServed("after production was refused", config.Development)
	s := start(t, all)
	warnings := s.log.lines(t, "row level security does not apply to the service")
	if len(warnings) != 1 || !strings.Contains(warnings[0]["reason"].(string), breach) {
		t.Errorf("in development it warns of %v", warnings)
	}
	server.Admin(t, database, "ALTER TABLE events ENABLE ROW LEVEL SECURITY")
	start(t, all.with(settings{"ENVIRONMENT": "production"}))
	wantServed("after production was served", config.Development, config.Production)
}
