package auth

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

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
	return s.addRevocations(ctx, caller.User.ID, caller.Claims.Session)
}
