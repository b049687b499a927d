package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/sqlite"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

func BenchmarkIngest(b *testing.B) {
	store, err := sqlite.Open(b.Context(), sqlite.Options{Path: filepath.Join(b.TempDir(), "data.db"), Queries: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	runner, err := store.Migrations()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := runner.Up(b.Context()); err != nil {
		b.Fatal(err)
	}
	porttest.BenchmarkIngest(b, store)
}
