package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// managedComment is the comment on a role that the service made, and whose settings it keeps up to date. A role without it is
// somebody else's.
const managedComment = "made by secure-data-api, which keeps its settings up to date"

// grants are what the service may do as its own role: no change of the schema, none to an event or an audit entry, nor
// to whose a user or a session is. It reads no password hash but through the functions, and gives no super_admin. What the
// check of the wall allows is the same; see walled.
var grants = []string{
	"REVOKE ALL ON users, sessions, sign_in_addresses FROM %s", // what an older version granted
	"GRANT SELECT, INSERT ON tenants, events, audit_entries TO %s",
	// A lock on a tenant's row takes the right to change one of its columns.
	"GRANT UPDATE (created_at) ON tenants TO %s",
	"GRANT SELECT (id, tenant_id, email, full_name, role, super_admin, active, created_at), INSERT, UPDATE (role, active, password_hash) ON users TO %s",
	"GRANT SELECT, INSERT, UPDATE (current_hash, previous_hash, device, address, last_used_at, revoked_at, revoked_for) ON sessions TO %s",
	"GRANT SELECT, INSERT, UPDATE (last_at) ON sign_in_addresses TO %s",
	"GRANT DELETE ON sessions, sign_in_addresses TO %s", // which have expired, or are too many
	"GRANT EXECUTE ON FUNCTION " + strings.Join(functions, ", ") + " TO %s",
	"GRANT SELECT, INSERT ON served TO %s", // for a replica that has no other role; what was served stays
	"GRANT SELECT, UPDATE ON heartbeat TO %s",
	"GRANT SELECT ON goose_db_version TO %s",
}

// functions are those that the service calls with the rights of the tables' owner. The check of the wall allows no others.
var functions = []string{
	"account_by_email(text)", "password_is(uuid, text)", "caller_of_session(uuid)", "address_is_known(text, text)",
	"password_costs(text)", "tenant_by_slug(text)", "home_of_user(uuid)",
}

// publicRevokes asks for the statements that take from everybody what would let the service put a table of its own in the place of
// one behind the wall, as far as the current role may take it.
const publicRevokes = `
	SELECT format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', datname)
	FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS given
	WHERE datname = current_database() AND given.grantee = 0 AND given.privilege_type = 'TEMPORARY' AND pg_has_role(datdba, 'USAGE')
	UNION ALL
	SELECT format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', nspname)
	FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS given
	WHERE nspname = ANY (current_schemas(false)) AND given.grantee = 0 AND given.privilege_type = 'CREATE' AND pg_has_role(nspowner, 'USAGE')`

// setting is a run-time parameter of a session.
type setting struct{ name, value string }

// session returns what the server does to a session of the service that takes too long, or whose client is gone. It is
// asked for when connecting, and set for a role that the service made: a pooler does not pass on what a connection asks for.
func (o Options) session() []setting {
	milliseconds := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	return []setting{
		{"statement_timeout", milliseconds(o.StatementTimeout)},
		// A transaction has ended by then, unless whoever began it is gone and holds locks.
		{"idle_in_transaction_session_timeout", milliseconds(o.transactionTimeout())},
		// A client whose machine is gone is noticed after a minute. By itself the server takes two hours.
		{"tcp_keepalives_idle", "30"},
		{"tcp_keepalives_interval", "10"},
		{"tcp_keepalives_count", "3"},
	}
}

// Authorize makes the role of URL where it is not there yet, and grants it what the service needs. It is done as the
// owner, after migrating, and does nothing where both are the same role. Errors: errPasswordBeyondASCII, where the role is to
// be made.
func (d *Database) Authorize(ctx context.Context) error {
	service, err := d.options.serviceRole()
	if err != nil {
		return err
	}
	var owner string
	if err := d.owner.QueryRowContext(ctx, "SELECT current_user").Scan(&owner); err != nil {
		return fmt.Errorf("asking who owns the tables: %w", err)
	}
	if service.Username() == owner {
		return nil
	}
	tx, err := d.owner.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("granting rights: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if err := lockGrants(ctx, tx); err != nil {
		return fmt.Errorf("granting rights: %w", err)
	}
	if err := d.prepareRole(ctx, tx, service); err != nil {
		return err
	}
	if err := grant(ctx, tx, service.Username(), grants); err != nil {
		return err
	}
	if err := d.authorizeSuperAdmin(ctx, tx, superAdminRole(service)); err != nil {
		return err
	}
	if err := revokePublic(ctx, tx); err != nil {
		return err
	}
	if err := propagateOwnerTenant(ctx, tx, owner); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("granting rights: %w", err)
	}
	return nil
}

// lockGrants has replicas that start at once grant one after the other. The lock is one that the service's role can't take, and
// so can't keep anybody from.
func lockGrants(ctx context.Context, tx *sql.Tx) error {
	for _, statement := range []string{
		fmt.Sprintf("SET LOCAL lock_timeout = '%ds'", lockPeriod*lockTries),
		"LOCK TABLE goose_db_version IN EXCLUSIVE MODE", // which does not keep replicas from reading it
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("waiting for a turn: %w", err)
		}
	}
	return nil
}

// prepareRole makes the role where it is not there yet, and gives one that the service made the settings of today.
func (d *Database) prepareRole(ctx context.Context, tx *sql.Tx, role *url.Userinfo) error {
	name := role.Username()
	var (
		comment  string
		settings []string
	)
	err := tx.QueryRowContext(ctx, "SELECT COALESCE(shobj_description(oid, 'pg_authid'), ''), rolconfig FROM pg_roles WHERE rolname = $1", name).
		Scan(&comment, pq.Array(&settings))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		if err := makeRole(ctx, tx, role); err != nil {
			return fmt.Errorf("making the role %s: %w", name, err)
		}
	case err != nil:
		return fmt.Errorf("looking for the role %s: %w", name, err)
	case comment != managedComment:
		return nil
	}
	for _, s := range d.options.session() {
		if slices.Contains(settings, s.name+"="+s.value) {
			continue
		}
		statement := fmt.Sprintf("ALTER ROLE %s SET %s = %s", pq.QuoteIdentifier(name), s.name, pq.QuoteLiteral(s.value))
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("setting %s of the role %s: %w", s.name, name, err)
		}
	}
	return nil
}

// makeRole makes a role. The server is given no password that it could write into its log.
func makeRole(ctx context.Context, tx *sql.Tx, role *url.Userinfo) error {
	secret := "NULL"
	if password, _ := role.Password(); password != "" {
		verifier, err := scramVerifier(password)
		if err != nil {
			return err
		}
		secret = pq.QuoteLiteral(verifier)
	}
	name := pq.QuoteIdentifier(role.Username())
	for _, statement := range []string{
		"CREATE ROLE " + name + " LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD " + secret,
		"COMMENT ON ROLE " + name + " IS " + pq.QuoteLiteral(managedComment),
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	there, err := hasCitus(ctx, tx)
	if err != nil || !there {
		return err
	}
	return propagateTenant(ctx, tx, role.Username())
}

// propagateOwnerTenant has the owner's transactions, which the operator's commands are, tell the workers of a cluster which
// tenant they have entered.
func propagateOwnerTenant(ctx context.Context, tx *sql.Tx, owner string) error {
	there, err := hasCitus(ctx, tx)
	if err != nil || !there {
		return err
	}
	reaches, err := propagatesTenant(ctx, tx)
	if err != nil || reaches {
		return err
	}
	return propagateTenant(ctx, tx, owner)
}

// grant gives the role what it needs, in the schema that the tables are in.
func grant(ctx context.Context, tx *sql.Tx, role string, grants []string) error {
	var schema string
	if err := tx.QueryRowContext(ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		return fmt.Errorf("asking for the schema: %w", err)
	}
	role = pq.QuoteIdentifier(role)
	if _, err := tx.ExecContext(ctx, "GRANT USAGE ON SCHEMA "+pq.QuoteIdentifier(schema)+" TO "+role); err != nil {
		return fmt.Errorf("granting rights to %s: %w", role, err)
	}
	for _, grant := range grants {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(grant, role)); err != nil {
			return fmt.Errorf("granting rights to %s: %w", role, err)
		}
	}
	return nil
}

// revokePublic takes from everybody the right to make tables that would be found before those behind the wall.
func revokePublic(ctx context.Context, tx *sql.Tx) error {
	statements, err := queryTexts(ctx, tx, publicRevokes)
	if err != nil {
		return fmt.Errorf("asking who may make tables: %w", err)
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// serviceRole returns the name and the password of the role that the service runs as, from wherever the driver takes them.
func (o Options) serviceRole() (*url.Userinfo, error) {
	config, err := configure(o.URL, o, true)
	if err != nil {
		return nil, err
	}
	return url.UserPassword(config.User, config.Password), nil
}
