package bootstrap_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

func testAuditLog(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"LOG_LEVEL": "error"}))
	slug := newSlug()
	p, other := s.newPerson(t, slug, access.Viewer), s.newPerson(t, slug, access.Viewer)
	before := len(s.log.lines(t, "http.request"))
	s.want(t, 200, request{method: "GET", path: api + "/analytics/metrics/summary/?period=7d", token: p.access, header: map[string]string{
		"X-Request-ID": "my-id.1", "User-Agent": "evil\t\"}\\u000a{\"event\":\"fake\"}"}})
	s.want(t, 403, request{method: "GET", path: api + "/users/" + string(other.user.ID), token: p.access})
	s.want(t, 200, request{method: "GET", path: "/health"})
	s.want(t, 200, request{method: "GET", path: "/docs"})
	lines := s.log.lines(t, "http.request")[before:]
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2: health and docs are left out", len(lines))
	}
	want := []string{"client_ip", "duration_ms", "event", "method", "path", "request_id", "route", "severity", "status_code", "tenant_id", "timestamp", "user_agent", "user_id", "user_role"}
	var got []string
	for name := range lines[0] {
		got = append(got, name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the fields are %v, want %v", got, want)
	}
	for name, value := range map[string]any{
		"severity": "INFO", "request_id": "my-id.1", "method": "GET", "path": api + "/analytics/metrics/summary", "route": api + "/analytics/metrics/summary", "status_code": 200.0,
		"tenant_id": string(p.user.TenantID), "user_id": string(p.user.ID), "user_role": "viewer", "client_ip": "127.0.0.1",
	} {
		if lines[0][name] != value {
			t.Errorf("%s is %v, want %v", name, lines[0][name], value)
		}
	}
	if stamp := fmt.Sprint(lines[0]["timestamp"]); !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(stamp) {
		t.Errorf("timestamp is %s", stamp)
	}
	if lines[1]["severity"] != "WARNING" || lines[1]["route"] != api+"/users/:id" {
		t.Errorf("a refusal is %v", lines[1])
	}
	if denied := s.log.lines(t, "access.denied"); len(denied) != 1 || denied[0]["user_id"] != string(p.user.ID) {
		t.Errorf("recorded refusals: %v", denied)
	}
}

// TestSeverity_of_404: a path without a route is logged as INFO, a resource that does not exist as WARNING.
func TestSeverity_of_404(t *testing.T) {
	s := start(t, generous().with(onSQLite(t)))
	p := s.newPerson(t, newSlug(), access.SuperAdmin)
	for _, c := range []struct{ method, path, severity, route string }{
		{"GET", "/wp-login.php", "INFO", ""},
		{"GET", api + "/nothing", "INFO", ""},
		{"GET", api + "/users/" + uuid.NewString(), "WARNING", api + "/users/:id"},
	} {
		s.want(t, 404, request{method: c.method, path: c.path, token: p.access})
		lines := s.log.lines(t, "http.request")
		if line := lines[len(lines)-1]; line["path"] != c.path || line["severity"] != c.severity || line["route"] != c.route {
			t.Errorf("the request for %s is logged as %v", c.path, line)
		}
	}
}
