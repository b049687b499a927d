// Package access decides who may do what, and in which tenant. It is the only place where that is decided:
// Principal.Authorize turns a permission and a tenant into a Scope, and nothing that touches tenant data works
// without one.
package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// Permission is one thing that a role may be allowed to do.
type Permission string

// The permissions.
const (
	ReadOwnData       Permission = "read:own_data"
	ReadSummary       Permission = "analytics:read_summary"
	ReadTenantData    Permission = "read:tenant_data"
	RunQueries        Permission = "analytics:run_queries"
	Export            Permission = "analytics:export"
	Ingest            Permission = "analytics:ingest"
	ManageTenantUsers Permission = "users:manage_tenant"
	ReadAuditLogs     Permission = "admin:audit_logs"
	EraseEvents       Permission = "events:erase"
	ReadAllData       Permission = "read:all_data"
	ManageAllUsers    Permission = "users:manage_all"
	ManageTenants     Permission = "admin:manage_tenants"
	// ExpireEvents and SealEvents are for the service's own work: no role has them.
	ExpireEvents Permission = "service:expire_events"
	SealEvents   Permission = "service:seal_events"
)

// Role is a named set of permissions. Roles are ordered, and each holds what the ones below it hold.
// The zero Role holds nothing.
type Role struct {
	name string
	rank int
}

// The roles, lowest first.
var (
	Viewer     = Role{"viewer", 1}
	Analyst    = Role{"analyst", 2}
	Admin      = Role{"admin", 3}
	SuperAdmin = Role{"super_admin", 4}
)

// Roles returns all roles, lowest first.
func Roles() []Role { return []Role{Viewer, Analyst, Admin, SuperAdmin} }

// granted is what each role adds to the one below it.
var granted = map[Role][]Permission{
	Viewer:     {ReadOwnData, ReadSummary},
	Analyst:    {ReadTenantData, RunQueries, Export, Ingest},
	Admin:      {ManageTenantUsers, ReadAuditLogs, EraseEvents},
	SuperAdmin: {ReadAllData, ManageAllUsers, ManageTenants},
}

// elsewhere is the permission that is also needed to do in another tenant what a permission allows in one's own.
var elsewhere = map[Permission]Permission{
	ReadOwnData:       ReadAllData,
	ReadSummary:       ReadAllData,
	ReadTenantData:    ReadAllData,
	RunQueries:        ReadAllData,
	Export:            ReadAllData,
	ReadAuditLogs:     ReadAllData,
	ManageTenantUsers: ManageAllUsers,
	Ingest:            ManageTenants,
	EraseEvents:       ManageTenants,
	ManageTenants:     ManageTenants,
}

// ParseRole reads a role by its name. A fault names the field role.
func ParseRole(name string) (Role, error) {
	for _, r := range Roles() {
		if r.name == name {
			return r, nil
		}
	}
	return Role{}, fault.ErrInvalid.OnField("role", "must be viewer, analyst, admin or super_admin")
}

// String returns the role's name.
func (r Role) String() string { return r.name }

// AtLeast reports whether r holds all that other holds.
func (r Role) AtLeast(other Role) bool { return r.rank >= other.rank }

// Has reports whether the role holds the permission.
func (r Role) Has(p Permission) bool {
	for _, role := range Roles() {
		if r.AtLeast(role) && slices.Contains(granted[role], p) {
			return true
		}
	}
	return false
}

// Errors of this package. They never name the tenant or the resource of the request, so that a refusal does not reveal
// what exists.
var (
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "Your role does not permit this.")
	// ErrNoScope is a bug in this program, not a mistake of a caller: tenant data was accessed without a scope for it.
	ErrNoScope = errors.New("access: no scope for this tenant")
)

// Lacking returns ErrForbidden with a message that names the missing permission and the roles that have it.
// A permission that no role has is not named.
func Lacking(permission Permission) *fault.Error {
	holders := permission.Holders()
	if holders == "" {
		return ErrForbidden
	}
	return ErrForbidden.Saying(fmt.Sprintf("Your role does not permit this: it needs %s, which is held by %s.", permission, holders))
}

// Holders returns the names of the roles that have the permission, lowest first, separated by commas.
func (p Permission) Holders() string {
	var names []string
	for _, r := range Roles() {
		if r.Has(p) {
			names = append(names, r.name)
		}
	}
	return strings.Join(names, ", ")
}

// EveryTenant, given to Authorize in place of a tenant, requests a scope that covers all tenants.
// It is not the id of a tenant, so no request can name it.
const EveryTenant id.Tenant = "*"

// Principal is who makes a request: a user with the role that the user has now, or the operator of the service; or the service
// itself, for its own work.
type Principal struct {
	user     id.User
	tenant   id.Tenant
	role     Role
	operator bool
	worker   bool
}

// NewPrincipal returns the principal of an authenticated user.
func NewPrincipal(user id.User, tenant id.Tenant, role Role) Principal {
	return Principal{user: user, tenant: tenant, role: role}
}

// Operator returns the principal of the command line on the machine of the service. It has no tenant and no
// user id, and outranks all users.
func Operator() Principal {
	return Principal{role: SuperAdmin, operator: true}
}

// Worker returns the principal of the service's own work, which no request leads to. It has no user, no tenant and no role, and
// may only delete expired events, and seal those of one tenant at a time.
func Worker() Principal { return Principal{worker: true} }

// User returns the user's id, empty for the operator.
func (p Principal) User() id.User { return p.user }

// Tenant returns the user's own tenant, empty for the operator.
func (p Principal) Tenant() id.Tenant { return p.tenant }

// Role returns the role.
func (p Principal) Role() Role { return p.role }

// Outranks reports whether p has a higher role than a user with the given role. The operator outranks every role.
func (p Principal) Outranks(r Role) bool { return p.operator || p.role.rank > r.rank }

// Authorize decides whether the principal may do, in the tenant, what the permission names. It is the only way
// to get a Scope. An empty tenant means the principal's own; EveryTenant means all.
// Errors: ErrForbidden, which names the missing permission: if two are missing, the one for other tenants.
func (p Principal) Authorize(permission Permission, tenant id.Tenant) (Scope, error) {
	if tenant == "" {
		tenant = p.tenant
	}
	switch {
	case p.worker && permission == ExpireEvents && tenant == EveryTenant:
		return Scope{tenant: noTenant, principal: p}, nil
	case p.worker && permission == SealEvents && tenant != "" && tenant != EveryTenant:
		return Scope{tenant: tenant, principal: p}, nil
	case tenant == "":
		return Scope{}, ErrForbidden
	case tenant != p.tenant && !p.role.Has(elsewhere[permission]):
		return Scope{}, Lacking(elsewhere[permission])
	case !p.role.Has(permission):
		return Scope{}, Lacking(permission)
	}
	return Scope{tenant: tenant, principal: p}, nil
}

// noTenant is the tenant of the scope of the service's own work: no data of a tenant is in that scope.
const noTenant id.Tenant = "-"

// Scope is the proof that a principal may act in a tenant. Only Principal.Authorize makes one; the zero Scope
// covers no tenant.
type Scope struct {
	tenant    id.Tenant
	principal Principal
	filters   analytics.Filters
}

// Narrowed returns the scope of those events alone that it covers and filters select. It is for questions about many events: no single
// event can be read in it, and nothing be changed.
func (s Scope) Narrowed(filters analytics.Filters) Scope {
	s.filters = append(slices.Clip(s.filters), filters...)
	return s
}

// Questions returns the one tenant about whose events the scope allows questions, and which of them the scope is narrowed to; all
// without filters. Errors: ErrNoScope, as of Tenant.
func (s Scope) Questions() (id.Tenant, analytics.Filters, error) {
	whole := s
	whole.filters = nil
	tenant, err := whole.Tenant()
	return tenant, s.filters, err
}

// errNarrowed: the scope covers some events only, which is not enough.
var errNarrowed = fmt.Errorf("%w: it is narrowed to some events, for questions alone", ErrNoScope)

// Tenant returns the one tenant of the scope. Errors: ErrNoScope, for the zero Scope, for scopes of no or of all tenants, and for narrowed ones.
func (s Scope) Tenant() (id.Tenant, error) {
	if len(s.filters) > 0 {
		return "", errNarrowed
	}
	if s.tenant == "" || s.tenant == noTenant || s.tenant == EveryTenant {
		return "", ErrNoScope
	}
	return s.tenant, nil
}

// Covers returns nil if the scope covers the tenant. Errors: ErrNoScope.
func (s Scope) Covers(tenant id.Tenant) error {
	if len(s.filters) > 0 {
		return errNarrowed
	}
	if s.tenant == "" || s.tenant == noTenant || tenant == "" || s.tenant != tenant && s.tenant != EveryTenant {
		return fmt.Errorf("%w: scope of %q, tenant %q", ErrNoScope, s.tenant, tenant)
	}
	return nil
}

// Everywhere reports whether the scope covers all tenants.
func (s Scope) Everywhere() bool { return s.tenant == EveryTenant }

// MayExpireEvents returns nil if the scope is that of the service's own work. Errors: ErrNoScope.
func (s Scope) MayExpireEvents() error {
	if s.tenant != noTenant {
		return fmt.Errorf("%w: deleting expired events is the service's own work", ErrNoScope)
	}
	return nil
}

// MaySeal returns the tenant whose events the scope's principal, the service itself, may seal. Errors: ErrNoScope.
func (s Scope) MaySeal() (id.Tenant, error) {
	if !s.principal.worker || s.tenant == noTenant {
		return "", fmt.Errorf("%w: sealing events is the service's own work", ErrNoScope)
	}
	return s.Tenant()
}

// Principal returns who was authorized.
func (s Scope) Principal() Principal { return s.principal }
