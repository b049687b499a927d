package auth

import (
	"context"
	"errors"

	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

var errWrongPassword = fault.ErrInvalid.OnField("current_password", "is wrong")

// ChangePassword replaces the caller's password by one that the policy allows. It revokes all of the caller's sessions,
// including the current one, which may be stolen, and returns the tokens of a new one (ASVS 6.2.3, 7.4.3).
// Errors: session.ErrInvalidToken, ErrTooManyAttempts, ports.ErrHasherBusy, and an invalid request that names the field.
func (s *Service) ChangePassword(ctx context.Context, caller session.Caller, current, chosen string) (session.TokenPair, error) {
	if err := s.CheckPasswordChange(ctx, caller.User, current, chosen); err != nil {
		return session.TokenPair{}, err
	}
	pair, err := s.changePassword(ctx, caller, current, chosen)
	if !errors.Is(err, errStale) {
		return pair, err
	}
	var opened session.Session
	if caller.User, opened, err = s.store.Identities().BySession(ctx, caller.Claims.Session); err != nil {
		return session.TokenPair{}, err
	}
	if !opened.Live(s.clock.Now()) || !caller.User.Active {
		return session.TokenPair{}, session.ErrInvalidToken
	}
	return s.changePassword(ctx, caller, current, chosen)
}

// changePassword makes one attempt. Errors: those of ChangePassword; errStale if the account changed meanwhile.
func (s *Service) changePassword(ctx context.Context, caller session.Caller, current, chosen string) (session.TokenPair, error) {
	u, err := s.store.Identities().ByEmail(ctx, caller.User.Email) // with the password hash, which a Caller does not have
	if err != nil {
		return session.TokenPair{}, err
	}
	if err := s.confirm(ctx, caller, current, u.PasswordHash); err != nil {
		return session.TokenPair{}, err
	}
	// Counted per user: each change opens a new session, whose count of failures starts at zero.
	if _, err := s.attempt(ctx, attemptKey{"password_change", string(u.ID)}); err != nil {
		return session.TokenPair{}, err
	}
	hash, err := s.passwords.Hash(ctx, chosen)
	if err != nil {
		return session.TokenPair{}, err
	}
	var opened opening
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		now, err := lockVerified(ctx, tx, u)
		if err != nil {
			return err
		}
		if err := tx.Identities().SetPassword(ctx, u, hash); err != nil {
			return err
		}
		ended, err := tx.Sessions().RevokeAll(ctx, u, session.PasswordChanged, s.clock.Now())
		if err != nil {
			return err
		}
		if opened, err = s.open(ctx, tx, now); err != nil {
			return err
		}
		opened.ended = append(opened.ended, ended...)
		return recordOwn(ctx, tx, u, audit.Entry{Severity: audit.Warning, Act: audit.PasswordChanged})
	})
	if err != nil {
		return session.TokenPair{}, err
	}
	return opened.pair, s.addRevocations(ctx, u.ID, opened.ended...)
}

// CheckPasswordChange validates the passwords of a change without verifying the current one.
// Errors: an invalid request that names the fields.
func (s *Service) CheckPasswordChange(ctx context.Context, u user.User, current, chosen string) error {
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
	return c.Err()
}

// confirm verifies the caller's current password. Failures are logged (ASVS 16.3.1).
func (s *Service) confirm(ctx context.Context, caller session.Caller, current string, hash user.PasswordHash) error {
	why := "wrong_password"
	right, err := s.guess(ctx, attemptKey{"current_password", string(caller.Claims.Session)}, func() (bool, error) {
		match, _, err := s.passwords.Verify(ctx, current, hash)
		return match, err
	})
	switch {
	case errors.Is(err, ErrTooManyAttempts):
		why = "too_many_attempts"
	case err != nil:
		return err
	case right:
		return nil
	default:
		err = errWrongPassword
	}
	s.recorder.Note(ctx, audit.Entry{
		TenantID: caller.User.TenantID, Severity: audit.Warning, Act: audit.PasswordChangeFailed, Actor: caller.User.ID,
		Detail: map[string]string{"reason": why},
	})
	return err
}
