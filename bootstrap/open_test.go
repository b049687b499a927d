package bootstrap_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

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
