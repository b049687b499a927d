package bootstrap_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

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
