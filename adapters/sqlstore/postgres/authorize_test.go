package postgres_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

func TestAuthorize(t *testing.T) {
	server := container.Postgres(t)
	server.Admin(t, "admin", "ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
	t.Run("the password is not sent", func(t *testing.T) { testPasswordNotSent(t, server) })
	t.Run("passwords", func(t *testing.T) { testPasswords(t, server) })
	t.Run("role outside of the URL's authority", func(t *testing.T) { testRoleSources(t, server) })
	t.Run("lock", func(t *testing.T) { testLock(t, server) })
	t.Run("settings are updated", func(t *testing.T) { testSettingsUpdated(t, server) })
	t.Run("role of an older version", func(t *testing.T) { testOlderRole(t, server) })
	t.Run("role of an administrator", func(t *testing.T) { testForeignRole(t, server) })
	t.Run("session settings", func(t *testing.T) { testSession(t, server) })
}

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func databaseOf(t *testing.T, raw string) string {
	t.Helper()
	return strings.TrimPrefix(parse(t, raw).Path, "/")
}

func roleOf(t *testing.T, raw string) string {
	t.Helper()
	return parse(t, raw).User.Username()
}

func withPassword(t *testing.T, raw, password string) string {
	t.Helper()
	u := parse(t, raw)
	u.User = url.UserPassword(u.User.Username(), password)
	return u.String()
}

// testPasswordNotSent: the server gets no password that it could log, whether the role can be created or not.
func testPasswordNotSent(t *testing.T, server *container.Container) {
	const secret = "hush-hush-on-the-wire"
	for _, may := range []string{"CREATEROLE", "NOCREATEROLE"} {
		ownerURL, serviceURL := server.Database(t)
		serviceURL = withPassword(t, serviceURL, secret)
		server.Admin(t, "admin", `ALTER ROLE "`+roleOf(t, ownerURL)+`" `+may)
		db := open(t, options(ownerURL, serviceURL))
		_, err := up(t.Context(), db)
		if created := may == "CREATEROLE"; created != (err == nil) {
			t.Errorf("%s: %v", may, err)
		}
		if err != nil && (strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "creating the role")) {
			t.Errorf("the error is %v", err)
		}
		var log string
		porttest.Eventually(t, "the statement in the log", func() bool {
			log = server.Log(t)
			return strings.Contains(log, `CREATE ROLE "`+roleOf(t, serviceURL)+`"`)
		})
		if strings.Contains(log, secret) {
			t.Errorf("%s: the log shows the password", may)
		}
	}
}

// testPasswords: the driver signs in with each password whose verifier was stored.
func testPasswords(t *testing.T, server *container.Container) {
	for _, password := range []string{"simple", `'"\ $1;--%`, strings.Repeat("long ", 50)} {
		ownerURL, serviceURL := server.Database(t)
		serviceURL = withPassword(t, serviceURL, password)
		migrated(t, options(ownerURL, serviceURL))
		if err := driverConn(t, serviceURL).PingContext(t.Context()); err != nil {
			t.Errorf("%q: %v", password, err)
		}
		if err := driverConn(t, withPassword(t, serviceURL, password+"x")).PingContext(t.Context()); err == nil {
			t.Errorf("another password than %q is accepted", password)
		}
	}
	ownerURL, serviceURL := server.Database(t)
	if _, err := up(t.Context(), open(t, options(ownerURL, withPassword(t, serviceURL, "pässword")))); err == nil || !strings.Contains(err.Error(), "ASCII") {
		t.Errorf("a password beyond ASCII: %v", err)
	}
}

// withoutUser moves the user and the password of a URL into its options, or removes them if they are not kept.
func withoutUser(t *testing.T, raw string, kept bool) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if kept {
		q := u.Query()
		q.Set("user", u.User.Username())
		password, _ := u.User.Password()
		q.Set("password", password)
		u.RawQuery = q.Encode()
	}
	u.User = nil
	return u.String()
}

// testRoleSources: a role is created, and its database compared with the owner's, wherever the driver finds the role's name.
func testRoleSources(t *testing.T, server *container.Container) {
	_, otherServiceURL := server.Database(t)
	for name, where := range map[string]func(t *testing.T, raw string) string{
		"among the options": func(t *testing.T, raw string) string { return withoutUser(t, raw, true) },
		"in the environment": func(t *testing.T, raw string) string {
			u, err := url.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			password, _ := u.User.Password()
			t.Setenv("PGUSER", u.User.Username())
			t.Setenv("PGPASSWORD", password)
			return withoutUser(t, raw, false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ownerURL, serviceURL := server.Database(t)
			moved := where(t, serviceURL)
			if err := migrated(t, options(ownerURL, moved)).CheckRowLevelSecurity(t.Context()); err != nil {
				t.Error(err)
			}
			if err := driverConn(t, serviceURL).PingContext(t.Context()); err != nil {
				t.Errorf("the role was not created: %v", err)
			}
			elsewhere := strings.Replace(moved, databaseOf(t, serviceURL), databaseOf(t, otherServiceURL), 1)
			if err := open(t, options(ownerURL, elsewhere)).CheckSameDatabase(t.Context()); !errors.Is(err, postgres.ErrDifferentDatabases) {
				t.Errorf("another database: %v", err)
			}
		})
	}
}

// testLock: the service's role can't block Authorize with a lock, and Authorize waits for its lock with a timeout, which an event
// trigger records.
func testLock(t *testing.T, server *container.Container) {
	o := options(server.Database(t))
	migrated(t, o)
	server.Admin(t, databaseOf(t, o.URL), `CREATE TABLE seen (setting text)`,
		`CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
			INSERT INTO seen VALUES (current_setting('lock_timeout'));
		END $$`,
		`CREATE EVENT TRIGGER see ON ddl_command_start WHEN TAG IN ('GRANT') EXECUTE FUNCTION see()`)
	tx, err := driverConn(t, o.URL).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	for _, statement := range []string{
		"SELECT pg_advisory_lock(hashtext('secure-data-api roles'))", // the lock of older versions
		"LOCK TABLE goose_db_version IN ACCESS SHARE MODE",           // the only lock it may take
	} {
		if _, err := tx.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := open(t, o).Authorize(ctx); err != nil {
		t.Errorf("while the service's role holds locks: %v", err)
	}
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE goose_db_version IN ROW SHARE MODE"); err == nil {
		t.Error("the service's role can take a lock that conflicts")
	}
	var limits []string
	if err := driverConn(t, server.AdminURL(databaseOf(t, o.URL))).QueryRowContext(t.Context(), "SELECT array_agg(DISTINCT setting) FROM seen").Scan(pq.Array(&limits)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(limits, []string{"5min"}) {
		t.Errorf("the lock timeouts are %q", limits)
	}
}

// rolesSettings returns the settings of a role on the server.
func rolesSettings(t *testing.T, ownerURL, serviceURL string) (settings []string) {
	t.Helper()
	err := driverConn(t, ownerURL).QueryRowContext(t.Context(), "SELECT rolconfig FROM pg_roles WHERE rolname = $1", roleOf(t, serviceURL)).
		Scan(pq.Array(&settings))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(settings)
	return settings
}

func settingsFor(statement, idle string) []string {
	return []string{
		"idle_in_transaction_session_timeout=" + idle, "statement_timeout=" + statement,
		"tcp_keepalives_count=3", "tcp_keepalives_idle=30", "tcp_keepalives_interval=10",
	}
}

// testSettingsUpdated: each start updates the settings of the role. If they are the same, it needs no privileges.
func testSettingsUpdated(t *testing.T, server *container.Container) {
	o := options(server.Database(t))
	migrated(t, o)
	if got, want := rolesSettings(t, o.MigrationURL, o.URL), settingsFor("10000", "17000"); !slices.Equal(got, want) {
		t.Errorf("created: %q, want %q", got, want)
	}
	o.StatementTimeout = 3 * time.Second
	migrated(t, o)
	if got, want := rolesSettings(t, o.MigrationURL, o.URL), settingsFor("3000", "10000"); !slices.Equal(got, want) {
		t.Errorf("started again: %q, want %q", got, want)
	}
	server.Admin(t, "admin", `ALTER ROLE "`+roleOf(t, o.MigrationURL)+`" NOCREATEROLE`)
	migrated(t, o)
	o.StatementTimeout = 5 * time.Second
	if _, err := up(t.Context(), open(t, o)); err == nil || !strings.Contains(err.Error(), "setting statement_timeout of the role") {
		t.Errorf("an owner who may not set it: %v", err)
	}
}

// testOlderRole: a role that an older version created has no comment, and keeps its settings until the owner adds the comment in
// README.
func testOlderRole(t *testing.T, server *container.Container) {
	o := options(server.Database(t))
	owner := driverConn(t, o.MigrationURL)
	do := func(statement string) {
		t.Helper()
		if _, err := owner.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	role := `"` + roleOf(t, o.URL) + `"`
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	do(`CREATE ROLE ` + role + ` LOGIN PASSWORD '` + password + `'`)
	do(`ALTER ROLE ` + role + ` SET statement_timeout = 9000`)
	migrated(t, o)
	if got := rolesSettings(t, o.MigrationURL, o.URL); !slices.Equal(got, []string{"statement_timeout=9000"}) {
		t.Errorf("without a comment: %q", got)
	}
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	comment := regexp.MustCompile(`COMMENT ON ROLE service IS '[^']+'`).FindString(string(readme))
	if comment == "" {
		t.Fatal("README has no COMMENT ON ROLE")
	}
	do(strings.Replace(comment, "service", role, 1))
	migrated(t, o)
	if got, want := rolesSettings(t, o.MigrationURL, o.URL), settingsFor("10000", "17000"); !slices.Equal(got, want) {
		t.Errorf("with the comment: %q, want %q", got, want)
	}
}

// testForeignRole: a role that an administrator created is not changed.
func testForeignRole(t *testing.T, server *container.Container) {
	ownerURL, serviceURL := server.Database(t)
	const secret = "of-their-own"
	server.Admin(t, "admin", `CREATE ROLE "`+roleOf(t, serviceURL)+`" LOGIN PASSWORD '`+secret+`'`,
		`ALTER ROLE "`+roleOf(t, serviceURL)+`" SET statement_timeout = '7s'`,
		`GRANT "`+roleOf(t, serviceURL)+`" TO "`+roleOf(t, ownerURL)+`" WITH ADMIN TRUE`)
	migrated(t, options(ownerURL, withPassword(t, serviceURL, secret)))
	if got := rolesSettings(t, ownerURL, serviceURL); !slices.Equal(got, []string{"statement_timeout=7s"}) {
		t.Errorf("its settings are %q", got)
	}
}

// testSession: a session has the settings even if the role has none. A trigger records them.
func testSession(t *testing.T, server *container.Container) {
	o := options(server.Database(t))
	migrated(t, o)
	server.Admin(t, databaseOf(t, o.URL), `ALTER ROLE "`+roleOf(t, o.URL)+`" RESET ALL`,
		`CREATE TABLE seen (setting text)`,
		`CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
			INSERT INTO seen SELECT name || '=' || setting FROM pg_settings
			WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout') OR name LIKE 'tcp_keepalives%';
			RETURN NEW;
		END $$`,
		`CREATE TRIGGER see BEFORE UPDATE ON heartbeat FOR EACH ROW EXECUTE FUNCTION see()`,
		`GRANT SELECT ON seen TO PUBLIC`)
	if err := open(t, o).Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	var seen []string
	if err := driverConn(t, o.MigrationURL).QueryRowContext(t.Context(), "SELECT array_agg(setting ORDER BY setting) FROM seen").Scan(pq.Array(&seen)); err != nil {
		t.Fatal(err)
	}
	if want := settingsFor("10000", "17000"); !slices.Equal(seen, want) {
		t.Errorf("it has %q, want %q", seen, want)
	}
}
