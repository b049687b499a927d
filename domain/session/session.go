// Package session provides the session: one sign-in of a user with its family of refresh tokens, and the claims of the
// tokens issued for it.
//
// A refresh token is used once. If a used one is presented again, either the thief or the victim did it, and the service
// can't tell which, so it revokes the whole session (RFC 9700 4.14.2).
package session

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

// RevokedKept is how long a revoked session is retained: long enough to inspect it, and short enough that opening and ending
// sessions in a loop does not pile them up.
const RevokedKept = time.Hour

// Faults of this package. One message covers all reasons why a token or credentials fail, so that a guess reveals nothing.
var (
	ErrInvalidToken       = fault.New(fault.Unauthenticated, "invalid_token", "The token is invalid, expired or revoked. Refresh it, or sign in again.")
	ErrTokenRequired      = fault.New(fault.Unauthenticated, "token_required", "This needs an access token: Authorization: Bearer TOKEN.")
	ErrInvalidCredentials = fault.New(fault.Unauthenticated, "invalid_credentials", "The e-mail address or the password is wrong.")
	ErrNotRefreshToken    = fault.New(fault.Malformed, "not_a_refresh_token", "This is not a refresh token.")
	ErrNotFound           = fault.New(fault.NotFound, "session_not_found", "There is no such session.")
)

// Outcome is the result of presenting a refresh token.
type Outcome int

// The outcomes.
const (
	Ended      Outcome = iota // the session has expired or was revoked
	Rotated                   // the token was current; its successor is current now
	Superseded                // the same client used the token within the grace period; it is rejected, the session continues
	Replayed                  // the token had been used before; the session is revoked
)

// Reason is why a session was revoked.
type Reason string

// The reasons.
const (
	SignedOut              Reason = "signed_out"
	TokenReplayed          Reason = "refresh_token_replayed"
	PasswordChanged        Reason = "password_changed"
	PasswordReset          Reason = "password_reset"
	UserDeactivated        Reason = "user_deactivated"
	RevokedByAdministrator Reason = "revoked_by_administrator"
	TooMany                Reason = "too_many_sessions"
)

// TokenHash is the SHA-256 of a refresh token's id. Nothing else of the token is stored.
type TokenHash string

// HashToken returns the hash of a token id.
func HashToken(token id.Token) TokenHash {
	sum := sha256.Sum256([]byte(token))
	return TokenHash(hex.EncodeToString(sum[:]))
}

// Session is a refresh-token family.
type Session struct {
	ID       id.Session
	UserID   id.User
	TenantID id.Tenant
	Current  TokenHash // of the only token that may be used next
	Previous TokenHash // of the token used last, empty at first
	Client   Client    // that signed in or refreshed last

	CreatedAt  time.Time
	LastUsedAt time.Time // sign-in, or the last rotation
	ExpiresAt  time.Time // fixed at sign-in: rotation does not extend it (ASVS 7.3.2)
	RevokedAt  time.Time // zero unless revoked
	RevokedFor Reason
}

// Live reports whether the session is neither expired nor revoked.
func (s Session) Live(now time.Time) bool {
	return s.RevokedAt.IsZero() && now.Before(s.ExpiresAt)
}

// Rotate replaces the presented refresh token by its successor, next (RFC 9700 4.14.2).
//
// The immediate predecessor of the current token is rejected without revoking the session if the same client presents it
// within the grace period after its use, so that two tabs that refresh at once do not sign the user out. It never gets
// a successor of its own. From another client it is a replay: one of the two has stolen it, whichever came first.
func (s *Session) Rotate(presented, next TokenHash, by Client, now time.Time, grace time.Duration) Outcome {
	if !s.Live(now) {
		return Ended
	}
	switch {
	case presented == s.Current:
		s.Previous, s.Current, s.Client, s.LastUsedAt = s.Current, next, by, now
		return Rotated
	case presented == s.Previous && now.Before(s.LastUsedAt.Add(grace)) && by.SameClient(s.Client):
		return Superseded
	default:
		s.Revoke(TokenReplayed, now)
		return Replayed
	}
}

// Revoke revokes the session. A revoked session keeps its first reason.
func (s *Session) Revoke(why Reason, now time.Time) {
	if s.RevokedAt.IsZero() {
		s.RevokedAt, s.RevokedFor = now, why
	}
}

// Kind is the purpose of a token.
type Kind string

// The kinds of token, as in the token_type claim.
const (
	Access  Kind = "access"
	Refresh Kind = "refresh"
)

// Claims are the contents of a token whose signature and times have been verified.
type Claims struct {
	Kind      Kind
	Token     id.Token
	Session   id.Session
	User      id.User
	Tenant    id.Tenant
	Role      access.Role // as it was when the token was issued; never used to authorize
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// TokenPair is the pair of tokens that a client holds for a session.
type TokenPair struct {
	Access    string
	Refresh   string
	ExpiresIn time.Duration // of the access token
}

// Caller is the authenticated user in their current state, with the claims of their token.
type Caller struct {
	User   user.User
	Claims Claims
}

// Principal returns the principal to authorize.
func (c Caller) Principal() access.Principal { return c.User.Principal() }

// Revocation revokes tokens of a user: those of one session if Session is set, one token if Token is set, and otherwise all
// that were issued up to NotBefore.
type Revocation struct {
	User      id.User
	Session   id.Session
	Token     id.Token
	NotBefore time.Time
	// Until is when the last of those tokens expires, after which the revocation may be deleted.
	Until time.Time
}

// Covers reports whether the revocation applies to the token with these claims. NotBefore is compared in whole seconds, the
// precision of a token's iat.
func (r Revocation) Covers(c Claims) bool {
	switch {
	case r.User != c.User:
		return false
	case r.Token != "":
		return r.Token == c.Token
	case r.Session != "":
		return r.Session == c.Session
	default:
		return !c.IssuedAt.After(r.NotBefore)
	}
}
