// Package user provides user accounts, and the rules of who may change whose account.
package user

import (
	"log/slog"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/text"
)

// Limits of a full name, in characters.
const (
	MinNameLength = 2
	MaxNameLength = 150
)

// Faults of this package.
var (
	ErrNotFound       = fault.New(fault.NotFound, "user_not_found", "There is no such user.")
	ErrEmailTaken     = fault.New(fault.Conflict, "email_taken", "This e-mail address has an account already.")
	ErrOwnAccount     = fault.New(fault.Malformed, "own_account", "You can't deactivate your own account.")
	ErrLastAdmin      = fault.New(fault.Conflict, "last_admin", "This is the tenant's last active admin. Make another user admin first.")
	ErrRoleAboveOwn   = fault.New(fault.Forbidden, "role_above_own", "You can't give a role above your own.")
	ErrOperatorOnly   = fault.New(fault.Forbidden, "operator_gives", "Only the operator can grant super_admin here, with a command that runs as the owner of the database.")
	ErrTargetOutranks = fault.New(fault.Forbidden, "target_not_below", "You can't change an account whose role is not below your own.")
)

// User is a person with an account. A user belongs to one tenant, which never changes.
type User struct {
	ID           id.User
	TenantID     id.Tenant
	Email        Email
	FullName     string
	Role         access.Role
	Active       bool
	PasswordHash PasswordHash
	CreatedAt    time.Time
}

// Account is the input for creating a user.
type Account struct {
	Email    string
	Password string
	FullName string
	Tenant   string // the slug
}

// PasswordHash is the encoded hash of a password. It prints as a mask, so that it does not reach a log.
type PasswordHash string

const mask = "[hidden]"

// String returns a mask.
func (PasswordHash) String() string { return mask }

// GoString returns a mask.
func (PasswordHash) GoString() string { return mask }

// LogValue returns a mask.
func (PasswordHash) LogValue() slog.Value { return slog.StringValue(mask) }

// CheckName validates a full name. Problems are added to c under full_name.
func CheckName(c *fault.Check, name string) {
	text.CheckName(c, "full_name", name, MinNameLength, MaxNameLength)
}

// Principal returns the user as a principal.
func (u User) Principal() access.Principal {
	return access.NewPrincipal(u.ID, u.TenantID, u.Role)
}

// IsAdministrator reports whether the user is active and can manage the tenant's users.
func (u User) IsAdministrator() bool {
	return u.Active && u.Role.AtLeast(access.Admin)
}

// WithRole returns the user with another role. Nobody may grant a role above their own or change a user whose role is not below
// their own, except that admins of a tenant may change each other and themselves. A tenant keeps at least one active
// administrator: others is the number of administrators besides this user.
// Errors: ErrRoleAboveOwn, ErrTargetOutranks, ErrLastAdmin.
func (u User) WithRole(by access.Principal, role access.Role, others int) (User, error) {
	if !by.Role().AtLeast(role) {
		return User{}, ErrRoleAboveOwn
	}
	if err := u.changeableBy(by); err != nil {
		return User{}, err
	}
	if u.IsAdministrator() && !role.AtLeast(access.Admin) && others == 0 {
		return User{}, ErrLastAdmin
	}
	u.Role = role
	return u, nil
}

// Deactivated returns the user without access. The same rules apply as for a change of role, and nobody may deactivate their
// own account.
// Errors: ErrOwnAccount, ErrTargetOutranks, ErrLastAdmin.
func (u User) Deactivated(by access.Principal, others int) (User, error) {
	if by.User() == u.ID {
		return User{}, ErrOwnAccount
	}
	if err := u.changeableBy(by); err != nil {
		return User{}, err
	}
	if u.IsAdministrator() && others == 0 {
		return User{}, ErrLastAdmin
	}
	u.Active = false
	return u, nil
}

// Activated returns the user with access again. The same rules hold as for a change of role.
// Errors: ErrTargetOutranks.
func (u User) Activated(by access.Principal) (User, error) {
	if err := u.changeableBy(by); err != nil {
		return User{}, err
	}
	u.Active = true
	return u, nil
}

// CheckAdministeredBy returns nil if a principal may replace the user's password and end the user's sessions. The rules are
// those of a change of role. Errors: ErrTargetOutranks.
func (u User) CheckAdministeredBy(by access.Principal) error { return u.changeableBy(by) }

func (u User) changeableBy(by access.Principal) error {
	amongAdmins := by.Role() == access.Admin && u.Role == access.Admin && by.Tenant() == u.TenantID
	if !by.Outranks(u.Role) && !amongAdmins {
		return ErrTargetOutranks
	}
	return nil
}
