package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
)

// TestMigrate: up makes what is not there, and status shows what is.
func TestMigrate(t *testing.T) {
	c := newCommand(t)
	if out, _ := c.want(t, 0, "", "migrate", "up"); !strings.Contains(out, fmt.Sprintf("%d versions applied", migrations.Newest)) {
		t.Errorf("printed %s", out)
	}
	if out, _ := c.want(t, 0, "", "migrate", "status"); strings.Contains(out, "pending") || strings.Count(out, "applied") != migrations.Newest {
		t.Errorf("after: %s", out)
	}
	c.want(t, 0, "", "migrate", "down", "--database", "secure-data.db")
	if out, _ := c.want(t, 0, "", "migrate", "status"); strings.Count(out, "pending") != 1 {
		t.Errorf("with one version taken back: %s", out)
	}
}

// TestNoDatabase: a command that works on a database makes none, and says where it looked for it.
func TestNoDatabase(t *testing.T) {
	c := newCommand(t)
	const anyID = "01a208ed-8be7-7806-a395-750258b9cdd5"
	path := filepath.Join(c.env["DATA_DIR"], "secure-data.db")
	commands := [][]string{
		{"tenant", "list"}, {"tenant", "create", "acme"}, {"user", "list", "--tenant", "acme"}, {"user", "activate", anyID},
		{"user", "create", "--tenant", "acme", "--email", "ann@acme.com", "--name", "Ann", "--role", "admin"},
		{"user", "reset-password", anyID}, {"user", "deactivate", anyID}, {"user", "set-role", anyID, "admin"},
		{"session", "list", "--user", anyID}, {"session", "revoke", anyID}, {"audit", "list", "--tenant", "acme"},
	}
	for _, args := range append(commands, []string{"migrate", "status"}, []string{"migrate", "down", "--database", "secure-data.db"}, []string{"migrate", "distribute"}) {
		_, errs := c.want(t, 1, "SecurePass1\n", args...)
		for _, part := range []string{path, "migrate up", "DATA_DIR", "start the service"} {
			if !strings.Contains(errs, part) {
				t.Errorf("%v: %q is not in %s", args, part, errs)
			}
		}
		if _, err := os.Stat(c.env["DATA_DIR"]); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%v: a folder was made: %v", args, err)
		}
	}

	if err := os.Mkdir(c.env["DATA_DIR"], 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range append(commands, []string{"migrate", "status"}) {
		if _, errs := c.want(t, 1, "SecurePass1\n", args...); !strings.Contains(errs, "not a database of this service") {
			t.Errorf("%v: of an empty file: %s", args, errs)
		}
	}
	if content, err := os.ReadFile(path); err != nil || len(content) > 0 {
		t.Errorf("an empty file has %d bytes: %v", len(content), err)
	}
	outdated := func(version int) {
		t.Helper()
		for _, args := range commands {
			_, errs := c.want(t, 1, "SecurePass1\n", args...)
			for _, part := range []string{fmt.Sprintf("it has version %d,", version), fmt.Sprintf("version %d is needed", migrations.Newest), "migrate up"} {
				if !strings.Contains(errs, part) {
					t.Errorf("%v: %q is not in %s", args, part, errs)
				}
			}
		}
	}
	c.migrated(t)
	c.want(t, 0, "", "migrate", "down", "--database", "secure-data.db")
	outdated(migrations.Newest - 1)
}

// TestMigrateDown: what a database has served is kept in it, and says whether it may be destroyed, whatever the caller's
// environment.
func TestMigrateDown(t *testing.T) {
	const name = "secure-data.db"
	c := newCommand(t)
	c.want(t, 0, "", "migrate", "up")
	c.want(t, 2, "", "migrate", "down")
	if _, errs := c.want(t, 1, "", "migrate", "down", "--database", "other.db"); !strings.Contains(errs, name) {
		t.Errorf("another database: %s", errs)
	}
	applied := func() int {
		out, _ := c.want(t, 0, "", "migrate", "status")
		return strings.Count(out, "applied")
	}
	before := applied()
	c.want(t, 0, "", "migrate", "down", "--database", name)
	if after := applied(); after != before-1 {
		t.Errorf("%d versions are applied, where %d were", after, before)
	}

	c.env["ENVIRONMENT"], c.env["JWT_SECRET_KEY"] = "production", "a secret for tests, which is long enough"
	c.want(t, 0, "", "migrate", "up")
	for _, environment := range []string{"production", "development", "staging"} {
		c.env["ENVIRONMENT"] = environment
		if _, errs := c.want(t, 1, "", "migrate", "down", "--database", name); !strings.Contains(errs, "served production") {
			t.Errorf("in %s: %s", environment, errs)
		}
	}
	if after := applied(); after != before {
		t.Errorf("%d versions are applied, where %d were", after, before)
	}
}

// TestMigrateDown_before_the_record: nobody knows what a database with users has served that is older than the record.
func TestMigrateDown_before_the_record(t *testing.T) {
	const name = "secure-data.db"
	c := newCommand(t)
	create := func(slug, email string) {
		t.Helper()
		c.want(t, 0, "SecurePass1", "user", "create", "--tenant", slug, "--email", email, "--name", "Ann", "--role", "admin")
	}
	c.migrated(t)
	create("acme", "ann@acme.com")
	for taken := ""; !strings.Contains(taken, "_operation"); { // to the version without a record
		taken, _ = c.want(t, 0, "", "migrate", "down", "--database", name)
	}
	if _, errs := c.want(t, 1, "", "migrate", "down", "--database", name); !strings.Contains(errs, "served production") {
		t.Errorf("without a record: %s", errs)
	}
	c.migrated(t)
	create("globex", "gus@globex.com")
	if _, errs := c.want(t, 1, "", "migrate", "down", "--database", name); !strings.Contains(errs, "served production") {
		t.Errorf("with a record that begins after its users: %s", errs)
	}
	if _, errs := c.want(t, 1, "", "serve", "--port", "0"); !strings.Contains(errs, "JWT_SECRET_KEY") {
		t.Errorf("served in development without a key that was there: %s", errs)
	}
}

// TestNewerSchema: an older program touches nothing of a newer schema, and shows that it is newer.
func TestNewerSchema(t *testing.T) {
	c := newCommand(t)
	c.want(t, 0, "", "migrate", "up")
	db, err := sql.Open("sqlite", filepath.Join(c.env["DATA_DIR"], "secure-data.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"serve", "--port", "0"}, {"migrate", "up"}, {"migrate", "down", "--database", "secure-data.db"}, {"tenant", "list"}, {"tenant", "create", "acme"},
	} {
		_, errs := c.want(t, 1, "", args...)
		if !strings.Contains(errs, "version 99") || !strings.Contains(errs, fmt.Sprintf("up to %d", migrations.Newest)) {
			t.Errorf("%v: %s", args, errs)
		}
	}
	if out, _ := c.want(t, 0, "", "migrate", "status"); !regexp.MustCompile(`(?m)^99 .*newer$`).MatchString(out) {
		t.Errorf("the status is %s", out)
	}
}
