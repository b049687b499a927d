package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

const (
	// profileColumns are the columns that administrators may see: all but the password hash.
	profileColumns = "u.id, u.tenant_id, u.email, u.full_name, CASE WHEN u.super_admin THEN 'super_admin' ELSE u.role END AS role, u.active, u.created_at"
	userColumns    = profileColumns + ", u.password_hash"
)

type userRow struct {
	ID           id.User   `db:"id"`
	TenantID     id.Tenant `db:"tenant_id"`
	Email        string    `db:"email"`
	FullName     string    `db:"full_name"`
	Role         string    `db:"role"`
	Active       bool      `db:"active"`
	PasswordHash string    `db:"password_hash"`
	CreatedAt    Time      `db:"created_at"`
}

func (r userRow) user() (user.User, error) {
	email, err := user.ParseEmail(r.Email)
	if err != nil {
		return user.User{}, fmt.Errorf("reading user %s: invalid e-mail address", r.ID)
	}
	role, err := access.ParseRole(r.Role)
	if err != nil {
		return user.User{}, fmt.Errorf("reading user %s: %q is not a role", r.ID, r.Role)
	}
	return user.User{
		ID: r.ID, TenantID: r.TenantID, Email: email, FullName: r.FullName, Role: role, Active: r.Active,
		PasswordHash: user.PasswordHash(r.PasswordHash), CreatedAt: r.CreatedAt.Time,
	}, nil
}

// tenantRole returns the value of the column role; super_admin has a column of its own.
func tenantRole(r access.Role) access.Role {
	if r == access.SuperAdmin {
		return access.Admin
	}
	return r
}

// oneUser reads a user. Errors: user.ErrNotFound.
func oneUser(ctx context.Context, p Executor, query string, args ...any) (user.User, error) {
	var row userRow
	if err := p.Get(ctx, &row, user.ErrNotFound, "reading a user", query, args...); err != nil {
		return user.User{}, err
	}
	return row.user()
}

// profileOf reads the profileColumns of a user of the executor's tenant. Errors: user.ErrNotFound.
func profileOf(ctx context.Context, inTenant Executor, userID id.User, lock string) (user.User, error) {
	return oneUser(ctx, inTenant, "SELECT "+profileColumns+" FROM users u WHERE u.id = ? AND u.tenant_id = ?"+lock, userID, inTenant.tenant)
}

type users struct{ repositories }

// tenantOf returns the tenant in which to look up a user: that of the scope, or for a scope over all tenants the user's own.
func (s users) tenantOf(ctx context.Context, scope access.Scope, userID id.User) (id.Tenant, error) {
	if !scope.Everywhere() {
		return scope.Tenant()
	}
	var tenantID *id.Tenant
	err := s.outside(LookUp).Get(ctx, &tenantID, nil, "looking for a user's tenant",
		"SELECT "+s.functionOr("home_of_user(?)", "(SELECT tenant_id FROM users WHERE id = ?)"), userID)
	if err == nil && tenantID == nil {
		return "", user.ErrNotFound
	}
	if err != nil {
		return "", err
	}
	return *tenantID, nil
}

func (s users) ByID(ctx context.Context, scope access.Scope, userID id.User) (user.User, error) {
	tenantID, err := s.tenantOf(ctx, scope, userID)
	if err != nil {
		return user.User{}, err
	}
	return profileOf(ctx, s.in(tenantID, LookUp), userID, "")
}

func (s users) List(ctx context.Context, scope access.Scope, p page.Page) ([]user.User, int, error) {
	tenantID, err := scope.Tenant()
	if err != nil {
		return nil, 0, err
	}
	var (
		total int
		rows  []userRow
	)
	err = s.db.inTenant(ctx, tenantID, LookUp, func(ctx context.Context, q sqlx.ExtContext) error {
		err := s.getFrom(ctx, q, &total, nil, "counting users", "SELECT COUNT(*) FROM users WHERE tenant_id = ?", tenantID)
		if err != nil {
			return err
		}
		return s.listFrom(ctx, q, &rows, "listing users",
			"SELECT "+profileColumns+" FROM users u WHERE u.tenant_id = ? ORDER BY u.created_at, u.id LIMIT ? OFFSET ?",
			tenantID, p.Limit, p.Skip)
	})
	if err != nil {
		return nil, 0, err
	}
	list, err := convert(rows, userRow.user)
	return list, total, err
}

func (s users) ForUpdate(ctx context.Context, scope access.Scope, userID id.User) (user.User, int, error) {
	tenantID, err := s.tenantOf(ctx, scope, userID)
	if err != nil {
		return user.User{}, 0, err
	}
	inTenant := s.in(tenantID, Write)
	u, err := profileOf(ctx, inTenant, userID, s.dialect.ForUpdate())
	if err != nil {
		return user.User{}, 0, err
	}
	// All changes to a tenant's administrators are serialized by a lock on the tenant's row. With locks on the users only, two
	// administrators could demote each other concurrently.
	var locked id.Tenant
	err = inTenant.Get(ctx, &locked, tenant.ErrNotFound, "locking a tenant",
		"SELECT id FROM tenants WHERE id = ?"+s.dialect.ForUpdate(), u.TenantID)
	if err != nil {
		return user.User{}, 0, err
	}
	var others int
	err = inTenant.Get(ctx, &others, nil, "counting administrators",
		"SELECT COUNT(*) FROM users WHERE tenant_id = ? AND id <> ? AND active AND role = ?",
		u.TenantID, u.ID, access.Admin.String())
	return u, others, err
}

func (s users) SetRole(ctx context.Context, scope access.Scope, u user.User, role access.Role) error {
	if err := scope.Covers(u.TenantID); err != nil {
		return err
	}
	inTenant := s.in(u.TenantID, Write)
	if u.Role != access.SuperAdmin && role != access.SuperAdmin {
		return inTenant.ExecOne(ctx, user.ErrNotFound, "changing a role",
			"UPDATE users SET role = ? WHERE id = ? AND tenant_id = ?", role.String(), u.ID, u.TenantID)
	}
	err := inTenant.ExecOne(ctx, user.ErrNotFound, "granting or revoking super_admin",
		"UPDATE users SET role = ?, super_admin = ? WHERE id = ? AND tenant_id = ?",
		tenantRole(role).String(), role == access.SuperAdmin, u.ID, u.TenantID)
	return operatorOnly(err)
}

// operatorOnly maps ErrDenied, from a statement about super_admin, to user.ErrOperatorOnly.
func operatorOnly(err error) error {
	if errors.Is(err, ErrDenied) {
		return user.ErrOperatorOnly.Because(err)
	}
	return err
}

func (s users) SetActive(ctx context.Context, scope access.Scope, u user.User) error {
	if err := scope.Covers(u.TenantID); err != nil {
		return err
	}
	return s.in(u.TenantID, Write).ExecOne(ctx, user.ErrNotFound, "setting whether a user is active",
		"UPDATE users SET active = ? WHERE id = ? AND tenant_id = ?", u.Active, u.ID, u.TenantID)
}
