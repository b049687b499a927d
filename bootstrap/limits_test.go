package bootstrap_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// TestUnlimited: without limits no request is refused, and no response has a rate limit header.
func TestUnlimited(t *testing.T) {
	s := generous()
	for name := range s {
		if strings.HasPrefix(name, "RATE_LIMIT_") {
			s[name] = "unlimited"
		}
	}
	running := start(t, s.with(onSQLite(t)))
	p := running.newPerson(t, newSlug(), access.Analyst)
	running.signIn(t, &p)
	running.refresh(t, 200, p.refresh)
	running.signIn(t, &p)
	for _, a := range []answer{
		running.me(t, 200, p.access), running.me(t, 401, "no token"),
		running.want(t, 404, request{method: "GET", path: api + "/nowhere"}),
		running.want(t, 200, request{method: "GET", path: api + "/analytics/export", token: p.access}),
	} {
		for _, name := range slices.Sorted(maps.Keys(a.header)) {
			if strings.Contains(strings.ToLower(name), "ratelimit") {
				t.Errorf("a response has %s: %s", name, a.header.Get(name))
			}
		}
	}
}

func testRateLimits(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{
		"RATE_LIMIT_VIEWER": "3/minute", "RATE_LIMIT_ANALYST": "5/minute", "RATE_LIMIT_EXPORT": "2/minute", "RATE_LIMIT_DEFAULT": "4/minute",
	}))
	slug := newSlug()
	viewer, neighbour, analyst := s.newPerson(t, slug, access.Viewer), s.newPerson(t, slug, access.Viewer), s.newPerson(t, slug, access.Analyst)

	// Forged tokens that name the viewer count against the address and not against the viewer.
	parts := strings.Split(viewer.access, ".")
	for range 4 {
		s.me(t, 401, parts[0]+"."+parts[1]+".AAAA")
	}
	a := s.me(t, 429, parts[0]+"."+parts[1]+".AAAA")
	if wait := a.header.Get("Retry-After"); a.body["code"] != "rate_limited" || wait == "" || a.body["detail"] != "Too many requests; the limit is 4/minute. Try again in "+wait+" s." {
		t.Errorf("too many requests: %v %s", a.header, a.raw)
	}
	s.want(t, 429, request{method: "GET", path: api + "/nowhere"})

	for left := 2; left >= 0; left-- {
		a := s.me(t, 200, viewer.access)
		if a.header.Get("X-RateLimit-Limit") != "3" || a.header.Get("X-RateLimit-Remaining") != fmt.Sprint(left) ||
			a.header.Get("RateLimit-Policy") != `"viewer";q=3;w=60` || !strings.HasPrefix(a.header.Get("RateLimit"), fmt.Sprintf(`"viewer";r=%d;t=`, left)) {
			t.Errorf("with %d left: %v", left, a.header)
		}
	}
	s.me(t, 429, viewer.access)
	s.me(t, 200, neighbour.access)

	export := request{method: "GET", path: api + "/analytics/export", token: analyst.access}
	for range 2 {
		s.want(t, 200, export)
	}
	s.want(t, 429, export)
	for range 5 { // a separate limit
		s.me(t, 200, analyst.access)
	}
	s.me(t, 429, analyst.access)
	for range 40 { // not counted at all
		s.want(t, 200, request{method: "GET", path: "/health/live"})
	}
}

// testTooLargeCounted: a request whose body is too large counts against the rate limit.
func testTooLargeCounted(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"RATE_LIMIT_ANALYST": "2/minute", "RATE_LIMIT_LOGIN": "3/minute", "RATE_LIMIT_DEFAULT": "1/minute"}))
	p := s.newPerson(t, newSlug(), access.Analyst) // uses one sign-in
	tooLarge := `{"event_type":"` + strings.Repeat("a", 2<<20) + `"}`
	login := request{method: "POST", path: api + "/auth/login", body: tooLarge}
	ingest := request{method: "POST", path: api + "/analytics/events", token: p.access, body: tooLarge}
	for _, r := range []request{login, ingest} {
		for range 2 {
			s.want(t, 413, r)
		}
		s.want(t, 429, r)
	}
	ingest.token = ""
	s.want(t, 401, ingest)
	s.want(t, 429, ingest)
}
