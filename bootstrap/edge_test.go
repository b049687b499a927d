package bootstrap_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// testReadAsTheContractHasIt: numbers, times, objects and queries are read as JSON, RFC 3339 and the URL standard have them.
func testReadAsTheContractHasIt(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	ask := func(body string) request {
		return request{method: "POST", path: api + "/analytics/query", token: p.access, body: body}
	}
	report := func(occurredAt string) request {
		return request{method: "POST", path: api + "/analytics/events", token: p.access,
			body: map[string]any{"event_type": "view", "user_identifier": "u", "occurred_at": occurredAt}}
	}
	for limit, want := range map[string]float64{"1.0": 1, "1e2": 100, "10000.00": 10_000} {
		a := s.want(t, 200, ask(`{"limit":`+limit+`}`))
		if echo, _ := a.body["query"].(map[string]any); echo["limit"] != want {
			t.Errorf("a limit of %s is taken as %s", limit, a.raw)
		}
	}
	s.want(t, 200, ask(`{"start_date":"2026-01-01t00:00:00z","end_date":"2026-01-02T00:00:00.5+23:59"}`))
	s.want(t, 201, report("2026-01-01T00:00:00.123456789+05:30"))
	for _, c := range []struct {
		name  string
		r     request
		field string
	}{
		{"null for a question", ask(`null`), "body"},
		{"null for a refresh", request{method: "POST", path: api + "/auth/refresh", body: `null`}, "body"},
		{"a comma in a time", report("2026-01-01T00:00:00,5Z"), "occurred_at"},
		{"a one-digit hour", report("2026-01-01T1:00:00Z"), "occurred_at"},
		{"an offset of a day", report("2026-01-01T00:00:00+24:00"), "occurred_at"},
		{"a leap second", report("2016-12-31T23:59:60Z"), "occurred_at"},
		{"a comma in a date", ask(`{"start_date":"2026-01-01T00:00:00,5Z"}`), "start_date"},
		{"a leap second as date", ask(`{"end_date":"2016-12-31T23:59:60Z"}`), "end_date"},
	} {
		if a := s.want(t, 422, c.r); !slices.Equal(a.fields(), []string{c.field}) {
			t.Errorf("%s: %s", c.name, a.raw)
		}
	}
}

// testLookAlikes: no letter of Unicode folds into an address or a slug of ASCII, and no name hides what it is.
func testLookAlikes(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	slug, local := "k"+newSlug(), "k"+uuid.NewString()
	account := func(email, slug, name string) request {
		return request{method: "POST", path: api + "/auth/register",
			body: map[string]string{"email": email, "password": password, "full_name": name, "tenant_slug": slug}}
	}
	const persian = "علی\u200cرضا"
	a := s.want(t, 201, account(strings.ToUpper(local)+"@Example.COM", strings.ToUpper(slug), persian))
	if profile, _ := a.body["user"].(map[string]any); profile["email"] != local+"@example.com" || profile["full_name"] != persian {
		t.Errorf("registered %s", a.raw)
	}
	for _, c := range []struct {
		r     request
		field string
	}{
		{account("\u212a"+local[1:]+"@example.com", newSlug(), "Some Body"), "email"},
		{account("i"+local+"@example.com\u00a0", newSlug(), "Some Body"), "email"},
		{account("x"+local+"@example.com", "\u212a"+slug[1:], "Some Body"), "tenant_slug"},
		{account("x"+local+"@example.com", newSlug(), "\u200b\u200b"), "full_name"},
		{account("x"+local+"@example.com", newSlug(), "\u202eecilA"), "full_name"},
	} {
		if a := s.want(t, 422, c.r); !slices.Equal(a.fields(), []string{c.field}) {
			t.Errorf("%v: %s", c.r.body, a.raw)
		}
	}
	s.want(t, 422, request{method: "POST", path: api + "/auth/login", body: credentials("\u212a"+local[1:]+"@example.com", password)})
}

// testMalformedQuery: a parameter that can't be read is not lost in silence, or a super_admin would act in another
// tenant than named. Such requests are counted as any other.
func testMalformedQuery(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"RATE_LIMIT_SUPER_ADMIN": "20/minute"}))
	super := s.newPerson(t, newSlug(), access.SuperAdmin)
	other := string(s.newPerson(t, newSlug(), access.Viewer).user.TenantID)
	malformed := []string{"?tenant_id=" + other + "%zz", "?tenant_id=" + other + ";limit=1", "?%=1&tenant_id=" + other, "?tenant_id=" + other + "&x=%f"}
	left := ""
	for _, q := range malformed {
		for _, path := range []string{"/users", "/analytics/metrics/summary"} {
			a := s.want(t, 400, request{method: "GET", path: api + path + q, token: super.access})
			if a.body["code"] != "malformed_query" {
				t.Errorf("%s%s: %s", path, q, a.raw)
			}
			left = a.header.Get("X-RateLimit-Remaining")
		}
	}
	if want := fmt.Sprint(20 - 2*len(malformed)); left != want {
		t.Errorf("%s requests are left, want %s", left, want)
	}
	s.want(t, 401, request{method: "GET", path: api + "/users?tenant_id=%zz"}) // who asks comes first
	s.want(t, 422, request{method: "GET", path: api + "/users?tenant_id=" + other + "&tenant_id=" + other, token: super.access})
	s.want(t, 200, request{method: "GET", path: api + "/users" + query("tenant_id", other, "unknown", "a;b%"), token: super.access})
}

// testCrossSite: another site's page can't sign in, register or refresh by a form (ASVS 3.5.1, 3.5.2).
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
		{"Origin": s.url}, {"Origin": s.url, "Sec-Fetch-Site": "same-origin"}, // the documentation's page
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
		{"Origin": evil, "Authorization": "Basic YTpi"}, // which browsers add by themselves
	}
	for _, header := range refused {
		if a := login(403, header); a.body["code"] != "cross_site" || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v: %s", header, a.raw)
		}
	}
	denied := s.log.lines(t, "access.denied")[before:]
	if len(denied) != len(refused) || denied[0]["severity"] != "WARNING" {
		t.Errorf("%d refusals are on record, want %d: %v", len(denied), len(refused), denied)
	}
	for range 5 { // counted
		s.want(t, 403, request{method: "POST", path: api + "/auth/refresh", body: map[string]string{"refresh_token": p.refresh}, header: refused[0]})
	}
	s.want(t, 429, request{method: "POST", path: api + "/auth/refresh", body: map[string]string{"refresh_token": p.refresh}})

	// A page can't know a token, and can't send the header without being asked about it first.
	s.want(t, 200, request{method: "POST", path: api + "/analytics/query", token: p.access, body: `{}`, header: refused[0]})
	s.want(t, 401, request{method: "POST", path: api + "/analytics/query", body: `{}`, header: refused[0]})
	s.want(t, 200, request{method: "GET", path: "/health", header: refused[3]})
}

// testOpenRoutes: health and documentation alone are free of limit and log, by their exact names and methods; what
// only looks like them is answered, counted and logged as any other request.
func testOpenRoutes(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"RATE_LIMIT_DEFAULT": "100/minute"}))
	open := []string{
		"/health", "/health/live", "/health/ready", "/health/", "/openapi.json", "/docs", "/docs/", "/docs/start.js",
		"/docs/assets/swagger-ui.css", "/docs/assets/swagger-ui-bundle.js", "/docs/assets/favicon-32x32.png",
	}
	for _, path := range open {
		for _, prefix := range []string{"", api} {
			a := s.want(t, 200, request{method: "GET", path: prefix + path})
			if a.header.Get("RateLimit") != "" {
				t.Errorf("%s%s is limited", prefix, path)
			}
		}
	}
	if lines := s.log.lines(t, "http.request"); len(lines) != 0 {
		t.Errorf("on the log: %v", lines)
	}
	closed := []struct {
		method, path string
		status       int
	}{
		{"GET", "/docs/assets/nope", 404}, {"GET", "/docs/assets/", 404}, {"GET", "/docs/assets/index.html", 404},
		{"GET", "/docs/assets/swagger-ui.css.gz", 404}, {"GET", "/docs/nope", 404}, {"GET", "/health/nope", 404},
		{"GET", "/docs/assets/..%2fstart.js", 404}, {"GET", "/openapi.json/x", 404}, {"GET", "/healthy", 404},
		{"POST", "/docs", 405}, {"POST", "/health", 405}, {"PUT", "/health/live", 405}, {"DELETE", "/openapi.json", 405},
		{"POST", "/docs/start.js", 405}, {"POST", "/docs/assets/swagger-ui.css", 405}, {"PATCH", "/docs/", 405},
	}
	for i, c := range closed {
		a := s.want(t, c.status, request{method: c.method, path: c.path})
		allow := a.header.Get("Allow")
		if a.header.Get("Content-Type") != "application/problem+json" || a.body["status"] != float64(c.status) ||
			a.header.Get("Cache-Control") != "no-store" || strings.Contains(allow, http.MethodGet) != (c.status == 405) {
			t.Errorf("%s %s: %v %s", c.method, c.path, a.header, a.raw)
		}
		if got, want := a.header.Get("X-RateLimit-Remaining"), fmt.Sprint(99-i); got != want {
			t.Errorf("%s %s: %q requests are left, want %s", c.method, c.path, got, want)
		}
	}
	if lines := s.log.lines(t, "http.request"); len(lines) != len(closed) {
		t.Errorf("%d lines on the log, want %d", len(lines), len(closed))
	}
}

// testTooLargeIsCounted: a body too large spends the sender's rate, so that it can't be sent without end.
func testTooLargeIsCounted(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"RATE_LIMIT_ANALYST": "2/minute", "RATE_LIMIT_LOGIN": "3/minute", "RATE_LIMIT_DEFAULT": "1/minute"}))
	p := s.newPerson(t, newSlug(), access.Analyst) // spends one sign-in
	tooLarge := `{"event_type":"` + strings.Repeat("a", 2<<20) + `"}`
	login := request{method: "POST", path: api + "/auth/login", body: tooLarge}
	report := request{method: "POST", path: api + "/analytics/events", token: p.access, body: tooLarge}
	for _, r := range []request{login, report} {
		for range 2 {
			s.want(t, 413, r)
		}
		s.want(t, 429, r)
	}
	report.token = ""
	s.want(t, 401, report)
	s.want(t, 429, report)
}
