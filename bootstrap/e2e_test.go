package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

func TestEndToEnd(t *testing.T) { endToEnd(t, onSQLite) }

// endToEnd runs the suite over real HTTP on a backend.
func endToEnd(t *testing.T, on backend) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, backend)
	}{
		{"walkthrough", testWalkthrough},
		{"matrix", testMatrix},
		{"absence is hidden", testAbsenceIsHidden},
		{"registration modes", testRegistrationModes},
		{"credentials do not tell who exists", testNoEnumeration},
		{"rotation", testRotation},
		{"concurrent refreshes", testConcurrentRefresh},
		{"absolute lifetime", testAbsoluteLifetime},
		{"sign out", testSignOut},
		{"guessing", testGuessing},
		{"session limit", testSessionLimit},
		{"registrations at once", testRegistrationsAtOnce},
		{"changes in a row", testChangesInARow},
		{"address throttled", testAddressThrottled},
		{"thief", testThief},
		{"grace", testGrace},
		{"dead tokens on record", testDeadTokensOnRecord},
		{"taken address", testTakenAddress},
		{"empty tenant", testEmptyTenant},
		{"changes count at once", testChangesCountAtOnce},
		{"password", testPassword},
		{"restart and other processes", testRestart},
		{"tokens", testTokens},
		{"role rules", testRoleRules},
		{"rate limits", testRateLimits},
		{"events", testEvents},
		{"events and their answers", testAnswers},
		{"idempotency", testIdempotency},
		{"export", testExport},
		{"bad input", testBadInput},
		{"read as the contract has it", testReadAsTheContractHasIt},
		{"look-alikes", testLookAlikes},
		{"malformed query", testMalformedQuery},
		{"cross-site", testCrossSite},
		{"open routes", testOpenRoutes},
		{"too large is counted", testTooLargeIsCounted},
		{"audit log", testAuditLog},
		{"headers", testHeaders},
		{"docs", testDocs},
	} {
		t.Run(test.name, func(t *testing.T) { t.Parallel(); test.run(t, on) })
	}
}

// testWalkthrough is the walkthrough of the README.
func testWalkthrough(t *testing.T, on backend) {
	s := start(t, settings{"JWT_SECRET_KEY": secret, "PORT": "0"}.with(on(t)))
	slug, email := newSlug(), uuid.NewString()+"@acme.com"
	account := map[string]string{"email": email, "password": password, "full_name": "Alice", "tenant_slug": slug}
	registered := s.want(t, 201, request{method: "POST", path: api + "/auth/register", body: account})
	profile, _ := registered.body["user"].(map[string]any)
	if profile["role"] != "viewer" || profile["email"] != email || profile["is_active"] != true {
		t.Errorf("registered %v", profile)
	}
	curl := map[string]string{"Content-Type": "application/x-www-form-urlencoded"} // what curl -d sends
	in := s.want(t, 200, request{method: "POST", path: api + "/auth/login", body: credentials(email, password), header: curl})
	if in.body["token_type"] != "bearer" || in.body["expires_in"] != 900.0 {
		t.Errorf("signed in with %s", in.raw)
	}
	token := in.text(t, "access_token")
	s.want(t, 200, request{method: "GET", path: api + "/analytics/metrics/summary", token: token})
	s.want(t, 403, request{method: "GET", path: api + "/users/", token: token})
	s.want(t, 403, request{method: "POST", path: api + "/analytics/query", token: token, body: `{"group_by":"event_type"}`, header: curl})
	old := in.text(t, "refresh_token")
	next := s.refresh(t, 200, old)
	s.refresh(t, 401, old)
	s.me(t, 200, next.text(t, "access_token"))
	s.want(t, 409, request{method: "POST", path: api + "/auth/register", body: account})
}

func testRegistrationModes(t *testing.T, on backend) {
	register := func(s *service, slug string) answer {
		return s.send(t, request{method: "POST", path: api + "/auth/register", body: map[string]string{
			"email": uuid.NewString() + "@example.com", "password": password, "full_name": "Some Body", "tenant_slug": slug,
		}})
	}
	for _, c := range []struct {
		mode, founder           string
		newTenant, existing     int
		code                    string
		founderRole, joinerRole string
	}{
		{"open", "viewer", 201, 201, "", "viewer", "viewer"},
		{"open", "admin", 201, 201, "", "admin", "viewer"},
		{"invite", "admin", 201, 403, "invitation_required", "admin", ""},
		{"closed", "viewer", 403, 403, "registration_closed", "", ""},
	} {
		s := start(t, generous().with(on(t), settings{"REGISTRATION_MODE": c.mode, "REGISTRATION_FOUNDER_ROLE": c.founder}))
		slug := newSlug()
		first := register(s, slug)
		if first.status != c.newTenant {
			t.Errorf("%s: a new tenant: %d %s", c.mode, first.status, first.raw)
		}
		if first.status == 201 && first.body["user"].(map[string]any)["role"] != c.founderRole {
			t.Errorf("%s: the founder is %s", c.mode, first.raw)
		}
		s.newPerson(t, slug, access.Viewer)
		second := register(s, slug)
		if second.status != c.existing || second.status == 403 && second.body["code"] != c.code {
			t.Errorf("%s: an existing tenant: %d %s", c.mode, second.status, second.raw)
		}
		if second.status == 201 && second.body["user"].(map[string]any)["role"] != c.joinerRole {
			t.Errorf("%s: who joins is %s", c.mode, second.raw)
		}
	}
}

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

// testTokens: RFC 8725, RFC 6750. What can be signed only with the key is tested beside the signer.
func testTokens(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Viewer)
	elsewhere := start(t, generous().with(onSQLite(t), settings{"JWT_SECRET_KEY": secret + " of another service"}))
	foreign := elsewhere.newPerson(t, newSlug(), access.SuperAdmin)
	twin := start(t, generous().with(onSQLite(t))) // the same key, but not the same users
	unknown := twin.newPerson(t, newSlug(), access.SuperAdmin)
	parts := strings.Split(p.access, ".")
	for name, token := range map[string]string{
		"of another key":   foreign.access,
		"of nobody":        unknown.access,
		"refresh":          p.refresh,
		"without its sign": parts[0] + "." + parts[1] + ".",
		"alg none":         "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"garbage":          "garbage",
		"NUL":              "a%00b",
		"10 KB":            strings.Repeat("a", 10_000),
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

func testRoleRules(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	slug := newSlug()
	super, admin, viewer := s.newPerson(t, slug, access.SuperAdmin), s.newPerson(t, slug, access.Admin), s.newPerson(t, slug, access.Viewer)
	peer := s.newPerson(t, slug, access.SuperAdmin)
	lonely := s.newPerson(t, newSlug(), access.Admin)
	set := func(by, target person, role string) answer {
		t.Helper()
		return s.send(t, request{method: "PUT", path: api + "/users/" + string(target.user.ID) + "/role", token: by.access, body: map[string]string{"role": role}})
	}
	end := func(by, target person) answer {
		t.Helper()
		return s.send(t, request{method: "DELETE", path: api + "/users/" + string(target.user.ID), token: by.access})
	}
	for _, c := range []struct {
		name   string
		got    answer
		status int
		code   string
	}{
		{"an admin gives super_admin", set(admin, viewer, "super_admin"), 403, "role_above_own"},
		{"an admin lowers a super_admin", set(admin, super, "viewer"), 403, "target_not_below"},
		{"a super_admin lowers a peer", set(super, peer, "viewer"), 403, "target_not_below"},
		{"an admin ends a super_admin", end(admin, super), 403, "target_not_below"},
		{"oneself", end(admin, admin), 400, "own_account"},
		{"the last admin lowers itself", set(lonely, lonely, "viewer"), 409, "last_admin"},
		{"a super_admin ends the last admin", end(super, lonely), 409, "last_admin"},
		{"an unknown role", set(admin, viewer, "root"), 422, "invalid_request"},
		{"no role", set(admin, viewer, ""), 422, "invalid_request"},
	} {
		if c.got.status != c.status || c.got.body["code"] != c.code {
			t.Errorf("%s: %d %s", c.name, c.got.status, c.got.raw)
		}
	}
	if a := set(super, viewer, "super_admin"); a.status != 200 {
		t.Errorf("a super_admin gives super_admin: %s", a.raw)
	}
	own := s.want(t, 200, request{method: "GET", path: api + "/users/" + string(admin.user.ID), token: admin.access})
	if own.body["email"] != admin.email {
		t.Errorf("oneself is %s", own.raw)
	}
	list := s.want(t, 200, request{method: "GET", path: api + "/users" + query("limit", "2", "skip", "1"), token: admin.access})
	if users, _ := list.body["users"].([]any); len(users) != 2 || list.body["count"] != 4.0 || list.body["tenant_id"] != string(admin.user.TenantID) {
		t.Errorf("a page of users is %s", list.raw)
	}
}

func testRateLimits(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{
		"RATE_LIMIT_VIEWER": "3/minute", "RATE_LIMIT_ANALYST": "5/minute", "RATE_LIMIT_EXPORT": "2/minute", "RATE_LIMIT_DEFAULT": "4/minute",
	}))
	slug := newSlug()
	viewer, neighbour, analyst := s.newPerson(t, slug, access.Viewer), s.newPerson(t, slug, access.Viewer), s.newPerson(t, slug, access.Analyst)

	// Forged tokens that name the viewer spend the address's requests and none of the viewer's.
	parts := strings.Split(viewer.access, ".")
	for range 4 {
		s.me(t, 401, parts[0]+"."+parts[1]+".AAAA")
	}
	a := s.me(t, 429, parts[0]+"."+parts[1]+".AAAA")
	if a.body["code"] != "rate_limited" || a.header.Get("Retry-After") == "" {
		t.Errorf("too many requests: %s", a.raw)
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
	for range 5 { // counted apart
		s.me(t, 200, analyst.access)
	}
	s.me(t, 429, analyst.access)
	for range 40 { // not counted at all
		s.want(t, 200, request{method: "GET", path: "/health/live"})
	}
}

func testEvents(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	now := s.clock.Now()
	post := func(body map[string]any) answer {
		t.Helper()
		return s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: p.access, body: body})
	}
	full := post(map[string]any{"event_type": "view", "user_identifier": "u1", "session_id": "s", "value": 1.5, "source": "web",
		"occurred_at": now.Add(-48 * time.Hour).In(time.FixedZone("", 3600)).Format(time.RFC3339Nano)})
	if full.body["tenant_id"] != string(p.user.TenantID) || full.body["value"] != 1.5 ||
		full.body["occurred_at"] != now.Add(-48*time.Hour).Format(time.RFC3339Nano) {
		t.Errorf("stored %s", full.raw)
	}
	least := post(map[string]any{"event_type": "click", "user_identifier": "u2", "value": nil})
	if v, given := least.body["session_id"]; !given || v != nil {
		t.Errorf("an absent part is not null: %s", least.raw)
	}
	post(map[string]any{"event_type": "view", "user_identifier": "u2", "occurred_at": now.AddDate(0, 0, -20).Format(time.RFC3339)})

	list := s.want(t, 200, request{method: "GET", path: api + "/analytics/events" + query("limit", "2"), token: p.access})
	var events []map[string]any
	if err := json.Unmarshal([]byte(list.raw), &events); err != nil || len(events) != 2 || events[0]["event_type"] != "click" || events[1]["id"] != full.body["id"] {
		t.Errorf("the newest are %s", list.raw)
	}
	s.clock.Advance(time.Second) // a window ends before now
	for period, want := range map[string]string{
		"?period=7d": `[{"count":1,"event_type":"click"},{"count":1,"event_type":"view"}] 2 2`,
		"":           `[{"count":2,"event_type":"view"},{"count":1,"event_type":"click"}] 3 2`,
	} {
		a := s.want(t, 200, request{method: "GET", path: api + "/analytics/metrics/summary" + period, token: p.access})
		top, err := json.Marshal(a.body["top_event_types"])
		if got := fmt.Sprint(string(top), " ", a.body["total_events"], " ", a.body["unique_users"]); err != nil || got != want {
			t.Errorf("the summary %s is %s, want %s", period, got, want)
		}
	}
	for body, want := range map[string]string{
		`{}`:                    `[{"avg_value":1.5,"count":2,"event_type":"view"},{"avg_value":null,"count":1,"event_type":"click"}]`,
		`{"group_by":"source"}`: `[{"avg_value":null,"count":2,"source":null},{"avg_value":1.5,"count":1,"source":"web"}]`,
		`{"group_by":"day","event_type":"click"}`:                                            fmt.Sprintf(`[{"avg_value":null,"count":1,"day":%q}]`, now.Format(time.DateOnly)),
		`{"event_type":null,"start_date":null,"end_date":null,"group_by":null,"limit":null}`: `[{"avg_value":1.5,"count":2,"event_type":"view"},{"avg_value":null,"count":1,"event_type":"click"}]`,
		`{"limit":1}`: `[{"avg_value":1.5,"count":2,"event_type":"view"}]`,
		`{"end_date":"` + now.AddDate(0, 0, -1).Format(time.DateOnly) + `"}`:                          `[{"avg_value":1.5,"count":2,"event_type":"view"}]`,
		`{"start_date":"0001-01-01","end_date":"9999-12-31","event_type":"none","group_by":"source"}`: `[]`,
	} {
		a := s.want(t, 200, request{method: "POST", path: api + "/analytics/query", token: p.access, body: body})
		rows, err := json.Marshal(a.body["results"])
		if err != nil || string(rows) != want {
			t.Errorf("%s: %s, want %s", body, rows, want)
		}
	}
}

func testIdempotency(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p, other := s.newPerson(t, newSlug(), access.Analyst), s.newPerson(t, newSlug(), access.Analyst)
	post := func(status int, by person, key string, body map[string]any) answer {
		t.Helper()
		return s.want(t, status, request{method: "POST", path: api + "/analytics/events", token: by.access, body: body, header: map[string]string{"Idempotency-Key": key}})
	}
	view := map[string]any{"event_type": "view", "user_identifier": "u"}
	first := post(201, p, "order 66", view)
	s.clock.Advance(time.Minute)
	again := post(201, p, "order 66", view)
	if first.raw != again.raw || again.header.Get("Idempotency-Key") != "order 66" {
		t.Errorf("the repetition is another:\n%s%s", first.raw, again.raw)
	}
	a := post(422, p, "order 66", map[string]any{"event_type": "click", "user_identifier": "u"})
	if a.body["code"] != "idempotency_key_reused" {
		t.Errorf("another event under the key: %s", a.raw)
	}
	if foreign := post(201, other, "order 66", view); foreign.body["id"] == first.body["id"] {
		t.Error("two tenants share an event")
	}
	made := s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: p.access, body: view}).header.Get("Idempotency-Key")
	if made == "" {
		t.Error("no key was made")
	}
	post(201, p, made, view)
	list := s.want(t, 200, request{method: "GET", path: api + "/analytics/events", token: p.access})
	if n := strings.Count(list.raw, `"id"`); n != 2 {
		t.Errorf("%d events are stored, want 2", n)
	}
	post(422, p, strings.Repeat("k", 256), view)
	post(422, p, "schlüssel", view)
}

func testExport(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	stranger := s.newPerson(t, newSlug(), access.Analyst)
	export := request{method: "GET", path: api + "/analytics/export", token: p.access}
	if a := s.want(t, 200, export); a.raw != "" {
		t.Errorf("nothing is exported as %q", a.raw)
	}
	const many = 1200 // more than one piece
	for i := range many {
		by := p
		if i%100 == 99 {
			by = stranger
		}
		s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: by.access, body: map[string]any{
			"event_type": "view", "user_identifier": "=cmd()\"\n"[:6], "occurred_at": s.clock.Now().Add(-time.Duration(i) * time.Second).Format(time.RFC3339Nano)}})
	}
	a := s.want(t, 200, export)
	if got := a.header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; filename=") {
		t.Errorf("Content-Disposition: %s", got)
	}
	last, n := "", 0
	for line := range strings.Lines(a.raw) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if _, shows := e["tenant_id"]; shows || len(e) != 7 {
			t.Fatalf("a line is %s", line)
		}
		at, err := time.Parse(time.RFC3339, e["occurred_at"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if order := at.Format("2006-01-02T15:04:05.000000Z"); order < last {
			t.Fatal("the lines are not in order of time")
		} else {
			last = order
		}
		n++
	}
	if want := many - many/100; n != want {
		t.Errorf("%d lines, want %d", n, want)
	}
	entries := s.log.lines(t, "analytics.exported")
	if len(entries) != 2 || entries[0]["severity"] != "WARNING" || entries[0]["user_id"] != string(p.user.ID) {
		t.Errorf("on record: %v", entries)
	}
}

func testBadInput(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	slug := newSlug()
	p := s.newPerson(t, slug, access.Admin)
	account := func(edit func(map[string]any)) string {
		m := map[string]any{"email": uuid.NewString() + "@example.com", "password": password, "full_name": "Some Body", "tenant_slug": newSlug()}
		edit(m)
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	set := func(name string, value any) string { return account(func(m map[string]any) { m[name] = value }) }
	const register, login, events, ask = "/auth/register", "/auth/login", "/analytics/events", "/analytics/query"
	view := func(rest string) string { return `{"event_type":"view","user_identifier":"u"` + rest + `}` }
	nowhere := uuid.NewString()
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		field                    string
	}{
		{"empty body", "POST", register, "", 400, "body"},
		{"spaces", "POST", register, "  \n", 400, "body"},
		{"not JSON", "POST", register, "email=a", 400, "body"},
		{"cut off", "POST", register, `{"email":"a`, 400, "body"},
		{"two values", "POST", login, `{"email":"a@b.cd","password":"x"}{}`, 400, "body"},
		{"an array", "POST", register, `[]`, 422, "body"},
		{"null", "POST", login, `null`, 422, "body"},
		{"wrong type", "POST", login, `{"email":7,"password":"x"}`, 422, "email"},
		{"unknown field", "POST", login, `{"email":"a@b.cd","password":"x","remember":true}`, 422, "remember"},
		{"server's field", "POST", register, set("role", "super_admin"), 422, "role"},
		{"server's id", "POST", events, view(`,"tenant_id":"` + nowhere + `"`), 422, "tenant_id"},
		{"key twice", "POST", login, `{"email":"a@b.cd","email":"c@d.ef","password":"x"}`, 400, "email"},
		{"key in capitals", "POST", login, `{"EMAIL":"a@b.cd","password":"x"}`, 422, "EMAIL"},
		{"10 MB", "POST", login, `{"email":"` + strings.Repeat("a", 10<<20) + `"}`, 413, ""},
		{"deep nesting", "POST", ask, strings.Repeat(`{"a":`, 100_000), 422, "a"},
		{"NUL in JSON", "POST", register, "{\"email\":\"a\x00\"}", 400, "body"},
		{"NUL in a name", "POST", register, set("full_name", "a\x00b"), 422, "full_name"},
		{"NUL in a type", "POST", events, `{"event_type":"\u0000","user_identifier":"u"}`, 422, "event_type"},
		{"invalid UTF-8", "POST", register, "{\"email\":\"\xff\xfe\"}", 400, "body"},
		{"lone surrogate", "POST", events, `{"event_type":"\ud800","user_identifier":"u"}`, 400, "body"},
		{"no e-mail", "POST", register, set("email", "alice"), 422, "email"},
		{"e-mail with spaces", "POST", register, set("email", "a b@example.com"), 422, "email"},
		{"slug with dots", "POST", register, set("tenant_slug", "acme.com"), 422, "tenant_slug"},
		{"short name", "POST", register, set("full_name", "A"), 422, "full_name"},
		{"long name", "POST", register, set("full_name", strings.Repeat("é", 151)), 422, "full_name"},
		{"newline in a name", "POST", register, set("full_name", "a\nb"), 422, "full_name"},
		{"short password", "POST", register, set("password", "Short1!"), 422, "password"},
		{"common password", "POST", register, set("password", "Password123"), 422, "password"},
		{"long password", "POST", register, set("password", strings.Repeat("a", 129)), 422, "password"},
		{"no password", "POST", login, `{"email":"a@b.cd"}`, 422, "password"},
		{"no type", "POST", events, `{"user_identifier":"u"}`, 422, "event_type"},
		{"1e400", "POST", events, view(`,"value":1e400`), 422, "value"},
		{"1e300", "POST", events, view(`,"value":1e300`), 422, "value"},
		{"NaN", "POST", events, view(`,"value":NaN`), 400, "body"},
		{"value in quotes", "POST", events, view(`,"value":"1"`), 422, "value"},
		{"year 9999", "POST", events, view(`,"occurred_at":"9999-12-31T23:59:59Z"`), 422, "occurred_at"},
		{"year 1", "POST", events, view(`,"occurred_at":"0001-01-01T00:00:00Z"`), 422, "occurred_at"},
		{"no time", "POST", events, view(`,"occurred_at":"yesterday"`), 422, "occurred_at"},
		{"limit -1", "GET", "/users?limit=-1", "", 422, "limit"},
		{"limit 0", "GET", "/users?limit=0", "", 422, "limit"},
		{"limit 201", "GET", "/users?limit=201", "", 422, "limit"},
		{"limit 1001", "GET", events + "?limit=1001", "", 422, "limit"},
		{"limit is no number", "GET", "/users?limit=ten", "", 422, "limit"},
		{"limit is huge", "GET", "/users?limit=99999999999999999999", "", 422, "limit"},
		{"limit twice", "GET", "/users?limit=1&limit=2", "", 422, "limit"},
		{"skip 10^12", "GET", events + "?skip=1000000000000", "", 422, "skip"},
		{"NUL in a parameter", "GET", events + "?event_type=%00", "", 422, "event_type"},
		{"invalid UTF-8 in a parameter", "GET", events + "?event_type=%ff", "", 422, "event_type"},
		{"empty type in a parameter", "GET", events + "?event_type=", "", 422, "event_type"},
		{"empty period", "GET", "/analytics/metrics/summary?period=", "", 422, "period"},
		{"unknown period", "GET", "/analytics/metrics/summary?period=1y", "", 422, "period"},
		{"tenant is no UUID", "GET", "/users?tenant_id=acme", "", 422, "tenant_id"},
		{"id is no UUID", "GET", "/users/7", "", 422, "id"},
		{"id is SQL", "DELETE", "/users/'%20OR%201=1--", "", 422, "id"},
		{"role is no role", "PUT", "/users/" + nowhere + "/role", `{"role":"root"}`, 422, "role"},
		{"group by the tenant", "POST", ask, `{"group_by":"tenant_id"}`, 422, "group_by"},
		{"limit is a text", "POST", ask, `{"limit":"1"}`, 422, "limit"},
		{"limit is a fraction", "POST", ask, `{"limit":1.5}`, 422, "limit"},
		{"limit 10001", "POST", ask, `{"limit":10001}`, 422, "limit"},
		{"empty type", "POST", ask, `{"event_type":""}`, 422, "event_type"},
		{"empty start", "POST", ask, `{"start_date":""}`, 422, "start_date"},
		{"empty end", "POST", ask, `{"end_date":""}`, 422, "end_date"},
		{"empty dimension", "POST", ask, `{"group_by":""}`, 422, "group_by"},
		{"no date", "POST", ask, `{"start_date":"2026-13-01"}`, 422, "start_date"},
		{"end before start", "POST", ask, `{"start_date":"2026-02-01","end_date":"2026-01-01"}`, 422, "end_date"},
		{"no route", "GET", "/nothing", "", 404, ""},
		{"no method", "PATCH", "/users", "", 405, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request{method: c.method, path: api + c.path, token: p.access}
			if c.method != "GET" {
				r.body = c.body
			}
			a := s.want(t, c.status, r)
			if a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("Content-Type: %s", a.header.Get("Content-Type"))
			}
			if c.field != "" && !slices.Contains(a.fields(), c.field) {
				t.Errorf("%s is not blamed: %s", c.field, a.raw)
			}
			if c.status == 405 && a.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
	for contentType, status := range map[string]int{
		"application/json": 401, "application/json; charset=UTF-8": 401, "application/x-www-form-urlencoded": 401,
		"text/plain": 415, "application/xml": 415, "multipart/form-data; boundary=x": 415, "application/json; charset=latin1": 415, "nonsense;;": 415,
	} {
		s.want(t, status, request{method: "POST", path: api + login, body: credentials("a@example.com", "x"), header: map[string]string{"Content-Type": contentType}})
	}
	a := s.want(t, 422, request{method: "POST", path: api + register, body: `{}`})
	if got := a.fields(); !slices.Equal(got, []string{"email", "tenant_slug", "full_name", "password"}) {
		t.Errorf("all that is wrong is told at once: %v", got)
	}
	s.want(t, 201, request{method: "POST", path: api + register, body: set("email", "  "+strings.ToUpper(uuid.NewString())+"@Example.COM ")})
}

func testAuditLog(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"LOG_LEVEL": "error"}))
	p := s.newPerson(t, newSlug(), access.Viewer)
	before := len(s.log.lines(t, "http.request"))
	s.want(t, 200, request{method: "GET", path: api + "/auth/me/?secret=x", token: p.access, header: map[string]string{
		"X-Request-ID": "my-id.1", "User-Agent": "evil\t\"}\\u000a{\"event\":\"fake\"}"}})
	s.want(t, 403, request{method: "GET", path: api + "/users", token: p.access})
	s.want(t, 200, request{method: "GET", path: "/health"})
	s.want(t, 200, request{method: "GET", path: "/docs"})
	lines := s.log.lines(t, "http.request")[before:]
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2: health and docs are left out", len(lines))
	}
	want := []string{"client_ip", "duration_ms", "event", "method", "path", "request_id", "severity", "status_code", "tenant_id", "timestamp", "user_agent", "user_id", "user_role"}
	var got []string
	for name := range lines[0] {
		got = append(got, name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the fields are %v, want %v", got, want)
	}
	for name, value := range map[string]any{
		"severity": "INFO", "request_id": "my-id.1", "method": "GET", "path": api + "/auth/me", "status_code": 200.0,
		"tenant_id": string(p.user.TenantID), "user_id": string(p.user.ID), "user_role": "viewer", "client_ip": "127.0.0.1",
	} {
		if lines[0][name] != value {
			t.Errorf("%s is %v, want %v", name, lines[0][name], value)
		}
	}
	if stamp := fmt.Sprint(lines[0]["timestamp"]); !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(stamp) {
		t.Errorf("timestamp is %s", stamp)
	}
	if lines[1]["severity"] != "WARNING" {
		t.Errorf("a refusal is %v", lines[1]["severity"])
	}
	if denied := s.log.lines(t, "access.denied"); len(denied) != 1 || denied[0]["user_id"] != string(p.user.ID) {
		t.Errorf("refusals on record: %v", denied)
	}
}

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

func testDocs(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	page := s.want(t, 200, request{method: "GET", path: "/docs"})
	if got := page.header.Get("Content-Security-Policy"); !strings.Contains(got, "script-src 'self';") || strings.Contains(got, "unsafe") {
		t.Errorf("the policy of the page is %s", got)
	}
	for _, path := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.raw, -1) {
		if !strings.HasPrefix(path[1], "/") {
			t.Errorf("the page loads %s from elsewhere", path[1])
			continue
		}
		s.want(t, 200, request{method: "GET", path: path[1]})
	}
	document := s.want(t, 200, request{method: "GET", path: "/openapi.json"})
	if document.body["openapi"] != "3.0.3" {
		t.Errorf("the contract begins %.80s", document.raw)
	}
	for _, path := range []string{"/health", "/health/live", "/health/ready", "/health/ready/", api + "/health/ready", api + "/docs/"} {
		s.want(t, 200, request{method: "GET", path: path})
	}
}
