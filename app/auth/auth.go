// Package auth has the use cases of accounts and sessions: register, sign in, refresh, sign out, change a password,
// and authenticate a request.
package auth

import (
	"context"
	"errors"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Settings are what the operator may choose.
type Settings struct {
	AccessLifetime  time.Duration
	SessionLifetime time.Duration // from sign-in, through all refreshes
	RotationGrace   time.Duration // see session.Session.Rotate
	Join            tenant.JoinPolicy
	FounderRole     access.Role // of the first user of a tenant that registration creates
	AccountRate     ports.Rate  // of wrong passwords for one account; see Service.guess
	SessionsPerUser int         // live sessions; one more revokes the oldest
}

// Service implements the use cases.
type Service struct {
	store       ports.Store
	recorder    *recorder.Recorder
	tokens      ports.Tokens
	passwords   ports.PasswordHasher
	policy      *user.PasswordPolicy
	revocations ports.RevocationList
	limiter     ports.RateLimiter
	limitHit    func(rate string)
	clock       ports.Clock
	ids         ports.IDs
	settings    Settings
}

// Dependencies are the dependencies of a Service.
type Dependencies struct {
	Store       ports.Store
	Recorder    *recorder.Recorder
	Tokens      ports.Tokens
	Passwords   ports.PasswordHasher
	Policy      *user.PasswordPolicy
	Revocations ports.RevocationList
	Limiter     ports.RateLimiter
	LimitHit    func(rate string) // is called with the name of the rate of each attempt that is refused for it
	Clock       ports.Clock
	IDs         ports.IDs
}

// NewService returns a service.
func NewService(d Dependencies, settings Settings) *Service {
	return &Service{
		store: d.Store, recorder: d.Recorder, tokens: d.Tokens, passwords: d.Passwords, policy: d.Policy,
		revocations: d.Revocations, limiter: d.Limiter, limitHit: d.LimitHit, clock: d.Clock, ids: d.IDs, settings: settings,
	}
}

// Authenticate returns the user who presents an access token, in their current state: the role in the token is not trusted,
// and tokens of revoked sessions and deactivated users are rejected (ASVS 7.4.1, 8.3.2).
// Errors: session.ErrInvalidToken.
func (s *Service) Authenticate(ctx context.Context, token string) (session.Caller, error) {
	now := s.clock.Now()
	claims, err := s.tokens.Verify(token, now)
	if err != nil {
		return session.Caller{}, err
	}
	if claims.Kind != session.Access {
		return session.Caller{}, session.ErrInvalidToken
	}
	revoked, err := s.revocations.Revoked(ctx, claims)
	if err != nil {
		return session.Caller{}, err
	}
	if revoked {
		return session.Caller{}, session.ErrInvalidToken
	}
	u, opened, err := s.store.Identities().BySession(ctx, claims.Session)
	if errors.Is(err, session.ErrNotFound) {
		return session.Caller{}, session.ErrInvalidToken
	}
	if err != nil {
		return session.Caller{}, err
	}
	if !opened.Live(now) || !u.Active || u.ID != claims.User || u.TenantID != claims.Tenant {
		return session.Caller{}, session.ErrInvalidToken
	}
	return session.Caller{User: u, Claims: claims}, nil
}

// SignOut revokes the caller's session and all its tokens.
func (s *Service) SignOut(ctx context.Context, caller session.Caller) error {
	now := s.clock.Now()
	err := s.store.InTx(ctx, func(ctx context.Context, tx ports.Repositories) error {
		if _, err := tx.Identities().ForUpdate(ctx, caller.User.TenantID, caller.User.ID); err != nil { // users are locked before sessions, as in rotate
			return err
		}
		opened, _, err := tx.Sessions().ForUpdate(ctx, caller.User.TenantID, caller.Claims.Session, now)
		if err != nil {
			return err
		}
		opened.Revoke(session.SignedOut, now)
		return tx.Sessions().Save(ctx, opened)
	})
	if err != nil {
		return err
	}
	s.recorder.Note(ctx, audit.Entry{TenantID: caller.User.TenantID, Severity: audit.Info, Act: audit.SignedOut, Actor: caller.User.ID})
	return s.revokeSessions(ctx, caller.User.ID, caller.Claims.Session)
}

// revokeSessions adds sessions that are revoked in the database to the revocation list.
func (s *Service) revokeSessions(ctx context.Context, owner id.User, sessions ...id.Session) error {
	until := s.clock.Now().Add(s.settings.AccessLifetime)
	revocations := make([]session.Revocation, 0, len(sessions))
	for _, ended := range sessions {
		revocations = append(revocations, session.Revocation{User: owner, Session: ended, Until: until})
	}
	return s.revocations.Revoke(ctx, revocations...)
}

// recordOwn records an act of a user in the user's own tenant.
func recordOwn(ctx context.Context, tx *recorder.Tx, u user.User, e audit.Entry) error {
	scope, err := u.Principal().Authorize(access.ReadOwnData, u.TenantID)
	if err != nil {
		return err
	}
	e.TenantID = u.TenantID
	return tx.Record(ctx, scope, e)
}
