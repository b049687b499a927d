// Package audit provides audit entries: who did what to whom, when and from where.
package audit

import (
	"context"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// Severity is how much attention an entry needs.
type Severity string

// The severities.
const (
	Info    Severity = "INFO"
	Warning Severity = "WARNING"
	Error   Severity = "ERROR"
)

// Act is the name of the action that was taken.
type Act string

// The acts that are recorded.
const (
	TenantCreated        Act = "tenant.created"
	RetentionChanged     Act = "tenant.retention_changed"
	BlocksRebuilt        Act = "tenant.blocks_rebuilt"
	UserCreated          Act = "user.created"
	RoleChanged          Act = "user.role_changed"
	Deactivated          Act = "user.deactivated"
	Activated            Act = "user.activated"
	PasswordReset        Act = "user.password_reset"
	SessionsRevoked      Act = "user.sessions_revoked"
	SignedIn             Act = "auth.signed_in"
	SignInFailed         Act = "auth.sign_in_failed"
	SignInThrottled      Act = "auth.sign_in_throttled"
	SignedOut            Act = "auth.signed_out"
	PasswordChanged      Act = "auth.password_changed"
	PasswordChangeFailed Act = "auth.password_change_failed"
	TokenReplayed        Act = "auth.refresh_token_replayed"
	RefreshRefused       Act = "auth.refresh_refused"
	DataExported         Act = "analytics.exported"
	ErasureRequested     Act = "analytics.erasure_requested"
	ErasureCompleted     Act = "analytics.erasure_completed"
	AccessDenied         Act = "access.denied"
)

// Acts returns all acts.
func Acts() []Act {
	return []Act{
		TenantCreated, RetentionChanged, BlocksRebuilt, UserCreated, RoleChanged, Deactivated, Activated, PasswordReset, SessionsRevoked,
		SignedIn, SignInFailed, SignInThrottled, SignedOut, PasswordChanged, PasswordChangeFailed, TokenReplayed, RefreshRefused, DataExported,
		ErasureRequested, ErasureCompleted, AccessDenied,
	}
}

// Origin identifies a request and where it came from.
type Origin struct {
	RequestID string
	Address   string
	UserAgent string
}

// Entry is one recorded act. It never contains a secret, a token, a password or a hash.
type Entry struct {
	ID       id.Entry
	TenantID id.Tenant
	At       time.Time
	Severity Severity
	Act      Act
	// Actor is who did it; empty for the operator of the service, and where the actor is unknown.
	Actor id.User
	// Subject is whom or what it was done to; empty if that is the actor or the tenant.
	Subject string
	Origin  Origin
	// Detail holds further information, such as the old and the new role.
	Detail map[string]string
}

type originKey struct{}

// WithOrigin returns a context that carries the origin of its request.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginFrom returns the origin of the context's request, or the zero Origin if it is unknown.
func OriginFrom(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// Request is one request that was answered. Tenant, User and Role are empty if the caller is unknown.
type Request struct {
	Origin Origin
	Method string
	Path   string
	// Route is the template that the path matches, such as /api/v1/users/:id; empty where no route takes the request.
	Route    string
	Status   int
	Duration time.Duration
	Tenant   id.Tenant
	User     id.User
	Role     string
}
