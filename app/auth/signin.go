package auth

import (
	"context"
	"errors"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// errStale: the account changed while its password was being verified.
var errStale = errors.New("the account changed meanwhile")

// SignIn verifies an e-mail address and a password and opens a session. An unknown address, a wrong password and an
// inactive user fail with the same error after the same time (ASVS 6.3.8).
// Errors: session.ErrInvalidCredentials, ErrTooManyAttempts, ports.ErrHasherBusy, and an invalid request.
func (s *Service) SignIn(ctx context.Context, address, password string) (session.TokenPair, error) {
	var c fault.Check
	email, err := user.ParseEmail(address)
	c.Take(err)
	if password == "" {
		c.Add("password", "is required")
	}
	if err := c.Err(); err != nil {
		return session.TokenPair{}, err
	}
	u, pair, err := s.signIn(ctx, email, password)
	if errors.Is(err, errStale) { // a concurrent sign-in upgraded the hash, or the password was changed
		u, pair, err = s.signIn(ctx, email, password)
	}
	if errors.Is(err, errStale) {
		return session.TokenPair{}, s.signInFailed(ctx, u, "changed_meanwhile")
	}
	if err != nil {
		return session.TokenPair{}, err
	}
	s.recorder.Note(ctx, audit.Entry{TenantID: u.TenantID, Severity: audit.Info, Act: audit.SignedIn, Actor: u.ID})
	return pair, nil
}

// signIn makes one attempt. Errors: those of SignIn, and errStale.
func (s *Service) signIn(ctx context.Context, email user.Email, password string) (user.User, session.TokenPair, error) {
	u, outdated, err := s.identify(ctx, email, password)
	if err != nil {
		return user.User{}, session.TokenPair{}, err
	}
	var rehashed user.PasswordHash
	if outdated {
		if rehashed, err = s.passwords.Hash(ctx, password); err != nil {
			return user.User{}, session.TokenPair{}, err
		}
	}
	var opened opening
	err = s.store.InTx(ctx, func(ctx context.Context, tx ports.Repositories) error {
		now, err := lockVerified(ctx, tx, u)
		if err != nil {
			return err
		}
		if outdated {
			if err := tx.Identities().SetPassword(ctx, u, rehashed); err != nil {
				return err
			}
		}
		opened, err = s.open(ctx, tx, now)
		return err
	})
	if err != nil {
		return u, session.TokenPair{}, err
	}
	return u, opened.pair, s.addRevocations(ctx, u.ID, opened.ended...)
}

// lockVerified locks an account whose password has been verified until the transaction ends, and returns its current state.
// It checks that the password is still the verified one, or a session could outlive a password change.
// Errors: errStale, user.ErrNotFound.
func lockVerified(ctx context.Context, tx ports.Repositories, verified user.User) (user.User, error) {
	now, err := tx.Identities().ForUpdate(ctx, verified.TenantID, verified.ID)
	if err != nil {
		return user.User{}, err
	}
	same, err := tx.Identities().HasPassword(ctx, verified)
	if err == nil && (!same || !now.Active) {
		err = errStale
	}
	return now, err
}

// identify returns the active user with the address and the password, and whether the stored hash is weaker than the
// current parameters. Errors: those of SignIn.
func (s *Service) identify(ctx context.Context, email user.Email, password string) (u user.User, outdated bool, err error) {
	u, err = s.store.Identities().ByEmail(ctx, email)
	exists := err == nil
	if err != nil && !errors.Is(err, user.ErrNotFound) {
		return user.User{}, false, err
	}
	key, err := s.accountKey(ctx, email)
	if err != nil {
		return user.User{}, false, err
	}
	why := "unknown_email"
	right, err := s.guess(ctx, key, func() (bool, error) {
		if !exists {
			return false, s.passwords.VerifyDummy(ctx, password)
		}
		match, weak, err := s.passwords.Verify(ctx, password, u.PasswordHash)
		outdated, why = weak, "wrong_password"
		if match && !u.Active {
			why = "inactive_user"
		}
		return match && u.Active, err
	})
	switch {
	case errors.Is(err, ErrTooManyAttempts):
		s.noteSignIn(ctx, u, audit.SignInThrottled, "too_many_attempts")
		return user.User{}, false, err
	case err != nil:
		return user.User{}, false, err
	case !right:
		return user.User{}, false, s.signInFailed(ctx, u, why)
	}
	return u, outdated, nil
}

func (s *Service) signInFailed(ctx context.Context, u user.User, why string) error {
	s.noteSignIn(ctx, u, audit.SignInFailed, why)
	return session.ErrInvalidCredentials
}

// noteSignIn logs an attempt that did not open a session, with the user it was for, if there is one.
func (s *Service) noteSignIn(ctx context.Context, u user.User, act audit.Act, why string) {
	s.recorder.Note(ctx, audit.Entry{
		TenantID: u.TenantID, Severity: audit.Warning, Act: act, Subject: string(u.ID), Detail: map[string]string{"reason": why},
	})
}

// opening is the result of opening a session.
type opening struct {
	pair  session.TokenPair
	ended []id.Session // revoked because of the limit per user; to be added to the revocation list
}

// open opens a session for a user, revokes the oldest ones beyond the limit, deletes expired ones, and remembers the
// address.
func (s *Service) open(ctx context.Context, tx ports.Repositories, u user.User) (opening, error) {
	now, origin := s.clock.Now(), audit.OriginFrom(ctx)
	first := id.Token(s.ids.New())
	started := session.Session{
		ID:       id.Session(s.ids.New()),
		UserID:   u.ID,
		TenantID: u.TenantID,
		Current:  session.HashToken(first),
		Client:   clientOf(ctx),

		CreatedAt:  now,
		LastUsedAt: now,
		ExpiresAt:  now.Add(s.settings.SessionLifetime),
	}
	ended, err := tx.Sessions().MakeRoom(ctx, u, s.settings.SessionsPerUser-1, session.TooMany, now)
	if err != nil {
		return opening{}, err
	}
	if err := tx.Sessions().Add(ctx, started); err != nil {
		return opening{}, err
	}
	if err := tx.SignInAddresses().Remember(ctx, u, session.AddressKey(origin.Address), now, addressesPerUser); err != nil {
		return opening{}, err
	}
	pair, err := s.issue(u, started, first, now)
	return opening{pair: pair, ended: ended}, err
}

// clientOf returns the client program that sent the request.
func clientOf(ctx context.Context) session.Client {
	origin := audit.OriginFrom(ctx)
	return session.Client{Device: session.CleanDevice(origin.UserAgent), Address: origin.Address}
}

// issue signs a session's next pair of tokens.
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
