package auth

import (
	"context"
	"strconv"

	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

// CheckUser checks everything about CreateUser but the password, which need not be known yet. Errors: those of CreateUser.
func (s *Service) CheckUser(ctx context.Context, by access.Principal, a user.Account, join bool) error {
	if _, err := by.Authorize(access.ManageTenantUsers, access.EveryTenant); err != nil {
		return err
	}
	var c fault.Check
	wanted := checkFields(&c, a)
	if err := c.Err(); err != nil {
		return err
	}
	exists, err := s.exists(ctx, wanted.slug)
	switch {
	case err != nil:
		return err
	case exists && !join:
		return tenant.ErrSlugTaken
	case !exists && join:
		return tenant.ErrNotFound
	}
	return s.checkUnused(ctx, wanted.email)
}

// CreateUser creates an account with any role on behalf of the operator: in an existing tenant if join is set, otherwise
// in a new one, so that nobody is added to the wrong tenant by accident.
// Errors: access.ErrForbidden, user.ErrEmailTaken, tenant.ErrNotFound, tenant.ErrSlugTaken, and an invalid request that
// names the fields.
func (s *Service) CreateUser(ctx context.Context, by access.Principal, a user.Account, role access.Role, join bool) (user.User, error) {
	if err := s.CheckUser(ctx, by, a, join); err != nil {
		return user.User{}, err
	}
	wanted, err := s.check(a)
	if err != nil {
		return user.User{}, err
	}
	hash, err := s.passwords.Hash(ctx, wanted.password)
	if err != nil {
		return user.User{}, err
	}
	var created user.User
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		t, isNew, err := s.findOrNewTenant(ctx, tx, wanted.slug)
		if err != nil {
			return err
		}
		if isNew == join {
			return tenant.ErrSlugTaken // created concurrently
		}
		created = s.newUser(t, wanted, role, hash)
		return enrol(ctx, tx, by, t, isNew, created)
	})
	return created, err
}

// ResetPassword replaces a user's password on behalf of the operator, and ends all of the user's sessions. The password
// policy applies.
// Errors: access.ErrForbidden, user.ErrNotFound, user.ErrTargetOutranks, ports.ErrHasherBusy, and an invalid request that
// names the field.
func (s *Service) ResetPassword(ctx context.Context, by access.Principal, userID id.User, chosen string) error {
	scope, err := by.Authorize(access.ManageTenantUsers, access.EveryTenant)
	if err != nil {
		return err
	}
	u, err := s.store.Users().ByID(ctx, scope, userID)
	if err != nil {
		return err
	}
	home, err := s.store.Tenants().ByID(ctx, u.TenantID)
	if err != nil {
		return err
	}
	var c fault.Check
	s.policy.Check(&c, "password", chosen, u.Email.String(), u.Email.Local(), u.FullName, home.Slug.String())
	if err := c.Err(); err != nil {
		return err
	}
	hash, err := s.passwords.Hash(ctx, chosen)
	if err != nil {
		return err
	}
	_, err = s.endSessions(ctx, scope, userID, session.PasswordReset, func(ctx context.Context, tx *recorder.Tx, u user.User, _ int) error {
		if err := tx.Identities().SetPassword(ctx, u, hash); err != nil {
			return err
		}
		return tx.Record(ctx, scope, audit.Entry{
			TenantID: u.TenantID, Severity: audit.Warning, Act: audit.PasswordReset, Subject: string(u.ID),
		})
	})
	return err
}

// Sessions returns a user's live sessions, newest first, on behalf of the operator.
// Errors: access.ErrForbidden, user.ErrNotFound.
func (s *Service) Sessions(ctx context.Context, by access.Principal, userID id.User) ([]session.Session, error) {
	scope, err := by.Authorize(access.ManageTenantUsers, access.EveryTenant)
	if err != nil {
		return nil, err
	}
	u, err := s.store.Users().ByID(ctx, scope, userID)
	if err != nil {
		return nil, err
	}
	return s.store.Sessions().Live(ctx, u, s.clock.Now())
}

// RevokeSessions ends all of a user's live sessions on behalf of the operator, and returns their number. If there are
// none, no audit entry is recorded.
// Errors: access.ErrForbidden, user.ErrNotFound, user.ErrTargetOutranks.
func (s *Service) RevokeSessions(ctx context.Context, by access.Principal, userID id.User) (int, error) {
	scope, err := by.Authorize(access.ManageTenantUsers, access.EveryTenant)
	if err != nil {
		return 0, err
	}
	return s.endSessions(ctx, scope, userID, session.RevokedByAdministrator,
		func(ctx context.Context, tx *recorder.Tx, u user.User, ended int) error {
			if ended == 0 {
				return nil
			}
			return recordRevoked(ctx, tx, scope, u, map[string]string{"sessions": strconv.Itoa(ended)})
		})
}

// endSessions ends all of a user's live sessions in one transaction with fn, and returns their number.
// Errors: user.ErrNotFound, user.ErrTargetOutranks, and those of fn.
func (s *Service) endSessions(ctx context.Context, scope access.Scope, userID id.User, why session.Reason,
	fn func(ctx context.Context, tx *recorder.Tx, u user.User, ended int) error) (int, error) {
	var ended []id.Session
	err := s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		u, _, err := tx.Users().ForUpdate(ctx, scope, userID)
		if err != nil {
			return err
		}
		if err := u.CheckAdministeredBy(scope.Principal()); err != nil {
			return err
		}
		if ended, err = tx.Sessions().RevokeAll(ctx, u, why, s.clock.Now()); err != nil {
			return err
		}
		return fn(ctx, tx, u, len(ended))
	})
	if err != nil {
		return 0, err
	}
	return len(ended), s.addRevocations(ctx, userID, ended...)
}

// RevokeSession ends one session on behalf of the operator. It does nothing if the session has ended already.
// Errors: access.ErrForbidden, session.ErrNotFound, user.ErrTargetOutranks.
func (s *Service) RevokeSession(ctx context.Context, by access.Principal, sessionID id.Session) error {
	scope, err := by.Authorize(access.ManageTenantUsers, access.EveryTenant)
	if err != nil {
		return err
	}
	owner, _, err := s.store.Identities().BySession(ctx, sessionID)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		u, err := tx.Identities().ForUpdate(ctx, owner.TenantID, owner.ID) // first, as in rotate
		if err != nil {
			return err
		}
		if err := u.CheckAdministeredBy(by); err != nil {
			return err
		}
		opened, _, err := tx.Sessions().ForUpdate(ctx, u.TenantID, sessionID, now)
		if err != nil || !opened.Live(now) {
			return err
		}
		opened.Revoke(session.RevokedByAdministrator, now)
		if err := tx.Sessions().Save(ctx, opened); err != nil {
			return err
		}
		return recordRevoked(ctx, tx, scope, u, map[string]string{"session_id": string(sessionID)})
	})
	if err != nil {
		return err
	}
	return s.addRevocations(ctx, owner.ID, sessionID)
}

func recordRevoked(ctx context.Context, tx *recorder.Tx, scope access.Scope, u user.User, detail map[string]string) error {
	return tx.Record(ctx, scope, audit.Entry{
		TenantID: u.TenantID, Severity: audit.Warning, Act: audit.SessionsRevoked, Subject: string(u.ID), Detail: detail,
	})
}
