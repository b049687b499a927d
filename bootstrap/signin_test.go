package bootstrap_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// testNoEnumeration: ASVS 6.3.8.
func testNoEnumeration(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	slug := newSlug()
	active, inactive, admin := s.newPerson(t, slug, access.Viewer), s.newPerson(t, slug, access.Viewer), s.newPerson(t, slug, access.Admin)
	s.want(t, 204, request{method: "DELETE", path: api + "/users/" + string(inactive.user.ID), token: admin.access})
	var told []string
	for _, c := range []map[string]string{
		credentials("nobody-"+uuid.NewString()+"@example.com", password),
		credentials(active.email, password+"x"),
		credentials(inactive.email, password),
		credentials(strings.ToUpper(active.email), "x"),
	} {
		a := s.want(t, 401, request{method: "POST", path: api + "/auth/login", body: c})
		for _, varies := range []string{"Date", "X-Request-Id", "X-Ratelimit-Remaining", "Ratelimit", "X-Ratelimit-Reset"} {
			a.header.Del(varies)
		}
		told = append(told, fmt.Sprint(a.header, strings.ReplaceAll(a.raw, a.text(t, "request_id"), "")))
	}
	for _, other := range told[1:] {
		if other != told[0] {
			t.Errorf("two refusals differ:\n%s\n%s", told[0], other)
		}
	}
	if reasons := s.log.lines(t, "auth.sign_in_failed"); len(reasons) != len(told) {
		t.Errorf("%d failures are on the log, want %d", len(reasons), len(told))
	}
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
