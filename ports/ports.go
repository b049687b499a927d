package ports

import (
	"context"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

// Clock tells the time.
type Clock interface {
	// Now returns the present in UTC.
	Now() time.Time
}

// IDs makes identifiers.
type IDs interface {
	// New returns a UUID that nobody can guess and that is like no other, in canonical form.
	New() string
}

// Tokens signs tokens and verifies them.
type Tokens interface {
	// Sign returns the token that says the claims.
	Sign(c session.Claims) (string, error)
	// Verify returns what a token says, of either kind, if this service signed it and it is in force at the time,
	// give or take the clock skew of 30 s. It does not know of revocation. Errors: session.ErrInvalidToken.
	Verify(token string, now time.Time) (session.Claims, error)
}

// ErrHasherBusy is the fault of a password hasher whose queue is full.
var ErrHasherBusy = fault.New(fault.Unavailable, "busy", "Too many sign-ins at once. Try again in a moment.").After(2 * time.Second)

// PasswordHasher hashes passwords and verifies them. All methods take long on purpose; how many run at once is
// bounded. Errors: ErrHasherBusy, and the context's.
type PasswordHasher interface {
	Hash(ctx context.Context, password string) (user.PasswordHash, error)
	// Verify reports whether the password has the hash, and whether the hash is weaker than one made today.
	Verify(ctx context.Context, password string, hash user.PasswordHash) (match, outdated bool, err error)
	// VerifyDummy takes the time of Verify and finds no match: for an e-mail address that nobody has.
	VerifyDummy(ctx context.Context, password string) error
}

// RevocationList knows which tokens were revoked of late, so that most dead tokens need no look into the database.
// It may forget; the database, which is asked about every token that the list lets pass, does not.
type RevocationList interface {
	// Revoke adds to the list, until the time that each revocation names.
	Revoke(ctx context.Context, revocations ...session.Revocation) error
	// Revoked reports whether the list covers the claims.
	Revoked(ctx context.Context, c session.Claims) (bool, error)
}

// Rate is how many requests are allowed in each window of time. The zero Rate allows none.
type Rate struct {
	Requests  int
	Window    time.Duration
	Unlimited bool // all are allowed, and none is counted
}

// Key returns what a limiter counts under for a key. Each window has a count of its own, so that what was counted in a day
// is not held against a rate per minute once an operator has changed the one into the other.
func (r Rate) Key(key string) string { return key + "/" + r.Window.String() }

// Allowance is what is left of a rate.
type Allowance struct {
	Exceeded  bool
	Remaining int
	// Reset is the time until the window ends.
	Reset time.Duration
}

// RateLimiter counts requests in fixed windows. A key names the rate as well as who is counted, since rates with the same
// window share the count of a key; see Rate.Key.
type RateLimiter interface {
	// Take counts one request under the key, and says what is left. Of an unlimited rate it counts nothing and says
	// no more than that it is not exceeded.
	Take(ctx context.Context, key string, rate Rate) (Allowance, error)
	// GiveBack undoes a Take, within the window of that; see Allowance.Reset. Where nothing has been taken, it does nothing.
	GiveBack(ctx context.Context, key string, rate Rate) error
}

// ErrTooManyQueries is the fault of a question for which there is no place.
var ErrTooManyQueries = fault.New(fault.RateLimited, "too_many_queries", "Too many questions at once. Try again in a moment.").After(2 * time.Second)

// QueryGate bounds how many questions are worked on at once, in all and of each tenant, so that no tenant takes the
// database from the others. Tenants that wait take turns; within a tenant, who came first goes first.
// Whoever was let in must call leave; to call it again does nothing.
type QueryGate interface {
	// Enter waits for a place, for a short time and unless too many of the tenant wait already.
	// Errors: ErrTooManyQueries, and the context's.
	Enter(ctx context.Context, tenant id.Tenant) (leave func(), err error)
	// Reenter waits, in the same line, for a place for the next piece of what was let in before, however many wait.
	// Errors: the context's.
	Reenter(ctx context.Context, tenant id.Tenant) (leave func(), err error)
}

// AuditLog writes audit entries where operators read them.
type AuditLog interface {
	Write(ctx context.Context, e audit.Entry)
}
