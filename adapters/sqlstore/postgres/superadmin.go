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

// The service grants super_admin over connections of a separate role, so that a statement injected anywhere else can't do it.
// The role has the service's password, and its name with a suffix.

// superAdminSuffix is the suffix of the role that may grant super_admin.
const superAdminSuffix = "_super_admin"

// superAdminGrants are the privileges of that role: to find a user, change a role, and record it.
var superAdminGrants = []string{
	"GRANT SELECT, UPDATE (created_at) ON tenants TO %s", // needed for a row lock
	"GRANT SELECT (id, tenant_id, email, full_name, role, super_admin, active, created_at), UPDATE (role, super_admin) ON users TO %s",
	"GRANT INSERT ON audit_entries TO %s",
	"GRANT EXECUTE ON FUNCTION home_of_user TO %s",
}

// invalidAuthorization is the SQLSTATE class for an unknown role or a wrong password.
const invalidAuthorization = "28"

// superAdminRole returns the role that may grant super_admin, for that of the service.
func superAdminRole(service *url.Userinfo) *url.Userinfo {
	password, _ := service.Password()
	return url.UserPassword(service.Username()+superAdminSuffix, password)
}

// authorizeSuperAdmin creates that role if it does not exist, and grants it its privileges. If it does not exist and this owner
// may not create roles, only the operator can grant super_admin.
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

// connectSuperAdmin returns a connector for that role.
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
	q.Del("user") // the driver prefers it
	q.Del("password")
	u.RawQuery = q.Encode()
	return connect(u.String(), o, true)
}

// InTxAsSuperAdmin runs a transaction as the role that may grant super_admin, or as the store's own role if that one may.
// Errors: those of InTx; user.ErrOperatorOnly, if there is no such role.
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
