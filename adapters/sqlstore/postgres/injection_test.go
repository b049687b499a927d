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
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// account is a user with a session.
type account struct {
	user.User
	session id.Session
}

// injection is a database with two tenants, and a plain connection as the service's role for injected statements.
type injection struct {
	ports.Store
	service                     *sql.DB
	mine, other                 tenant.Tenant
	viewer, admin               account // of mine, which has two super_admins, too
	otherAdmin, otherSuperAdmin account // of other
	server                      *container.Container
	options                     postgres.Options // of the service
	database, role              string
}

func newInjection(t *testing.T, server *container.Container) *injection {
	t.Helper()
	ownerURL, serviceURL := server.Database(t)
	migrated(t, options(ownerURL, serviceURL))
	n := &injection{service: driverConn(t, serviceURL), options: options(ownerURL, serviceURL), server: server, database: databaseOf(t, serviceURL), role: roleOf(t, serviceURL)}
	asOwner := n.options
	asOwner.AsOwner = true
	n.Store = open(t, asOwner)
	n.mine, n.other = porttest.NewTenant(t, n), porttest.NewTenant(t, n)
	n.viewer, n.admin = n.addAccount(t, n.mine, access.Viewer), n.addAccount(t, n.mine, access.Admin)
	n.otherAdmin, n.otherSuperAdmin = n.addAccount(t, n.other, access.Admin), n.addAccount(t, n.other, access.SuperAdmin)
	n.addAccount(t, n.mine, access.SuperAdmin)
	n.addAccount(t, n.mine, access.SuperAdmin)
	return n
}

// addAccount adds a user with a session, a sign-in address, an event with a key, and an audit entry.
func (n *injection) addAccount(t *testing.T, home tenant.Tenant, role access.Role) account {
	t.Helper()
	r := account{User: porttest.NewUser(t, n, home, role), session: porttest.NewID[id.Session]()}
	scope, now := porttest.ScopeOf(t, home.ID), time.Now()
	_, err := n.Events().Ingest(t.Context(), scope, porttest.NewBatch(t, home.ID))
	admin := driverConn(t, n.server.AdminURL(n.database))
	exec(t, admin, "INSERT INTO event_keys VALUES ($1, uuid_send(gen_random_uuid()), gen_random_uuid(), $2)", string(home.ID), now.UnixMicro())
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

// try runs a statement in a transaction that has entered a tenant, or none, and rolls it back. For a SELECT it returns the first
// column of the first row.
func (n *injection) try(t *testing.T, tenantID id.Tenant, readOnly bool, statement string) (sql.Result, string, error) {
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

// testInjection: as the service's role a statement without WHERE sees and changes only rows of the entered tenant; no statement
// changes a user's tenant or address, or grants super_admin.
func testInjection(t *testing.T, server *container.Container) {
	n := newInjection(t, server)
	t.Run("rows", func(t *testing.T) { testRows(t, n) })
	t.Run("refused statements", func(t *testing.T) { testRefused(t, n) })
	t.Run("changed rows", func(t *testing.T) { testChanged(t, n) })
	t.Run("super_admin", func(t *testing.T) { testSuperAdmin(t, n) })
	t.Run("super_admin through the store", func(t *testing.T) { testSuperAdminByStore(t, n) })
	t.Run("read-only transactions", func(t *testing.T) { testReadQueries(t, n) })
	t.Run("event partitions", func(t *testing.T) { testWorkersFunctions(t, n) })
	t.Run("remaining risks", func(t *testing.T) { testRemainingRisks(t, n) })
}

// testRows: in each tenant only its own rows are visible.
func testRows(t *testing.T, n *injection) {
	for table, want := range map[string][3]int{ // in no tenant, mine and other
		"tenants": {0, 1, 1}, "users": {0, 4, 2}, "sessions": {0, 4, 2}, "sign_in_addresses": {0, 4, 2}, "events": {0, 4, 2},
		"event_keys": {0, 4, 2}, "audit_entries": {0, 4, 2},
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
	// The entered tenant does not outlast the transaction, also on the same connection.
	n.service.SetMaxOpenConns(1)
	defer n.service.SetMaxOpenConns(0)
	n.try(t, n.other.ID, false, "SELECT COUNT(*) FROM users")
	if _, got, err := n.try(t, "", false, "SELECT COUNT(*) FROM users"); err != nil || got != "0" {
		t.Errorf("it still sees %s users in the next transaction: %v", got, err)
	}
}

// testRefused: these statements need a privilege that the service's role does not have.
func testRefused(t *testing.T, n *injection) {
	addUser := "INSERT INTO users (id, tenant_id, email, full_name, role, active, password_hash, created_at) VALUES (gen_random_uuid(), '%s', '%s', 'x', 'viewer', true, 'x', now())"
	statements := []string{
		"UPDATE events SET event_type = 'x'", "DELETE FROM events_older", "TRUNCATE events", "DROP TABLE events",
		"DELETE FROM audit_entries", "UPDATE audit_entries SET act = 'x'", "ALTER TABLE events DISABLE ROW LEVEL SECURITY",
		"INSERT INTO events (tenant_id, id, event_type, user_identifier, occurred_at) VALUES ('" + string(n.other.ID) + "', '" + boundOf(time.Now()) + "', 'x', 'u', 0)",
		"SELECT * FROM events_older", "TRUNCATE events_older", "DROP TABLE events_older", "ALTER TABLE events DETACH PARTITION events_older",
		"UPDATE event_keys SET tenant_id = tenant_id", "UPDATE event_keys SET key = key",
		"INSERT INTO event_keys VALUES ('" + string(n.other.ID) + "', '0123456789abcdef', gen_random_uuid(), 0)",
		"SELECT days FROM retention", "UPDATE retention SET days = 1", "SELECT FROM retention FOR UPDATE",

		"SELECT password_hash FROM users", "SELECT u FROM users u", "SELECT * FROM users", "COPY users TO STDOUT",
		"SELECT id FROM users WHERE password_hash LIKE 'h%'", "UPDATE users SET active = active RETURNING password_hash",
		"UPDATE users SET password_hash = password_hash || 'x'",
		"UPDATE users SET super_admin = true", "UPDATE users SET super_admin = super_admin", "UPDATE users SET email = 'x'",
		"UPDATE users SET tenant_id = '" + string(n.other.ID) + "'", "UPDATE users SET id = gen_random_uuid()", "DELETE FROM users",
		fmt.Sprintf(addUser, n.other.ID, "b@example.com"),
		strings.Replace(strings.Replace(fmt.Sprintf(addUser, n.mine.ID, "a@example.com"), "created_at)", "created_at, super_admin)", 1), "now())", "now(), true)", 1),
		fmt.Sprintf(addUser, n.mine.ID, n.otherAdmin.Email) + " ON CONFLICT (email) DO UPDATE SET active = false",
		"GRANT admin TO CURRENT_USER",

		"UPDATE sessions SET user_id = '" + string(n.admin.ID) + "'", "UPDATE sessions SET tenant_id = '" + string(n.other.ID) + "'",
		"UPDATE sessions SET expires_at = 'infinity'",
		"INSERT INTO sessions SELECT gen_random_uuid(), '" + string(n.otherSuperAdmin.ID) + "', '" + string(n.other.ID) + "', 'x', '', '', '', now(), now(), 'infinity', NULL, ''",

		"UPDATE tenants SET retention_days = 1", "INSERT INTO tenants (id, slug, created_at, retention_days) VALUES ('" + string(n.mine.ID) + "', 'new', now(), 1)",
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

// testChanged: statements change only rows of the entered tenant, whatever the WHERE.
func testChanged(t *testing.T, n *injection) {
	for statement, want := range map[string]int64{
		"UPDATE users SET active = false": 4, "UPDATE users SET password_hash = 'x'": 4, "UPDATE users SET role = 'admin'": 4, "UPDATE sessions SET revoked_at = now()": 4,
		"DELETE FROM sessions": 4, "DELETE FROM sign_in_addresses": 4, "UPDATE tenants SET created_at = now()": 1, "UPDATE event_keys SET stored_at = 0": 4,
		"DELETE FROM events": 4, "DELETE FROM event_keys": 4, "DELETE FROM events WHERE tenant_id = '" + string(n.other.ID) + "'": 0,
		"UPDATE users SET active = false WHERE id = '" + string(n.otherAdmin.ID) + "'":                        0,
		"UPDATE users SET password_hash = 'x' WHERE email = '" + n.otherSuperAdmin.Email.String() + "'":       0,
		"DELETE FROM sessions WHERE id = '" + string(n.otherSuperAdmin.session) + "'":                         0,
		"UPDATE sessions SET current_hash = 'x' WHERE user_id = '" + string(n.otherSuperAdmin.ID) + "'":       0,
		"UPDATE event_keys SET event_id = gen_random_uuid() WHERE tenant_id = '" + string(n.other.ID) + "'":   0,
		"UPDATE tenants SET created_at = now() WHERE id = '" + string(n.other.ID) + "'":                       0,
		"UPDATE sign_in_addresses SET last_at = now() WHERE user_id = '" + string(n.otherSuperAdmin.ID) + "'": 0,
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

// testSuperAdmin: the service's role can't grant super_admin, even with forged sessions. The role for that can grant it to users of
// the tenant, and can do nothing else but see users.
func testSuperAdmin(t *testing.T, n *injection) {
	grant := "UPDATE users SET super_admin = true WHERE id = '" + string(n.viewer.ID) + "'"
	forge := `WITH forged AS (INSERT INTO sessions SELECT gen_random_uuid(), id, tenant_id, 'x', '', '', '', now(), now(), now() + '1h', NULL, ''
		FROM users WHERE super_admin RETURNING id) ` + grant
	for _, statement := range []string{grant, forge, "SET ROLE \"" + n.role + "_super_admin\""} {
		if _, _, err := n.try(t, n.mine.ID, false, statement); !refused(err) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if _, _, err := n.try(t, n.mine.ID, false, "UPDATE users SET role = 'super_admin'"); err == nil {
		t.Error("super_admin is accepted as a role in the tenant")
	}

	granting := *n
	u := parse(t, n.options.URL)
	password, _ := u.User.Password()
	u.User = url.UserPassword(n.role+"_super_admin", password)
	granting.service = driverConn(t, u.String())
	if result, _, err := granting.try(t, n.mine.ID, false, grant); err != nil {
		t.Errorf("the role that grants super_admin: %v", err)
	} else if changed, err := result.RowsAffected(); changed != 1 {
		t.Errorf("%d became super_admins, %v", changed, err)
	}
	for _, statement := range []string{
		"SELECT password_hash FROM users", "SELECT id FROM sessions", "SELECT id FROM events", "SELECT id FROM audit_entries", "SELECT all_tenants()",
		"SELECT account_by_email('" + n.admin.Email.String() + "')", "UPDATE users SET active = false", "UPDATE users SET password_hash = 'x'",
		"DELETE FROM users", "INSERT INTO tenants (id, slug, created_at) VALUES (gen_random_uuid(), 'new', now())",
	} {
		if _, _, err := granting.try(t, n.mine.ID, false, statement); !refused(err) {
			t.Errorf("as the role that grants super_admin, %s: %v", statement, err)
		}
	}
	if _, got, err := granting.try(t, n.mine.ID, false, "SELECT COUNT(*) FROM users"); err != nil || got != "4" {
		t.Errorf("as the role that grants super_admin it sees %s users, %v", got, err)
	}
}

// testSuperAdminByStore: the store's methods with the service's privileges.
func testSuperAdminByStore(t *testing.T, n *injection) {
	store := open(t, n.options)
	scope := porttest.ScopeOf(t, n.mine.ID)
	setRole := func(ctx context.Context, tx ports.Repositories) error {
		return tx.Users().SetRole(ctx, scope, n.viewer.User, access.SuperAdmin)
	}
	if err := store.InTx(t.Context(), setRole); !errors.Is(err, user.ErrOperatorOnly) {
		t.Errorf("in InTx: %v", err)
	}
	if err := store.InTxAsSuperAdmin(t.Context(), setRole); err != nil {
		t.Errorf("in InTxAsSuperAdmin: %v", err)
	}
	added := user.User{ID: porttest.NewID[id.User](), TenantID: n.mine.ID, Role: access.SuperAdmin, CreatedAt: time.Now()}
	if err := store.Identities().Add(t.Context(), added); !errors.Is(err, user.ErrOperatorOnly) {
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
	if err := open(t, other).InTxAsSuperAdmin(t.Context(), setRole); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("with a wrong password: %v", err)
	}
	n.server.Admin(t, n.database, `ALTER ROLE "`+n.role+`_super_admin" NOLOGIN`)
	if err := open(t, n.options).InTxAsSuperAdmin(t.Context(), setRole); !errors.Is(err, user.ErrOperatorOnly) {
		t.Errorf("without the role: %v", err)
	}
	n.server.Admin(t, n.database, `ALTER ROLE "`+n.role+`_super_admin" LOGIN`)
}

// testReadQueries: in a read-only transaction, in which queries run, the authentication functions fail, and it can't be switched
// to read-write.
func testReadQueries(t *testing.T, n *injection) {
	calls := []string{
		"account_by_email('" + n.admin.Email.String() + "')", "password_is('" + string(n.admin.ID) + "', 'hash')",
		"caller_of_session('" + string(n.admin.session) + "')", "address_is_known('" + n.admin.Email.String() + "', '192.0.2.1')",
		"password_costs('x')", "tenant_by_slug('" + n.other.Slug.String() + "')", "home_of_user('" + string(n.otherAdmin.ID) + "')",
		"add_event_partitions()", dropPartition, "expire_events(1)",
	}
	for _, call := range calls {
		if _, got, err := n.try(t, n.mine.ID, false, "SELECT "+call); err != nil || got == "" {
			t.Errorf("%s returns %q, %v", call, got, err)
		}
		for _, statement := range []string{"SELECT " + call, "SELECT set_config('transaction_read_only', 'off', true), " + call} {
			if _, got, err := n.try(t, n.mine.ID, true, statement); err == nil {
				t.Errorf("%s succeeds in a read-only transaction: %q", statement, got)
			}
		}
	}
}

// testWorkersFunctions: a statement that calls the worker's functions deletes nothing that is not expired, and afterwards sees no
// tenant's rows, whatever it has entered before. The functions have no other arguments than how many rows to delete, and which
// partitions to pass over.
func testWorkersFunctions(t *testing.T, n *injection) {
	count := "SELECT (SELECT %s) || ' ' || (SELECT COUNT(*) FROM events) || ' ' || (SELECT COUNT(*) FROM event_keys)"
	for call, want := range map[string]string{
		"add_event_partitions()": "24 4 4", dropPartition: "none 4 4", "expire_events(2147483647)": "(0,0,f) 0 0",
		"'nothing'": "nothing 4 4", // the events that the calls did not delete
	} {
		if _, got, err := n.try(t, n.mine.ID, false, fmt.Sprintf(count, call)); err != nil || got != want {
			t.Errorf("%s: %q, want %q, %v", call, got, want, err)
		}
	}
	admin := driverConn(t, n.server.AdminURL(n.database))
	if left := scalar[int](t, admin, "SELECT (SELECT COUNT(*) FROM events) + (SELECT COUNT(*) FROM event_keys)"); left != 12 {
		t.Errorf("%d events and keys are left", left)
	}
}

// testRemainingRisks: what an injected statement can still do according to README. In a read-write transaction it can call the
// authentication functions, as sign-in does, but can't shadow their tables. It can enter a tenant whose id it knows, unless an
// administrator has revoked set_config, which the service does not need.
func testRemainingRisks(t *testing.T, n *injection) {
	if _, _, err := n.try(t, n.mine.ID, false, "CREATE TEMPORARY TABLE events (tenant_id uuid)"); !refused(err) {
		t.Errorf("a temporary table: %v", err)
	}
	n.server.Admin(t, n.database, `GRANT TEMPORARY ON DATABASE "`+n.database+`" TO PUBLIC`) // as if the start had not revoked it
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
		t.Errorf("with a shadowing temporary table the function finds %q, %v", email, err)
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
			t.Error("a setting was changed through a view")
		}
	}
	porttest.Store(t, open(t, n.options))
}
