package auth_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/app/auth"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
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
