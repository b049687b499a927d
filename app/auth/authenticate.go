package auth

import (
	"context"
	"errors"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
)

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
