package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

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
	const register, login, events, analyticsQuery, series = "/auth/register", "/auth/login", "/analytics/events", "/analytics/query", "/analytics/timeseries"
	view := func(rest string) string { return `{"event_type":"view","user_identifier":"u"` + rest + `}` }
	unknownID := uuid.NewString()
	var members []string
	for i := range 50_000 {
		members = append(members, fmt.Sprintf(`"f%d":0`, i))
	}
	unknown := "{" + strings.Join(members, ",") + "}"
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		field                    string
	}{
		{"empty body", "POST", register, "", 400, "body"},
		{"spaces", "POST", register, "  \n", 400, "body"},
		{"not JSON", "POST", register, "email=a", 400, "body"},
		{"truncated", "POST", register, `{"email":"a`, 400, "body"},
		{"two values", "POST", login, `{"email":"a@b.cd","password":"x"}{}`, 400, "body"},
		{"an array", "POST", register, `[]`, 422, "body"},
		{"null", "POST", login, `null`, 422, "body"},
		{"wrong type", "POST", login, `{"email":7,"password":"x"}`, 422, "email"},
		{"unknown field", "POST", login, `{"email":"a@b.cd","password":"x","remember":true}`, 422, "remember"},
		{"field that the server sets", "POST", register, set("role", "super_admin"), 422, "role"},
		{"tenant that the server sets", "POST", events, view(`,"tenant_id":"` + unknownID + `"`), 422, "tenant_id"},
		{"key twice", "POST", login, `{"email":"a@b.cd","email":"c@d.ef","password":"x"}`, 400, "email"},
		{"key in capitals", "POST", login, `{"EMAIL":"a@b.cd","password":"x"}`, 422, "EMAIL"},
		{"10 MB", "POST", login, `{"email":"` + strings.Repeat("a", 10<<20) + `"}`, 413, ""},
		{"deep nesting", "POST", analyticsQuery, strings.Repeat(`{"a":`, 100_000), 400, "body"},
		{"many unknown fields", "POST", analyticsQuery, unknown, 422, "f0"},
		{"NUL in JSON", "POST", register, "{\"email\":\"a\x00\"}", 400, "body"},
		{"NUL in a name", "POST", register, set("full_name", "a\x00b"), 422, "full_name"},
		{"NUL in a type", "POST", events, `{"event_type":"\u0000","user_identifier":"u"}`, 422, "event_type"},
		{"invalid UTF-8", "POST", register, "{\"email\":\"\xff\xfe\"}", 400, "body"},
		{"lone surrogate", "POST", events, `{"event_type":"\ud800","user_identifier":"u"}`, 400, "body"},
		{"not an e-mail address", "POST", register, set("email", "alice"), 422, "email"},
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
		{"not a time", "POST", events, view(`,"occurred_at":"yesterday"`), 422, "occurred_at"},
		{"limit -1", "GET", "/users?limit=-1", "", 422, "limit"},
		{"limit 0", "GET", "/users?limit=0", "", 422, "limit"},
		{"limit 201", "GET", "/users?limit=201", "", 422, "limit"},
		{"limit 1001", "GET", events + "?limit=1001", "", 422, "limit"},
		{"limit is not a number", "GET", "/users?limit=ten", "", 422, "limit"},
		{"limit is huge", "GET", "/users?limit=99999999999999999999", "", 422, "limit"},
		{"limit twice", "GET", "/users?limit=1&limit=2", "", 422, "limit"},
		{"skip 10^12", "GET", events + "?skip=1000000000000", "", 422, "skip"},
		{"NUL in a parameter", "GET", events + "?event_type=%00", "", 422, "event_type"},
		{"invalid UTF-8 in a parameter", "GET", events + "?event_type=%ff", "", 422, "event_type"},
		{"empty type in a parameter", "GET", events + "?event_type=", "", 422, "event_type"},
		{"empty period", "GET", "/analytics/metrics/summary?period=", "", 422, "period"},
		{"unknown parameter", "GET", "/users?limt=1", "", 422, "limt"},
		{"parameter in capitals", "GET", events + "?Tenant_ID=" + unknownID, "", 422, "Tenant_ID"},
		{"parameter of another route", "GET", "/analytics/metrics/summary?skip=1", "", 422, "skip"},
		{"unknown parameter beside a body", "POST", analyticsQuery + "?dry_run=true", "{}", 422, "dry_run"},
		{"unknown parameter of a public route", "POST", login + "?next=/", `{"email":"a@b.cd","password":"x"}`, 422, "next"},
		{"unknown period", "GET", "/analytics/metrics/summary?period=1y", "", 422, "period"},
		{"unknown metric", "GET", series + "?metric=max(value)", "", 422, "metric"},
		{"unknown granularity", "GET", series + "?granularity=minute", "", 422, "granularity"},
		{"unknown period of a series", "GET", series + "?period=365d", "", 422, "period"},
		{"type of a series is too long", "GET", series + "?event_type=" + strings.Repeat("x", 101), "", 422, "event_type"},
		{"NUL in a source", "GET", series + "?source=%00", "", 422, "source"},
		{"source is too long", "GET", series + "?source=" + strings.Repeat("x", 101), "", 422, "source"},
		{"unknown time zone", "GET", series + "?timezone=Mars/Olympus", "", 422, "timezone"},
		{"time zone is a path", "GET", series + "?timezone=../../etc/passwd", "", 422, "timezone"},
		{"time zone of the machine", "GET", series + "?timezone=Local", "", 422, "timezone"},
		{"empty time zone", "GET", series + "?timezone=", "", 422, "timezone"},
		{"compared with another year", "GET", series + "?compare=year", "", 422, "compare"},
		{"unknown parameter of a series", "GET", series + "?limit=1", "", 422, "limit"},
		{"tenant is not a UUID", "GET", "/users?tenant_id=acme", "", 422, "tenant_id"},
		{"id is not a UUID", "GET", "/users/7", "", 422, "id"},
		{"id is SQL", "DELETE", "/users/'%20OR%201=1--", "", 422, "id"},
		{"unknown role", "PUT", "/users/" + unknownID + "/role", `{"role":"root"}`, 422, "role"},
		{"group by the tenant", "POST", analyticsQuery, `{"group_by":"tenant_id"}`, 422, "group_by"},
		{"limit is a string", "POST", analyticsQuery, `{"limit":"1"}`, 422, "limit"},
		{"limit is a fraction", "POST", analyticsQuery, `{"limit":1.5}`, 422, "limit"},
		{"limit 10001", "POST", analyticsQuery, `{"limit":10001}`, 422, "limit"},
		{"empty type", "POST", analyticsQuery, `{"event_type":""}`, 422, "event_type"},
		{"empty start", "POST", analyticsQuery, `{"start_date":""}`, 422, "start_date"},
		{"empty end", "POST", analyticsQuery, `{"end_date":""}`, 422, "end_date"},
		{"empty dimension", "POST", analyticsQuery, `{"group_by":""}`, 422, "group_by"},
		{"not a date", "POST", analyticsQuery, `{"start_date":"2026-13-01"}`, 422, "start_date"},
		{"end before start", "POST", analyticsQuery, `{"start_date":"2026-02-01","end_date":"2026-01-01"}`, 422, "end_date"},
		{"unknown route", "GET", "/nothing", "", 404, ""},
		{"unknown method", "PATCH", "/users", "", 405, ""},
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
				t.Errorf("%s is not named: %s", c.field, a.raw)
			}
			if c.status == 405 && a.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
	query := strings.NewReplacer(`"`, "", ":", "=", ",", "&").Replace(strings.Join(members[:1500], ","))
	for _, r := range []request{{method: "POST", path: api + analyticsQuery, body: unknown}, {method: "GET", path: api + "/users?" + query}} {
		r.token = p.access
		if a := s.want(t, 422, r); len(a.fields()) != 100 {
			t.Errorf("%s: %d unknown names are returned", r.method, len(a.fields()))
		}
	}
	for contentType, status := range map[string]int{
		"application/json": 401, "application/json; charset=UTF-8": 401, "application/x-www-form-urlencoded": 401,
		"text/plain": 415, "application/xml": 415, "multipart/form-data; boundary=x": 415, "application/json; charset=latin1": 415, "nonsense;;": 415,
	} {
		s.want(t, status, request{method: "POST", path: api + login, body: credentials("a@example.com", "x"), header: map[string]string{"Content-Type": contentType}})
	}
	s.want(t, 201, request{method: "POST", path: api + register, body: set("email", "  "+strings.ToUpper(uuid.NewString())+"@Example.COM ")})
}

// testAllFieldErrors: one response names all invalid fields of a body and all invalid parameters.
func testAllFieldErrors(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Admin)
	for _, c := range []struct {
		name, method, path, body string
		want                     []string
	}{
		{"nothing given", "POST", "/auth/register", `{}`,
			[]string{"email is required", "full_name is required", "password is required", "tenant_slug is required"}},
		{"every kind of mistake", "POST", "/auth/register", `{"tenant_slug":7,"nickname":"al","email":"alice","password":"short"}`,
			[]string{"tenant_slug must be a string", "nickname is not a field of this request", "full_name is required",
				"email must be an e-mail address, such as alice@example.com", "password must have at least 8 characters"}},
		{"rules alone", "POST", "/auth/register", `{"tenant_slug":"a b","full_name":"Alice","email":"alice","password":"password123"}`,
			[]string{"email must be an e-mail address, such as alice@example.com", "tenant_slug may hold only letters a to z, digits and hyphens",
				"password is one of the most common passwords, which attackers try first"}},
		{"null is missing", "POST", "/auth/login", `{"email":"alice","password":null,"remember":true}`,
			[]string{"remember is not a field of this request", "password is required", "email must be an e-mail address, such as alice@example.com"}},
		{"empty", "POST", "/auth/refresh", `{"refresh_token":"","scope":""}`,
			[]string{"scope is not a field of this request", "refresh_token must not be empty"}},
		{"a change of password", "POST", "/auth/password", `{"new_password":"short","confirm":"short"}`,
			[]string{"confirm is not a field of this request", "current_password is required", "new_password must have at least 8 characters"}},
		{"an event and its parameters", "POST", "/analytics/events?tenant_id=acme",
			`{"colour":"red","occurred_at":"yesterday","value":1e300,"session_id":"a\u0000","event_type":""}`,
			[]string{"colour is not a field of this request", "occurred_at must be a time such as 2026-01-31T12:00:00Z", "event_type must not be empty",
				"user_identifier is required", "tenant_id must be a UUID, such as 0190a5e4-7b1c-7c3e-9a54-3f1d2c4b5a69",
				"Idempotency-Key must be 1 to 255 printable ASCII characters", "session_id must not contain control characters", "value must be between -1e+15 and 1e+15"}},
		{"a query", "POST", "/analytics/query", `{"limit":"1","group_by":"tenant","start_date":"","end_date":"soon"}`,
			[]string{"limit must be a whole number", "start_date must not be empty", "group_by must be one of event_type, source, user_identifier, session_id, hour, day, week, month and properties.KEY, or a list of them",
				"end_date must be a time such as 2026-01-31T12:00:00Z, or a day such as 2026-01-31"}},
		{"a role, and an invalid user id", "PUT", "/users/7/role", `{"role":"root","reason":""}`,
			[]string{"reason is not a field of this request", "id must be a UUID, such as 0190a5e4-7b1c-7c3e-9a54-3f1d2c4b5a69",
				"role must be viewer, analyst, admin or super_admin"}},
		{"parameters alone", "GET", "/users?tenant_id=acme&skip=x&limit=0", "",
			[]string{"tenant_id must be a UUID, such as 0190a5e4-7b1c-7c3e-9a54-3f1d2c4b5a69", "skip must be a whole number", "limit must be 1 to 200"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.want(t, 422, request{
				method: c.method, path: api + c.path, token: p.access, body: c.body, header: map[string]string{"Idempotency-Key": "schlüssel"},
			})
			var got []string
			for _, e := range a.body["errors"].([]any) {
				e := e.(map[string]any)
				got = append(got, fmt.Sprint(e["field"], " ", e["message"]))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the errors are %q, want %q", got, c.want)
			}
			if want := fmt.Sprintf("The request is not valid: %s (and %d more).", c.want[0], len(c.want)-1); a.body["detail"] != want {
				t.Errorf("the detail is %q, want %q", a.body["detail"], want)
			}
		})
	}
	a := s.want(t, 422, request{method: "POST", path: api + "/auth/refresh", body: `{}`})
	if want := "The request is not valid: refresh_token is required."; a.body["detail"] != want {
		t.Errorf("the detail is %q, want %q", a.body["detail"], want)
	}
	if list := s.want(t, 200, request{method: "GET", path: api + "/analytics/events", token: p.access}); strings.TrimSpace(list.raw) != "[]" {
		t.Errorf("a refused event is stored: %s", list.raw)
	}
}

// testFormats: numbers, times and objects are parsed as JSON and RFC 3339 define them.
func testFormats(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	query := func(body string) request {
		return request{method: "POST", path: api + "/analytics/query", token: p.access, body: body}
	}
	ingest := func(occurredAt string) request {
		return request{method: "POST", path: api + "/analytics/events", token: p.access,
			body: map[string]any{"event_type": "view", "user_identifier": "u", "occurred_at": occurredAt}}
	}
	for limit, want := range map[string]float64{"1.0": 1, "1e2": 100, "10000.00": 10_000} {
		a := s.want(t, 200, query(`{"limit":`+limit+`}`))
		if echo, _ := a.body["query"].(map[string]any); echo["limit"] != want {
			t.Errorf("a limit of %s is read as %s", limit, a.raw)
		}
	}
	s.want(t, 200, query(`{"start_date":"2026-01-01t00:00:00z","end_date":"2026-01-02T00:00:00.5+23:59"}`))
	s.want(t, 201, ingest("2026-01-01T00:00:00.123456789+05:30"))
	for _, c := range []struct {
		name  string
		r     request
		field string
	}{
		{"null for a query", query(`null`), "body"},
		{"null for a refresh", request{method: "POST", path: api + "/auth/refresh", body: `null`}, "body"},
		{"a comma in a time", ingest("2026-01-01T00:00:00,5Z"), "occurred_at"},
		{"a one-digit hour", ingest("2026-01-01T1:00:00Z"), "occurred_at"},
		{"an offset of a day", ingest("2026-01-01T00:00:00+24:00"), "occurred_at"},
		{"a leap second", ingest("2016-12-31T23:59:60Z"), "occurred_at"},
		{"a comma in a date", query(`{"start_date":"2026-01-01T00:00:00,5Z"}`), "start_date"},
		{"a leap second as date", query(`{"end_date":"2016-12-31T23:59:60Z"}`), "end_date"},
	} {
		if a := s.want(t, 422, c.r); !slices.Equal(a.fields(), []string{c.field}) {
			t.Errorf("%s: %s", c.name, a.raw)
		}
	}
}

// testHomographs: no Unicode letter folds into an ASCII address or slug, and names have no invisible or bidirectional characters.
func testHomographs(t *testing.T, on backend) {
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

// testMalformedQuery: a malformed or unknown parameter is refused and not ignored, or a super_admin would act in another tenant
// than the one named. Such requests are counted against the rate limit.
func testMalformedQuery(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"RATE_LIMIT_SUPER_ADMIN": "20/minute"}))
	super := s.newPerson(t, newSlug(), access.SuperAdmin)
	other := string(s.newPerson(t, newSlug(), access.Viewer).user.TenantID)
	malformed := []string{"?tenant_id=" + other + "%zz", "?tenant_id=" + other + ";limit=1", "?%=1&tenant_id=" + other, "?tenant_id=" + other + "&x=%f"}
	left, sent := "", 0
	for _, q := range malformed {
		for _, path := range []string{"/users", "/analytics/metrics/summary"} {
			a := s.want(t, 400, request{method: "GET", path: api + path + q, token: super.access})
			if a.body["code"] != "malformed_query" {
				t.Errorf("%s%s: %s", path, q, a.raw)
			}
			left, sent = a.header.Get("X-RateLimit-Remaining"), sent+1
		}
	}
	for _, q := range []string{query("tenant_id", other, "unknown", "a;b%"), query("tenantid", other)} {
		left, sent = s.want(t, 422, request{method: "GET", path: api + "/users" + q, token: super.access}).header.Get("X-RateLimit-Remaining"), sent+1
	}
	if want := fmt.Sprint(20 - sent); left != want {
		t.Errorf("%s requests are left, want %s", left, want)
	}
	s.want(t, 401, request{method: "GET", path: api + "/users?tenant_id=%zz"}) // authentication comes first
	s.want(t, 422, request{method: "GET", path: api + "/users?tenant_id=" + other + "&tenant_id=" + other, token: super.access})
	s.want(t, 401, request{method: "GET", path: api + "/users?unknown=1"})
}
