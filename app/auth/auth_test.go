package auth_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/app/auth"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

const (
	home      = "192.0.2.1"
	elsewhere = "203.0.113.9"
)

// with changes the settings of the use cases.
func with(edit func(*auth.Settings)) func(*apptest.Setup) {
	return func(s *apptest.Setup) { edit(&s.Auth) }
}

// reasons returns the reasons of what the log says of an act.
func reasons(a *apptest.App, act audit.Act) (list []string) {
	for _, e := range a.Log.Entries(act) {
		list = append(list, e.Detail["reason"])
	}
	return list
}

// wantReasons fails the test where the log has other entries of an act, or one that is no warning.
func wantReasons(t *testing.T, a *apptest.App, act audit.Act, want ...string) {
	t.Helper()
	if got := reasons(a, act); !slices.Equal(got, want) {
		t.Errorf("the log has %s for %q, want %q", act, got, want)
	}
	for _, e := range a.Log.Entries(act) {
		if e.Severity != audit.Warning {
			t.Errorf("%s is of severity %s", act, e.Severity)
		}
	}
}

// wantFields fails the test where err is no invalid request that names just these fields.
func wantFields(t *testing.T, err error, want ...string) {
	t.Helper()
	apptest.WantErr(t, err, fault.ErrInvalid)
	var (
		f     *fault.Error
		names []string
	)
	if errors.As(err, &f) {
		for _, field := range f.Fields {
			names = append(names, field.Name)
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("the fields to blame are %q, want %q: %v", names, want, err)
	}
}

// wantDead fails the test where a token of a pair still opens anything.
func wantDead(t *testing.T, a *apptest.App, pair session.TokenPair) {
	t.Helper()
	_, err := a.Auth.Authenticate(t.Context(), pair.Access)
	apptest.WantErr(t, err, session.ErrInvalidToken)
	_, err = a.Auth.Refresh(t.Context(), pair.Refresh)
	apptest.WantErr(t, err, session.ErrInvalidToken)
}

// wantListed fails the test where the revocation list does not know of an access token, which the database would refuse
// only later.
func wantListed(t *testing.T, a *apptest.App, accessToken string) {
	t.Helper()
	claims, err := a.Tokens.Verify(accessToken, a.Clock.Now())
	apptest.Must(t, err)
	if revoked, err := a.Revocations.Revoked(t.Context(), claims); err != nil || !revoked {
		t.Errorf("the revocation list knows of the token: %t, %v", revoked, err)
	}
}

func deactivate(t *testing.T, a *apptest.App, u user.User) {
	t.Helper()
	apptest.Must(t, a.Users.Deactivate(t.Context(), access.Operator(), "", u.ID))
}

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

// resigned returns a token that says something else, under the service's own signature.
func resigned(t *testing.T, a *apptest.App, token string, edit func(*session.Claims)) string {
	t.Helper()
	claims, err := a.Tokens.Verify(token, a.Clock.Now())
	apptest.Must(t, err)
	edit(&claims)
	signed, err := a.Tokens.Sign(claims)
	apptest.Must(t, err)
	return signed
}

func TestSignOut(t *testing.T) {
	a := apptest.New(t)
	u := a.NewUser(t, "acme", access.Viewer)
	pair, other := a.SignIn(t, u), a.SignIn(t, u)
	apptest.Must(t, a.Auth.SignOut(t.Context(), a.Caller(t, pair.Access)))
	wantListed(t, a, pair.Access)
	wantDead(t, a, pair)
	a.Caller(t, other.Access) // another device stays signed in
	if out := a.Log.Entries(audit.SignedOut); len(out) != 1 || out[0].Actor != u.ID {
		t.Errorf("on record: %+v", out)
	}
}

func TestRotate(t *testing.T) {
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
				t.Errorf("on record: %+v", trail)
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
	t.Run("every refusal is on record", func(t *testing.T) { // ASVS 16.3.1
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
