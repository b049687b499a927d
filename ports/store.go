// Package ports holds the interfaces that the use cases need from the world outside, and nothing else. Package
// porttest holds one contract test for each; every adapter passes it.
//
// Whatever reads or writes a tenant's data takes a scope straight after the context and refuses one that does not
// cover that data with access.ErrNoScope. The exceptions serve authentication, which comes before any principal:
// Identities, Sessions, SignInAddresses and Tenants. Of them, what is asked before any tenant is known takes what it is
// known by, an address, a session or a slug; all else takes a tenant, or what is in one, and finds nothing outside of it.
package ports

import (
	"context"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

// Faults of a store, common to all its methods.
var (
	// ErrUnavailable: the database does not answer; nothing was changed.
	ErrUnavailable = fault.New(fault.Unavailable, "unavailable", "The database does not answer. Nothing was changed; try again.").After(2 * time.Second)
	// ErrOutcomeUnknown: the database was lost while it was committing; it may or may not have. To repeat is safe.
	ErrOutcomeUnknown = fault.New(fault.Unavailable, "outcome_unknown",
		"The database was lost while the change was being committed, so it is not known whether it was made. To repeat the request is safe.").After(2 * time.Second)
)

// Store is the database.
type Store interface {
	Repositories
	// InTx runs a unit of work: all that fn does through tx happens, or nothing does. An error of fn is returned
	// as it is, after nothing was changed. fn must not use the store itself, and may be run again, from its beginning, where
	// the database gave it up in favour of another one. Units of work do not nest.
	// Errors: ErrUnavailable, ErrOutcomeUnknown.
	InTx(ctx context.Context, fn func(ctx context.Context, tx Repositories) error) error
	// InTxAsSuperAdmin runs a unit of work of a super_admin, which alone may give super_admin. A store may keep that right
	// apart from all that it does otherwise, and not have it. Errors: those of InTx, user.ErrOperatorOnly.
	InTxAsSuperAdmin(ctx context.Context, fn func(ctx context.Context, tx Repositories) error) error
	// Ping reports whether the database answers and can be written. What it found may hold for a second.
	// Errors: ErrUnavailable.
	Ping(ctx context.Context) error
}

// Repositories are all the collections of a store.
type Repositories interface {
	Tenants() Tenants
	Identities() Identities
	SignInAddresses() SignInAddresses
	Users() Users
	Sessions() Sessions
	Events() Events
	Audit() AuditTrail
}

// Tenants are the customers of the service.
type Tenants interface {
	// Add stores a new tenant. Errors: tenant.ErrSlugTaken.
	Add(ctx context.Context, t tenant.Tenant) error
	// ByID returns a tenant. Errors: tenant.ErrNotFound.
	ByID(ctx context.Context, id id.Tenant) (tenant.Tenant, error)
	// BySlug returns a tenant. Errors: tenant.ErrNotFound.
	BySlug(ctx context.Context, slug tenant.Slug) (tenant.Tenant, error)
	// List returns all tenants by slug; the scope must be over all of them. A store may keep it to the operator.
	List(ctx context.Context, scope access.Scope) ([]tenant.Tenant, error)
}

// Identities is what authentication knows of users, before there is a principal.
type Identities interface {
	// Add stores a new user of a tenant that exists. A store may leave a super_admin to the operator.
	// Errors: user.ErrEmailTaken, user.ErrOperatorOnly.
	Add(ctx context.Context, u user.User) error
	// ByEmail returns the user with the address. Errors: user.ErrNotFound.
	ByEmail(ctx context.Context, email user.Email) (user.User, error)
	// BySession returns a session and its user as they are now, in one round trip: the user without the password hash, of
	// the session its times and whether it was revoked. Errors: session.ErrNotFound.
	BySession(ctx context.Context, id id.Session) (user.User, session.Session, error)
	// ForUpdate returns a user of a tenant, without the password hash, which no other unit of work changes until this one
	// ends. It must be called within a unit of work. Errors: user.ErrNotFound.
	ForUpdate(ctx context.Context, tenant id.Tenant, id id.User) (user.User, error)
	// HasPassword reports whether the user's password hash is still that of u.
	HasPassword(ctx context.Context, u user.User) (bool, error)
	// SetPassword replaces a user's password hash. Errors: user.ErrNotFound.
	SetPassword(ctx context.Context, u user.User, hash user.PasswordHash) error
	// PasswordCosts returns a password hash, of no password, for each cost that stored hashes have.
	PasswordCosts(ctx context.Context) ([]user.PasswordHash, error)
}

// SignInAddresses are the addresses from which users have signed in; see session.AddressKey.
type SignInAddresses interface {
	// Known reports whether the account with the e-mail address, if there is one, has signed in from an address. It takes
	// the same time for an account that does not exist.
	Known(ctx context.Context, email user.Email, address string) (bool, error)
	// Remember keeps an address of a user, and of the user's addresses so many of the latest, to the day.
	Remember(ctx context.Context, u user.User, address string, now time.Time, atMost int) error
}

// Users are the users of a tenant, to those who manage them: without their password hashes.
type Users interface {
	// ByID returns a user within the scope. Errors: user.ErrNotFound.
	ByID(ctx context.Context, scope access.Scope, id id.User) (user.User, error)
	// List returns a page of one tenant's users, oldest first, and how many there are in all.
	List(ctx context.Context, scope access.Scope, p page.Page) ([]user.User, int, error)
	// ForUpdate returns a user as ByID does, and how many other active administrators the user's tenant has. Until
	// the unit of work ends, no other one changes these users. It must be called within a unit of work.
	ForUpdate(ctx context.Context, scope access.Scope, id id.User) (u user.User, otherAdministrators int, err error)
	// SetRole stores another role of a user who has been read for update. A store may refuse what is from or to super_admin
	// outside of InTxAsSuperAdmin. Errors: user.ErrNotFound, user.ErrOperatorOnly.
	SetRole(ctx context.Context, scope access.Scope, u user.User, role access.Role) error
	// SetActive stores whether a user is active. Errors: user.ErrNotFound.
	SetActive(ctx context.Context, scope access.Scope, u user.User) error
}

// Sessions are the refresh-token families.
type Sessions interface {
	Add(ctx context.Context, s session.Session) error
	// ForUpdate returns a session of a tenant, which no other unit of work changes until this one ends, and the present as
	// all replicas have it, which is now where there is only one. It must be called within a unit of work.
	// Errors: session.ErrNotFound.
	ForUpdate(ctx context.Context, tenant id.Tenant, id id.Session, now time.Time) (session.Session, time.Time, error)
	// Save stores what rotation and revocation change. Errors: session.ErrNotFound.
	Save(ctx context.Context, s session.Session) error
	// RevokeAll revokes a user's live sessions and returns their ids.
	RevokeAll(ctx context.Context, u user.User, why session.Reason, now time.Time) ([]id.Session, error)
	// MakeRoom forgets a user's sessions that have expired or were revoked longer ago than session.RevokedKept, revokes the oldest live ones
	// over so many, and returns the ids of those.
	MakeRoom(ctx context.Context, u user.User, room int, why session.Reason, now time.Time) ([]id.Session, error)
}

// Events are the tenants' events. All methods need a scope of one tenant.
type Events interface {
	// Ingest stores an event of the scope's tenant unless there is one with its id, and reports whether it is new.
	Ingest(ctx context.Context, scope access.Scope, e event.Event) (bool, error)
	// ByID returns an event. Errors: event.ErrNotFound.
	ByID(ctx context.Context, scope access.Scope, id id.Event) (event.Event, error)
	// List returns a page of events, newest first; an empty type means all. Errors: analytics.ErrTooExpensive.
	List(ctx context.Context, scope access.Scope, eventType string, p page.Page) ([]event.Event, error)
	// After returns at most limit events in order of time, from the one that follows last; the zero event is before
	// all others.
	After(ctx context.Context, scope access.Scope, last event.Event, limit int) ([]event.Event, error)
	// Summarize counts the events in a window. Errors: analytics.ErrTooExpensive.
	Summarize(ctx context.Context, scope access.Scope, w analytics.Window) (analytics.Summary, error)
	// Query runs a query. Errors: analytics.ErrTooExpensive.
	Query(ctx context.Context, scope access.Scope, q analytics.Query) ([]analytics.Row, error)
}

// AuditTrail keeps the entries of sensitive acts. Nothing removes one.
type AuditTrail interface {
	// Record stores an entry of the scope's tenant.
	Record(ctx context.Context, scope access.Scope, e audit.Entry) error
	// List returns a page of a tenant's entries, newest first.
	List(ctx context.Context, scope access.Scope, p page.Page) ([]audit.Entry, error)
}
