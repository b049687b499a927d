package bootstrap_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// testNoEnumeration: a failed sign-in does not show whether the account exists (ASVS 6.3.8).
func testNoEnumeration(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	slug := newSlug()
	active, inactive, admin := s.newPerson(t, slug, access.Viewer), s.newPerson(t, slug, access.Viewer), s.newPerson(t, slug, access.Admin)
	s.want(t, 204, request{method: "DELETE", path: api + "/users/" + string(inactive.user.ID), token: admin.access})
	var responses []string
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
		responses = append(responses, fmt.Sprint(a.header, strings.ReplaceAll(a.raw, a.text(t, "request_id"), "")))
	}
	for _, other := range responses[1:] {
		if other != responses[0] {
			t.Errorf("two refusals differ:\n%s\n%s", responses[0], other)
		}
	}
	if reasons := s.log.lines(t, "auth.sign_in_failed"); len(reasons) != len(responses) {
		t.Errorf("%d failures are recorded, want %d", len(reasons), len(responses))
	}
}

// testGuessing: attempts on an account are limited over all addresses, except those that it signed in from before, so that an
// attacker does not lock out the user (ASVS 6.3.1).
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
	attack("nobody-" + uuid.NewString() + "@example.com") // an unknown account is limited as well
	attempt(429, p.email, password, elsewhere)
	for range 5 {
		attempt(200, p.email, password, home)
		attempt(200, p.email, password, "2001:db8:0:1::2") // in the same network
	}
	for range 3 {
		attempt(401, p.email, "a guess", home)
	}
	attempt(429, p.email, password, home) // a known address has the same limit
	attempt(200, p.email, password, office)

	throttled := s.log.lines(t, "auth.sign_in_throttled")
	if len(throttled) != 17+17+1+1 || throttled[0]["subject_id"] != string(p.user.ID) || throttled[0]["severity"] != "WARNING" {
		t.Errorf("%d throttled attempts are recorded, the first as %v", len(throttled), throttled[0])
	}
}

// testAddressThrottled: a sign-in that the address's rate limit refuses is recorded (ASVS 16.3.1).
func testAddressThrottled(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"RATE_LIMIT_LOGIN": "2/minute"}))
	for _, status := range []int{401, 401, 429} {
		s.want(t, status, request{method: "POST", path: api + "/auth/login", body: credentials("nobody@example.com", "x")})
	}
	lines := s.log.lines(t, "auth.sign_in_throttled")
	if len(lines) != 1 || lines[0]["client_ip"] != "127.0.0.1" {
		t.Errorf("recorded: %v", lines)
	}
}
