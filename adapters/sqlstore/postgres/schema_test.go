package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// testReadyForSchema: with an older schema than the program's the service is not ready; with a newer one it is, since a newer
// program migrates while older ones still run.
func testReadyForSchema(t *testing.T, server *container.Container) {
	ownerURL, serviceURL := server.Database(t)
	db := migrated(t, options(ownerURL, serviceURL))
	owner := driverConn(t, ownerURL)
	for _, step := range []struct {
		statement string
		ready     bool
	}{
		{"SELECT 1", true},
		{"DELETE FROM goose_db_version WHERE version_id = (SELECT MAX(version_id) FROM goose_db_version)", false},
		{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)", true},
		{"DELETE FROM heartbeat", false},
		{"INSERT INTO heartbeat (id, at) VALUES (1, now())", true},
		{"DROP TABLE goose_db_version", false},
	} {
		if _, err := owner.ExecContext(t.Context(), step.statement); err != nil {
			t.Fatal(err)
		}
		porttest.Eventually(t, "readiness after "+step.statement, func() bool { return (db.Ping(t.Context()) == nil) == step.ready })
		if err := db.Ping(t.Context()); err != nil && !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("%s: %v", step.statement, err)
		}
	}
}

// testNewerSchema: an older program does not change a newer schema, and reports that it is newer.
func testNewerSchema(t *testing.T, server *container.Container) {
	ctx := t.Context()
	ownerURL, serviceURL := server.Database(t)
	db := migrated(t, options(ownerURL, serviceURL))
	if _, err := driverConn(t, ownerURL).ExecContext(ctx, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)"); err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]*postgres.Database{"the owner": db, "a replica without MIGRATION_DATABASE_URL": open(t, options("", serviceURL))} {
		if _, err := up(ctx, one); !errors.Is(err, migrations.ErrNewer) || !strings.Contains(err.Error(), "99") {
			t.Errorf("%s: %v", name, err)
		}
	}
	runner, err := db.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runner.Down(ctx); !errors.Is(err, migrations.ErrNewer) {
		t.Errorf("down: %v", err)
	}
	versions, err := runner.Status(ctx)
	if err != nil || len(versions) != migrations.Newest+1 || versions[migrations.Newest] != (migrations.Status{Version: 99, Applied: true}) {
		t.Errorf("the versions are %+v, %v", versions, err)
	}
}

// testEncoding: a database whose encoding can't store all of Unicode is refused, with the name of the encoding.
func testEncoding(t *testing.T, server *container.Container) {
	for encoding, want := range map[string]error{"UTF8": nil, "LATIN1": postgres.ErrEncoding, "SQL_ASCII": postgres.ErrEncoding} {
		err := open(t, options("", server.EncodedDatabase(t, encoding))).CheckEncoding(t.Context())
		if !errors.Is(err, want) || err != nil && !strings.Contains(err.Error(), encoding) {
			t.Errorf("%s: %v, want %v", encoding, err, want)
		}
	}
}

// testSwappedURLs: a role in MIGRATION_DATABASE_URL that does not own the tables is refused.
func testSwappedURLs(t *testing.T, server *container.Container) {
	ownerURL, serviceURL := server.Database(t)
	db := open(t, options(ownerURL, serviceURL))
	if may, err := db.MayMigrate(t.Context()); err != nil || !may {
		t.Errorf("before there is a schema: %t, %v", may, err)
	}
	migrated(t, options(ownerURL, serviceURL))
	if may, err := db.MayMigrate(t.Context()); err != nil || !may {
		t.Errorf("as the owner: %t, %v", may, err)
	}
	if may, err := open(t, options(serviceURL, ownerURL)).MayMigrate(t.Context()); may || !errors.Is(err, postgres.ErrNotOwner) {
		t.Errorf("with the URLs swapped: %t, %v", may, err)
	}
}
