package bootstrap_test

import (
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

func testHeaders(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"CORS_ORIGINS": "https://app.example.com", "ENVIRONMENT": "production", "HOST": "127.0.0.1"}))
	a := s.want(t, 401, request{method: "GET", path: api + "/auth/me", header: map[string]string{"X-Request-ID": "bad id\"", "Origin": "https://evil.example"}})
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
		"Cache-Control":             "no-store",
		"Strict-Transport-Security": "max-age=63072000; includeSubDomains", "Access-Control-Allow-Origin": "", "Server": "", "Set-Cookie": "",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := a.header.Get("X-Request-ID"); strings.Contains(got, "bad") {
		t.Errorf("X-Request-ID: %s", got)
	}
	a = s.send(t, request{method: "OPTIONS", path: api + "/auth/me", header: map[string]string{
		"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}})
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" || a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight: %d %v", a.status, a.header)
	}
}

// testCrossSite: a page of another site can't sign in, register or refresh with a form (ASVS 3.5.1, 3.5.2).
func testCrossSite(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"CORS_ORIGINS": "https://app.example.com", "RATE_LIMIT_REFRESH": "5/minute"}))
	p := s.newPerson(t, newSlug(), access.Analyst)
	const evil, ours, form = "https://evil.example", "https://app.example.com", "application/x-www-form-urlencoded"
	login := func(status int, header map[string]string) answer {
		t.Helper()
		return s.want(t, status, request{method: "POST", path: api + "/auth/login", body: credentials(p.email, password), header: header})
	}
	for _, header := range []map[string]string{
		{}, {"Content-Type": form}, // curl
		{"Origin": s.url}, {"Origin": s.url, "Sec-Fetch-Site": "same-origin"}, // the documentation page
		{"Sec-Fetch-Site": "none"},
		{"Origin": ours}, {"Origin": ours, "Sec-Fetch-Site": "cross-site"},
	} {
		login(200, header)
	}
	before := len(s.log.lines(t, "access.denied"))
	refused := []map[string]string{
		{"Origin": evil}, {"Origin": evil, "Content-Type": form}, {"Origin": "null", "Content-Type": form},
		{"Origin": evil, "Sec-Fetch-Site": "cross-site"}, {"Origin": evil, "Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site"},
		{"Origin": ours + ".evil.example"}, {"Origin": "http://app.example.com"},
		{"Origin": evil, "Authorization": "Basic YTpi"}, // browsers add it by themselves
	}
	for _, header := range refused {
		if a := login(403, header); a.body["code"] != "cross_site" || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v: %s", header, a.raw)
		}
	}
	denied := s.log.lines(t, "access.denied")[before:]
	if len(denied) != len(refused) || denied[0]["severity"] != "WARNING" {
		t.Errorf("%d refusals are recorded, want %d: %v", len(denied), len(refused), denied)
	}
	for range 5 { // counted against the rate limit
		s.want(t, 403, request{method: "POST", path: api + "/auth/refresh", body: map[string]string{"refresh_token": p.refresh}, header: refused[0]})
	}
	s.want(t, 429, request{method: "POST", path: api + "/auth/refresh", body: map[string]string{"refresh_token": p.refresh}})

	// A page of another site does not know a token, and can't send the header without a preflight.
	s.want(t, 200, request{method: "POST", path: api + "/analytics/query", token: p.access, body: `{}`, header: refused[0]})
	s.want(t, 401, request{method: "POST", path: api + "/analytics/query", body: `{}`, header: refused[0]})
	s.want(t, 200, request{method: "GET", path: "/health", header: refused[3]})
}
