package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

func options(ownerURL, serviceURL string) postgres.Options {
	return postgres.Options{URL: serviceURL, MigrationURL: ownerURL, PoolSize: 10, Queries: 2, StatementTimeout: 10 * time.Second, ApplicationName: "test"}
}

func open(t testing.TB, o postgres.Options) *postgres.Database {
	t.Helper()
	db, err := postgres.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func up(ctx context.Context, db *postgres.Database) (int, error) {
	runner, err := db.Migrations()
	if err != nil {
		return 0, err
	}
	n, err := runner.Up(ctx)
	if err != nil {
		return n, err
	}
	return n, db.Authorize(ctx)
}

func migrated(t testing.TB, o postgres.Options) *postgres.Database {
	t.Helper()
	db := open(t, o)
	if _, err := up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestOnContainer(t *testing.T) {
	server := container.Postgres(t)
	t.Run("store", func(t *testing.T) { porttest.Store(t, migrated(t, options(server.Database(t)))) })
	t.Run("store as its owner", func(t *testing.T) {
		ownerURL, _ := server.Database(t)
		porttest.Store(t, migrated(t, options("", ownerURL)))
	})
	t.Run("operator", func(t *testing.T) {
		o := options(server.Database(t))
		o.AsOwner = true
		db := migrated(t, o)
		porttest.Operator(t, db)
		porttest.RLSMigration(t, db, migrationsOf(t, db))
		porttest.Carrying(t, db, migrationsOf(t, db))
		if err := db.Authorize(t.Context()); err != nil { // the tables are new
			t.Fatal(err)
		}
		o.AsOwner = false
		porttest.Retention(t, db, open(t, o))
	})
	t.Run("questions", func(t *testing.T) {
		fewerChecks(t)
		o := options(server.Database(t))
		asOwner := o
		asOwner.AsOwner = true
		operator := migrated(t, asOwner)
		porttest.Questions(t, operator, open(t, o))
	})
	t.Run("model", func(t *testing.T) {
		fewerChecks(t)
		o := options(server.Database(t))
		asOwner := o
		asOwner.AsOwner = true
		operator := migrated(t, asOwner)
		porttest.Model(t, operator, func() ports.Store {
			db, err := postgres.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			return db
		})
	})
	t.Run("injection", func(t *testing.T) { testInjection(t, server) })
	t.Run("roles", func(t *testing.T) { testRoles(t, server) })
	t.Run("served", func(t *testing.T) { testServed(t, server) })
	t.Run("replicas migrate at once", func(t *testing.T) { testReplicasMigrate(t, server) })
	t.Run("down", func(t *testing.T) { testDown(t, server) })
	t.Run("distribute without citus", func(t *testing.T) {
		if err := migrated(t, options(server.Database(t))).Distribute(t.Context()); !errors.Is(err, postgres.ErrNoCitus) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("events by month", func(t *testing.T) { testEventsByMonth(t, server) })
	t.Run("partitions once", func(t *testing.T) { testPartitionsOnce(t, server) })
	t.Run("migrate distributed", func(t *testing.T) { testMigrateDistributed(t, server) })
	t.Run("distribute", func(t *testing.T) { testDistribute(t, server) })
	t.Run("carried back", func(t *testing.T) { testCarriedBack(t, server) })
	t.Run("failed commits", func(t *testing.T) { testCommits(t, server) })
	t.Run("a deadlock is retried", func(t *testing.T) { testDeadlock(t, server) })
	t.Run("round trips", func(t *testing.T) { testRoundTrips(t, server) })
	t.Run("statement timeout", func(t *testing.T) { testStatementTimeout(t, server) })
	t.Run("readiness by schema version", func(t *testing.T) { testReadyForSchema(t, server) })
	t.Run("newer schema", func(t *testing.T) { testNewerSchema(t, server) })
	t.Run("swapped URLs", func(t *testing.T) { testSwappedURLs(t, server) })
	t.Run("encoding", func(t *testing.T) { testEncoding(t, server) })
	t.Run("a silent host", func(t *testing.T) { testSilentHost(t, server) })
	t.Run("keys lead with the tenant", func(t *testing.T) { testKeys(t, server) })
}

// fewerChecks makes rapid check 20 histories instead of 100, unless another number is given: here each takes a second.
func fewerChecks(t *testing.T) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() != checks.DefValue {
		return
	}
	set := func(n string) {
		if err := flag.Set("rapid.checks", n); err != nil {
			t.Fatal(err)
		}
	}
	set("20")
	t.Cleanup(func() { set(checks.DefValue) })
}

// migrationsOf returns the migrations of a database as the tests of ports need them.
func migrationsOf(t *testing.T, db *postgres.Database) porttest.Migrations {
	t.Helper()
	runner, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	return porttest.Migrations{
		Up: func(ctx context.Context, report func(carried, total int64)) error {
			runner.Report = report
			_, err := runner.Up(ctx)
			return err
		},
		Down: func(ctx context.Context, report func(carried, total int64)) (string, error) {
			runner.Report = report
			return runner.Down(ctx)
		},
	}
}

// driverConn returns a pool of plain connections, without the store.
func driverConn(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func testRoles(t *testing.T, server *container.Container) {
	ctx := t.Context()
	ownerURL, serviceURL := server.Database(t)
	db := migrated(t, options(ownerURL, serviceURL))
	if err := db.CheckRowLevelSecurity(ctx); err != nil {
		t.Errorf("the service's own role: %v", err)
	}
	if err := db.Authorize(ctx); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := migrated(t, options("", ownerURL)).CheckRowLevelSecurity(ctx); !errors.Is(err, postgres.ErrUnsafeRole) {
		t.Errorf("the owner: %v", err)
	}
	var timeout string
	if err := driverConn(t, serviceURL).QueryRowContext(ctx, "SHOW statement_timeout").Scan(&timeout); err != nil || timeout != "10s" {
		t.Errorf("the role has a statement timeout of %s, %v", timeout, err)
	}
	replica := open(t, options("", serviceURL)) // without MIGRATION_DATABASE_URL
	if _, err := up(ctx, replica); err != nil {
		t.Errorf("a replica finds the schema up to date: %v", err)
	}
}

// testServed: the recorded environments are read from the database that is migrated, also if the service's URL leads to another.
func testServed(t *testing.T, server *container.Container) {
	ownerURL, serviceURL := server.Database(t)
	if err := migrated(t, options(ownerURL, serviceURL)).RecordEnvironment(t.Context(), "production", time.Now()); err != nil {
		t.Fatal(err)
	}
	otherOwnerURL, otherServiceURL := server.Database(t)
	migrated(t, options(otherOwnerURL, otherServiceURL))
	mixed := open(t, options(ownerURL, otherServiceURL))
	if served, err := mixed.Environments(t.Context()); err != nil || !slices.Equal(served, []string{"production"}) {
		t.Errorf("it has served %q, %v", served, err)
	}
}

// testReplicasMigrate starts several replicas on an empty database at once.
func testReplicasMigrate(t *testing.T, server *container.Container) {
	o := options(server.Database(t))
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		applied int
	)
	for range 4 {
		db := open(t, o)
		wg.Go(func() {
			n, err := up(t.Context(), db)
			mu.Lock()
			defer mu.Unlock()
			applied += n
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if applied != migrations.Newest {
		t.Errorf("%d versions were applied, want %d", applied, migrations.Newest)
	}
}

func testDown(t *testing.T, server *container.Container) {
	ownerURL, _ := server.Database(t)
	db := migrated(t, options("", ownerURL))
	runner, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	for range migrations.Newest {
		if name, err := runner.Down(t.Context()); err != nil || name == "" {
			t.Errorf("down: %q, %v", name, err)
		}
	}
	if name, err := runner.Down(t.Context()); err != nil || name != "" {
		t.Errorf("down from nothing: %q, %v", name, err)
	}
	if n, err := up(t.Context(), db); err != nil || n != migrations.Newest {
		t.Errorf("up again: %d, %v", n, err)
	}
}

// testCommits: an error of COMMIT is ErrUnavailable if nothing was changed, and ErrOutcomeUnknown otherwise.
func testCommits(t *testing.T, server *container.Container) {
	ctx := t.Context()
	ownerURL, serviceURL := server.Database(t)
	db := migrated(t, options(ownerURL, serviceURL))
	home := porttest.NewTenant(t, db)
	owner := driverConn(t, ownerURL)
	for code, want := range map[string]error{"XX000": ports.ErrOutcomeUnknown, "53100": ports.ErrOutcomeUnknown, "40001": ports.ErrUnavailable} {
		for _, statement := range []string{
			"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'could not commit' USING ERRCODE = '" + code + "'; END $$",
			"CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()",
		} {
			if _, err := owner.ExecContext(ctx, statement); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Events().Ingest(ctx, porttest.ScopeOf(t, home.ID), porttest.NewBatch(t, home.ID)); !errors.Is(err, want) {
			t.Errorf("%s at COMMIT: %v, want %v", code, err, want)
		}
		if _, err := owner.ExecContext(ctx, "DROP FUNCTION fail CASCADE"); err != nil {
			t.Fatal(err)
		}
	}
}

// testDeadlock: two units of work that lock the same two users in opposite order both succeed.
func testDeadlock(t *testing.T, server *container.Container) {
	db := migrated(t, options(server.Database(t)))
	home := porttest.NewTenant(t, db)
	a, b := porttest.NewUser(t, db, home, access.Viewer), porttest.NewUser(t, db, home, access.Viewer)
	var (
		wg, locked sync.WaitGroup
		runs       atomic.Int32
	)
	locked.Add(2)
	lock := func(first, second id.User) error {
		tried := false
		return db.InTx(t.Context(), func(ctx context.Context, tx ports.Repositories) error {
			runs.Add(1)
			if _, err := tx.Identities().ForUpdate(ctx, home.ID, first); err != nil {
				return err
			}
			if !tried {
				tried = true
				locked.Done()
				locked.Wait()
			}
			_, err := tx.Identities().ForUpdate(ctx, home.ID, second)
			return err
		})
	}
	for _, order := range [][2]id.User{{a.ID, b.ID}, {b.ID, a.ID}} {
		wg.Go(func() {
			if err := lock(order[0], order[1]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := runs.Load(); n != 3 {
		t.Errorf("there were %d runs, want 3: one of two was aborted and retried", n)
	}
}

// testRoundTrips: ingesting an event takes four round trips, one of them to enter the tenant.
func testRoundTrips(t *testing.T, server *container.Container) {
	ownerURL, serviceURL := server.Database(t)
	migrated(t, options(ownerURL, serviceURL))
	u := parse(t, serviceURL)
	var (
		trips    atomic.Int64
		answered atomic.Bool
	)
	u.Host = container.Proxy(t, u.Host, func([]byte) container.Verdict {
		if answered.Swap(false) {
			trips.Add(1)
		}
		return container.Pass
	}, func() { answered.Store(true) })
	db := open(t, options(ownerURL, u.String()))
	home := porttest.NewTenant(t, db) // which connects
	before := trips.Load()
	if _, err := db.Events().Ingest(t.Context(), porttest.ScopeOf(t, home.ID), porttest.NewBatch(t, home.ID)); err != nil {
		t.Fatal(err)
	}
	const want = 4 // BEGIN, SET LOCAL, INSERT, COMMIT
	if got := trips.Load() - before; got != want {
		t.Errorf("an event took %d round trips, want %d", got, want)
	}
}

// testStatementTimeout: the server cancels a statement that takes too long, which is ErrUnavailable.
func testStatementTimeout(t *testing.T, server *container.Container) {
	ctx := t.Context()
	ownerURL, serviceURL := server.Database(t)
	o := options(ownerURL, serviceURL)
	o.StatementTimeout = time.Second
	db := migrated(t, o)
	home := porttest.NewTenant(t, db)
	blocker, err := driverConn(t, ownerURL).BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = blocker.Rollback() }()
	if _, err := blocker.ExecContext(ctx, "LOCK TABLE events IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	_, err = db.Events().List(ctx, porttest.ScopeOf(t, home.ID), analytics.Selection{}, "", page.Page{Limit: 10})
	if !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// testKeys: in tables distributed by tenant, Citus needs the tenant in each key.
func testKeys(t *testing.T, server *container.Container) {
	ownerURL, serviceURL := server.Database(t)
	migrated(t, options(ownerURL, serviceURL))
	rows, err := driverConn(t, ownerURL).QueryContext(t.Context(), `
		SELECT c.conrelid::regclass::text, c.contype, a.attname
		FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
		WHERE c.contype IN ('p', 'u', 'f') AND c.conrelid IN ('events'::regclass, 'event_keys'::regclass, 'audit_entries'::regclass)`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var table, kind, column string
		if err := rows.Scan(&table, &kind, &column); err != nil {
			t.Fatal(err)
		}
		if column != "tenant_id" {
			t.Errorf("a key (%s) of %s leads with %s", kind, table, column)
		}
	}
	if err := rows.Err(); err != nil || n < 4 {
		t.Errorf("%d keys were found: %v", n, err)
	}
}

func TestOpen_shows_no_password(t *testing.T) {
	for _, url := range []string{"postgres://u:hush-hush@", "postgres://u:hush-hush@host:99999999/x", "postgres://u:hush-hush@h/x?sslmode=nonsense", "postgres://u:hush-hush%zz@h/x"} {
		db, err := postgres.Open(postgres.Options{URL: url, PoolSize: 1, Queries: 1})
		if err == nil {
			err = db.Ping(t.Context())
		}
		if err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s was accepted: %v", url, err)
			continue
		}
		if got := err.Error(); len(got) == 0 || strings.Contains(got, "hush-hush") {
			t.Errorf("the error shows the password: %s", got)
		}
	}
}
