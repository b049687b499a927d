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
	s.refresh(t, 401, p.refresh) // within the grace: only refused
	s.me(t, 200, second.text(t, "access_token"))
	third := s.refresh(t, 200, second.text(t, "refresh_token"))
	s.pass(t, 10*time.Second)
	s.refresh(t, 401, second.text(t, "refresh_token")) // after it: the family ends
	s.refresh(t, 401, third.text(t, "refresh_token"))
	for _, dead := range []string{p.access, second.text(t, "access_token"), third.text(t, "access_token")} {
		s.me(t, 401, dead)
	}
	entries := s.log.lines(t, "auth.refresh_token_replayed")
	if len(entries) != 1 || entries[0]["severity"] != "WARNING" || entries[0]["user_id"] != string(p.user.ID) {
		t.Errorf("the log has %v", entries)
	}
	s.signIn(t, &p) // nobody is locked out
	s.me(t, 200, p.access)

	// A token older than the immediate predecessor ends the family also within the grace.
	first := p.refresh
	next := s.refresh(t, 200, first)
	last := s.refresh(t, 200, next.text(t, "refresh_token"))
	s.refresh(t, 401, first)
	s.me(t, 401, last.text(t, "access_token"))

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
			t.Errorf("a loser got %d %s", a.status, a.raw)
		}
	}
	if len(won) != 1 {
		t.Fatalf("%d refreshes won", len(won))
	}
	s.me(t, 200, won[0].text(t, "access_token")) // and the user is still signed in
	s.refresh(t, 200, won[0].text(t, "refresh_token"))
}

func testAbsoluteLifetime(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Viewer)
	token := p.refresh
	var last answer
	for range 6 {
		s.clock.Advance(24 * time.Hour)
		last = s.refresh(t, 200, token)
		token = last.text(t, "refresh_token")
	}
	s.clock.Advance(24*time.Hour - 5*time.Minute)
	last = s.refresh(t, 200, token)
	if last.body["expires_in"] != 300.0 {
		t.Errorf("an access token outlives its session: %s", last.raw)
	}
	s.clock.Advance(5 * time.Minute)
	s.refresh(t, 401, last.text(t, "refresh_token"))
	s.me(t, 401, last.text(t, "access_token"))
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
	s.want(t, 204, deactivate) // again changes nothing
	if n := len(s.log.lines(t, "user.deactivated")); n != 1 {
		t.Errorf("the deactivation is on record %d times", n)
	}
	if n := len(s.log.lines(t, "user.role_changed")); n != 2 {
		t.Errorf("%d changes of role are on record", n)
	}
}

func testPassword(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	slug := newSlug()
	p := s.newPerson(t, slug, access.Viewer)
	other := p
	s.signIn(t, &other)
	change := func(status int, current, chosen string) answer {
		t.Helper()
		return s.want(t, status, request{method: "POST", path: api + "/auth/password", token: p.access,
			body: map[string]string{"current_password": current, "new_password": chosen}})
	}
	for _, c := range []struct{ current, chosen, field string }{
		{password, "short", "new_password"},
		{password, "password123", "new_password"},
		{password, slug, "new_password"},
		{password, password, "new_password"},
		{"", "a good new phrase", "current_password"},
		{"wrong", "a good new phrase", "current_password"},
	} {
		if a := change(422, c.current, c.chosen); !slices.Equal(a.fields(), []string{c.field}) {
			t.Errorf("from %q to %q: %s", c.current, c.chosen, a.raw)
		}
	}
	next := change(200, password, "a good new phrase")
	for _, ended := range []person{p, other} { // a thief may hold the caller's own session, too (ASVS 7.4.3)
		s.me(t, 401, ended.access)
		s.refresh(t, 401, ended.refresh)
	}
	s.me(t, 200, next.text(t, "access_token"))
	s.refresh(t, 200, next.text(t, "refresh_token"))
	s.want(t, 401, request{method: "POST", path: api + "/auth/login", body: credentials(p.email, password)})
	s.want(t, 200, request{method: "POST", path: api + "/auth/login", body: credentials(p.email, "a good new phrase")})
	if n := len(s.log.lines(t, "auth.password_changed")); n != 1 {
		t.Errorf("the change is on record %d times", n)
	}
	failed := s.log.lines(t, "auth.password_change_failed")
	if len(failed) != 1 || failed[0]["user_id"] != string(p.user.ID) || failed[0]["severity"] != "WARNING" {
		t.Errorf("the wrong current password is on record as %v", failed)
	}
}

// testRestart: what was revoked stays dead after a restart, and what another process revoked dies at once.
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
