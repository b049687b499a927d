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

// TestRoles is about the two roles on Postgres, and what the service does where they are not as they should be.
func TestRoles(t *testing.T) {
	server := container.Postgres(t)
	t.Run("the owner leaves", func(t *testing.T) { testOwnerLeaves(t, server) })
	t.Run("without the owner", func(t *testing.T) { testWithoutOwner(t, server) })
	t.Run("two databases", func(t *testing.T) { testTwoDatabases(t, server) })
	t.Run("row level security off", func(t *testing.T) { testRowLevelSecurityOff(t, server) })
}

// onPostgres returns the settings for a database of the test's own.
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

// put opens a service with the settings, to be closed with the test.
func put(t *testing.T, s settings) *bootstrap.App {
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
	return put(t, s).Serve(t.Context(), func(net.Addr) { t.Fatal("it serves") })
}

// testOwnerLeaves: a service that serves has no connection with which the schema could be changed.
func testOwnerLeaves(t *testing.T, server *container.Container) {
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

// testWithoutOwner: a replica that has not been told who the owner is serves a schema that is up to date, and says what is
// missing of another one. So it does behind a pooler, where turns can't be taken.
func testWithoutOwner(t *testing.T, server *container.Container) {
	all := onPostgres(t, server)
	migrating := put(t, all.with(settings{"ENVIRONMENT": "production"}))
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

// testTwoDatabases: where the URLs lead to different databases nothing is changed in either, whatever the environment.
func testTwoDatabases(t *testing.T, server *container.Container) {
	one, other := onPostgres(t, server), onPostgres(t, server)
	for _, s := range []settings{one, other} {
		if _, err := put(t, s).Migrate(t.Context()); err != nil {
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
	if versions, err := put(t, third).SchemaStatus(t.Context()); err != nil || len(versions) == 0 || versions[0].Applied {
		t.Errorf("the other database was migrated: %+v, %v", versions, err)
	}
}

// testRowLevelSecurityOff: where row level security does not apply to the service, production does not start and is not
// recorded as served, and elsewhere the log says why.
func testRowLevelSecurityOff(t *testing.T, server *container.Container) {
	all := onPostgres(t, server)
	if _, err := put(t, all).Migrate(t.Context()); err != nil {
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
	onRecord := func(when string, want ...string) {
		t.Helper()
		var served []string
		err := owner.QueryRowContext(t.Context(), "SELECT array_agg(environment ORDER BY environment) FROM served").Scan(pq.Array(&served))
		if err != nil || !slices.Equal(served, want) {
			t.Errorf("%s it is on record for %q, %v", when, served, err)
		}
	}
	onRecord("after production was refused", config.Development)
	s := start(t, all)
	warnings := s.log.lines(t, "row level security does not apply to the service")
	if len(warnings) != 1 || !strings.Contains(warnings[0]["reason"].(string), breach) {
		t.Errorf("in development it warns of %v", warnings)
	}
	server.Admin(t, database, "ALTER TABLE events ENABLE ROW LEVEL SECURITY")
	start(t, all.with(settings{"ENVIRONMENT": "production"}))
	onRecord("after production was served", config.Development, config.Production)
}
