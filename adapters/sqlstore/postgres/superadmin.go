package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"github.com/lib/pq"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// The service gives super_admin by connections of a role of its own, so that no statement that is injected anywhere else can.
// The role has the service's password, and its name with an end.

// superAdminSuffix is how the name of the role that may give super_admin ends.
const superAdminSuffix = "_super_admin"

// superAdminGrants are what that role may do: find a user, give a role, and put it on record.
var superAdminGrants = []string{
	"GRANT SELECT, UPDATE (created_at) ON tenants TO %s", // the latter is a lock
	"GRANT SELECT (id, tenant_id, email, full_name, role, super_admin, active, created_at), UPDATE (role, super_admin) ON users TO %s",
	"GRANT INSERT ON audit_entries TO %s",
	"GRANT EXECUTE ON FUNCTION home_of_user TO %s",
}

// invalidAuthorization is the class of what a server answers to a role that is not there or has another password.
const invalidAuthorization = "28"

// superAdminRole returns the role that may give super_admin beside the service's.
func superAdminRole(service *url.Userinfo) *url.Userinfo {
	password, _ := service.Password()
	return url.UserPassword(service.Username()+superAdminSuffix, password)
}

// authorizeSuperAdmin makes that role where it is not there yet, and grants it what it needs. Where it is not there and this owner
// makes no roles, the operator gives super_admin.
func (d *Database) authorizeSuperAdmin(ctx context.Context, tx *sql.Tx, role *url.Userinfo) error {
	var there, makes bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1),
		(SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user)`, role.Username()).Scan(&there, &makes)
	if err != nil {
		return fmt.Errorf("looking for the role %s: %w", role.Username(), err)
	}
	if !there && !makes {
		return nil
	}
	if err := d.prepareRole(ctx, tx, role); err != nil {
		return err
	}
	return grant(ctx, tx, role.Username(), superAdminGrants)
}

// connectSuperAdmin returns what makes connections as that role.
func connectSuperAdmin(o Options) (pgConnector, error) {
	service, err := o.serviceRole()
	if err != nil {
		return pgConnector{}, err
	}
	u, _, err := parseURL(o.URL)
	if err != nil {
		return pgConnector{}, err
	}
	u.User = superAdminRole(service)
	q := u.Query()
	q.Del("user") // which the driver prefers
	q.Del("password")
	u.RawQuery = q.Encode()
	return connect(u.String(), o, true)
}

// InTxAsSuperAdmin runs a unit of work as the role that may give super_admin, or as the store's own where that may.
// Errors: those of InTx; user.ErrOperatorOnly, where there is no such role.
func (d *Database) InTxAsSuperAdmin(ctx context.Context, fn func(ctx context.Context, tx ports.Repositories) error) error {
	itself, err := d.CanGrantSuperAdmin(ctx)
	if err != nil {
		return err
	}
	if itself {
		return d.InTx(ctx, fn)
	}
	err = d.superAdmin.InTx(ctx, fn)
	var refused *pq.Error
	if errors.Is(err, errConnecting) && errors.As(err, &refused) && refused.Code.Class() == invalidAuthorization {
		return user.ErrOperatorOnly.Because(err)
	}
	return err
}
