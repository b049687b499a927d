package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// resident is a user with a session.
type resident struct {
	user.User
	session id.Session
}

// neighbourhood is a database with two tenants, and a connection as the service's role with which anything may be tried.
type neighbourhood struct {
	ports.Store
	service         *sql.DB
	mine, other     tenant.Tenant
	viewer, admin   resident // of mine, which has two super_admins more
	stranger, above resident // of the other: an admin, and a super_admin
	server          *container.Container
	options         postgres.Options // of the service
	database, role  string
}

func newNeighbourhood(t *testing.T, server *container.Container) *neighbourhood {
	t.Helper()
	ownerURL, serviceURL := server.Database(t)
	migrated(t, options(ownerURL, serviceURL))
	n := &neighbourhood{service: driverConn(t, serviceURL), options: options(ownerURL, serviceURL), server: server, database: databaseOf(t, serviceURL), role: roleOf(t, serviceURL)}
	asOwner := n.options
	asOwner.AsOwner = true
	n.Store = open(t, asOwner)
	n.mine, n.other = porttest.NewTenant(t, n), porttest.NewTenant(t, n)
	n.viewer, n.admin = n.settle(t, n.mine, access.Viewer), n.settle(t, n.mine, access.Admin)
	n.stranger, n.above = n.settle(t, n.other, access.Admin), n.settle(t, n.other, access.SuperAdmin)
	n.settle(t, n.mine, access.SuperAdmin)
	n.settle(t, n.mine, access.SuperAdmin)
	return n
}

// settle adds a user with a session, an address, an event and an entry.
func (n *neighbourhood) settle(t *testing.T, home tenant.Tenant, role access.Role) resident {
	t.Helper()
	r := resident{User: porttest.NewUser(t, n, home, role), session: porttest.NewID[id.Session]()}
	scope, now := porttest.ScopeOf(t, home.ID), time.Now()
	_, err := n.Events().Ingest(t.Context(), scope, event.Event{
		ID: porttest.NewID[id.Event](), TenantID: home.ID, Type: "view", UserIdentifier: "u", OccurredAt: now,
	})
	err = errors.Join(err,
		n.Sessions().Add(t.Context(), session.Session{
			ID: r.session, UserID: r.ID, TenantID: home.ID, Current: "secret", CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(time.Hour),
		}),
		n.SignInAddresses().Remember(t.Context(), r.User, "192.0.2.1", now, 1),
		n.Audit().Record(t.Context(), scope, audit.Entry{ID: porttest.NewID[id.Entry](), TenantID: home.ID, At: now, Act: audit.UserCreated}))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// try runs a statement in a transaction that has entered a tenant, or none, and takes all back.
func (n *neighbourhood) try(t *testing.T, tenantID id.Tenant, readOnly bool, statement string) (sql.Result, string, error) {
	t.Helper()
	tx, err := n.service.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: readOnly})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if tenantID != "" {
		if _, err := tx.ExecContext(t.Context(), "SET LOCAL app.tenant_id = "+pq.QuoteLiteral(string(tenantID))); err != nil {
			t.Fatal(err)
		}
	}
	if verb, _, _ := strings.Cut(statement, " "); verb != "SELECT" {
		result, err := tx.ExecContext(t.Context(), statement)
		return result, "", err
	}
	// Of what may be asked, the first column of the first row says enough.
	var first sql.NullString
	err = tx.QueryRowContext(t.Context(), statement).Scan(&first)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return nil, first.String, err
}

func refused(err error) bool {
	var e *pq.Error
	return errors.As(err, &e) && e.Code == "42501"
}

// testInjection: as the service's role a statement without any WHERE shows the tenant that was entered, and no other;
// nothing of the others can be changed, nobody's tenant or address, and nobody becomes a super_admin.
func testInjection(t *testing.T, server *container.Container) {
	n := newNeighbourhood(t, server)
	t.Run("rows", func(t *testing.T) { testRows(t, n) })
	t.Run("what is refused", func(t *testing.T) { testRefused(t, n) })
	t.Run("what is changed", func(t *testing.T) { testChanged(t, n) })
	t.Run("super_admin", func(t *testing.T) { testSuperAdmin(t, n) })
	t.Run("super_admin by the store", func(t *testing.T) { testSuperAdminByStore(t, n) })
	t.Run("questions", func(t *testing.T) { testReadQueries(t, n) })
	t.Run("what is left", func(t *testing.T) { testLeft(t, n) })
}

func testRows(t *testing.T, n *neighbourhood) {
	for table, want := range map[string][3]int{ // in none, mine and the other
		"tenants": {0, 1, 1}, "users": {0, 4, 2}, "sessions": {0, 4, 2}, "sign_in_addresses": {0, 4, 2}, "events": {0, 4, 2}, "audit_entries": {0, 4, 2},
	} {
		for i, tenantID := range []id.Tenant{"", n.mine.ID, n.other.ID} {
			for _, readOnly := range []bool{false, true} {
				_, got, err := n.try(t, tenantID, readOnly, "SELECT COUNT(*) FROM "+table)
				if err != nil || got != fmt.Sprint(want[i]) {
					t.Errorf("in tenant %q it sees %s of %s, want %d: %v", tenantID, got, table, want[i], err)
				}
			}
		}
	}
	// What a transaction has entered is forgotten with it, also on the same connection.
	n.service.SetMaxOpenConns(1)
	defer n.service.SetMaxOpenConns(0)
	n.try(t, n.other.ID, false, "SELECT COUNT(*) FROM users")
	if _, got, err := n.try(t, "", false, "SELECT COUNT(*) FROM users"); err != nil || got != "0" {
		t.Errorf("it still sees %s users in the next transaction: %v", got, err)
	}
}

func testRefused(t *testing.T, n *neighbourhood) {
	addUser := "INSERT INTO users (id, tenant_id, email, full_name, role, active, password_hash, created_at) VALUES (gen_random_uuid(), '%s', '%s', 'x', 'viewer', true, 'x', now())"
	statements := []string{
		"UPDATE events SET event_type = 'x'", "DELETE FROM events", "TRUNCATE events", "DROP TABLE events",
		"DELETE FROM audit_entries", "UPDATE audit_entries SET act = 'x'", "ALTER TABLE events DISABLE ROW LEVEL SECURITY",
		"INSERT INTO events (tenant_id, id, event_type, user_identifier, occurred_at) VALUES ('" + string(n.other.ID) + "', gen_random_uuid(), 'x', 'u', now())",

		"SELECT password_hash FROM users", "SELECT u FROM users u", "SELECT * FROM users", "COPY users TO STDOUT",
		"SELECT id FROM users WHERE password_hash LIKE 'h%'", "UPDATE users SET active = active RETURNING password_hash",
		"UPDATE users SET password_hash = password_hash || 'x'",
		"UPDATE users SET super_admin = true", "UPDATE users SET super_admin = super_admin", "UPDATE users SET email = 'x'",
		"UPDATE users SET tenant_id = '" + string(n.other.ID) + "'", "UPDATE users SET id = gen_random_uuid()", "DELETE FROM users",
		fmt.Sprintf(addUser, n.other.ID, "b@example.com"),
		strings.Replace(strings.Replace(fmt.Sprintf(addUser, n.mine.ID, "a@example.com"), "created_at)", "created_at, super_admin)", 1), "now())", "now(), true)", 1),
		fmt.Sprintf(addUser, n.mine.ID, n.stranger.Email) + " ON CONFLICT (email) DO UPDATE SET active = false",
		"GRANT admin TO CURRENT_USER",

		"UPDATE sessions SET user_id = '" + string(n.admin.ID) + "'", "UPDATE sessions SET tenant_id = '" + string(n.other.ID) + "'",
		"UPDATE sessions SET expires_at = 'infinity'",
		"INSERT INTO sessions SELECT gen_random_uuid(), '" + string(n.above.ID) + "', '" + string(n.other.ID) + "', 'x', '', '', '', now(), now(), 'infinity', NULL, ''",

		"UPDATE tenants SET slug = 'x'", "UPDATE tenants SET id = gen_random_uuid()", "DELETE FROM tenants",
		"INSERT INTO tenants (id, slug, created_at) VALUES (gen_random_uuid(), 'new', now())", "SELECT all_tenants()",
		"DELETE FROM served", "UPDATE goose_db_version SET version_id = 0",
		"CREATE TABLE public.users2 (id int)", "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"ALTER FUNCTION account_by_email SECURITY INVOKER", "DROP FUNCTION refuse_in_questions",
	}
	for _, statement := range statements {
		if _, _, err := n.try(t, n.mine.ID, false, statement); !refused(err) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if _, got, err := n.try(t, n.mine.ID, false, "SELECT COUNT(*) FROM pg_stats WHERE tablename IN ('users', 'sessions', 'events', 'tenants')"); err != nil || got != "0" {
		t.Errorf("the statistics show values: %s rows, %v", got, err)
	}
}

// testChanged: what may be changed is changed in the tenant that was entered alone, whatever the WHERE.
func testChanged(t *testing.T, n *neighbourhood) {
	for statement, want := range map[string]int64{
		"UPDATE users SET active = false": 4, "UPDATE users SET password_hash = 'x'": 4, "UPDATE users SET role = 'admin'": 4, "UPDATE sessions SET revoked_at = now()": 4,
		"DELETE FROM sessions": 4, "DELETE FROM sign_in_addresses": 4, "UPDATE tenants SET created_at = now()": 1,
		"UPDATE users SET active = false WHERE id = '" + string(n.stranger.ID) + "'":                0,
		"UPDATE users SET password_hash = 'x' WHERE email = '" + n.above.Email.String() + "'":       0,
		"DELETE FROM sessions WHERE id = '" + string(n.above.session) + "'":                         0,
		"UPDATE sessions SET current_hash = 'x' WHERE user_id = '" + string(n.above.ID) + "'":       0,
		"UPDATE tenants SET created_at = now() WHERE id = '" + string(n.other.ID) + "'":             0,
		"UPDATE sign_in_addresses SET last_at = now() WHERE user_id = '" + string(n.above.ID) + "'": 0,
	} {
		result, _, err := n.try(t, n.mine.ID, false, statement)
		if err != nil {
			t.Errorf("%s: %v", statement, err)
			continue
		}
		if got, err := result.RowsAffected(); err != nil || got != want {
			t.Errorf("%s: %d rows, want %d, %v", statement, got, want, err)
		}
	}
}

// testSuperAdmin: as the service's role nobody becomes a super_admin, whatever it adds and whoever it acts for. As the role
// that is there for that, a user of the tenant does, and nothing else can be changed or seen.
func testSuperAdmin(t *testing.T, n *neighbourhood) {
	raise := "UPDATE users SET super_admin = true WHERE id = '" + string(n.viewer.ID) + "'"
	forge := `WITH forged AS (INSERT INTO sessions SELECT gen_random_uuid(), id, tenant_id, 'x', '', '', '', now(), now(), now() + '1h', NULL, ''
		FROM users WHERE super_admin RETURNING id) ` + raise
	for _, statement := range []string{raise, forge, "SET ROLE \"" + n.role + "_super_admin\""} {
		if _, _, err := n.try(t, n.mine.ID, false, statement); !refused(err) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if _, _, err := n.try(t, n.mine.ID, false, "UPDATE users SET role = 'super_admin'"); err == nil {
		t.Error("super_admin is taken as a role in the tenant")
	}

	above := *n
	u := parse(t, n.options.URL)
	password, _ := u.User.Password()
	u.User = url.UserPassword(n.role+"_super_admin", password)
	above.service = driverConn(t, u.String())
	if result, _, err := above.try(t, n.mine.ID, false, raise); err != nil {
		t.Errorf("the role that gives super_admin: %v", err)
	} else if changed, err := result.RowsAffected(); changed != 1 {
		t.Errorf("%d became super_admins, %v", changed, err)
	}
	for _, statement := range []string{
		"SELECT password_hash FROM users", "SELECT id FROM sessions", "SELECT id FROM events", "SELECT id FROM audit_entries", "SELECT all_tenants()",
		"SELECT account_by_email('" + n.admin.Email.String() + "')", "UPDATE users SET active = false", "UPDATE users SET password_hash = 'x'",
		"DELETE FROM users", "INSERT INTO tenants (id, slug, created_at) VALUES (gen_random_uuid(), 'new', now())",
	} {
		if _, _, err := above.try(t, n.mine.ID, false, statement); !refused(err) {
			t.Errorf("as the role that gives super_admin, %s: %v", statement, err)
		}
	}
	if _, got, err := above.try(t, n.mine.ID, false, "SELECT COUNT(*) FROM users"); err != nil || got != "4" {
		t.Errorf("as the role that gives super_admin it sees %s users, %v", got, err)
	}
}

// testSuperAdminByStore: the store's own methods, with the rights of the service, do no more.
func testSuperAdminByStore(t *testing.T, n *neighbourhood) {
	store := open(t, n.options)
	scope := porttest.ScopeOf(t, n.mine.ID)
	give := func(ctx context.Context, tx ports.Repositories) error {
		return tx.Users().SetRole(ctx, scope, n.viewer.User, access.SuperAdmin)
	}
	if err := store.InTx(t.Context(), give); !errors.Is(err, user.ErrOperatorOnly) {
		t.Errorf("in a unit of work as any: %v", err)
	}
	if err := store.InTxAsSuperAdmin(t.Context(), give); err != nil {
		t.Errorf("in one of a super_admin: %v", err)
	}
	raised := user.User{ID: porttest.NewID[id.User](), TenantID: n.mine.ID, Role: access.SuperAdmin, CreatedAt: time.Now()}
	if err := store.Identities().Add(t.Context(), raised); !errors.Is(err, user.ErrOperatorOnly) {
		t.Errorf("a new super_admin, without the owner's rights: %v", err)
	}
	all, err := access.Operator().Authorize(access.ManageTenantUsers, access.EveryTenant)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Tenants().List(t.Context(), all); !errors.Is(err, sqlstore.ErrDenied) {
		t.Errorf("the list of tenants, without the owner's rights: %v", err)
	}
	other := n.options
	u := parse(t, other.URL)
	u.User = url.UserPassword(u.User.Username(), "another password")
	other.URL = u.String()
	if err := open(t, other).InTxAsSuperAdmin(t.Context(), give); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("with a wrong password: %v", err)
	}
	n.server.Admin(t, n.database, `ALTER ROLE "`+n.role+`_super_admin" NOLOGIN`)
	if err := open(t, n.options).InTxAsSuperAdmin(t.Context(), give); !errors.Is(err, user.ErrOperatorOnly) {
		t.Errorf("without the role: %v", err)
	}
	n.server.Admin(t, n.database, `ALTER ROLE "`+n.role+`_super_admin" LOGIN`)
}

// testQuestions: in a transaction that only reads, which is where questions run, no function of authentication answers, and
// it can't be made to write.
func testReadQueries(t *testing.T, n *neighbourhood) {
	calls := []string{
		"account_by_email('" + n.admin.Email.String() + "')", "password_is('" + string(n.admin.ID) + "', 'hash')",
		"caller_of_session('" + string(n.admin.session) + "')", "address_is_known('" + n.admin.Email.String() + "', '192.0.2.1')",
		"password_costs('x')", "tenant_by_slug('" + n.other.Slug.String() + "')", "home_of_user('" + string(n.stranger.ID) + "')",
	}
	for _, call := range calls {
		if _, got, err := n.try(t, n.mine.ID, false, "SELECT "+call); err != nil || got == "" {
			t.Errorf("%s answers the service %q, %v", call, got, err)
		}
		for _, statement := range []string{"SELECT " + call, "SELECT set_config('transaction_read_only', 'off', true), " + call} {
			if _, got, err := n.try(t, n.mine.ID, true, statement); err == nil {
				t.Errorf("%s answers a question: %q", statement, got)
			}
		}
	}
}

// testLeft: what README says that a statement injected as the service's role can still do. In a statement that writes it
// may use the functions, as sign-in does, and none of its own tables stands in for theirs. It enters a tenant whose id it
// knows, unless an administrator has taken away the function for that, which the service does without.
func testLeft(t *testing.T, n *neighbourhood) {
	if _, _, err := n.try(t, n.mine.ID, false, "CREATE TEMPORARY TABLE events (tenant_id uuid)"); !refused(err) {
		t.Errorf("a table of the caller's own: %v", err)
	}
	n.server.Admin(t, n.database, `GRANT TEMPORARY ON DATABASE "`+n.database+`" TO PUBLIC`) // should a start not have taken it away
	tx, err := n.service.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	var email string
	if _, err := tx.ExecContext(t.Context(), "CREATE TEMPORARY TABLE users AS SELECT 'shadow'::text AS email"); err != nil {
		t.Fatal(err)
	}
	err = tx.QueryRowContext(t.Context(), "SELECT email FROM account_by_email($1)", n.admin.Email.String()).Scan(&email)
	if err != nil || email != n.admin.Email.String() {
		t.Errorf("beside a table of the caller's own, the function finds %q, %v", email, err)
	}

	enter := fmt.Sprintf("SELECT (SELECT set_config('app.tenant_id', '%s', true)) || ' has ' || (SELECT COUNT(*) FROM users)", n.other.ID)
	for _, readOnly := range []bool{false, true} {
		if _, got, err := n.try(t, n.mine.ID, readOnly, enter); err != nil || got != string(n.other.ID)+" has 2" {
			t.Errorf("README is wrong: a statement that enters another tenant sees %q, %v", got, err)
		}
	}
	n.server.Admin(t, n.database, "REVOKE EXECUTE ON FUNCTION set_config(text, text, boolean) FROM PUBLIC")
	for _, readOnly := range []bool{false, true} {
		if _, got, err := n.try(t, n.mine.ID, readOnly, enter); !refused(err) {
			t.Errorf("a statement enters another tenant: %q, %v", got, err)
		}
		_, _, err := n.try(t, n.mine.ID, readOnly, fmt.Sprintf("UPDATE pg_settings SET setting = '%s' WHERE name = 'app.tenant_id'", n.other.ID))
		if err == nil {
			t.Error("a setting was changed by way of a view")
		}
	}
	porttest.Store(t, open(t, n.options))
}
