// Package auth has the use cases of accounts and sessions: register, sign in, refresh, sign out, change a password,
// and find out who is asking.
package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	recorder "github.com/muhammad-ali-dev0/secure-data-api/app/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// ErrTooManyAttempts is the fault of too many tries to sign in to one account (ASVS 6.3.1). It does not lock the
// account: the next window lets in again.
var ErrTooManyAttempts = fault.New(fault.RateLimited, "rate_limited", "Too many attempts to sign in to this account. Try again later.")

// errStale is why a sign-in fails whose account changed while its password was being verified.
var errStale = errors.New("the account changed during sign-in")

// Settings are what the operator may choose.
type Settings struct {
	AccessLifetime  time.Duration
	SessionLifetime time.Duration // from sign-in, through all refreshes
	RotationGrace   time.Duration // see session.Session.Rotate
	Join            tenant.JoinPolicy
	FounderRole     access.Role // of the first user of a tenant that registration creates
	AccountRate     ports.Rate  // attempts to sign in to one account
}

// Service carries out the use cases.
type Service struct {
	store       ports.Store
	recorder    *recorder.Recorder
	tokens      ports.Tokens
	passwords   ports.PasswordHasher
	policy      *user.PasswordPolicy
	revocations ports.RevocationList
	limiter     ports.RateLimiter
	clock       ports.Clock
	ids         ports.IDs
	settings    Settings
}

// Needs are what a Service works with.
type Needs struct {
	Store       ports.Store
	Recorder    *recorder.Recorder
	Tokens      ports.Tokens
	Passwords   ports.PasswordHasher
	Policy      *user.PasswordPolicy
	Revocations ports.RevocationList
	Limiter     ports.RateLimiter
	Clock       ports.Clock
	IDs         ports.IDs
}

// NewService returns a service.
func NewService(n Needs, settings Settings) *Service {
	return &Service{
		store: n.Store, recorder: n.Recorder, tokens: n.Tokens, passwords: n.Passwords, policy: n.Policy,
		revocations: n.Revocations, limiter: n.Limiter, clock: n.Clock, ids: n.IDs, settings: settings,
	}
}

// SignIn opens a session for whoever knows the e-mail address and the password of an active user. An unknown address,
// a wrong password and an inactive user fail alike and take the same time (ASVS 6.3.8).
// Errors: session.ErrInvalidCredentials, ErrTooManyAttempts, ports.ErrHasherBusy, and an invalid request.
func (s *Service) SignIn(ctx context.Context, address, password string) (session.TokenPair, error) {
	var c fault.Check
	email, err := user.ParseEmail(address)
	if err := c.Take(err); err != nil {
		return session.TokenPair{}, err
	}
	if password == "" {
		c.Add("password", "is required")
	}
	if err := c.Err(); err != nil {
		return session.TokenPair{}, err
	}
	if err := s.throttle(ctx, email); err != nil {
		return session.TokenPair{}, err
	}

	u, err := s.store.Identities().ByEmail(ctx, email)
	if errors.Is(err, user.ErrNotFound) {
		if err := s.passwords.VerifyNobody(ctx, password); err != nil {
			return session.TokenPair{}, err
		}
		return session.TokenPair{}, s.signInFailed(ctx, user.User{}, "unknown_email")
	}
	if err != nil {
		return session.TokenPair{}, err
	}
	match, outdated, err := s.passwords.Verify(ctx, password, u.PasswordHash)
	switch {
	case err != nil:
		return session.TokenPair{}, err
	case !match:
		return session.TokenPair{}, s.signInFailed(ctx, u, "wrong_password")
	case !u.Active:
		return session.TokenPair{}, s.signInFailed(ctx, u, "inactive_user")
	}
	var rehashed user.PasswordHash
	if outdated {
		if rehashed, err = s.passwords.Hash(ctx, password); err != nil {
			return session.TokenPair{}, err
		}
	}

	var pair session.TokenPair
	err = s.store.InTx(ctx, func(ctx context.Context, tx ports.Repositories) error {
		// What was verified above must still hold now, or a session would outlive a change of password.
		now, err := tx.Identities().ForUpdate(ctx, u.ID)
		if err != nil {
			return err
		}
		if now.PasswordHash != u.PasswordHash || !now.Active {
			return errStale
		}
		if outdated {
			if err := tx.Identities().SetPassword(ctx, u.ID, rehashed); err != nil {
				return err
			}
		}
		pair, err = s.open(ctx, tx, now)
		return err
	})
	if errors.Is(err, errStale) {
		return session.TokenPair{}, s.signInFailed(ctx, u, "changed_meanwhile")
	}
	if err != nil {
		return session.TokenPair{}, err
	}
	s.recorder.Note(ctx, audit.Entry{TenantID: u.TenantID, Severity: audit.Info, Act: audit.SignedIn, Actor: u.ID})
	return pair, nil
}

// throttle counts an attempt on an account, whether it exists or not.
func (s *Service) throttle(ctx context.Context, email user.Email) error {
	sum := sha256.Sum256([]byte(email.String()))
	left, err := s.limiter.Take(ctx, "account:"+hex.EncodeToString(sum[:16]), s.settings.AccountRate)
	if err != nil {
		return err
	}
	if left.Exceeded {
		return ErrTooManyAttempts.After(left.Reset)
	}
	return nil
}

func (s *Service) signInFailed(ctx context.Context, u user.User, why string) error {
	s.recorder.Note(ctx, audit.Entry{
		TenantID: u.TenantID, Severity: audit.Warning, Act: audit.SignInFailed, Subject: string(u.ID),
		Detail: map[string]string{"reason": why},
	})
	return session.ErrInvalidCredentials
}

// open starts a session for a user, and forgets those that have expired.
func (s *Service) open(ctx context.Context, tx ports.Repositories, u user.User) (session.TokenPair, error) {
	now, origin := s.clock.Now(), audit.OriginFrom(ctx)
	first := id.Token(s.ids.New())
	opened := session.Session{
		ID:       id.Session(s.ids.New()),
		UserID:   u.ID,
		TenantID: u.TenantID,
		Current:  session.HashToken(first),
		Device:   session.CleanDevice(origin.UserAgent),
		Address:  origin.Address,

		CreatedAt:  now,
		LastUsedAt: now,
		ExpiresAt:  now.Add(s.settings.SessionLifetime),
	}
	if err := tx.Sessions().Add(ctx, opened); err != nil {
		return session.TokenPair{}, err
	}
	if err := tx.Sessions().Forget(ctx, u.ID, now); err != nil {
		return session.TokenPair{}, err
	}
	return s.issue(u, opened, first, now)
}

// issue signs the pair of tokens that a session has from now on.
func (s *Service) issue(u user.User, opened session.Session, refresh id.Token, now time.Time) (session.TokenPair, error) {
	claims := session.Claims{
		Kind:      session.Refresh,
		Token:     refresh,
		Session:   opened.ID,
		User:      u.ID,
		Tenant:    u.TenantID,
		Role:      u.Role,
		IssuedAt:  now,
		ExpiresAt: opened.ExpiresAt,
	}
	refreshToken, err := s.tokens.Sign(claims)
	if err != nil {
		return session.TokenPair{}, err
	}
	claims.Kind, claims.Token = session.Access, id.Token(s.ids.New())
	if end := now.Add(s.settings.AccessLifetime); end.Before(claims.ExpiresAt) {
		claims.ExpiresAt = end
	}
	accessToken, err := s.tokens.Sign(claims)
	if err != nil {
		return session.TokenPair{}, err
	}
	return session.TokenPair{Access: accessToken, Refresh: refreshToken, ExpiresIn: claims.ExpiresAt.Sub(now)}, nil
}

// Refresh exchanges a refresh token for the session's next pair. The token is dead from then on; presenting it once
// more ends the session, but for the grace of session.Session.Rotate.
// Errors: session.ErrNotRefreshToken, session.ErrInvalidToken.
func (s *Service) Refresh(ctx context.Context, token string) (session.TokenPair, error) {
	if token == "" {
		return session.TokenPair{}, fault.ErrInvalid.OnField("refresh_token", "is required")
	}
	now := s.clock.Now()
	claims, err := s.tokens.Verify(token, now)
	if err != nil {
		return session.TokenPair{}, err
	}
	if claims.Kind != session.Refresh {
		return session.TokenPair{}, session.ErrNotRefreshToken
	}
	next := id.Token(s.ids.New())
	var (
		pair    session.TokenPair
		outcome session.Outcome
	)
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		family, err := tx.Sessions().ForUpdate(ctx, claims.Session)
		if err != nil {
			return err
		}
		u, _, err := tx.Identities().BySession(ctx, claims.Session)
		if err != nil || u.ID != claims.User || !u.Active {
			return err // outcome stays Refused
		}
		outcome = family.Rotate(session.HashToken(claims.Token), session.HashToken(next), now, s.settings.RotationGrace)
		switch outcome {
		case session.Rotated:
			if err := tx.Sessions().Save(ctx, family); err != nil {
				return err
			}
			pair, err = s.issue(u, family, next, now)
			return err
		case session.Replayed:
			if err := tx.Sessions().Save(ctx, family); err != nil {
				return err
			}
			return recordOwn(ctx, tx, u, audit.Entry{
				Severity: audit.Warning, Act: audit.TokenReplayed,
				Detail: map[string]string{"session_id": string(family.ID)},
			})
		default:
			return nil
		}
	})
	switch {
	case errors.Is(err, session.ErrNotFound):
		return session.TokenPair{}, session.ErrInvalidToken
	case err != nil:
		return session.TokenPair{}, err
	case outcome == session.Replayed:
		if err := s.revokeSessions(ctx, claims.User, claims.Session); err != nil {
			return session.TokenPair{}, err
		}
		return session.TokenPair{}, session.ErrInvalidToken
	case outcome != session.Rotated:
		return session.TokenPair{}, session.ErrInvalidToken
	}
	return pair, nil
}

// Authenticate finds out who presents an access token, as they are now: what the token says of its role is not
// believed, and neither a session that was ended nor a user that was deactivated opens anything (ASVS 7.4.1, 8.3.2).
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

// SignOut ends the caller's session, and with it all its tokens.
func (s *Service) SignOut(ctx context.Context, caller session.Caller) error {
	now := s.clock.Now()
	err := s.store.InTx(ctx, func(ctx context.Context, tx ports.Repositories) error {
		opened, err := tx.Sessions().ForUpdate(ctx, caller.Claims.Session)
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

// ChangePassword replaces the caller's password by one that the policy lets pass, and ends the caller's other
// sessions (ASVS 6.2.3, 7.4.3).
// Errors: ErrTooManyAttempts, ports.ErrHasherBusy, and an invalid request that names the field.
func (s *Service) ChangePassword(ctx context.Context, caller session.Caller, current, chosen string) error {
	u := caller.User
	own, err := s.store.Tenants().ByID(ctx, u.TenantID)
	if err != nil {
		return err
	}
	var c fault.Check
	if current == "" {
		c.Add("current_password", "is required")
	}
	s.policy.Check(&c, "new_password", chosen, u.Email.String(), u.FullName, own.Slug.String())
	if chosen == current && chosen != "" {
		c.Add("new_password", "must not be the current one")
	}
	if err := c.Err(); err != nil {
		return err
	}
	if err := s.throttle(ctx, u.Email); err != nil {
		return err
	}
	match, _, err := s.passwords.Verify(ctx, current, u.PasswordHash)
	if err != nil {
		return err
	}
	wrong := fault.ErrInvalid.OnField("current_password", "is wrong")
	if !match {
		return wrong
	}
	hash, err := s.passwords.Hash(ctx, chosen)
	if err != nil {
		return err
	}

	var ended []id.Session
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		now, err := tx.Identities().ForUpdate(ctx, u.ID)
		if err != nil {
			return err
		}
		if now.PasswordHash != u.PasswordHash {
			return wrong
		}
		if err := tx.Identities().SetPassword(ctx, u.ID, hash); err != nil {
			return err
		}
		if ended, err = tx.Sessions().RevokeAll(ctx, u.ID, caller.Claims.Session, session.PasswordChanged, s.clock.Now()); err != nil {
			return err
		}
		return recordOwn(ctx, tx, u, audit.Entry{Severity: audit.Warning, Act: audit.PasswordChanged})
	})
	if err != nil {
		return err
	}
	return s.revokeSessions(ctx, u.ID, ended...)
}

// revokeSessions tells the revocation list of sessions that the database holds as ended.
func (s *Service) revokeSessions(ctx context.Context, owner id.User, sessions ...id.Session) error {
	until := s.clock.Now().Add(s.settings.AccessLifetime)
	revocations := make([]session.Revocation, 0, len(sessions))
	for _, ended := range sessions {
		revocations = append(revocations, session.Revocation{User: owner, Session: ended, Until: until})
	}
	return s.revocations.Revoke(ctx, revocations...)
}

// recordOwn puts an act of a user in its own tenant on record.
func recordOwn(ctx context.Context, tx *recorder.Tx, u user.User, e audit.Entry) error {
	scope, err := u.Principal().Authorize(access.ReadOwnData, u.TenantID)
	if err != nil {
		return err
	}
	e.TenantID = u.TenantID
	return tx.Record(ctx, scope, e)
}
