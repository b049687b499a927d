package ports

import (
	"context"
	"fmt"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

// Clock provides the current time.
type Clock interface {
	// Now returns the current time in UTC.
	Now() time.Time
}

// IDs makes identifiers.
type IDs interface {
	// New returns a new, unguessable UUID in canonical form.
	New() string
}

// Tokens signs tokens and verifies them.
type Tokens interface {
	// Sign returns a signed token with the claims.
	Sign(c session.Claims) (string, error)
	// Verify returns the claims of a token of either kind, if this service signed it and it is valid at the given time,
	// within the allowed clock skew of 30 s. It does not check revocation. Errors: session.ErrInvalidToken.
	Verify(token string, now time.Time) (session.Claims, error)
}

// ErrHasherBusy: the queue of the password hasher is full.
var ErrHasherBusy = fault.New(fault.Unavailable, "busy", "Too many sign-ins at once.").After(2 * time.Second)

// PasswordHasher hashes passwords and verifies them. All methods are slow on purpose; the number of concurrent calls
// is bounded. Errors: ErrHasherBusy, and the context's.
type PasswordHasher interface {
	Hash(ctx context.Context, password string) (user.PasswordHash, error)
	// Verify reports whether the password matches the hash, and whether the hash is weaker than the current parameters.
	Verify(ctx context.Context, password string, hash user.PasswordHash) (match, outdated bool, err error)
	// VerifyDummy takes as long as Verify, for an e-mail address without an account (ASVS 6.3.8).
	VerifyDummy(ctx context.Context, password string) error
}

// RevocationList caches recent revocations, so that most revoked tokens are rejected without a database query.
// It may lose entries: every token that it does not reject is checked against the database as well.
type RevocationList interface {
	// Revoke adds revocations, each until its own Until.
	Revoke(ctx context.Context, revocations ...session.Revocation) error
	// Revoked reports whether a revocation in the list covers the claims.
	Revoked(ctx context.Context, c session.Claims) (bool, error)
}

// Rate is the number of requests allowed in each window of time. The zero Rate allows none.
type Rate struct {
	Requests  int
	Window    time.Duration
	Unlimited bool // all requests are allowed, and none is counted
}

// String returns the rate as it is configured, such as 60/minute or unlimited.
func (r Rate) String() string {
	if r.Unlimited {
		return "unlimited"
	}
	unit := r.Window.String()
	switch r.Window {
	case time.Second:
		unit = "second"
	case time.Minute:
		unit = "minute"
	case time.Hour:
		unit = "hour"
	case 24 * time.Hour:
		unit = "day"
	}
	return fmt.Sprintf("%d/%s", r.Requests, unit)
}

// Key returns the limiter's key for a caller's key. It includes the window, so that a count per day does not apply to a
// rate per minute after an operator has changed the setting.
func (r Rate) Key(key string) string { return key + "/" + r.Window.String() }

// Allowance is what remains of a rate in the current window.
type Allowance struct {
	Exceeded  bool
	Remaining int
	// Reset is the time until the window ends.
	Reset time.Duration
}

// RateLimiter counts requests in fixed windows. A key must name the rate as well as the client, since rates with the
// same window share the count of a key; see Rate.Key.
type RateLimiter interface {
	// Take counts one request under the key and returns the remaining allowance. For an unlimited rate it counts nothing
	// and returns an Allowance that is not exceeded, without further values.
	Take(ctx context.Context, key string, rate Rate) (Allowance, error)
	// GiveBack undoes a Take within the same window; see Allowance.Reset. If nothing was taken, it does nothing.
	GiveBack(ctx context.Context, key string, rate Rate) error
}

// ErrTooManyQueries: a query found no free slot in time, or the tenant's queue is full.
var ErrTooManyQueries = fault.New(fault.RateLimited, "too_many_queries", "Too many queries at once.").After(2 * time.Second)

// ErrTooManyBatches: too many batches or streams of events, of this tenant or in all, are being ingested.
var ErrTooManyBatches = fault.New(fault.RateLimited, "too_many_batches", "Too many batches at once.").After(2 * time.Second)

// QueryGate bounds the number of concurrent queries, in total and per tenant, so that no tenant monopolizes the database.
// Waiting tenants are served round robin, the queries of one tenant first in, first out.
// The caller must call leave once done; further calls do nothing.
type QueryGate interface {
	// Enter waits for a slot, for a limited time. It fails at once if the tenant's queue is full.
	// Errors: ErrTooManyQueries, and the context's.
	Enter(ctx context.Context, tenant id.Tenant) (leave func(), err error)
	// Reenter waits in the same queue for a slot for the next chunk of a query that was admitted before. Neither the queue's
	// length nor its timeout applies. Errors: the context's.
	Reenter(ctx context.Context, tenant id.Tenant) (leave func(), err error)
}

// AuditLog writes audit entries to the operator's log.
type AuditLog interface {
	Write(ctx context.Context, e audit.Entry)
}
