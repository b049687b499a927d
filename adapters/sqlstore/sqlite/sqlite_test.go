package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/sqlite"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

func open(t *testing.T, path string) *sqlite.Database {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Queries: 2})
	return opened(t, db, err)
}

func openInMemory(t *testing.T) *sqlite.Database {
	t.Helper()
	db, err := sqlite.OpenInMemory(t.Context(), 2)
	return opened(t, db, err)
}

// opened returns a database that is closed with the test.
func opened(t *testing.T, db *sqlite.Database, err error) *sqlite.Database {
	t.Helper()
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

func migrate(t *testing.T, db *sqlite.Database) int {
	t.Helper()
	runner, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	n, err := runner.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStore(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "a b?c%20#d", "data.db"))
	migrate(t, db)
	porttest.Store(t, db)
	porttest.Operator(t, db)
	porttest.RLSMigration(t, db, migrationsOf(t, db))
	porttest.Carrying(t, db, migrationsOf(t, db))
	porttest.Retention(t, db, db)
	porttest.PlatformRetention(t, db)
}

// migrationsOf returns the migrations of a database as the tests of ports need them.
func migrationsOf(t *testing.T, db *sqlite.Database) porttest.Migrations {
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

func TestStore_in_memory(t *testing.T) {
	db, other := openInMemory(t), openInMemory(t)
	migrate(t, db)
	porttest.Store(t, db)
	if n := migrate(t, other); n == 0 {
		t.Error("two databases in memory are one")
	}
}

func TestOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	path := filepath.Join(dir, "data.db")
	db := open(t, path)
	if n := migrate(t, db); n == 0 {
		t.Error("a new file needed no migration")
	}
	if n := migrate(t, db); n != 0 {
		t.Errorf("a second run applied %d versions", n)
	}
	for name, want := range map[string]os.FileMode{dir: 0o700, path: 0o600} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
	// What was committed is there for another process, and after a restart.
	added := porttest.NewTenant(t, db)
	again := open(t, path)
	if got, err := again.Tenants().ByID(t.Context(), added.ID); err != nil || got != added {
		t.Errorf("another process reads %v, %v", got, err)
	}
}

func TestOpen_fails_where_nothing_can_be_written(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(file, "data.db"), Queries: 1}); err == nil {
		t.Error("a database was opened below a file")
	}
}

// TestOpen_refuses_a_file_that_others_can_read: it would show every tenant's data.
// TestOpen_fails_to_connect: a file that can't be opened in time is an error, and nothing stays open.
func TestOpen_fails_to_connect(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if db, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(t.TempDir(), "data.db")}); !errors.Is(err, context.Canceled) || db != nil {
		t.Errorf("opened %v, %v", db, err)
	}
}

func TestOpen_refuses_a_file_that_others_can_read(t *testing.T) {
	for _, suffix := range []string{"", "-wal"} {
		path := filepath.Join(t.TempDir(), "data.db")
		migrate(t, open(t, path))
		if err := os.Chmod(path+suffix, 0o640); err != nil {
			t.Fatal(err)
		}
		db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Queries: 1})
		if err == nil {
			err = errors.Join(errors.New("it was opened"), db.Close())
		}
		if !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("data.db%s: %v", suffix, err)
		}
	}
}

// TestOpen_refuses_what_is_no_file: to change the mode of a folder or a device would mend nothing.
func TestOpen_refuses_what_is_no_file(t *testing.T) {
	for path, want := range map[string]string{t.TempDir(): "is a directory", os.DevNull: "is a device"} {
		db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Queries: 1})
		if err == nil {
			err = errors.Join(errors.New("it was opened"), db.Close())
		}
		for _, err := range []error{err, sqlite.Check(t.Context(), path)} {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "chmod") {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

// TestCheck_leaves_a_foreign_file_as_it_is: no byte of it changes, and no file is made beside it.
func TestCheck_leaves_a_foreign_file_as_it_is(t *testing.T) {
	for _, c := range []struct {
		name    string
		content func(t *testing.T, path string) error
		want    error // nil for any
	}{
		{"an empty file", func(_ *testing.T, path string) error { return os.WriteFile(path, nil, 0o644) }, sqlite.ErrForeign},
		{"no database", func(_ *testing.T, path string) error { return os.WriteFile(path, []byte("a,b,c\n"), 0o644) }, nil},
		{"another program's database", func(t *testing.T, path string) error {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				return err
			}
			_, err = db.ExecContext(t.Context(), "CREATE TABLE recipes (name TEXT)")
			return errors.Join(err, db.Close())
		}, sqlite.ErrForeign},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "data.db")
			if err := c.content(t, path); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := sqlite.Check(t.Context(), path); err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("%d bytes became %d, %v", len(before), len(after), err)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
				t.Errorf("beside it: %v, %v", files, err)
			}
		})
	}
}

// TestCheck accepts the service's database, while it is open, where its tables may be in the WAL alone, and once it is closed.
func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c%20#d.db")
	if err := sqlite.Check(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Queries: 1})
	if err != nil {
		t.Fatal(err)
	}
	migrate(t, db)
	if err := sqlite.Check(t.Context(), path); err != nil {
		t.Errorf("open: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Check(t.Context(), path); err != nil {
		t.Errorf("closed: %v", err)
	}
	again := open(t, path)
	if n := migrate(t, again); n != 0 {
		t.Errorf("%d versions were applied again", n)
	}
}

// TestOpen_follows_links: beside the file that a link leads to stands what was written last.
func TestOpen_follows_links(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "data.db"), filepath.Join(t.TempDir(), "link.db")
	migrate(t, open(t, path))
	if err := errors.Join(os.Symlink(path, link), os.Chmod(path+"-wal", 0o644)); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: link, Queries: 1})
	if err == nil {
		err = errors.Join(errors.New("it was opened"), db.Close())
	}
	if !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
}

// TestPing_of_a_file_that_was_removed: what is written to it is lost.
func TestPing_of_a_file_that_was_removed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	db := open(t, path)
	migrate(t, db)
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	aside := path + "-aside"
	if err := os.Rename(path, aside); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("where the file was: %v", err)
	}
	if err := os.Rename(aside, path); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("put back: %v", err)
	}
}

// TestServed: what a database has served stays in it, and one that is older than the record is known to have served what
// nobody knows.
func TestServed(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "data.db"))
	migrate(t, db)
	served := func(want ...string) {
		t.Helper()
		got, err := db.Environments(t.Context())
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("it has served %q, %v, want %q", got, err, want)
		}
	}
	served()
	for _, environment := range []string{"production", "development", "production"} {
		if err := db.RecordEnvironment(t.Context(), environment, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	served("development", "production")

	porttest.NewUser(t, db, porttest.NewTenant(t, db), access.Viewer)
	runner, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	for taken := ""; !strings.Contains(taken, "_operation"); { // the version with the record
		if taken, err = runner.Down(t.Context()); err != nil || taken == "" {
			t.Fatalf("taking a version back: %q, %v", taken, err)
		}
	}
	migrate(t, db)
	served("unknown")
}

// TestPing: a database that can't be written is not ready, and is again once it can be.
func TestPing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	db := open(t, path)
	migrate(t, db)
	ready := func() bool {
		err := db.Ping(t.Context())
		if err != nil && !errors.Is(err, ports.ErrUnavailable) {
			t.Fatal(err)
		}
		return err == nil
	}
	if !ready() {
		t.Fatal("a database that nothing ails is not ready")
	}
	blocker, err := sql.Open("sqlite", path+"?_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	defer blocker.Close()
	tx, err := blocker.BeginTx(t.Context(), nil) // another process that writes and does not end
	if err != nil {
		t.Fatal(err)
	}
	porttest.Eventually(t, "not ready", func() bool { return !ready() })
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	porttest.Eventually(t, "ready", ready)
}

// TestPing_of_another_schema: one that is older than the program is not ready, and a newer one is, since a newer program
// migrates while the older ones still run.
func TestPing_of_another_schema(t *testing.T) {
	type step struct {
		statement string
		ready     bool
	}
	schema := []step{
		{"SELECT 1", true},
		{"DELETE FROM goose_db_version WHERE version_id = (SELECT MAX(version_id) FROM goose_db_version)", false},
		{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)", true},
		{"DROP TABLE goose_db_version", false},
	}
	for name, c := range map[string]struct {
		file  func(path string) string
		steps []step
	}{
		"identities": {func(path string) string { return path }, schema},
		"events": {eventsOf, append([]step{
			{"DELETE FROM heartbeat", false},
			{"INSERT INTO heartbeat (id, at) VALUES (1, '2026-01-01T00:00:00.000000Z')", true},
		}, schema...)},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data.db")
			db := open(t, path)
			migrate(t, db)
			other, err := sql.Open("sqlite", c.file(path))
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			for _, step := range c.steps {
				if _, err := other.ExecContext(t.Context(), step.statement); err != nil {
					t.Fatal(err)
				}
				porttest.Eventually(t, "what becomes of "+step.statement, func() bool { return (db.Ping(t.Context()) == nil) == step.ready })
				if err := db.Ping(t.Context()); err != nil && !errors.Is(err, ports.ErrUnavailable) {
					t.Errorf("%s: %v", step.statement, err)
				}
			}
		})
	}
}

// TestPing_on_a_full_disk fills a small disk.
func TestPing_on_a_full_disk(t *testing.T) {
	dir := t.TempDir()
	if err := mountSmallDisk(dir); err != nil {
		t.Skipf("skipped: a small disk can't be had here: %v", err)
	}
	path := filepath.Join(dir, "data.db")
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Queries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(db.Close(), unmount(dir)); err != nil {
			t.Error(err)
		}
	})
	migrate(t, db)
	home := porttest.NewTenant(t, db)
	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 512))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	// The log of writes has room within itself for a while.
	porttest.Eventually(t, "a full disk", func() bool {
		_, err := db.Events().Ingest(t.Context(), porttest.ScopeOf(t, home.ID), porttest.NewBatch(t, home.ID))
		if err != nil && !errors.Is(err, ports.ErrUnavailable) && !errors.Is(err, ports.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		return err != nil
	})
	porttest.Eventually(t, "not ready", func() bool { return errors.Is(db.Ping(t.Context()), ports.ErrUnavailable) })
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	porttest.Eventually(t, "ready", func() bool { return db.Ping(t.Context()) == nil })
}

// TestCorrupt: a file that is damaged can't be read now, which is no fault of this program.
func TestCorrupt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	whole, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Queries: 1})
	if err != nil {
		t.Fatal(err)
	}
	migrate(t, whole)
	if err := whole.Close(); err != nil { // which writes all into the one file
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const pageSize = 4096
	db := open(t, path)
	for i := pageSize; i < len(content); i++ { // all but the first page, which says where the others are
		content[i] = 0xa5
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Tenants().ByID(t.Context(), porttest.NewID[id.Tenant]()); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("reading: %v", err)
	}
	if err := db.Ping(t.Context()); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
}

// eventsOf returns the path of the file of events.
func eventsOf(path string) string { return strings.TrimSuffix(path, ".db") + "-events.db" }

// TestEndless runs queries on a table without an end: each ends by its timeout, or once its client has gone.
func TestEndless(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	db := open(t, path)
	migrate(t, db)
	home := porttest.NewTenant(t, db)
	scope := porttest.ScopeOf(t, home.ID)
	plain, err := sql.Open("sqlite", eventsOf(path))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for _, statement := range []string{"ALTER TABLE events RENAME TO stored",
		`CREATE VIEW events AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
		SELECT unhex('` + string(home.ID) + `', '-') AS tenant_id, unhex(printf('%032x', i)) AS id, 't' AS event_type, 'u' AS user_identifier,
			NULL AS session_id, 1.0 AS value, 's' AS source, NULL AS properties, 0 AS occurred_at FROM n`,
	} {
		if _, err := plain.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	queries := map[string]func(context.Context) error{
		"summary": func(ctx context.Context) error {
			_, err := db.Events().Answer(ctx, scope, analytics.NewSummaryQuestion(analytics.Window{}))
			return err
		},
		"query": func(ctx context.Context) error {
			_, err := db.Events().Answer(ctx, scope, analytics.Query{GroupBy: []analytics.Dimension{analytics.BySource}, Limit: 1}.Question())
			return err
		},
		"list": func(ctx context.Context) error {
			_, err := db.Events().List(ctx, scope, analytics.Selection{}, "", page.Page{Limit: 1})
			return err
		},
	}
	chunks := map[string]func(context.Context) error{
		"export": func(ctx context.Context) error {
			_, _, err := db.Events().Export(ctx, scope, analytics.Selection{}, "", 1)
			return err
		},
	}
	for timeout, reads := range map[error]map[string]func(context.Context) error{analytics.ErrTooExpensive: queries, context.DeadlineExceeded: chunks} {
		for name, read := range reads {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if err := read(ctx); !errors.Is(err, timeout) {
				t.Errorf("%s, after its timeout: %v, want %v", name, err, timeout)
			}
			cancel()
			ctx, leave := context.WithCancel(t.Context())
			left := make(chan time.Time, 1)
			time.AfterFunc(20*time.Millisecond, func() { left <- time.Now(); leave() })
			if err := read(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, whose client left: %v", name, err)
			}
			if took := time.Since(<-left); took > 3*time.Second { // it is a millisecond on a machine that is not busy
				t.Errorf("%s went on for %s", name, took)
			}
		}
	}
}
