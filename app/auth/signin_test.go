package auth_test

import (
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/app/auth"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

const unknown = "nobody@example.com"

func TestSignIn(t *testing.T) {
	t.Run("the password opens a session", func(t *testing.T) {
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Analyst)
		pair := a.SignIn(t, u)
		if caller := a.Caller(t, pair.Access); caller.User.ID != u.ID || pair.ExpiresIn != 15*time.Minute {
			t.Errorf("signed in as %+v for %v", caller, pair.ExpiresIn)
		}
		if in := a.Log.Entries(audit.SignedIn); len(in) != 1 || in[0].Actor != u.ID {
			t.Errorf("recorded: %+v", in)
		}
	})
	t.Run("unknown, wrong and inactive fail alike, after one verification each", func(t *testing.T) { // ASVS 6.3.8
		a := apptest.New(t)
		u, inactive := a.NewUser(t, "acme", access.Viewer), a.NewUser(t, "acme", access.Viewer)
		a.NewUser(t, "acme", access.Admin)
		deactivate(t, a, inactive)
		for i, c := range []struct{ email, password string }{
			{unknown, apptest.Password}, {u.Email.String(), "wrong"}, {inactive.Email.String(), apptest.Password}, {inactive.Email.String(), "wrong"},
		} {
			pair, err := a.Auth.SignIn(t.Context(), c.email, c.password)
			if err != error(session.ErrInvalidCredentials) || pair != (session.TokenPair{}) {
				t.Errorf("attempt %d: %v", i, err)
			}
			if n := a.Hasher.Verified(); n != i+1 {
				t.Errorf("after attempt %d, %d passwords have been verified", i, n)
			}
		}
		wantReasons(t, a, audit.SignInFailed, "unknown_email", "wrong_password", "inactive_user", "wrong_password")
	})
	t.Run("one session more than there may be ends the oldest", func(t *testing.T) {
		a := apptest.New(t, with(func(s *auth.Settings) { s.SessionsPerUser = 2 }))
		u := a.NewUser(t, "acme", access.Viewer)
		var pairs []session.TokenPair
		for range 3 {
			pairs = append(pairs, a.SignIn(t, u))
			a.Clock.Advance(time.Second)
		}
		wantListed(t, a, pairs[0].Access)
		wantDead(t, a, pairs[0])
		a.Caller(t, pairs[1].Access)
		a.Caller(t, pairs[2].Access)
	})
	t.Run("a hash of an old cost is made anew", func(t *testing.T) {
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		a.Hasher.SetCost(2)
		_, err := a.Auth.SignIn(t.Context(), u.Email.String(), "wrong")
		apptest.WantErr(t, err, session.ErrInvalidCredentials)
		if got := stored(t, a, u); got != u.PasswordHash {
			t.Error("a wrong password changed the hash")
		}
		a.SignIn(t, u)
		renewed := stored(t, a, u)
		if renewed == u.PasswordHash {
			t.Error("the hash is the old one")
		}
		a.SignIn(t, u)
		if got := stored(t, a, u); got != renewed {
			t.Error("a hash of today's cost was made anew")
		}
	})
	t.Run("what is missing is told by field", func(t *testing.T) {
		_, err := apptest.New(t).Auth.SignIn(t.Context(), "", "")
		wantFields(t, err, "email", "password")
	})
}

// stored returns the password hash in the database.
func stored(t *testing.T, a *apptest.App, u user.User) user.PasswordHash {
	t.Helper()
	got, err := a.Store.Identities().ByEmail(t.Context(), u.Email)
	apptest.Must(t, err)
	return got.PasswordHash
}

// TestSignIn_stale: an account changes while its password is being verified.
func TestSignIn_stale(t *testing.T) {
	t.Run("a password that was changed opens nothing", func(t *testing.T) {
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		caller := a.Caller(t, a.SignIn(t, u).Access)
		a.Hasher.Meanwhile(func() error {
			_, err := a.Auth.ChangePassword(t.Context(), caller, apptest.Password, "a good new phrase")
			return err
		})
		_, err := a.Auth.SignIn(t.Context(), u.Email.String(), apptest.Password)
		apptest.WantErr(t, err, session.ErrInvalidCredentials)
	})
	t.Run("a user who was deactivated gets in no more", func(t *testing.T) {
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		a.Hasher.Meanwhile(func() error { return a.Users.Deactivate(t.Context(), access.Operator(), "", u.ID) })
		_, err := a.Auth.SignIn(t.Context(), u.Email.String(), apptest.Password)
		apptest.WantErr(t, err, session.ErrInvalidCredentials)
	})
	t.Run("a hash that another sign-in made anew lets in", func(t *testing.T) {
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		a.Hasher.SetCost(2)
		a.Hasher.Meanwhile(func() error {
			_, err := a.Auth.SignIn(t.Context(), u.Email.String(), apptest.Password)
			return err
		})
		a.SignIn(t, u)
	})
}

// TestGuess: ASVS 6.3.1. A fixture lets three wrong passwords pass.
func TestGuess(t *testing.T) {
	attempt := func(t *testing.T, a *apptest.App, address, email, password string, want error) {
		t.Helper()
		_, err := a.Auth.SignIn(apptest.From(t, address, "browser"), email, password)
		apptest.WantErr(t, err, want)
	}
	for name, exists := range map[string]bool{"an account": true, "no account": false} {
		t.Run("many addresses guess no faster than one, on "+name, func(t *testing.T) {
			a := apptest.New(t)
			of := unknown
			if exists {
				of = a.NewUser(t, "acme", access.Viewer).Email.String()
			}
			for _, address := range []string{"203.0.113.1", "203.0.113.2", "2001:db8::1"} {
				attempt(t, a, address, of, "a guess", session.ErrInvalidCredentials)
			}
			verified := a.Hasher.Verified()
			attempt(t, a, "203.0.113.4", of, apptest.Password, auth.ErrTooManyAttempts)
			if a.Hasher.Verified() != verified {
				t.Error("a throttled password was verified")
			}
			wantReasons(t, a, audit.SignInThrottled, "too_many_attempts")
			if len(a.LimitsHit) != 1 {
				t.Errorf("the limits that were hit are %q", a.LimitsHit)
			}
		})
	}
	t.Run("a refusal says when to come back", func(t *testing.T) {
		a := apptest.New(t, with(func(s *auth.Settings) { s.AccountRate = ports.Rate{Window: time.Hour} }))
		_, err := a.Auth.SignIn(t.Context(), unknown, "a guess")
		if f, ok := err.(*fault.Error); !ok || f.RetryAfter <= 0 || f.RetryAfter > time.Hour {
			t.Errorf("refused with %v", err)
		}
	})
	t.Run("successes are not counted", func(t *testing.T) {
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		for range 5 {
			attempt(t, a, home, u.Email.String(), apptest.Password, nil)
		}
	})
	t.Run("what outlasts the window gives nothing back", func(t *testing.T) { // it would be another attempt's, of the next one
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		for _, address := range []string{"203.0.113.1", "203.0.113.2", "203.0.113.3"} {
			a.Hasher.Meanwhile(func() error { a.Clock.Advance(time.Hour); return nil })
			attempt(t, a, address, u.Email.String(), apptest.Password, nil)
		}
		attempt(t, a, "203.0.113.4", u.Email.String(), apptest.Password, auth.ErrTooManyAttempts)
	})
	t.Run("what could not be verified is not counted", func(t *testing.T) {
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		for range 5 {
			a.Hasher.Meanwhile(func() error { return ports.ErrHasherBusy })
			attempt(t, a, home, u.Email.String(), apptest.Password, ports.ErrHasherBusy)
		}
		attempt(t, a, home, u.Email.String(), apptest.Password, nil)
	})
	t.Run("strangers do not lock out an address that signed in before", func(t *testing.T) {
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		const network, sameNetwork = "2001:db8:0:1::1", "2001:db8:0:1::2"
		attempt(t, a, home, u.Email.String(), apptest.Password, nil)
		attempt(t, a, network, u.Email.String(), apptest.Password, nil)
		for range 3 {
			attempt(t, a, elsewhere, u.Email.String(), "a guess", session.ErrInvalidCredentials)
		}
		attempt(t, a, elsewhere, u.Email.String(), apptest.Password, auth.ErrTooManyAttempts)
		attempt(t, a, home, u.Email.String(), apptest.Password, nil)
		attempt(t, a, sameNetwork, u.Email.String(), apptest.Password, nil)
	})
	t.Run("an address that signed in before guesses no faster, and holds up no other", func(t *testing.T) {
		a := apptest.New(t)
		u := a.NewUser(t, "acme", access.Viewer)
		attempt(t, a, home, u.Email.String(), apptest.Password, nil)
		for range 3 {
			attempt(t, a, home, u.Email.String(), "a guess", session.ErrInvalidCredentials)
		}
		attempt(t, a, home, u.Email.String(), apptest.Password, auth.ErrTooManyAttempts)
		attempt(t, a, elsewhere, u.Email.String(), apptest.Password, nil)
	})
	t.Run("an address known to one account is a stranger to another", func(t *testing.T) {
		a := apptest.New(t)
		u, other := a.NewUser(t, "acme", access.Viewer), a.NewUser(t, "acme", access.Viewer)
		attempt(t, a, home, other.Email.String(), apptest.Password, nil)
		for range 3 {
			attempt(t, a, elsewhere, u.Email.String(), "a guess", session.ErrInvalidCredentials)
		}
		attempt(t, a, home, u.Email.String(), apptest.Password, auth.ErrTooManyAttempts)
	})
}
