package auth_test

import (
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/app/auth"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
)

func TestChangePassword(t *testing.T) {
	const chosen = "a good new phrase"
	t.Run("it ends all sessions and opens one", func(t *testing.T) { // ASVS 7.4.3: a thief may hold the caller's own, too
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		pair, other := a.SignIn(t, u), a.SignIn(t, u)
		next, err := a.Auth.ChangePassword(t.Context(), a.Caller(t, pair.Access), apptest.Password, chosen)
		apptest.Must(t, err)
		for _, ended := range []session.TokenPair{pair, other} {
			wantListed(t, a, ended.Access)
			wantDead(t, a, ended)
		}
		a.Caller(t, next.Access)
		_, err = a.Auth.SignIn(t.Context(), u.Email.String(), apptest.Password)
		apptest.WantErr(t, err, session.ErrInvalidCredentials)
		_, err = a.Auth.SignIn(t.Context(), u.Email.String(), chosen)
		apptest.Must(t, err)
		if trail := a.Trail(t, u.TenantID, audit.PasswordChanged); len(trail) != 1 || trail[0].Actor != u.ID || trail[0].Severity != audit.Warning {
			t.Errorf("recorded: %+v", trail)
		}
	})
	for _, c := range []struct{ name, current, chosen, field string }{
		{"too short", apptest.Password, "short", "new_password"},
		{"a common one", apptest.Password, "password123", "new_password"},
		{"made of the tenant's name", apptest.Password, "acme-industries", "new_password"},
		{"the present one", apptest.Password, apptest.Password, "new_password"},
		{"without the present one", "", chosen, "current_password"},
		{"with a wrong one", "wrong", chosen, "current_password"},
	} {
		t.Run("refuses: "+c.name, func(t *testing.T) {
			a := apptest.New(t)
			u := a.NewUser(t, "acme-industries", access.Viewer)
			caller := a.Caller(t, a.SignIn(t, u).Access)
			_, err := a.Auth.ChangePassword(t.Context(), caller, c.current, c.chosen)
			wantFields(t, err, c.field)
			if stored(t, a, u) != u.PasswordHash || len(a.Log.Entries(audit.PasswordChanged)) != 0 {
				t.Error("the password was changed")
			}
		})
	}
	t.Run("wrong ones are counted by session", func(t *testing.T) { // so that a thief of one spends no other's
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		stolen, own := a.Caller(t, a.SignIn(t, u).Access), a.Caller(t, a.SignIn(t, u).Access)
		for range 3 {
			_, err := a.Auth.ChangePassword(t.Context(), stolen, "a guess", chosen)
			wantFields(t, err, "current_password")
		}
		_, err := a.Auth.ChangePassword(t.Context(), stolen, apptest.Password, chosen)
		apptest.WantErr(t, err, auth.ErrTooManyAttempts)
		wantReasons(t, a, audit.PasswordChangeFailed, "wrong_password", "wrong_password", "wrong_password", "too_many_attempts")
		_, err = a.Auth.ChangePassword(t.Context(), own, apptest.Password, chosen)
		apptest.Must(t, err)
	})
	t.Run("changes are counted by user", func(t *testing.T) { // since each opens a session of its own
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		pair := a.SignIn(t, u)
		words := []string{apptest.Password, chosen}
		for i := range 4 {
			next, err := a.Auth.ChangePassword(t.Context(), a.Caller(t, pair.Access), words[i%2], words[(i+1)%2])
			if i == 3 {
				apptest.WantErr(t, err, auth.ErrTooManyAttempts)
				break
			}
			apptest.Must(t, err)
			pair = next
		}
	})
	t.Run("a session that ends meanwhile changes nothing", func(t *testing.T) {
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		a.NewUser(t, "acme", access.Admin)
		caller := a.Caller(t, a.SignIn(t, u).Access)
		a.Hasher.Meanwhile(func() error { return a.Users.Deactivate(t.Context(), access.Operator(), "", u.ID) })
		_, err := a.Auth.ChangePassword(t.Context(), caller, apptest.Password, chosen)
		apptest.WantErr(t, err, session.ErrInvalidToken)
		if stored(t, a, u) != u.PasswordHash {
			t.Error("the password was changed")
		}
	})
	t.Run("a hash that a sign-in makes anew meanwhile does not matter", func(t *testing.T) {
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		caller := a.Caller(t, a.SignIn(t, u).Access)
		a.Hasher.SetCost(2)
		a.Hasher.Meanwhile(func() error {
			_, err := a.Auth.SignIn(t.Context(), u.Email.String(), apptest.Password)
			return err
		})
		_, err := a.Auth.ChangePassword(t.Context(), caller, apptest.Password, chosen)
		apptest.Must(t, err)
	})
}
