package auth

import (
	"context"
	"errors"

	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

// Refresh exchanges a refresh token for the session's next pair of tokens. Presenting the token again revokes the session,
// except within the grace period of session.Session.Rotate. Each refusal is logged (ASVS 16.3.1).
// Errors: session.ErrNotRefreshToken, session.ErrInvalidToken.
func (s *Service) Refresh(ctx context.Context, token string) (session.TokenPair, error) {
	if token == "" {
		return session.TokenPair{}, fault.ErrInvalid.OnField("refresh_token", "is required")
	}
	claims, err := s.tokens.Verify(token, s.clock.Now())
	if err != nil {
		return session.TokenPair{}, s.refreshRefused(ctx, session.Claims{}, "invalid_token", err)
	}
	if claims.Kind != session.Refresh {
		return session.TokenPair{}, s.refreshRefused(ctx, claims, "not_a_refresh_token", session.ErrNotRefreshToken)
	}
	pair, outcome, err := s.rotate(ctx, claims)
	switch {
	case errors.Is(err, session.ErrNotFound), errors.Is(err, user.ErrNotFound):
		return session.TokenPair{}, s.refreshRefused(ctx, claims, "unknown_session", session.ErrInvalidToken)
	case err != nil:
		return session.TokenPair{}, err
	case outcome == session.Ended:
		return session.TokenPair{}, s.refreshRefused(ctx, claims, "session_ended", session.ErrInvalidToken)
	case outcome == session.Superseded:
		return session.TokenPair{}, s.refreshRefused(ctx, claims, "superseded_token", session.ErrInvalidToken)
	case outcome == session.Replayed: // recorded in the transaction that revoked the session
		if err := s.addRevocations(ctx, claims.User, claims.Session); err != nil {
			return session.TokenPair{}, err
		}
		return session.TokenPair{}, session.ErrInvalidToken
	}
	return pair, nil
}

// rotate presents a refresh token to its session. The session of a deactivated user counts as ended.
// Errors: session.ErrNotFound, user.ErrNotFound.
func (s *Service) rotate(ctx context.Context, claims session.Claims) (pair session.TokenPair, outcome session.Outcome, err error) {
	now, next := s.clock.Now(), id.Token(s.ids.New())
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		pair, outcome = session.TokenPair{}, session.Ended
		// The user is locked first, as wherever a session is opened or revoked: on Citus another order deadlocks.
		u, err := tx.Identities().ForUpdate(ctx, claims.Tenant, claims.User)
		if err != nil {
			return err
		}
		family, shared, err := tx.Sessions().ForUpdate(ctx, claims.Tenant, claims.Session, now)
		if err != nil || family.UserID != u.ID || !u.Active || !family.Live(now) {
			return err
		}
		// The grace period is measured by a shared clock: for a replica whose own clock is ahead, it would end early.
		outcome = family.Rotate(session.HashToken(claims.Token), session.HashToken(next), clientOf(ctx), shared, s.settings.RotationGrace)
		if outcome != session.Rotated && outcome != session.Replayed {
			return nil
		}
		if err := tx.Sessions().Save(ctx, family); err != nil {
			return err
		}
		if outcome == session.Replayed {
			return recordReplay(ctx, tx, u, family)
		}
		pair, err = s.issue(u, family, next, now)
		return err
	})
	return pair, outcome, err
}

func recordReplay(ctx context.Context, tx *recorder.Tx, u user.User, family session.Session) error {
	return recordOwn(ctx, tx, u, audit.Entry{
		Severity: audit.Warning, Act: audit.TokenReplayed, Detail: map[string]string{"session_id": string(family.ID)},
	})
}

// refreshRefused logs a refusal and returns its fault.
func (s *Service) refreshRefused(ctx context.Context, c session.Claims, why string, refusal error) error {
	s.recorder.Note(ctx, audit.Entry{
		TenantID: c.Tenant, Severity: audit.Warning, Act: audit.RefreshRefused, Subject: string(c.User),
		Detail: map[string]string{"reason": why, "session_id": string(c.Session)},
	})
	return refusal
}
