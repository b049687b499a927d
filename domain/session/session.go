// Package session provides the session: one sign-in of a user with the refresh tokens that follow each other in it,
// and the claims of the tokens issued for it.
//
// A refresh token is used once. Whoever presents a used one is either its thief or its victim, and which of the two
// can't be told, so the whole session ends (RFC 9700 4.14.2).
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

// RevokedKept is how long a session is kept once it has been revoked: long enough to tell of it, and short enough that
// whoever opens and ends sessions in a row does not leave many.
const RevokedKept = time.Hour

// Faults of this package. All that show to a client read the same, so that a guess teaches nothing.
var (
	ErrInvalidToken       = fault.New(fault.Unauthenticated, "invalid_token", "The token is invalid, expired or revoked.")
	ErrTokenRequired      = fault.New(fault.Unauthenticated, "token_required", "This needs an access token: Authorization: Bearer TOKEN.")
	ErrInvalidCredentials = fault.New(fault.Unauthenticated, "invalid_credentials", "The e-mail address or the password is wrong.")
	ErrNotRefreshToken    = fault.New(fault.Malformed, "not_a_refresh_token", "This is not a refresh token.")
	ErrNotFound           = fault.New(fault.NotFound, "session_not_found", "There is no such session.")
)

// Outcome is what came of presenting a refresh token.
type Outcome int

// The outcomes.
const (
	Ended      Outcome = iota // the session has expired or was revoked
	Rotated                   // the token was the current one; the next one is current now
	Superseded                // the token was the client's own a moment ago; it is refused, and the session goes on
	Replayed                  // the token was used before; the session is revoked from now on
)

// Reason says why a session was revoked.
type Reason string

// The reasons.
const (
	SignedOut       Reason = "signed_out"
	TokenReplayed   Reason = "refresh_token_replayed"
	PasswordChanged Reason = "password_changed"
	UserDeactivated Reason = "user_deactivated"
	TooMany         Reason = "too_many_sessions"
)

// TokenHash is the SHA-256 of a refresh token's id, which is all that is stored of the token.
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
	Current  TokenHash // of the one token that may be used next
	Previous TokenHash // of the token used last, empty at first
	Client   Client    // who used the current token last: signed in, or refreshed

	CreatedAt  time.Time
	LastUsedAt time.Time // sign-in, or the last rotation
	ExpiresAt  time.Time // fixed at sign-in: rotation does not prolong it (ASVS 7.3.2)
	RevokedAt  time.Time // zero while the session lives
	RevokedFor Reason
}

// Live reports whether the session is neither expired nor revoked.
func (s Session) Live(now time.Time) bool {
	return s.RevokedAt.IsZero() && now.Before(s.ExpiresAt)
}

// Rotate presents a refresh token to its session, with the token that is to follow it (RFC 9700 4.14.2).
//
// The immediate predecessor of the current token is only refused within the grace after its use, so that two tabs that
// refresh at once do not sign the user out; it never gets a successor of its own. That holds for the client that used it.
// From another one it is a replay: one of the two has stolen it, whichever came first.
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

// Revoke ends the session. One that has been revoked keeps its first reason.
func (s *Session) Revoke(why Reason, now time.Time) {
	if s.RevokedAt.IsZero() {
		s.RevokedAt, s.RevokedFor = now, why
	}
}

// Kind is what a token is for.
type Kind string

// The kinds of token, as in the claim token_type.
const (
	Access  Kind = "access"
	Refresh Kind = "refresh"
)

// Claims is what a token says, once its signature and times have been verified.
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

// TokenPair is what a client holds of a session.
type TokenPair struct {
	Access    string
	Refresh   string
	ExpiresIn time.Duration // of the access token
}

// Caller is who is asking, as they are now, and what the token says that they ask with.
type Caller struct {
	User   user.User
	Claims Claims
}

// Principal returns the caller as the one to authorize.
func (c Caller) Principal() access.Principal { return c.User.Principal() }

// Revocation says that tokens of a user are dead: all of a session where Session is set, the one with the id where
// Token is set, and all that were issued up to NotBefore where neither is.
type Revocation struct {
	User      id.User
	Session   id.Session
	Token     id.Token
	NotBefore time.Time
	// Until is when the last of those tokens expires; the revocation may be forgotten then.
	Until time.Time
}

// Covers reports whether the revocation kills the token of the claims. NotBefore is compared in whole seconds, the
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
