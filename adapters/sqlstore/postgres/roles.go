package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/lib/pq"
)

// ErrUnsafeRole says that row level security does not bind the role that the service runs as.
var ErrUnsafeRole = errors.New("the role of DATABASE_URL is a superuser, bypasses row level security or owns the tables; " +
	"give the owner in MIGRATION_DATABASE_URL and another role in DATABASE_URL")

// grants are what the service may do as its own role: no change of the schema, none to an event or an audit entry, nor
// to whose a user or a session is. It reads no password hash and gives no super_admin but through the functions.
var grants = []string{
	"GRANT USAGE ON SCHEMA public TO %s",
	"REVOKE ALL ON users, sessions, sign_in_addresses FROM %s", // what an older version granted
	"GRANT SELECT, INSERT ON tenants, events, audit_entries TO %s",
	// A lock on a tenant's row takes the right to change one of its columns.
	"GRANT UPDATE (created_at) ON tenants TO %s",
	"GRANT SELECT (id, tenant_id, email, full_name, role, super_admin, active, created_at), " +
		"INSERT, UPDATE (role, active, password_hash) ON users TO %s",
	"GRANT SELECT, INSERT, UPDATE (current_hash, previous_hash, device, address, last_used_at, revoked_at, revoked_for) ON sessions TO %s",
	"GRANT SELECT, INSERT, UPDATE (last_at) ON sign_in_addresses TO %s",
	"GRANT DELETE ON sessions, sign_in_addresses TO %s", // which have expired, or are too many
	"GRANT EXECUTE ON FUNCTION account_by_email, password_is, caller_of_session, address_is_known, password_costs, " +
		"tenant_by_slug, home_of_user, give_super_admin TO %s",
	"GRANT SELECT, INSERT ON served TO %s", // for a replica that has no other role; what was served stays
	"GRANT SELECT, UPDATE ON heartbeat TO %s",
	"GRANT SELECT ON goose_db_version TO %s",
}

// Authorize makes the role of URL where it is not there yet, and grants it what the service needs. It is done as the
// owner, after migrating, and does nothing where both are the same role.
func (d *Database) Authorize(ctx context.Context) error {
	service, err := d.serviceRole()
	if err != nil {
		return err
	}
	name := service.Username()
	var owner string
	if err := d.owner.QueryRowContext(ctx, "SELECT current_user").Scan(&owner); err != nil {
		return fmt.Errorf("asking who owns the tables: %w", err)
	}
	if name == "" || name == owner {
		return nil
	}
	tx, err := d.owner.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("granting rights: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	// Replicas that start at once take turns.
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtext('secure-data-api roles'))"); err != nil {
		return fmt.Errorf("granting rights: %w", err)
	}
	var exists bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name).Scan(&exists); err != nil {
		return fmt.Errorf("granting rights: %w", err)
	}
	if !exists {
		password, _ := service.Password()
		statement := fmt.Sprintf("CREATE ROLE %s LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD %s", pq.QuoteIdentifier(name), pq.QuoteLiteral(password))
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("making the role %s: %w", name, err)
		}
		// A pooler does not pass on what a connection asks for at its start.
		statement = fmt.Sprintf("ALTER ROLE %s SET statement_timeout = %d", pq.QuoteIdentifier(name), d.options.StatementTimeout.Milliseconds())
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("making the role %s: %w", name, err)
		}
		there, err := hasCitus(ctx, tx)
		if err != nil {
			return err
		}
		if there {
			if err := propagateTenant(ctx, tx, name); err != nil {
				return err
			}
		}
	}
	for _, grant := range grants {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(grant, pq.QuoteIdentifier(name))); err != nil {
			return fmt.Errorf("granting rights to %s: %w", name, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("granting rights: %w", err)
	}
	return nil
}

// serviceRole returns the name and the password of the role that the service runs as.
func (d *Database) serviceRole() (*url.Userinfo, error) {
	u, err := url.Parse(d.options.URL)
	if err != nil {
		return nil, errors.New("DATABASE_URL can't be read")
	}
	return u.User, nil
}

// CheckRole makes sure that row level security binds the service. Errors: ErrUnsafeRole.
func (d *Database) CheckRole(ctx context.Context) error {
	var unsafe bool
	err := d.service.GetContext(ctx, &unsafe, `SELECT
		(SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user)
		OR EXISTS (SELECT FROM pg_tables WHERE schemaname = 'public' AND tablename IN ('events', 'audit_entries')
			AND pg_has_role(current_user, tableowner, 'MEMBER'))`)
	if err != nil {
		return fmt.Errorf("checking the role of DATABASE_URL: %w", err)
	}
	if unsafe {
		return ErrUnsafeRole
	}
	return nil
}
