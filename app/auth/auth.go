// Package auth has the use cases of accounts and sessions: register, sign in, refresh, sign out, change a password and
// authenticate a request; and those of the operator: create a user, reset a password, and list and revoke sessions.
package auth

import (
	"context"
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

// addRevocations adds sessions that are revoked in the database to the revocation list.
func (s *Service) addRevocations(ctx context.Context, owner id.User, sessions ...id.Session) error {
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
