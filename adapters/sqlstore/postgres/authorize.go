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

// managedComment is the comment on a role that the service created, and whose settings it keeps up to date. Roles without
// it are left alone.
const managedComment = "made by secure-data-api, which keeps its settings up to date"

// grants are the privileges of the service's role: it can't change the schema, an event but to delete it, an audit entry, or the owner of a
// user or a session, and can't access a partition of events but through events. It reads password hashes through the functions only, and can't grant super_admin.
// CheckRowLevelSecurity allows the same; see rlsTables.
var grants = []string{
	"REVOKE ALL ON tenants, users, sessions, sign_in_addresses FROM %s", // granted by an older version
	"GRANT SELECT, INSERT ON events, event_keys, audit_entries TO %s",
	"GRANT UPDATE (event_id, stored_at) ON event_keys TO %s", // an expired key may name another event
	"GRANT SELECT, INSERT ON seals, deltas, blocks, block_parts, tombstones, event_users, erasures, erased_events TO %s",
	"GRANT UPDATE (changes, covered_from, next_user, forgotten) ON seals TO %s",
	"GRANT UPDATE (state, user_identifier, events, completed_at, reported) ON erasures TO %s",
	"GRANT DELETE ON deltas, blocks, block_parts, tombstones TO %s",                  // the rows that they are made of stay
	"GRANT DELETE ON events, event_keys, event_users, erasures, erased_events TO %s", // what is erased, and erasures that came to nothing
	// The update is needed to lock a tenant's row. Only the owner sets a retention.
	"GRANT SELECT, INSERT (id, slug, created_at), UPDATE (created_at) ON tenants TO %s",
	"GRANT SELECT (id, tenant_id, email, full_name, role, super_admin, active, created_at), INSERT, UPDATE (role, active, password_hash) ON users TO %s",
	"GRANT SELECT, INSERT, UPDATE (current_hash, previous_hash, device, address, last_used_at, revoked_at, revoked_for) ON sessions TO %s",
	"GRANT SELECT, INSERT, UPDATE (last_at) ON sign_in_addresses TO %s",
	"GRANT DELETE ON sessions, sign_in_addresses TO %s", // expired, or beyond the limit
	"GRANT EXECUTE ON FUNCTION " + strings.Join(functions, ", ") + " TO %s",
	"GRANT EXECUTE ON FUNCTION event_months_ahead() TO %s",
	"GRANT SELECT, INSERT ON served TO %s", // for a replica without the owner's role; it can't delete
	"GRANT SELECT, UPDATE ON heartbeat TO %s",
	"GRANT SELECT ON goose_db_version TO %s",
}

// functions are those that the service calls with the rights of the tables' owner. CheckRowLevelSecurity allows no others.
var functions = []string{
	"account_by_email(text)", "password_is(uuid, text)", "caller_of_session(uuid)", "address_is_known(text, text)",
	"password_costs(text)", "tenant_by_slug(text)", "home_of_user(uuid)",
	"add_event_partitions()", "drop_event_partitions(uuid)", "expire_events(integer)",
}

// publicRevokes is a query for the statements that revoke from PUBLIC what would let the service create a table in place of a
// protected one, as far as the current role may revoke it.
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

// session returns the settings that end sessions of the service that take too long, or whose client is gone. They are sent when
// connecting, and also set for a role that the service created, since a pooler does not forward those of a connection.
func (o Options) session() []setting {
	milliseconds := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	return []setting{
		{"statement_timeout", milliseconds(o.StatementTimeout)},
		// Every transaction has ended by then, unless its client is gone and still holds locks.
		{"idle_in_transaction_session_timeout", milliseconds(o.transactionTimeout())},
		// A dead client is noticed after a minute. The default is two hours.
		{"tcp_keepalives_idle", "30"},
		{"tcp_keepalives_interval", "10"},
		{"tcp_keepalives_count", "3"},
	}
}

// Authorize creates the role of URL if it does not exist, and grants it what the service needs. It runs as the owner, after
// migrating, and does nothing if both are the same role. Errors: errPasswordBeyondASCII, if the role must be created.
func (d *Database) Authorize(ctx context.Context) error {
	service, err := d.options.serviceRole()
	if err != nil {
		return err
	}
	var owner string
	if err := d.owner.QueryRowContext(ctx, "SELECT current_user").Scan(&owner); err != nil {
		return fmt.Errorf("reading the name of the owner: %w", err)
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

// lockGrants serializes replicas that start at the same time. The service's role can't take this lock, and so can't block it.
func lockGrants(ctx context.Context, tx *sql.Tx) error {
	for _, statement := range []string{
		fmt.Sprintf("SET LOCAL lock_timeout = '%ds'", lockPeriod*authorizeTries),
		"LOCK TABLE goose_db_version IN EXCLUSIVE MODE", // replicas can still read it
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("waiting for the lock: %w", err)
		}
	}
	return nil
}

// prepareRole creates the role if it does not exist, and updates the settings of one that the service created.
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
			return fmt.Errorf("creating the role %s: %w", name, err)
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

// makeRole creates a role. It sends a verifier, not the password, which the server might log.
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

// propagateOwnerTenant makes the owner's transactions, which the operator's commands use, propagate their tenant to the
// workers of a cluster.
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

// grant grants privileges to the role, in the schema of the tables.
func grant(ctx context.Context, tx *sql.Tx, role string, grants []string) error {
	var schema string
	if err := tx.QueryRowContext(ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		return fmt.Errorf("reading the schema: %w", err)
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

// revokePublic revokes from PUBLIC the privileges to create tables that would shadow the protected ones.
func revokePublic(ctx context.Context, tx *sql.Tx) error {
	statements, err := queryTexts(ctx, tx, publicRevokes)
	if err != nil {
		return fmt.Errorf("checking the privileges to create tables: %w", err)
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// serviceRole returns the name and the password of the service's role, from the URL or the environment, as the driver does.
func (o Options) serviceRole() (*url.Userinfo, error) {
	config, err := configure(o.URL, o, true)
	if err != nil {
		return nil, err
	}
	return url.UserPassword(config.User, config.Password), nil
}
