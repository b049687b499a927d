package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/sqlite"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

func open(t *testing.T, path string) *sqlite.Database {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
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
	if _, err := sqlite.Open(t.Context(), filepath.Join(file, "data.db")); err == nil {
		t.Error("a database was opened below a file")
	}
}
