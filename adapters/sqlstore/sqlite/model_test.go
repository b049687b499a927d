package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/sqlite"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

func TestModel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	operator := open(t, path)
	migrate(t, operator)
	porttest.Model(t, operator, func() ports.Store {
		db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Queries: 1})
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}

func TestQuestions(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "data.db"))
	migrate(t, db)
	porttest.Questions(t, db, db)
}
