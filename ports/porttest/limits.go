package porttest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// RateLimiter tests a rate limiter.
func RateLimiter(t *testing.T, l ports.RateLimiter) {
	rate := ports.Rate{Requests: 3, Window: time.Hour}
	t.Run("counts down and then refuses", func(t *testing.T) {
		key := uuid.NewString()
		for i, want := range []ports.Allowance{{Remaining: 2}, {Remaining: 1}, {Remaining: 0}, {Exceeded: true}, {Exceeded: true}} {
			got, err := l.Take(t.Context(), key, rate)
			must(t, err)
			if got.Exceeded != want.Exceeded || got.Remaining != want.Remaining {
				t.Errorf("request %d: %+v, want %+v", i+1, got, want)
			}
			if got.Reset <= 0 || got.Reset > rate.Window {
				t.Errorf("request %d: the window ends in %v", i+1, got.Reset)
			}
		}
	})
	t.Run("keys are counted separately", func(t *testing.T) {
		for _, key := range []string{uuid.NewString(), uuid.NewString()} {
			got, err := l.Take(t.Context(), key, rate)
			must(t, err)
			if got.Remaining != 2 {
				t.Errorf("a new key has %d left", got.Remaining)
			}
		}
	})
	t.Run("windows are counted separately", func(t *testing.T) {
		key, short := uuid.NewString(), ports.Rate{Requests: rate.Requests, Window: time.Minute}
		for range rate.Requests {
			_, err := l.Take(t.Context(), key, rate)
			must(t, err)
		}
		for range 2 {
			got, err := l.Take(t.Context(), key, short)
			must(t, err)
			equal(t, "what is left after the window was changed", got.Remaining, 2)
			if got.Reset <= 0 || got.Reset > short.Window {
				t.Errorf("the window ends in %v", got.Reset)
			}
			must(t, l.GiveBack(t.Context(), key, short))
		}
		got, err := l.Take(t.Context(), key, rate)
		must(t, err)
		equal(t, "whether the other window's is exceeded", got.Exceeded, true)
	})
	t.Run("without a limit, nothing is counted", func(t *testing.T) {
		key := uuid.NewString()
		for range 5 {
			got, err := l.Take(t.Context(), key, ports.Rate{Unlimited: true})
			must(t, err)
			if got.Exceeded {
				t.Error("a request was refused")
			}
		}
		got, err := l.Take(t.Context(), key, rate)
		must(t, err)
		equal(t, "what is left under a limit", got.Remaining, 2)
	})
	t.Run("a window ends", func(t *testing.T) {
		key, short := uuid.NewString(), ports.Rate{Requests: 1, Window: 50 * time.Millisecond}
		for deadline := time.Now().Add(5 * time.Second); ; {
			got, err := l.Take(t.Context(), key, short)
			must(t, err)
			again, err := l.Take(t.Context(), key, short)
			must(t, err)
			if !got.Exceeded && again.Exceeded {
				break // refused within a window; below it must be admitted again
			}
			if time.Now().After(deadline) {
				t.Fatal("two requests at once never met the limit of one")
			}
		}
		for deadline := time.Now().Add(5 * time.Second); ; {
			got, err := l.Take(t.Context(), key, short)
			must(t, err)
			if !got.Exceeded {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("the window never ended")
			}
		}
	})
	t.Run("a request given back can be taken again", func(t *testing.T) {
		key := uuid.NewString()
		must(t, l.GiveBack(t.Context(), key, rate)) // nothing was taken
		for i, want := range []int{2, 2, 1} {
			got, err := l.Take(t.Context(), key, rate)
			must(t, err)
			equal(t, "what is left", got.Remaining, want)
			if i == 0 {
				must(t, l.GiveBack(t.Context(), key, rate))
			}
		}
		for range 3 { // the third of the window, and two over the limit
			_, err := l.Take(t.Context(), key, rate)
			must(t, err)
		}
		for range 3 {
			must(t, l.GiveBack(t.Context(), key, rate))
		}
		got, err := l.Take(t.Context(), key, rate)
		must(t, err)
		equal(t, "whether it is exceeded", got.Exceeded, false)
	})
	t.Run("concurrent requests do not exceed the limit", func(t *testing.T) {
		key := uuid.NewString()
		var (
			wg     sync.WaitGroup
			mu     sync.Mutex
			passed int
		)
		for range 20 {
			wg.Go(func() {
				got, err := l.Take(t.Context(), key, rate)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if !got.Exceeded {
					passed++
				}
			})
		}
		wg.Wait()
		equal(t, "how many passed", passed, rate.Requests)
	})
}

// RevocationList tests a revocation list. advance moves the list's clock forward.
func RevocationList(t *testing.T, l ports.RevocationList, now func() time.Time, advance func(time.Duration)) {
	claims := func() session.Claims {
		return session.Claims{
			User: NewID[id.User](), Session: NewID[id.Session](), Token: NewID[id.Token](),
			IssuedAt: now().Truncate(time.Second),
		}
	}
	check := func(t *testing.T, name string, c session.Claims, want bool) {
		t.Helper()
		got, err := l.Revoked(t.Context(), c)
		must(t, err)
		if got != want {
			t.Errorf("%s: revoked %t, want %t", name, got, want)
		}
	}
	until := now().Add(15 * time.Minute)

	t.Run("an unknown token is not revoked", func(t *testing.T) { check(t, "the token", claims(), false) })
	t.Run("nothing to revoke", func(t *testing.T) { must(t, l.Revoke(t.Context())) })
	t.Run("by token", func(t *testing.T) {
		c := claims()
		must(t, l.Revoke(t.Context(), session.Revocation{User: c.User, Token: c.Token, Until: until}))
		check(t, "the token", c, true)
		c.Token = NewID[id.Token]()
		check(t, "another token of the session", c, false)
	})
	t.Run("by session, several at once", func(t *testing.T) {
		a, b := claims(), claims()
		b.User = a.User
		must(t, l.Revoke(t.Context(),
			session.Revocation{User: a.User, Session: a.Session, Until: until},
			session.Revocation{User: b.User, Session: b.Session, Until: until}))
		check(t, "the first", a, true)
		check(t, "the second", b, true)
		a.Token = NewID[id.Token]()
		check(t, "another token of the first", a, true)
		a.Session = NewID[id.Session]()
		check(t, "another session", a, false)
	})
	t.Run("by user", func(t *testing.T) {
		c := claims()
		must(t, l.Revoke(t.Context(), session.Revocation{User: c.User, NotBefore: now(), Until: until}))
		check(t, "a token from before", c, true)
		c.IssuedAt = c.IssuedAt.Add(2 * time.Second)
		check(t, "a token from after", c, false)
		other := claims()
		check(t, "another user's", other, false)
	})
	t.Run("a revocation that has expired", func(t *testing.T) {
		must(t, l.Revoke(t.Context(), session.Revocation{User: NewID[id.User](), Session: NewID[id.Session](), Until: now().Add(-time.Minute)}))
	})
	t.Run("a revocation expires with its tokens", func(t *testing.T) {
		c := claims()
		must(t, l.Revoke(t.Context(), session.Revocation{User: c.User, Session: c.Session, Until: now().Add(2 * time.Second)}))
		check(t, "before", c, true)
		advance(3 * time.Second)
		check(t, "after", c, false)
	})
}
