package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

func TestRefresh(t *testing.T) {
	const grace = 10 * time.Second
	refresh := func(t *testing.T, a *apptest.App, ctx context.Context, token string) session.TokenPair {
		t.Helper()
		pair, err := a.Auth.Refresh(ctx, token)
		apptest.Must(t, err)
		return pair
	}
	refused := func(t *testing.T, a *apptest.App, ctx context.Context, token string, want error) {
		t.Helper()
		pair, err := a.Auth.Refresh(ctx, token)
		apptest.WantErr(t, err, want)
		if pair != (session.TokenPair{}) {
			t.Error("a refusal has tokens")
		}
	}
	signedIn := func(t *testing.T, edits ...func(*apptest.Setup)) (*apptest.App, user.User, session.TokenPair) {
		t.Helper()
		a := apptest.New(t, edits...)
		u := a.NewUser(t, "acme", access.Viewer)
		pair, err := a.Auth.SignIn(apptest.From(t, home, "browser"), u.Email.String(), apptest.Password)
		apptest.Must(t, err)
		return a, u, pair
	}

	t.Run("a refresh token is exchanged for the next pair", func(t *testing.T) {
		a, u, first := signedIn(t)
		second := refresh(t, a, t.Context(), first.Refresh)
		if second.Refresh == first.Refresh || second.Access == first.Access || a.Caller(t, second.Access).User.ID != u.ID {
			t.Errorf("the next pair is %+v", second)
		}
		refresh(t, a, t.Context(), second.Refresh)
	})
	t.Run("within the grace the client that used a token is only refused", func(t *testing.T) {
		a, _, first := signedIn(t)
		second := refresh(t, a, apptest.From(t, home, "browser"), first.Refresh)
		a.Clock.Advance(grace - time.Microsecond)
		refused(t, a, apptest.From(t, "192.0.2.200", "browser"), first.Refresh, session.ErrInvalidToken) // next door
		a.Caller(t, second.Access)
		wantReasons(t, a, audit.RefreshRefused, "superseded_token")
	})
	for name, thief := range map[string]struct {
		after           time.Duration
		address, device string
	}{
		"a replayed refresh token revokes the family": {grace, home, "browser"},
		"so it does at once from another network":     {0, elsewhere, "browser"},
		"so it does at once from another device":      {0, home, "script"},
	} {
		t.Run(name, func(t *testing.T) {
			a, u, first := signedIn(t)
			second := refresh(t, a, apptest.From(t, home, "browser"), first.Refresh)
			a.Clock.Advance(thief.after)
			refused(t, a, apptest.From(t, thief.address, thief.device), first.Refresh, session.ErrInvalidToken)
			wantListed(t, a, second.Access)
			wantDead(t, a, first)
			wantDead(t, a, second)
			trail := a.Trail(t, u.TenantID, audit.TokenReplayed)
			if len(trail) != 1 || trail[0].Actor != u.ID || trail[0].Severity != audit.Warning || len(a.Log.Entries(audit.TokenReplayed)) != 1 {
				t.Errorf("recorded: %+v", trail)
			}
			a.SignIn(t, u) // nobody is locked out
		})
	}
	t.Run("a token older than the predecessor is a replay also within the grace", func(t *testing.T) {
		a, _, first := signedIn(t)
		browser := apptest.From(t, home, "browser")
		last := refresh(t, a, browser, refresh(t, a, browser, first.Refresh).Refresh)
		refused(t, a, browser, first.Refresh, session.ErrInvalidToken)
		wantDead(t, a, last)
	})
	t.Run("another session of the user goes on", func(t *testing.T) {
		a, u, first := signedIn(t)
		other := a.SignIn(t, u)
		refresh(t, a, t.Context(), first.Refresh)
		a.Clock.Advance(grace)
		refused(t, a, t.Context(), first.Refresh, session.ErrInvalidToken)
		a.Caller(t, other.Access)
		refresh(t, a, t.Context(), other.Refresh)
	})
	t.Run("a session ends a week after sign-in, however often it is refreshed", func(t *testing.T) {
		a, _, pair := signedIn(t)
		for range 6 {
			a.Clock.Advance(24 * time.Hour)
			pair = refresh(t, a, t.Context(), pair.Refresh)
		}
		a.Clock.Advance(24*time.Hour - 5*time.Minute)
		pair = refresh(t, a, t.Context(), pair.Refresh)
		if pair.ExpiresIn != 5*time.Minute {
			t.Errorf("the last access token lives for %v", pair.ExpiresIn)
		}
		a.Clock.Advance(5 * time.Minute) // and the skew would let the tokens themselves pass
		wantDead(t, a, pair)
	})
	t.Run("a user who was deactivated has no session", func(t *testing.T) {
		a, u, pair := signedIn(t)
		u.Active = false // behind the back of what ends the sessions
		apptest.Must(t, a.Store.Users().SetActive(t.Context(), porttest.ScopeOf(t, u.TenantID), u))
		refused(t, a, t.Context(), pair.Refresh, session.ErrInvalidToken)
	})
	t.Run("a role that was changed is in the next token", func(t *testing.T) {
		a, u, pair := signedIn(t)
		_, err := a.Users.ChangeRole(t.Context(), access.Operator(), "", u.ID, access.Analyst)
		apptest.Must(t, err)
		if next := refresh(t, a, t.Context(), pair.Refresh); a.Caller(t, next.Access).Claims.Role != access.Analyst {
			t.Error("the token has the role of before")
		}
	})
	t.Run("every refusal is recorded", func(t *testing.T) { // ASVS 16.3.1
		a, u, pair := signedIn(t)
		unknown := resigned(t, a, pair.Refresh, func(c *session.Claims) { c.Session = porttest.NewID[id.Session]() })
		nobodys := resigned(t, a, pair.Refresh, func(c *session.Claims) { c.User = porttest.NewID[id.User]() })
		refused(t, a, t.Context(), "nonsense", session.ErrInvalidToken)
		refused(t, a, t.Context(), pair.Access, session.ErrNotRefreshToken)
		refused(t, a, t.Context(), unknown, session.ErrInvalidToken)
		refused(t, a, t.Context(), nobodys, session.ErrInvalidToken)
		deactivate(t, a, u)
		refused(t, a, t.Context(), pair.Refresh, session.ErrInvalidToken)
		wantReasons(t, a, audit.RefreshRefused, "invalid_token", "not_a_refresh_token", "unknown_session", "unknown_session", "session_ended")
	})
	t.Run("no token is an invalid request", func(t *testing.T) {
		_, err := apptest.New(t).Auth.Refresh(t.Context(), "")
		wantFields(t, err, "refresh_token")
	})
}
