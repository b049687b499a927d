package auth_test

import (
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

func TestAuthenticate(t *testing.T) {
	t.Run("the user is as in the database, whatever the token says", func(t *testing.T) {
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		pair := a.SignIn(t, u)
		_, err := a.Users.ChangeRole(t.Context(), access.Operator(), "", u.ID, access.Analyst)
		apptest.Must(t, err)
		caller := a.Caller(t, pair.Access)
		if caller.Principal().Role() != access.Analyst || caller.Claims.Role != access.Viewer || caller.User.ID != u.ID {
			t.Errorf("the caller is %+v", caller)
		}
	})
	for name, ended := range map[string]func(t *testing.T, a *apptest.App, u user.User, pair session.TokenPair) string{
		"a refresh token is none": func(_ *testing.T, _ *apptest.App, _ user.User, pair session.TokenPair) string { return pair.Refresh },
		"nonsense is none":        func(*testing.T, *apptest.App, user.User, session.TokenPair) string { return "nonsense" },
		"one that has expired": func(_ *testing.T, a *apptest.App, _ user.User, pair session.TokenPair) string {
			a.Clock.Advance(pair.ExpiresIn + 31*time.Second)
			return pair.Access
		},
		"one of a session that was signed out": func(t *testing.T, a *apptest.App, _ user.User, pair session.TokenPair) string {
			apptest.Must(t, a.Auth.SignOut(t.Context(), a.Caller(t, pair.Access)))
			return pair.Access
		},
		"one that only the revocation list knows of": func(t *testing.T, a *apptest.App, u user.User, pair session.TokenPair) string {
			claims := a.Caller(t, pair.Access).Claims
			apptest.Must(t, a.Revocations.Revoke(t.Context(), session.Revocation{User: u.ID, Session: claims.Session, Until: claims.ExpiresAt}))
			return pair.Access
		},
		"one that only the database knows to be ended": func(t *testing.T, a *apptest.App, u user.User, pair session.TokenPair) string {
			_, err := a.Store.Sessions().RevokeAll(t.Context(), u, session.SignedOut, a.Clock.Now())
			apptest.Must(t, err)
			return pair.Access
		},
		"one of a user whom only the database knows to be inactive": func(t *testing.T, a *apptest.App, u user.User, pair session.TokenPair) string {
			u.Active = false
			apptest.Must(t, a.Store.Users().SetActive(t.Context(), porttest.ScopeOf(t, u.TenantID), u))
			return pair.Access
		},
		"one of an unknown session": func(t *testing.T, a *apptest.App, _ user.User, pair session.TokenPair) string {
			return resigned(t, a, pair.Access, func(c *session.Claims) { c.Session = porttest.NewID[id.Session]() })
		},
		"one of another user's session": func(t *testing.T, a *apptest.App, u user.User, pair session.TokenPair) string {
			return resigned(t, a, pair.Access, func(c *session.Claims) { c.User = porttest.NewID[id.User]() })
		},
		"one of another tenant": func(t *testing.T, a *apptest.App, u user.User, pair session.TokenPair) string {
			return resigned(t, a, pair.Access, func(c *session.Claims) { c.Tenant = porttest.NewID[id.Tenant]() })
		},
	} {
		t.Run("refuses: "+name, func(t *testing.T) {
			a := apptest.New(t)
			u := a.NewUser(t, "acme", access.Viewer)
			pair := a.SignIn(t, u)
			_, err := a.Auth.Authenticate(t.Context(), ended(t, a, u, pair))
			apptest.WantErr(t, err, session.ErrInvalidToken)
		})
	}
}
