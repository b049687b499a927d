package bootstrap_test

import (
	"database/sql"
	"errors"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// testBackup dumps a database and restores it as in the README.
func testBackup(t *testing.T, on backend, postgres *container.Container) {
	all := generous().with(on(t))
	// Without workers, which would change pieces of events between the dump and the count.
	s := startWith(t, all, porttest.NewClock(), func(time.Duration) <-chan time.Time { return nil })
	slug := newSlug()
	admin, p, foreign := s.newPerson(t, slug, access.Admin), s.newPerson(t, slug, access.Viewer), s.newPerson(t, newSlug(), access.Analyst)
	promote := request{method: "PUT", path: api + "/users/" + string(p.user.ID) + "/role", token: admin.access, body: map[string]string{"role": "analyst"}}
	s.want(t, 200, promote) // which writes an audit entry
	for _, token := range []string{p.access, p.access, foreign.access} {
		s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: token, body: anEventDraft()})
	}

	list := request{method: "GET", path: api + "/analytics/events", token: p.access}
	before := s.want(t, 200, list).raw

	owner := all["MIGRATION_DATABASE_URL"]
	testOwnersDump(t, postgres, owner)

	u := parse(t, owner)
	name, own := strings.TrimPrefix(u.Path, "/"), u.User.Username()
	u.User = url.UserPassword("backup_"+name, "a-password-for-backups")
	backup := pq.QuoteIdentifier("backup_" + name)
	postgres.Admin(t, name,
		`CREATE ROLE `+backup+` LOGIN BYPASSRLS PASSWORD 'a-password-for-backups'`,
		`GRANT pg_read_all_data TO `+backup,
		`REVOKE EXECUTE ON FUNCTION set_config(text, text, boolean) FROM PUBLIC`, // as in the full stack
		`GRANT EXECUTE ON FUNCTION set_config(text, text, boolean) TO `+backup)
	mustRun(t, postgres, u.String(), "pg_dump", "--format=custom", "--file=/tmp/"+name)
	restored := "restored_" + name
	mustRun(t, postgres, postgres.AdminURL(name), "createdb", "--owner="+own, restored)
	mustRun(t, postgres, postgres.AdminURL(restored), "pg_restore", "--exit-on-error", "--dbname="+restored, "/tmp/"+name)

	had, has := countRows(t, postgres.AdminURL(name)), countRows(t, postgres.AdminURL(restored))
	if !maps.Equal(had, has) || has["public.events"] != 3 || has["public.audit_entries"] == 0 {
		t.Errorf("the rows were %v and are %v", had, has)
	}
	again := start(t, all.with(settings{
		"DATABASE_URL":           strings.Replace(all["DATABASE_URL"], "/"+name, "/"+restored, 1),
		"MIGRATION_DATABASE_URL": strings.Replace(owner, "/"+name, "/"+restored, 1),
	}))
	again.signIn(t, &p)
	list.token = p.access // of a session in the restored database
	if after := again.want(t, 200, list).raw; before != after || strings.Count(after, `"id"`) != 2 {
		t.Errorf("the events were %s and are %s", before, after)
	}
	again.want(t, 201, request{method: "POST", path: list.path, token: p.access, body: anEventDraft()})
}

// testOwnersDump: a dump by the owner fails; with --enable-row-security it succeeds without the rows.
func testOwnersDump(t *testing.T, postgres *container.Container, owner string) {
	t.Helper()
	const refusal = "query would be affected by row-level security policy"
	if code, output := postgres.Run(t, owner, "pg_dump"); code == 0 || !strings.Contains(output, refusal) {
		t.Errorf("the owner's dump ends with %d: %s", code, output)
	}
	code, output := postgres.Run(t, owner, "pg_dump", "--enable-row-security")
	for _, table := range []string{"events_" + time.Now().UTC().Format("2006_01"), "audit_entries"} { // a dump has the partitions
		_, rows, there := strings.Cut(output, "\nCOPY public."+table+" ")
		_, rows, _ = strings.Cut(rows, "\n") // what is left begins with the first row
		if code != 0 || !there || !strings.HasPrefix(rows, `\.`) {
			t.Errorf("with row level security enabled the owner's dump ends with %d and has rows of %s", code, table)
		}
	}
}

func mustRun(t *testing.T, postgres *container.Container, databaseURL string, command ...string) {
	t.Helper()
	if code, output := postgres.Run(t, databaseURL, command...); code != 0 {
		t.Fatalf("%v ended with %d: %s", command, code, output)
	}
}

// countRows returns how many rows each table has.
func countRows(t *testing.T, databaseURL string) map[string]int {
	t.Helper()
	db, err := sql.Open("postgres", databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT table_schema || '.' || table_name,
			(xpath('/row/count/text()', query_to_xml(format('SELECT count(*) FROM %I.%I', table_schema, table_name), false, true, '')))[1]::text::int
		FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var (
			table string
			count int
		)
		if err := rows.Scan(&table, &count); err != nil {
			t.Fatal(err)
		}
		counts[table] = count
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return counts
}

// TestBackup_of_SQLite: VACUUM INTO copies a database while it is written, with all events acknowledged before.
func TestBackup_of_SQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	s := start(t, generous().with(settings{"DATABASE_URL": "sqlite://" + path}))
	p := s.newPerson(t, newSlug(), access.Analyst)
	l := startLoad(t, s.url, p.access)
	l.awaitMore(t)
	before := l.snapshot()

	backup := filepath.Join(t.TempDir(), "backup.db")
	for _, file := range []struct{ from, to string }{ // the events first, as in the README
		{eventsFileOf(path), eventsFileOf(backup)}, {path, backup},
	} {
		db, err := sql.Open("sqlite", file.from)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.ExecContext(t.Context(), "VACUUM INTO ?", file.to)
		if err := errors.Join(err, db.Close(), os.Chmod(file.to, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	l.awaitMore(t) // the service kept on writing
	l.compare(t, s)
	l.failedOnly(t)

	restored := start(t, generous().with(settings{"DATABASE_URL": "sqlite://" + backup}))
	restored.signIn(t, &p)
	copied := &load{token: p.access, acknowledged: before, end: func() {}}
	copied.compare(t, restored)
}
