package postgres_test

import (
	"database/sql"
	_ "embed"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// Citus can't be installed where the tests run. A fake extension does what a real cluster was seen to do: it rebuilds the tables
// from the rows that their owner sees.

//go:embed testdata/citus.control
var citusControl string

//go:embed testdata/citus--1.sql
var citusScript string

// cluster is a database with the fake Citus, some rows, and an owner that is subject to row level security.
type cluster struct {
	*postgres.Database
	options    postgres.Options
	server     *container.Container
	name, role string
	admin      *sql.DB // as the owner
	home       tenant.Tenant
}

func newCluster(t *testing.T, server *container.Container, prepare func(name, role string) (statements []string)) cluster {
	t.Helper()
	ownerURL, serviceURL := server.Database(t)
	u := parse(t, serviceURL)
	c := cluster{options: options(ownerURL, serviceURL), server: server, name: strings.TrimPrefix(u.Path, "/"), role: u.User.Username()}
	password, _ := u.User.Password()
	for _, statement := range prepare(c.name, c.role) {
		server.Admin(t, c.name, strings.ReplaceAll(statement, "PASSWORD", "PASSWORD '"+password+"'"))
	}
	c.Database = migrated(t, c.options)
	server.Admin(t, c.name, "CREATE EXTENSION citus")
	c.admin = driverConn(t, ownerURL)
	c.home = porttest.NewTenant(t, c)
	scope := porttest.ScopeOf(t, c.home.ID)
	for range 5 {
		if _, err := c.Events().Ingest(t.Context(), scope, porttest.NewBatch(t, c.home.ID)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		entry := audit.Entry{ID: porttest.NewID[id.Entry](), TenantID: c.home.ID, At: time.Now(), Act: audit.RoleChanged}
		if err := c.Audit().Record(t.Context(), scope, entry); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// state has the rows that the service sees, the number of distributed tables, and of tables with forced row level security.
type state struct{ events, entries, distributed, forced int }

func (c cluster) state(t *testing.T) (s state) {
	t.Helper()
	scope := porttest.ScopeOf(t, c.home.ID)
	tx := begin(t, driverConn(t, c.options.URL))
	exec(t, tx, "SET LOCAL app.tenant_id = '"+string(c.home.ID)+"'")
	s.events = scalar[int](t, tx, "SELECT COUNT(*) FROM events")
	entries, err := c.Audit().List(t.Context(), scope, page.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	err = c.admin.QueryRowContext(t.Context(), `SELECT (SELECT COUNT(*) FROM pg_dist_partition),
		(SELECT COUNT(*) FROM pg_class WHERE (relname ~ '^events(_\d{4}_\d\d|_older)?$' OR relname IN ('event_keys', 'seals', 'deltas', 'blocks', 'block_parts', 'tombstones', 'event_users', 'erasures', 'erased_events', 'audit_entries')) AND relrowsecurity AND relforcerowsecurity)`).Scan(&s.distributed, &s.forced)
	if err != nil {
		t.Fatal(err)
	}
	s.entries = len(entries)
	return s
}

func (c cluster) want(t *testing.T, when string, want state) {
	t.Helper()
	if got := c.state(t); got != want {
		t.Errorf("%s: %+v, want %+v", when, got, want)
	}
}

func nothing(string, string) []string { return nil }

func testDistribute(t *testing.T, server *container.Container) {
	server.Extension(t, "citus", citusControl, citusScript)
	untouched, moved := state{5, 3, 0, 98}, state{5, 3, 15, 98}
	t.Run("all rows are kept", func(t *testing.T) {
		c := newCluster(t, server, nothing)
		c.want(t, "before", untouched)
		if err := c.CheckCitus(t.Context()); err != nil {
			t.Errorf("before it is distributed: %v", err)
		}
		if err := c.Distribute(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.want(t, "after", moved)
		testCalls(t, c)
		if err := c.Distribute(t.Context()); !errors.Is(err, postgres.ErrDistributed) {
			t.Errorf("again: %v", err)
		}
		c.want(t, "after the second time", moved)
		if err := open(t, c.options).CheckCitus(t.Context()); err != nil {
			t.Errorf("the service may start: %v", err)
		}
		server.Admin(t, c.name, `ALTER ROLE "`+c.role+`" RESET citus.propagate_set_commands`)
		if err := open(t, c.options).CheckCitus(t.Context()); !errors.Is(err, postgres.ErrTenantNotPropagated) {
			t.Errorf("without the tenant on the workers: %v", err)
		}
	})
	t.Run("a lost row changes nothing", func(t *testing.T) {
		for _, table := range []string{"events", "audit_entries"} {
			c := newCluster(t, server, func(name, _ string) []string {
				return []string{`ALTER DATABASE "` + name + `" SET citus.loses = '` + table + `'`}
			})
			if err := c.Distribute(t.Context()); err == nil || !strings.Contains(err.Error(), "the table "+table+" had") {
				t.Errorf("%s: %v", table, err)
			}
			c.want(t, table, untouched)
		}
	})
	createdByAdmin := func(_, role string) []string {
		return []string{`CREATE ROLE "` + role + `" LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD`}
	}
	t.Run("a role of an administrator is not changed", func(t *testing.T) {
		c := newCluster(t, server, createdByAdmin)
		if err := c.Distribute(t.Context()); !errors.Is(err, postgres.ErrTenantNotPropagated) {
			t.Errorf("got %v", err)
		}
		c.want(t, "after", untouched)
	})
	t.Run("an administrator has set what is needed", func(t *testing.T) {
		c := newCluster(t, server, func(name, role string) []string {
			return append(createdByAdmin(name, role), `ALTER DATABASE "`+name+`" SET citus.propagate_set_commands = 'local'`)
		})
		if err := c.Distribute(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.want(t, "after", moved)
	})
}

// testCalls: referenced tables are distributed first, local copies are truncated last, and row level security is never forced on
// the owner meanwhile.
func testCalls(t *testing.T, c cluster) {
	t.Helper()
	rows, err := c.admin.QueryContext(t.Context(), "SELECT call, forced FROM citus_calls ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var calls []string
	for rows.Next() {
		var (
			call   string
			forced bool
		)
		if err := rows.Scan(&call, &forced); err != nil {
			t.Fatal(err)
		}
		if forced {
			t.Errorf("%s: row level security was forced on the owner", call)
		}
		calls = append(calls, call)
	}
	want := []string{
		"reference tenants", "reference users", "reference sessions", "reference sign_in_addresses", "distribute events", "distribute event_keys",
		"distribute seals", "distribute deltas", "distribute blocks", "distribute block_parts", "distribute tombstones", "distribute event_users", "distribute erasures", "distribute erased_events", "distribute audit_entries",
		"truncate tenants", "truncate users", "truncate sessions", "truncate sign_in_addresses", "truncate events", "truncate event_keys",
		"truncate seals", "truncate deltas", "truncate blocks", "truncate block_parts", "truncate tombstones", "truncate event_users", "truncate erasures", "truncate erased_events", "truncate audit_entries",
	}
	if err := rows.Err(); err != nil || !slices.Equal(calls, want) {
		t.Errorf("called %q, %v", calls, err)
	}
}
