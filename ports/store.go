// Package ports holds the interfaces that the use cases need from the outside world, and nothing else. Package porttest
// holds one contract test for each; every adapter passes it.
//
// Every method that reads or writes a tenant's data takes a scope right after the context, and returns access.ErrNoScope
// if the scope does not cover that data. The exceptions serve authentication, before there is a principal: Identities,
// Sessions, SignInAddresses and Tenants. Their methods look up by e-mail address, session or slug where the tenant is not
// known yet; all others take a tenant, or something that belongs to one, and find nothing outside it.
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

// Faults that every method of a store may return.
var (
	// ErrUnavailable: the database does not answer; nothing was changed.
	ErrUnavailable = fault.New(fault.Unavailable, "unavailable", "The database does not answer. Nothing was changed.").After(2 * time.Second)
	// ErrOutcomeUnknown: the connection was lost during a commit, which may or may not have succeeded. A retry is safe.
	ErrOutcomeUnknown = fault.New(fault.Unavailable, "outcome_unknown",
		"The database was lost while the change was being committed, so it is not known whether it was made. The request can be retried safely.").After(2 * time.Second)
	// ErrBusy: too much is waiting to be ingested, by this tenant or by all; nothing was stored.
	ErrBusy = fault.New(fault.Unavailable, "busy", "Too many events are waiting to be stored.").After(time.Second)
)

// Store is the database.
type Store interface {
	Repositories
	// Events are not part of a transaction: concurrent batches share transactions of their own.
	Events() Events
	// InTx runs fn in a transaction. If fn fails, the transaction is rolled back and the error returned unchanged. fn must
	// not use the store itself, and may run more than once: the transaction is retried after a serialization failure or a
	// deadlock. Transactions do not nest. Errors: ErrUnavailable, ErrOutcomeUnknown.
	InTx(ctx context.Context, fn func(ctx context.Context, tx Repositories) error) error
	// InTxAsSuperAdmin runs fn in a transaction that may also grant and revoke super_admin. A store may use a separate
	// database role for it, and may lack that right. Errors: those of InTx, user.ErrOperatorOnly.
	InTxAsSuperAdmin(ctx context.Context, fn func(ctx context.Context, tx Repositories) error) error
	// Ping reports whether the database answers and accepts writes. The result may be cached for a second.
	// Errors: ErrUnavailable.
	Ping(ctx context.Context) error
}

// Repositories are the collections of a store.
type Repositories interface {
	Tenants() Tenants
	Identities() Identities
	SignInAddresses() SignInAddresses
	Users() Users
	Sessions() Sessions
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
	// List returns all tenants by slug; the scope must cover all of them. A store may reserve it for the operator.
	List(ctx context.Context, scope access.Scope) ([]tenant.Tenant, error)
	// SetRetention sets how long the events of the scope's tenant are kept, or with a scope of all tenants those of every tenant,
	// and returns what it was. The shorter of the two applies. A store may reserve it for the operator. Errors: tenant.ErrNotFound.
	SetRetention(ctx context.Context, scope access.Scope, r tenant.Retention) (before tenant.Retention, err error)
	// PlatformRetention returns how long the events of every tenant are kept at most; the scope must cover all of them. A store may
	// reserve it for the operator.
	PlatformRetention(ctx context.Context, scope access.Scope) (tenant.Retention, error)
}

// Identities are the users as authentication sees them, before there is a principal.
type Identities interface {
	// Add stores a new user of an existing tenant. A store may reserve adding a super_admin for the operator.
	// Errors: user.ErrEmailTaken, user.ErrOperatorOnly.
	Add(ctx context.Context, u user.User) error
	// ByEmail returns the user with the address. Errors: user.ErrNotFound.
	ByEmail(ctx context.Context, email user.Email) (user.User, error)
	// BySession returns the current state of a session and its user, in one round trip: the user without the password hash;
	// of the session only ids, times and revocation. Errors: session.ErrNotFound.
	BySession(ctx context.Context, id id.Session) (user.User, session.Session, error)
	// ForUpdate returns a user of a tenant, without the password hash, and locks it until the transaction ends. It must be
	// called within a transaction. Errors: user.ErrNotFound.
	ForUpdate(ctx context.Context, tenant id.Tenant, id id.User) (user.User, error)
	// HasPassword reports whether the user's password hash is still that of u.
	HasPassword(ctx context.Context, u user.User) (bool, error)
	// SetPassword replaces a user's password hash. Errors: user.ErrNotFound.
	SetPassword(ctx context.Context, u user.User, hash user.PasswordHash) error
	// PasswordCosts returns, for each cost parameter set among the stored hashes, a hash of no password with that cost.
	PasswordCosts(ctx context.Context) ([]user.PasswordHash, error)
}

// SignInAddresses are the addresses from which users have signed in; see session.AddressKey.
type SignInAddresses interface {
	// Known reports whether the account with the e-mail address, if there is one, has signed in from an address. It takes
	// equally long if there is no such account.
	Known(ctx context.Context, email user.Email, address string) (bool, error)
	// Remember stores an address of a user and deletes all but the atMost latest, by day.
	Remember(ctx context.Context, u user.User, address string, now time.Time, atMost int) error
}

// Users are the users of a tenant as its administrators see them: without password hashes.
type Users interface {
	// ByID returns a user within the scope. Errors: user.ErrNotFound.
	ByID(ctx context.Context, scope access.Scope, id id.User) (user.User, error)
	// List returns a page of one tenant's users, oldest first, and the total number of users.
	List(ctx context.Context, scope access.Scope, p page.Page) ([]user.User, int, error)
	// ForUpdate returns a user as ByID does, and the number of other active administrators of the user's tenant. It locks
	// all of them until the transaction ends, and must be called within a transaction.
	ForUpdate(ctx context.Context, scope access.Scope, id id.User) (u user.User, otherAdministrators int, err error)
	// SetRole changes the role of a user read by ForUpdate. A store may refuse a change from or to super_admin outside
	// InTxAsSuperAdmin. Errors: user.ErrNotFound, user.ErrOperatorOnly.
	SetRole(ctx context.Context, scope access.Scope, u user.User, role access.Role) error
	// SetActive stores whether a user is active. Errors: user.ErrNotFound.
	SetActive(ctx context.Context, scope access.Scope, u user.User) error
}

// Sessions are the refresh-token families.
type Sessions interface {
	Add(ctx context.Context, s session.Session) error
	// ForUpdate returns a session of a tenant, locked until the transaction ends, and the current time by a clock that all
	// replicas share, or now if there is only one process. It must be called within a transaction.
	// Errors: session.ErrNotFound.
	ForUpdate(ctx context.Context, tenant id.Tenant, id id.Session, now time.Time) (session.Session, time.Time, error)
	// Save stores the fields that rotation and revocation change. Errors: session.ErrNotFound.
	Save(ctx context.Context, s session.Session) error
	// Live returns a user's live sessions, newest first.
	Live(ctx context.Context, u user.User, now time.Time) ([]session.Session, error)
	// RevokeAll revokes a user's live sessions and returns their ids.
	RevokeAll(ctx context.Context, u user.User, why session.Reason, now time.Time) ([]id.Session, error)
	// MakeRoom deletes a user's sessions that have expired or were revoked more than session.RevokedKept ago, revokes the
	// oldest live ones beyond room, and returns the ids of the latter.
	MakeRoom(ctx context.Context, u user.User, room int, why session.Reason, now time.Time) ([]id.Session, error)
}

// Events are the tenants' events. All methods need a scope of one tenant.
type Events interface {
	Seals
	Erasures
	// Ingest stores the events of a batch that are new, and returns the outcome of each entry, in order. What is Stored has
	// been committed, and is in the next answer to a query. If the batch is atomic and an entry is Reused, nothing was stored.
	// Errors: ErrUnavailable, ErrOutcomeUnknown, ErrBusy.
	Ingest(ctx context.Context, scope access.Scope, b event.Batch) ([]event.Outcome, error)
	// Expire deletes about as many as limit of what is kept no longer, and returns how many it deleted: events that are older than
	// the retention of their tenant, or of the platform, and keys of events that are not remembered any more. More is whether to
	// call it again, also after it has deleted nothing: a store may need several calls to visit all tenants. It is false if
	// nothing is left, if another replica does it, or if the store fails as a whole. A failure for one tenant does not stop
	// the deletion of others' events. A store may use its own clock. The scope is that of the service's own work.
	Expire(ctx context.Context, scope access.Scope, now time.Time, limit int) (deleted int, more bool, err error)
	// Answer gives a question all events of its window, in one state of them, and returns where they came from. After an error the
	// question must not be used. Errors: analytics.ErrTooExpensive, ErrUnavailable.
	Answer(ctx context.Context, scope access.Scope, q analytics.Question) (analytics.Reading, error)
	// ByID returns an event. Errors: event.ErrNotFound.
	ByID(ctx context.Context, scope access.Scope, id id.Event) (event.Event, error)
	// List returns a page of the events of a selection, newest first: those before an event in that order, or from the newest on if
	// it is empty. Errors: analytics.ErrTooExpensive, ErrUnavailable.
	List(ctx context.Context, scope access.Scope, s analytics.Selection, after id.Event, p page.Page) ([]event.Event, error)
	// Export returns at most limit events of a selection in chronological order, starting after last; an empty id starts at the first.
	// It returns fewer if they are large. More is whether there may be more of them. Errors: ErrUnavailable.
	Export(ctx context.Context, scope access.Scope, s analytics.Selection, last id.Event, limit int) (list []event.Event, more bool, err error)
}

// AuditTrail stores audit entries. They are never changed or deleted.
type AuditTrail interface {
	// Record stores an entry of the scope's tenant.
	Record(ctx context.Context, scope access.Scope, e audit.Entry) error
	// List returns a page of a tenant's entries, newest first.
	List(ctx context.Context, scope access.Scope, p page.Page) ([]audit.Entry, error)
}
