package bootstrap_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
)

// behindProxy lets a request say by X-Forwarded-For where it comes from.
var behindProxy = settings{"TRUSTED_PROXIES": "127.0.0.1"}

// from sends a request from an address, by a program of that name.
func (r request) from(address, device string) request {
	r.header = map[string]string{"X-Forwarded-For": address, "User-Agent": device}
	return r
}

// testGuessing: many addresses guess no faster than one, and lock nobody out who signed in before (ASVS 6.3.1).
func testGuessing(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), behindProxy, settings{"RATE_LIMIT_LOGIN_ACCOUNT": "3/minute"}))
	p := s.newPerson(t, newSlug(), access.Viewer)
	const home, office, elsewhere = "198.51.100.1", "2001:db8:0:1::1", "192.0.2.1"
	attempt := func(status int, email, word, address string) {
		t.Helper()
		s.want(t, status, request{method: "POST", path: api + "/auth/login", body: credentials(email, word)}.from(address, "browser"))
	}
	for range 5 { // successes are not counted
		attempt(200, p.email, password, home)
		attempt(200, p.email, password, office)
	}
	attack := func(email string) {
		t.Helper()
		for i := range 20 {
			status := 401
			if i >= 3 {
				status = 429
			}
			attempt(status, email, "a guess", fmt.Sprintf("203.0.113.%d", i))
		}
	}
	attack(p.email)
	attack("nobody-" + uuid.NewString() + "@example.com") // who is held up as if there were an account
	attempt(429, p.email, password, elsewhere)
	for range 5 {
		attempt(200, p.email, password, home)
		attempt(200, p.email, password, "2001:db8:0:1::2") // of the same network
	}
	for range 3 {
		attempt(401, p.email, "a guess", home)
	}
	attempt(429, p.email, password, home) // it guesses no faster than others do
	attempt(200, p.email, password, office)

	throttled := s.log.lines(t, "auth.sign_in_throttled")
	if len(throttled) != 17+17+1+1 || throttled[0]["subject_id"] != string(p.user.ID) || throttled[0]["severity"] != "WARNING" {
		t.Errorf("%d throttled attempts are on record, the first as %v", len(throttled), throttled[0])
	}
}

// testRegistrationsAtOnce: where anybody may join, whoever comes second joins the tenant that the first has made.
func testRegistrationsAtOnce(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"REGISTRATION_MODE": "open"}))
	slug := newSlug()
	tenants := make(chan any, 8)
	var wg sync.WaitGroup
	for range cap(tenants) {
		wg.Go(func() {
			a := s.want(t, 201, request{method: "POST", path: api + "/auth/register", body: map[string]string{
				"email": uuid.NewString() + "@example.com", "password": password, "full_name": "Some Body", "tenant_slug": slug}})
			profile, _ := a.body["user"].(map[string]any)
			tenants <- profile["tenant_id"]
		})
	}
	wg.Wait()
	first := <-tenants
	for range cap(tenants) - 1 {
		if other := <-tenants; other != first {
			t.Errorf("one slug is two tenants: %v and %v", first, other)
		}
	}
}

// testChangesInARow: a change of password opens a session whose requests are counted anew, and is counted by user.
func testChangesInARow(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"RATE_LIMIT_LOGIN_ACCOUNT": "3/minute"}))
	p := s.newPerson(t, newSlug(), access.Viewer)
	words := []string{password, "a good new phrase"}
	token := p.access
	for i := range 4 {
		status := 200
		if i == 3 {
			status = 429
		}
		a := s.want(t, status, request{method: "POST", path: api + "/auth/password", token: token,
			body: map[string]string{"current_password": words[i%2], "new_password": words[(i+1)%2]}})
		if status == 200 {
			token = a.text(t, "access_token")
		}
	}
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

// testAddressThrottled: what is refused for its address is on record as an attempt, too (ASVS 16.3.1).
func testAddressThrottled(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"RATE_LIMIT_LOGIN": "2/minute"}))
	for _, status := range []int{401, 401, 429} {
		s.want(t, status, request{method: "POST", path: api + "/auth/login", body: credentials("nobody@example.com", "x")})
	}
	lines := s.log.lines(t, "auth.sign_in_throttled")
	if len(lines) != 1 || lines[0]["client_ip"] != "127.0.0.1" {
		t.Errorf("on record: %v", lines)
	}
}

// testThief: who holds a stolen token can't keep its owner from signing out and changing the password, by whatever else
// the token is used for, and a thief of one session not by guessing in it.
func testThief(t *testing.T, on backend) {
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
		t.Errorf("%d failures are on record", n)
	}
}

// testGrace: within the grace a used refresh token is refused to the client that used it, and a replay from any other.
func testGrace(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), behindProxy))
	p := s.newPerson(t, newSlug(), access.Viewer)
	refresh := func(status int, token, address, device string) answer {
		t.Helper()
		return s.want(t, status, request{method: "POST", path: api + "/auth/refresh", body: map[string]string{"refresh_token": token}}.from(address, device))
	}
	for name, thief := range map[string]struct{ address, device string }{
		"from another network": {"203.0.113.9", "browser"},
		"from another device":  {"192.0.2.1", "script"},
	} {
		s.signIn(t, &p)
		next := refresh(200, p.refresh, "192.0.2.1", "browser")
		refresh(401, p.refresh, "192.0.2.200", "browser") // another tab, next door
		s.me(t, 200, next.text(t, "access_token"))
		refresh(401, p.refresh, thief.address, thief.device)
		s.me(t, 401, next.text(t, "access_token"))
		refresh(401, next.text(t, "refresh_token"), "192.0.2.1", "browser")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	// The thief comes first, and the owner finds out.
	s.signIn(t, &p)
	stolen := refresh(200, p.refresh, "203.0.113.9", "browser")
	refresh(401, p.refresh, "192.0.2.1", "browser")
	s.me(t, 401, stolen.text(t, "access_token"))

	if n := len(s.log.lines(t, "auth.refresh_token_replayed")); n != 3 {
		t.Errorf("%d replays are on record", n)
	}
	superseded := 0
	for _, line := range s.log.lines(t, "auth.refresh_refused") {
		if detail, _ := line["detail"].(map[string]any); detail["reason"] == "superseded_token" && line["subject_id"] == string(p.user.ID) {
			superseded++
		}
	}
	if superseded != 2 {
		t.Errorf("%d refusals within the grace are on record", superseded)
	}
}

// testDeadTokensOnRecord: ASVS 16.3.1.
func testDeadTokensOnRecord(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Viewer)
	s.refresh(t, 401, "nonsense")
	s.refresh(t, 400, p.access)
	s.want(t, 204, request{method: "POST", path: api + "/auth/logout", token: p.access})
	s.refresh(t, 401, p.refresh)
	twin := start(t, generous().with(onSQLite(t))) // the same key, but not the same sessions
	s.refresh(t, 401, twin.newPerson(t, newSlug(), access.Viewer).refresh)
	var reasons []string
	for _, line := range s.log.lines(t, "auth.refresh_refused") {
		detail, _ := line["detail"].(map[string]any)
		reasons = append(reasons, fmt.Sprint(line["severity"], " ", detail["reason"]))
	}
	want := "WARNING invalid_token, WARNING not_a_refresh_token, WARNING session_ended, WARNING unknown_session"
	if got := strings.Join(reasons, ", "); got != want {
		t.Errorf("on record: %s, want %s", got, want)
	}
}

// testTakenAddress: whoever has an account can't find out with it, without leaving a trace, which tenants exist.
func testTakenAddress(t *testing.T, on backend) {
	for mode, status := range map[string]int{"open": 409, "invite": 409, "closed": 403} {
		s := start(t, generous().with(on(t), settings{"REGISTRATION_MODE": mode}))
		existing, absent := newSlug(), newSlug()
		s.newPerson(t, existing, access.Viewer)
		p := s.newPerson(t, newSlug(), access.Viewer)
		var told [2]string
		for i, slug := range []string{existing, absent} {
			a := s.want(t, status, request{method: "POST", path: api + "/auth/register", body: map[string]string{
				"email": p.email, "password": password, "full_name": "Some Body", "tenant_slug": slug}})
			told[i] = strings.ReplaceAll(a.raw, a.text(t, "request_id"), "")
		}
		if told[0] != told[1] {
			t.Errorf("%s: an existing and an absent tenant are told apart:\n%s\n%s", mode, told[0], told[1])
		}
		if list, err := s.operator().Tenants.List(t.Context(), access.Operator()); err != nil || strings.Contains(fmt.Sprint(list), absent) {
			t.Errorf("%s: a tenant was made, %v", mode, err)
		}
	}
}

// testEmptyTenant: a tenant that the operator made is nobody's to take, also before anybody is in it.
func testEmptyTenant(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"REGISTRATION_MODE": "invite", "REGISTRATION_FOUNDER_ROLE": "admin"}))
	slug, err := tenant.ParseSlug(newSlug())
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.operator().Tenants.Create(t.Context(), access.Operator(), slug)
	if err != nil {
		t.Fatal(err)
	}
	a := s.want(t, http.StatusForbidden, request{method: "POST", path: api + "/auth/register", body: map[string]string{
		"email": uuid.NewString() + "@example.com", "password": password, "full_name": "Some Body", "tenant_slug": slug.String()}})
	if a.body["code"] != "invitation_required" {
		t.Errorf("a stranger was refused with %s", a.raw)
	}
	if p := s.newPerson(t, slug.String(), access.Admin); p.user.TenantID != made.ID {
		t.Error("the operator's user is in another tenant")
	}
	if lines := s.log.lines(t, "tenant.created"); len(lines) != 1 || lines[0]["tenant_id"] != string(made.ID) {
		t.Errorf("on record: %v", lines)
	}
}
