package bootstrap_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// testRotation: RFC 9700 4.14.2.
func testRotation(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Viewer)
	second := s.refresh(t, 200, p.refresh)
	s.refresh(t, 401, p.refresh) // within the grace period: only refused
	s.me(t, 200, second.text(t, "access_token"))
	third := s.refresh(t, 200, second.text(t, "refresh_token"))
	s.advance(t, 10*time.Second)
	s.refresh(t, 401, second.text(t, "refresh_token")) // after it: ends the session
	s.refresh(t, 401, third.text(t, "refresh_token"))
	for _, revoked := range []string{p.access, second.text(t, "access_token"), third.text(t, "access_token")} {
		s.me(t, 401, revoked)
	}
	entries := s.log.lines(t, "auth.refresh_token_replayed")
	if len(entries) != 1 || entries[0]["severity"] != "WARNING" || entries[0]["user_id"] != string(p.user.ID) {
		t.Errorf("the log has %v", entries)
	}
	s.signIn(t, &p) // the user can sign in again
	s.me(t, 200, p.access)

	s.signIn(t, &p)
	a := s.refresh(t, 400, p.access)
	if a.body["code"] != "not_a_refresh_token" {
		t.Errorf("an access token was refused with %s", a.raw)
	}
	s.me(t, 401, p.refresh)
	s.want(t, 422, request{method: "POST", path: api + "/auth/refresh", body: `{}`})
}

func testConcurrentRefresh(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Viewer)
	const tabs = 8
	answers := make(chan answer, tabs)
	var wg sync.WaitGroup
	for range tabs {
		wg.Go(func() {
			answers <- s.send(t, request{method: "POST", path: api + "/auth/refresh", body: map[string]string{"refresh_token": p.refresh}})
		})
	}
	wg.Wait()
	close(answers)
	var won []answer
	for a := range answers {
		if a.status == 200 {
			won = append(won, a)
		} else if a.status != 401 {
			t.Errorf("a refresh that lost got %d %s", a.status, a.raw)
		}
	}
	if len(won) != 1 {
		t.Fatalf("%d refreshes won", len(won))
	}
	s.me(t, 200, won[0].text(t, "access_token")) // and the user is still signed in
	s.refresh(t, 200, won[0].text(t, "refresh_token"))
}

func testSignOut(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Viewer)
	other := p
	s.signIn(t, &other)
	s.want(t, 204, request{method: "POST", path: api + "/auth/logout", token: p.access})
	a := s.me(t, 401, p.access)
	if got := a.header.Get("WWW-Authenticate"); !strings.Contains(got, `error="invalid_token"`) {
		t.Errorf("WWW-Authenticate: %s", got)
	}
	s.refresh(t, 401, p.refresh)
	s.want(t, 401, request{method: "POST", path: api + "/auth/logout", token: p.access})
	s.me(t, 200, other.access) // another device stays signed in
}

// testChangesCountAtOnce: ASVS 7.4.1, 7.4.2, 8.3.2.
func testChangesCountAtOnce(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	slug := newSlug()
	admin, p := s.newPerson(t, slug, access.Admin), s.newPerson(t, slug, access.Viewer)
	events := request{method: "GET", path: api + "/analytics/events", token: p.access}
	setRole := func(role string) {
		t.Helper()
		a := s.want(t, 200, request{method: "PUT", path: api + "/users/" + string(p.user.ID) + "/role", token: admin.access, body: map[string]string{"role": role}})
		if a.body["role"] != role {
			t.Errorf("the role is %s", a.raw)
		}
	}
	s.want(t, 403, events)
	setRole("analyst")
	s.want(t, 200, events)
	setRole("viewer")
	s.want(t, 403, events)
	deactivate := request{method: "DELETE", path: api + "/users/" + string(p.user.ID), token: admin.access}
	s.want(t, 204, deactivate)
	s.me(t, 401, p.access)
	s.refresh(t, 401, p.refresh)
	s.want(t, 204, deactivate) // idempotent
	if n := len(s.log.lines(t, "user.deactivated")); n != 1 {
		t.Errorf("the deactivation is recorded %d times", n)
	}
	if n := len(s.log.lines(t, "user.role_changed")); n != 2 {
		t.Errorf("%d changes of role are recorded", n)
	}
}

func testPassword(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Viewer)
	other := p
	s.signIn(t, &other)
	change := func(status int, current, chosen string) answer {
		t.Helper()
		return s.want(t, status, request{method: "POST", path: api + "/auth/password", token: p.access,
			body: map[string]string{"current_password": current, "new_password": chosen}})
	}
	for _, c := range []struct{ current, chosen, field string }{
		{password, "short", "new_password"},
		{"wrong", "a good new phrase", "current_password"},
	} {
		if a := change(422, c.current, c.chosen); !slices.Equal(a.fields(), []string{c.field}) {
			t.Errorf("from %q to %q: %s", c.current, c.chosen, a.raw)
		}
	}
	next := change(200, password, "a good new phrase")
	for _, ended := range []person{p, other} { // the caller's own session may be stolen, too (ASVS 7.4.3)
		s.me(t, 401, ended.access)
		s.refresh(t, 401, ended.refresh)
	}
	s.me(t, 200, next.text(t, "access_token"))
	s.refresh(t, 200, next.text(t, "refresh_token"))
	s.want(t, 401, request{method: "POST", path: api + "/auth/login", body: credentials(p.email, password)})
	s.want(t, 200, request{method: "POST", path: api + "/auth/login", body: credentials(p.email, "a good new phrase")})
	if n := len(s.log.lines(t, "auth.password_changed")); n != 1 {
		t.Errorf("the change is recorded %d times", n)
	}
	failed := s.log.lines(t, "auth.password_change_failed")
	if len(failed) != 1 || failed[0]["user_id"] != string(p.user.ID) || failed[0]["severity"] != "WARNING" {
		t.Errorf("the wrong current password is recorded as %v", failed)
	}
}

// testRestart: revoked tokens stay revoked after a restart, and a revocation by another process takes effect at once.
func testRestart(t *testing.T, on backend) {
	all := generous().with(on(t))
	s := start(t, all)
	slug := newSlug()
	s.newPerson(t, slug, access.Admin)
	out, in, gone := s.newPerson(t, slug, access.Viewer), s.newPerson(t, slug, access.Viewer), s.newPerson(t, slug, access.Viewer)
	s.want(t, 204, request{method: "POST", path: api + "/auth/logout", token: out.access})
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = startAt(t, all, s.clock)
	s.me(t, 401, out.access)
	s.refresh(t, 401, out.refresh)
	s.me(t, 200, in.access)

	s.me(t, 200, gone.access)
	if err := s.operator().Users.Deactivate(t.Context(), access.Operator(), "", gone.user.ID); err != nil {
		t.Fatal(err)
	}
	s.me(t, 401, gone.access)
	if _, err := s.operator().Users.ChangeRole(t.Context(), access.Operator(), "", in.user.ID, access.Analyst); err != nil {
		t.Fatal(err)
	}
	s.want(t, 200, request{method: "GET", path: api + "/analytics/events", token: in.access})
	s.refresh(t, 200, in.refresh)
}

// testTokens: RFC 8725, RFC 6750. Tests of tokens that are signed with the key are next to the signer.
func testTokens(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Viewer)
	elsewhere := start(t, generous().with(onSQLite(t), settings{"JWT_SECRET_KEY": secret + " of another service"}))
	foreign := elsewhere.newPerson(t, newSlug(), access.SuperAdmin)
	twin := start(t, generous().with(onSQLite(t))) // the same key, but not the same users
	unknown := twin.newPerson(t, newSlug(), access.SuperAdmin)
	parts := strings.Split(p.access, ".")
	for name, token := range map[string]string{
		"another key":  foreign.access,
		"unknown user": unknown.access,
		"refresh":      p.refresh,
		"no signature": parts[0] + "." + parts[1] + ".",
		"alg none":     "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"garbage":      "garbage",
		"NUL":          "a%00b",
		"10 KB":        strings.Repeat("a", 10_000),
	} {
		a := s.me(t, 401, token)
		if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer ") || !strings.Contains(got, `error="invalid_token"`) {
			t.Errorf("a token %s: WWW-Authenticate is %q", name, got)
		}
	}
	for _, header := range []string{"", "Basic YTpi", "Bearer", "Bearer ", p.access} {
		a := s.want(t, 401, request{method: "GET", path: api + "/auth/me", header: map[string]string{"Authorization": header}})
		if got := a.header.Get("WWW-Authenticate"); strings.Contains(got, "error=") || !strings.HasPrefix(got, "Bearer ") {
			t.Errorf("Authorization %.10q: WWW-Authenticate is %q", header, got)
		}
	}
	s.want(t, 200, request{method: "GET", path: api + "/auth/me", header: map[string]string{"Authorization": "bearer  " + p.access}})
	s.clock.Advance(15*time.Minute + 31*time.Second)
	s.me(t, 401, p.access)
	s.refresh(t, 401, foreign.refresh)
}

// testSessionLimit: one more session than a user may have ends the oldest.
func testSessionLimit(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"SESSIONS_PER_USER": "2"}))
	first := s.newPerson(t, newSlug(), access.Viewer)
	second, third := first, first
	s.clock.Advance(time.Second)
	s.signIn(t, &second)
	s.me(t, 200, first.access)
	s.clock.Advance(time.Second)
	s.signIn(t, &third)
	s.me(t, 401, first.access)
	s.refresh(t, 401, first.refresh)
	s.me(t, 200, second.access)
	s.me(t, 200, third.access)
}

// testStolenToken: an attacker with a stolen token can't use up the limits of sign-out and password change by other requests, nor,
// by guessing the password in one session, those of another session.
func testStolenToken(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"RATE_LIMIT_VIEWER": "3/minute", "RATE_LIMIT_LOGIN_ACCOUNT": "2/minute"}))
	p := s.newPerson(t, newSlug(), access.Viewer)
	other := p
	s.signIn(t, &other)
	for range 3 {
		s.me(t, 200, p.access)
	}
	s.me(t, 429, p.access)
	change := func(status int, token, current string) answer {
		t.Helper()
		return s.want(t, status, request{method: "POST", path: api + "/auth/password", token: token,
			body: map[string]string{"current_password": current, "new_password": "a good new phrase"}})
	}
	change(422, p.access, "a guess")
	change(422, p.access, "another guess")
	if a := change(429, p.access, "a third"); a.header.Get("Retry-After") == "" {
		t.Error("too many attempts were refused without Retry-After")
	}
	s.want(t, 204, request{method: "POST", path: api + "/auth/logout", token: p.access})
	change(200, other.access, password)
	if n := len(s.log.lines(t, "auth.password_change_failed")); n != 3 {
		t.Errorf("%d failures are recorded", n)
	}
}

// testGrace: within the grace period a used refresh token is only refused if it comes from the client that used it; from any other
// it is a replay, which ends the session.
func testGrace(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), behindProxy))
	p := s.newPerson(t, newSlug(), access.Viewer)
	refresh := func(status int, token, address, device string) answer {
		t.Helper()
		return s.want(t, status, request{method: "POST", path: api + "/auth/refresh", body: map[string]string{"refresh_token": token}}.from(address, device))
	}
	for name, attacker := range map[string]struct{ address, device string }{
		"from another network": {"203.0.113.9", "browser"},
		"from another device":  {"192.0.2.1", "script"},
	} {
		s.signIn(t, &p)
		next := refresh(200, p.refresh, "192.0.2.1", "browser")
		refresh(401, p.refresh, "192.0.2.200", "browser") // another tab, in the same network
		s.me(t, 200, next.text(t, "access_token"))
		refresh(401, p.refresh, attacker.address, attacker.device)
		s.me(t, 401, next.text(t, "access_token"))
		refresh(401, next.text(t, "refresh_token"), "192.0.2.1", "browser")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	// The attacker refreshes first, and the user's refresh ends the session.
	s.signIn(t, &p)
	stolen := refresh(200, p.refresh, "203.0.113.9", "browser")
	refresh(401, p.refresh, "192.0.2.1", "browser")
	s.me(t, 401, stolen.text(t, "access_token"))

	if n := len(s.log.lines(t, "auth.refresh_token_replayed")); n != 3 {
		t.Errorf("%d replays are recorded", n)
	}
	superseded := 0
	for _, line := range s.log.lines(t, "auth.refresh_refused") {
		if detail, _ := line["detail"].(map[string]any); detail["reason"] == "superseded_token" && line["subject_id"] == string(p.user.ID) {
			superseded++
		}
	}
	if superseded != 2 {
		t.Errorf("%d refusals within the grace period are recorded", superseded)
	}
}
