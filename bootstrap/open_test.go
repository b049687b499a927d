package bootstrap_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func testDocs(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	page := s.want(t, 200, request{method: "GET", path: "/docs"})
	if got := page.header.Get("Content-Security-Policy"); !strings.Contains(got, "script-src 'self';") || strings.Contains(got, "unsafe") {
		t.Errorf("the page's Content-Security-Policy is %s", got)
	}
	for _, path := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.raw, -1) {
		if !strings.HasPrefix(path[1], "/") {
			t.Errorf("the page loads %s from elsewhere", path[1])
			continue
		}
		s.want(t, 200, request{method: "GET", path: path[1]})
	}
	for _, path := range []string{"/health", "/health/live", "/health/ready", "/health/ready/", api + "/health/ready", api + "/docs/"} {
		s.want(t, 200, request{method: "GET", path: path + "?from=anywhere"})
	}
}

// testRoot: the root shows the name and version of the service, and the paths of documentation, contract and health.
func testRoot(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	for _, path := range []string{"/", "", api, api + "/", "/?from=anywhere"} {
		a := s.want(t, 200, request{method: "GET", path: path})
		if a.body["name"] != "Secure Data API" || a.body["version"] != "test" {
			t.Errorf("%q answers %s", path, a.raw)
		}
		for _, name := range []string{"documentation", "contract", "health"} {
			s.want(t, 200, request{method: "GET", path: a.text(t, name)})
		}
	}
	s.want(t, 405, request{method: "POST", path: "/"})
}

// testContract: clients can be generated from the served contract, and it has an example of each parameter, body and property.
// Validate validates the examples against their schemas.
func testContract(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	served := s.want(t, 200, request{method: "GET", path: "/openapi.json"})
	if n := countExtensions(served.body); n != 0 {
		t.Errorf("%d keys begin with x-", n)
	}
	document, err := openapi3.NewLoader().LoadFromData([]byte(served.raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	for name, schema := range document.Components.Schemas {
		wantExamples(t, name, schema.Value)
	}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			for _, p := range append(item.Parameters, operation.Parameters...) {
				if p.Value.Example == nil {
					t.Errorf("%s %s: the parameter %s has no example", method, path, p.Value.Name)
				}
			}
			if operation.RequestBody != nil && operation.RequestBody.Value.Content.Get("application/json").Example == nil {
				t.Errorf("%s %s: the body has no example", method, path)
			}
		}
	}
	// The page removes the examples of these parameters.
	script := s.want(t, 200, request{method: "GET", path: "/docs/start.js"})
	for _, name := range []string{"IdempotencyKey", "TenantID", "UserID"} {
		if document.Components.Parameters[name] == nil || !strings.Contains(script.raw, `"`+name+`"`) {
			t.Errorf("the contract or the page has no parameter %s", name)
		}
	}
}

// wantExamples expects an example of each property of a schema.
func wantExamples(t *testing.T, name string, schema *openapi3.Schema) {
	t.Helper()
	for property, p := range schema.Properties {
		switch p := p.Value; {
		case p.Type.Is("object"):
			wantExamples(t, name+"."+property, p)
		case p.Type.Is("array"):
			wantExamples(t, name+"."+property, p.Items.Value)
		case p.Example == nil:
			t.Errorf("%s.%s has no example", name, property)
		}
	}
}

// countExtensions counts the keys that begin with x- in a document.
func countExtensions(document any) (n int) {
	switch node := document.(type) {
	case map[string]any:
		for name, value := range node {
			if strings.HasPrefix(name, "x-") {
				n++
			}
			n += countExtensions(value)
		}
	case []any:
		for _, value := range node {
			n += countExtensions(value)
		}
	}
	return n
}

// testOpenRoutes: only the root, health and documentation are neither limited nor logged. A path below them without a route, and
// another method, are treated as any other request.
func testOpenRoutes(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"RATE_LIMIT_DEFAULT": "100/minute"}))
	open := []string{
		"/", "/health", "/health/live", "/health/ready", "/health/", "/openapi.json", "/docs", "/docs/", "/docs/start.js",
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
		t.Errorf("logged: %v", lines)
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
		t.Errorf("%d lines are logged, want %d", len(lines), len(closed))
	}
}
