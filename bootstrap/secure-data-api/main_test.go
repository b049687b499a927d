package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// command runs a command line on a database of its own.
type command struct {
	env     map[string]string
	envFile string
}

func newCommand(t *testing.T) command {
	return command{env: map[string]string{"DATA_DIR": filepath.Join(t.TempDir(), "data")}}
}

func (c command) run(ctx context.Context, input string, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(ctx, args, terminal{
		in: strings.NewReader(input), out: &o, err: &e,
		env: func(n string) (string, bool) { v, ok := c.env[n]; return v, ok }, envFile: c.envFile,
	})
	return code, o.String(), e.String()
}

func (c command) want(t *testing.T, code int, input string, args ...string) (out, errs string) {
	t.Helper()
	got, out, errs := c.run(t.Context(), input, args...)
	if got != code {
		t.Errorf("%v: exit code %d, want %d\n%s%s", args, got, code, out, errs)
	}
	return out, errs
}

func TestUsers(t *testing.T) {
	c := newCommand(t)
	create := func(code int, email, role, password string, more ...string) (string, string) {
		t.Helper()
		args := []string{"user", "create", "--tenant", "acme", "--email", email, "--name", "Ann Lee", "--role", role, "--password-stdin"}
		return c.want(t, code, password, append(args, more...)...)
	}
	if _, errs := create(1, "ann@acme.com", "admin", "SecurePass1", "--join"); !strings.Contains(errs, "tenant_not_found") {
		t.Errorf("a tenant that does not exist was joined: %s", errs)
	}
	create(0, "ann@acme.com", "admin", "SecurePass1\n")
	if _, errs := create(1, "bob@acme.com", "viewer", "SecurePass1"); !strings.Contains(errs, "tenant_slug_taken") || !strings.Contains(errs, "--join") {
		t.Errorf("a stranger's tenant: %s", errs)
	}
	out, _ := create(0, "Bob@acme.com", "viewer", "SecurePass1\r\n", "--join")
	if !strings.Contains(out, "ann@acme.com") {
		t.Errorf("who is in the tenant is not shown: %s", out)
	}
	out = out[strings.Index(out, "created"):]
	id := regexp.MustCompile(`[0-9a-f-]{36}`).FindString(out)
	if id == "" || !strings.Contains(out, "viewer bob@acme.com") {
		t.Fatalf("printed %q", out)
	}
	if _, errs := create(1, "ann@acme.com", "admin", "SecurePass1", "--join"); !strings.Contains(errs, "email_taken") {
		t.Errorf("the address again: %s", errs)
	}
	if _, errs := create(1, "cid@acme.com", "admin", "password123", "--join"); !strings.Contains(errs, "password") || strings.Contains(errs, "password123") {
		t.Errorf("a common password: %s", errs)
	}
	create(1, "cid@acme.com", "admin", strings.Repeat("x", user.MaxPasswordLength*5))
	create(2, "cid@acme.com", "root", "SecurePass1")

	c.want(t, 0, "", "user", "set-role", id, "analyst")
	c.want(t, 2, "", "user", "set-role", id, "root")
	c.want(t, 2, "", "user", "set-role", "bob", "viewer")
	c.want(t, 1, "", "user", "set-role", "01a208ed-8be7-7806-a395-750258b9cdd5", "viewer")
	out, _ = c.want(t, 0, "", "user", "list", "--tenant", "acme")
	if !regexp.MustCompile(id + ` +bob@acme.com +Ann Lee +analyst +true`).MatchString(out) {
		t.Errorf("listed %s", out)
	}
	c.want(t, 0, "", "user", "deactivate", id)
	out, _ = c.want(t, 0, "", "user", "list", "--tenant", "acme")
	if !regexp.MustCompile(id + ` .* false`).MatchString(out) {
		t.Errorf("listed %s", out)
	}
	c.want(t, 1, "", "user", "list", "--tenant", "nobody")
	c.want(t, 0, "", "tenant", "create", "globex")
	c.want(t, 1, "", "tenant", "create", "Globex")
	c.want(t, 2, "", "tenant", "create", "not a slug")
	if out, _ = c.want(t, 0, "SecurePass1", "user", "create", "--tenant", "globex", "--email", "gus@globex.com", "--name", "Gus", "--role", "admin", "--password-stdin", "--join"); !strings.Contains(out, "admin gus@globex.com") {
		t.Errorf("into the empty tenant: %s", out)
	}
	c.want(t, 0, "", "user", "list", "--tenant", "ACME")
	c.want(t, 2, "", "user", "list", "--tenant", "ac\u212ae")
	out, _ = c.want(t, 0, "", "tenant", "list")
	if !regexp.MustCompile(`(?m)^[0-9a-f-]{36} +acme `).MatchString(out) {
		t.Errorf("tenants are %s", out)
	}
}

func TestUsage(t *testing.T) {
	c := newCommand(t)
	for _, args := range [][]string{
		{"fly"}, {"--fly"}, {"serve", "now"}, {"user"}, {"user", "create"}, {"migrate"}, {"migrate", "sideways"}, {"user", "set-role", "x"},
		{"user", "create", "--tenant", "acme", "--email", "a@b.cd", "--name", "Ann", "--role", "admin"},
	} {
		if _, errs := c.want(t, 2, "", args...); !strings.Contains(errs, "--help") {
			t.Errorf("%v: no word of help in %s", args, errs)
		}
	}
	for _, args := range [][]string{{"--help"}, {"user", "--help"}, {"user", "create", "-h"}, {"help", "migrate"}} {
		if out, _ := c.want(t, 0, "", args...); !strings.Contains(out, "secure-data-api") {
			t.Errorf("%v printed %s", args, out)
		}
	}
}

func TestMigrateConfigVersion(t *testing.T) {
	c := newCommand(t)
	if out, _ := c.want(t, 0, "", "migrate", "status"); !strings.Contains(out, "pending") {
		t.Errorf("before: %s", out)
	}
	c.want(t, 0, "", "migrate", "up")
	if out, _ := c.want(t, 0, "", "migrate", "status"); strings.Contains(out, "pending") || !strings.Contains(out, "applied") {
		t.Errorf("after: %s", out)
	}
	c.env["JWT_SECRET_KEY"] = "a secret that must not be shown to anybody"
	if out, _ := c.want(t, 0, "", "config", "--port", "9999"); strings.Contains(out, "must not") || !regexp.MustCompile(`PORT +9999 +flag`).MatchString(out) {
		t.Errorf("config printed %s", out)
	}
	if out, _ := c.want(t, 0, "", "version"); !strings.Contains(out, version) {
		t.Errorf("version printed %s", out)
	}
	if _, errs := c.want(t, 1, "", "config", "--port", "x"); !strings.Contains(errs, "PORT must be") {
		t.Errorf("a bad port: %s", errs)
	}
}

// TestBrokenConfiguration: whatever the command, it says which settings are to blame, shows no secret and does nothing.
func TestBrokenConfiguration(t *testing.T) {
	for file, blamed := range porttest.BrokenConfigurations(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c := newCommand(t)
			c.envFile = file
			for _, args := range [][]string{{"serve"}, {"config"}, {"tenant", "list"}} {
				out, errs := c.want(t, 1, "", args...)
				for _, name := range blamed {
					if !strings.Contains(errs, name) {
						t.Errorf("%v: %s is not named: %s", args, name, errs)
					}
				}
				if out != "" || strings.Contains(errs, "hush-hush") {
					t.Errorf("%v: printed %q and %q", args, out, errs)
				}
			}
			if _, err := os.Stat(c.env["DATA_DIR"]); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a data folder was made: %v", err)
			}
		})
	}
}

// TestWarnings: a misspelt name in the .env file is warned about at the start, where what the command prints is not in
// the way.
func TestWarnings(t *testing.T) {
	c := newCommand(t)
	c.envFile = filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(c.envFile, []byte("JWT_SECRETKEY=hush-hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"config"}, {"tenant", "list"}, {"migrate", "status"}} {
		out, errs := c.want(t, 0, "", args...)
		if !strings.Contains(errs, "JWT_SECRETKEY") || !strings.Contains(strings.ToLower(errs), "warning") || strings.Contains(out, "JWT_SECRETKEY") || strings.Contains(errs, "hush-hush") {
			t.Errorf("%v: printed %q and %q", args, out, errs)
		}
	}
	c.env["DATA_DIR"] = "/dev/null/data" // so that it ends
	if out, _ := c.want(t, 1, "", "serve"); !strings.Contains(out, `"severity":"WARNING","event":"`+c.envFile+" sets JWT_SECRETKEY") {
		t.Errorf("serve logged %s", out)
	}
}

func TestServe(t *testing.T) {
	c := newCommand(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, errs := c.want(t, 1, "", "--port", port); !strings.Contains(errs, "in use") {
		t.Errorf("a port in use: %s", errs)
	}
	c.env["PORT"] = "1" // where nobody listens
	c.want(t, 1, "", "healthcheck")
	delete(c.env, "PORT")
	c.env["DATA_DIR"] = "/dev/null/data"
	if _, errs := c.want(t, 1, "", "serve"); !strings.Contains(errs, "data folder") {
		t.Errorf("a folder that can't be written: %s", errs)
	}
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
		c.want(t, 0, "SecurePass1", "user", "create", "--tenant", slug, "--email", email, "--name", "Ann", "--role", "admin", "--password-stdin")
	}
	create("acme", "ann@acme.com")
	for taken := ""; !strings.Contains(taken, "_operation"); { // to the version without a record
		taken, _ = c.want(t, 0, "", "migrate", "down", "--database", name)
	}
	if _, errs := c.want(t, 1, "", "migrate", "down", "--database", name); !strings.Contains(errs, "served production") {
		t.Errorf("without a record: %s", errs)
	}
	create("globex", "gus@globex.com") // which brings the schema up to date
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
	if out, _ := c.want(t, 0, "", "migrate", "status"); !regexp.MustCompile(`(?m)^99 .*not known to this program.*applied$`).MatchString(out) {
		t.Errorf("the status is %s", out)
	}
}

// TestNoKeyFromCommands: commands sign nothing, and so leave no key of development behind, least of all beside a database
// of production.
func TestNoKeyFromCommands(t *testing.T) {
	c := newCommand(t)
	keys := func() []string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(c.env["DATA_DIR"], "*key*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, args := range [][]string{{"migrate", "up"}, {"tenant", "create", "acme"}, {"user", "list", "--tenant", "acme"}, {"migrate", "status"}} {
		if _, errs := c.want(t, 0, "", args...); strings.Contains(errs, "JWT_SECRET_KEY") || len(keys()) > 0 {
			t.Errorf("%v made %q, and said %s", args, keys(), errs)
		}
	}
	c.env["ENVIRONMENT"], c.env["JWT_SECRET_KEY"] = "production", "a secret for tests, which is long enough"
	c.want(t, 0, "", "migrate", "up")
	delete(c.env, "ENVIRONMENT")
	delete(c.env, "JWT_SECRET_KEY")
	if _, errs := c.want(t, 1, "", "serve", "--port", "0"); !strings.Contains(errs, "served production") || len(keys()) > 0 {
		t.Errorf("served in development beside production: %s, with %q", errs, keys())
	}
}
