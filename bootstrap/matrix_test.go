package bootstrap_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// target is whose data a request is about.
type target string

// The targets.
const (
	own    target = "" // of the caller's tenant; also of a route that takes neither a tenant nor a user
	other  target = "another tenant's"
	absent target = "nobody's"
)

// line is the status that a route answers with, to a caller without a token and to each role.
type line struct {
	anyone, viewer, analyst, admin, superAdmin int

	route string
	of    target
}

// statuses returns the columns in the order of the callers: anyone, and then the roles, lowest first.
func (l line) statuses() []int { return []int{l.anyone, l.viewer, l.analyst, l.admin, l.superAdmin} }

// documentationFiles is where the files of the documentation are, each by a route of its own: one line stands for all.
const documentationFiles = api + "/docs/assets/"

// matrix is the whole of authorization: every route, role and target (ASVS 8.2, 8.3, 8.4; API1, API3, API5).
var matrix = []line{
	{anyone: 201, viewer: 201, analyst: 201, admin: 201, superAdmin: 201, route: "POST /api/v1/auth/register"},
	{anyone: 401, viewer: 401, analyst: 401, admin: 401, superAdmin: 401, route: "POST /api/v1/auth/login"},
	{anyone: 401, viewer: 401, analyst: 401, admin: 401, superAdmin: 401, route: "POST /api/v1/auth/refresh"},
	{anyone: 401, viewer: 204, analyst: 204, admin: 204, superAdmin: 204, route: "POST /api/v1/auth/logout"},
	{anyone: 401, viewer: 200, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/auth/me"},
	{anyone: 401, viewer: 200, analyst: 200, admin: 200, superAdmin: 200, route: "POST /api/v1/auth/password"},

	{anyone: 401, viewer: 403, analyst: 403, admin: 200, superAdmin: 200, route: "GET /api/v1/users"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "GET /api/v1/users", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "GET /api/v1/users", of: absent},
	{anyone: 401, viewer: 403, analyst: 403, admin: 200, superAdmin: 200, route: "GET /api/v1/users/:id"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "GET /api/v1/users/:id", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "GET /api/v1/users/:id", of: absent},
	{anyone: 401, viewer: 403, analyst: 403, admin: 200, superAdmin: 200, route: "PUT /api/v1/users/:id/role"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "PUT /api/v1/users/:id/role", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "PUT /api/v1/users/:id/role", of: absent},
	{anyone: 401, viewer: 403, analyst: 403, admin: 204, superAdmin: 204, route: "DELETE /api/v1/users/:id"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 204, route: "DELETE /api/v1/users/:id", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "DELETE /api/v1/users/:id", of: absent},

	{anyone: 401, viewer: 403, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/analytics/events"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "GET /api/v1/analytics/events", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "GET /api/v1/analytics/events", of: absent},
	{anyone: 401, viewer: 403, analyst: 201, admin: 201, superAdmin: 201, route: "POST /api/v1/analytics/events"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 201, route: "POST /api/v1/analytics/events", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "POST /api/v1/analytics/events", of: absent},
	{anyone: 401, viewer: 403, analyst: 200, admin: 200, superAdmin: 200, route: "POST /api/v1/analytics/events/batch"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "POST /api/v1/analytics/events/batch", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "POST /api/v1/analytics/events/batch", of: absent},
	{anyone: 401, viewer: 403, analyst: 403, admin: 422, superAdmin: 422, route: "DELETE /api/v1/analytics/events"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 422, route: "DELETE /api/v1/analytics/events", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "DELETE /api/v1/analytics/events", of: absent},
	{anyone: 401, viewer: 403, analyst: 403, admin: 404, superAdmin: 404, route: "GET /api/v1/analytics/erasures/:id"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "GET /api/v1/analytics/erasures/:id", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "GET /api/v1/analytics/erasures/:id", of: absent},
	{anyone: 401, viewer: 200, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/analytics/metrics/summary"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "GET /api/v1/analytics/metrics/summary", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "GET /api/v1/analytics/metrics/summary", of: absent},
	{anyone: 401, viewer: 200, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/analytics/timeseries"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "GET /api/v1/analytics/timeseries", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "GET /api/v1/analytics/timeseries", of: absent},
	{anyone: 401, viewer: 403, analyst: 200, admin: 200, superAdmin: 200, route: "POST /api/v1/analytics/query"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "POST /api/v1/analytics/query", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "POST /api/v1/analytics/query", of: absent},
	{anyone: 401, viewer: 403, analyst: 200, admin: 200, superAdmin: 200, route: "POST /api/v1/analytics/funnel"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "POST /api/v1/analytics/funnel", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "POST /api/v1/analytics/funnel", of: absent},
	{anyone: 401, viewer: 403, analyst: 200, admin: 200, superAdmin: 200, route: "POST /api/v1/analytics/retention"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "POST /api/v1/analytics/retention", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "POST /api/v1/analytics/retention", of: absent},
	{anyone: 401, viewer: 403, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/analytics/properties"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "GET /api/v1/analytics/properties", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "GET /api/v1/analytics/properties", of: absent},
	{anyone: 401, viewer: 403, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/analytics/export"},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "GET /api/v1/analytics/export", of: other},
	{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "GET /api/v1/analytics/export", of: absent},

	{anyone: 200, viewer: 200, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/"},
	{anyone: 200, viewer: 200, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/health"},
	{anyone: 200, viewer: 200, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/health/live"},
	{anyone: 200, viewer: 200, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/health/ready"},
	{anyone: 200, viewer: 200, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/openapi.json"},
	{anyone: 200, viewer: 200, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/docs"},
	{anyone: 200, viewer: 200, analyst: 200, admin: 200, superAdmin: 200, route: "GET /api/v1/docs/start.js"},
	{anyone: 200, viewer: 200, analyst: 200, admin: 200, superAdmin: 200, route: "GET " + documentationFiles + "*"},
}

func anEventDraft() any { return map[string]any{"event_type": "view", "user_identifier": "u"} }

// bodies are what the routes that take one are sent.
var bodies = map[string]func() any{
	"POST /api/v1/auth/register": func() any {
		return map[string]string{"email": uuid.NewString() + "@example.com", "password": password, "full_name": "Some Body", "tenant_slug": newSlug()}
	},
	"POST /api/v1/auth/login":   func() any { return credentials("nobody@example.com", password) },
	"POST /api/v1/auth/refresh": func() any { return map[string]string{"refresh_token": "none"} },
	"POST /api/v1/auth/password": func() any {
		return map[string]string{"current_password": password, "new_password": "another Pass 2"}
	},
	"PUT /api/v1/users/:id/role":          func() any { return map[string]string{"role": "analyst"} },
	"POST /api/v1/analytics/events":       anEventDraft,
	"POST /api/v1/analytics/events/batch": func() any { return map[string]any{"events": []any{anEventDraft()}} },
	"POST /api/v1/analytics/query":        func() any { return map[string]string{} },
	"POST /api/v1/analytics/funnel": func() any {
		return map[string]any{
			"steps": []any{map[string]any{"event_type": "view"}, map[string]any{"event_type": "buy"}}, "window": "7d", "start_date": "2026-01-01", "end_date": "2026-01-31",
		}
	},
	"POST /api/v1/analytics/retention": func() any {
		return map[string]any{
			"cohort": map[string]any{"event_type": "view"}, "return": map[string]any{"event_type": "buy"}, "period": "week", "start_date": "2026-01-01", "end_date": "2026-01-31",
		}
	},
}

// endsSession are the routes after which the caller's token is dead, so that each request needs a caller of its own.
var endsSession = []string{"POST /api/v1/auth/logout", "POST /api/v1/auth/password"}

// usual is the line to begin with, of a route for a target.
var usual = map[target]string{
	own:    `{anyone: 401, viewer: 403, analyst: 200, admin: 200, superAdmin: 200, route: "%s"},`,
	other:  `{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 200, route: "%s", of: other},`,
	absent: `{anyone: 401, viewer: 403, analyst: 403, admin: 403, superAdmin: 404, route: "%s", of: absent},`,
}

const missingLine = `the matrix of bootstrap/matrix_test.go has no line for %s. Add what it answers to each role, such as
	%s
Where it takes a body, add one to bodies.`

// named is what a route lets a request name, as the contract has it.
type named struct {
	tenant bool // by the parameter tenant_id
	object bool // by a parameter of the path
}

// pathParameter is a parameter in the path of a route.
var pathParameter = regexp.MustCompile(`:(\w+)`)

// namedBy returns what a route lets a request name. A route that is not in the contract, such as one of the documentation,
// lets nothing be named.
func namedBy(t *testing.T, route *echo.Route) (n named) {
	t.Helper()
	document, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	item := document.Paths.Value(pathParameter.ReplaceAllString(strings.TrimPrefix(route.Path, api), "{$1}"))
	if item == nil || item.GetOperation(route.Method) == nil {
		return named{}
	}
	for _, p := range slices.Concat(item.Parameters, item.GetOperation(route.Method).Parameters) {
		n.tenant = n.tenant || p.Value.In == openapi3.ParameterInQuery && p.Value.Name == "tenant_id"
		n.object = n.object || p.Value.In == openapi3.ParameterInPath
	}
	return n
}

// linesOf returns the lines of a route. Each target that it lets a request name must have one, and no other.
func linesOf(t *testing.T, route string, n named) (lines []line) {
	t.Helper()
	targets := []target{own}
	if n.tenant || n.object {
		targets = append(targets, other, absent)
	}
	var found []target
	for _, l := range matrix {
		if l.route == route {
			lines, found = append(lines, l), append(found, l.of)
		}
	}
	for _, of := range targets {
		if !slices.Contains(found, of) {
			t.Errorf(missingLine, strings.TrimSpace(route+" "+string(of)), fmt.Sprintf(usual[of], route))
		}
	}
	for _, of := range found {
		if !slices.Contains(targets, of) {
			t.Errorf("the matrix has a line for %s %s, but the contract gives it no tenant_id and no parameter in its path", route, of)
		}
	}
	return lines
}

// matrixTest is who asks, and for whose data.
type matrixTest struct {
	*service
	slug     string   // of the tenant of the callers
	callers  []person // in the order of the columns
	stranger person
}

// newMatrixTest runs a service with a caller of each role in one tenant, and a stranger in another.
func newMatrixTest(t *testing.T, on backend) matrixTest {
	t.Helper()
	m := matrixTest{service: start(t, generous().with(on(t))), slug: newSlug(), callers: []person{{}}}
	for _, role := range access.Roles() {
		m.callers = append(m.callers, m.newPerson(t, m.slug, role))
	}
	if len(m.callers) != len(line{}.statuses()) {
		t.Fatal("the matrix has not one column for each role")
	}
	elsewhere := newSlug()
	m.stranger = m.newPerson(t, elsewhere, access.Admin)
	m.newPerson(t, elsewhere, access.Admin) // so that the stranger is not the last
	return m
}

// routes returns all routes that there are.
func (m matrixTest) routes(t *testing.T) []*echo.Route {
	t.Helper()
	engine, ok := m.app.Handler().(*echo.Echo)
	if !ok {
		t.Fatal("the handler is no router")
	}
	return engine.Routes()
}

func testMatrix(t *testing.T, on backend) {
	m := newMatrixTest(t, on)
	routes := map[string]bool{}
	for _, route := range m.routes(t) {
		name := route.Method + " " + route.Path
		if strings.HasPrefix(route.Path, documentationFiles) {
			name = route.Method + " " + documentationFiles + "*"
		}
		routes[name] = true
		names := namedBy(t, route)
		for _, l := range linesOf(t, name, names) {
			t.Run(strings.TrimSpace(route.Method+" "+route.Path+" "+string(l.of)), func(t *testing.T) { m.hold(t, route, l, names) })
		}
	}
	for _, l := range matrix {
		if !routes[l.route] {
			t.Errorf("the matrix has a line for %s, which is no route", l.route)
		}
	}
}

// hold holds what a route answers against a line.
func (m matrixTest) hold(t *testing.T, route *echo.Route, l line, names named) {
	for i, want := range l.statuses() {
		name, caller := "anyone", m.callers[i]
		if i > 0 {
			role := access.Roles()[i-1]
			if name = role.String(); slices.Contains(endsSession, l.route) {
				caller = m.newPerson(t, m.slug, role)
			}
		}
		r := m.request(t, route, l.of, names, caller)
		if got := m.send(t, r); got.status != want {
			t.Errorf("%s gets %d, want %d: %s %s%s", name, got.status, want, r.path, got.raw, m.cause(got))
		}
	}
}

// request returns what a caller asks a route for a target.
func (m matrixTest) request(t *testing.T, route *echo.Route, of target, names named, caller person) request {
	t.Helper()
	r := request{method: route.Method, path: m.path(t, route.Path, of, names), token: caller.access}
	if body := bodies[route.Method+" "+route.Path]; body != nil {
		r.body = body()
	}
	return r
}

// path returns the path of a route with its target: a user by id, or a tenant by parameter where the route takes one. Anything else that has an
// id is looked for in a tenant.
func (m matrixTest) path(t *testing.T, path string, of target, names named) string {
	t.Helper()
	tenantID, userID := m.callers[1].user.TenantID, id.User(uuid.NewString())
	switch of {
	case other:
		tenantID, userID = m.stranger.user.TenantID, m.stranger.user.ID
	case absent:
		tenantID = id.Tenant(uuid.NewString())
	}
	switch {
	case names.object && !strings.Contains(path, "/users/"):
		return pathParameter.ReplaceAllString(path, uuid.NewString()) + query("tenant_id", string(tenantID))
	case names.object:
		if of == own { // a new user beside the callers, since some routes change it
			userID = m.newPerson(t, m.slug, access.Viewer).user.ID
		}
		return pathParameter.ReplaceAllString(path, string(userID))
	case names.tenant:
		return path + query("tenant_id", string(tenantID))
	}
	return path
}

// anID is an id, of whatever.
var anID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// testAbsenceIsHidden holds what each route tells of another tenant's and of nobody's against each other: to the letter,
// but for the ids (API1).
func testAbsenceIsHidden(t *testing.T, on backend) {
	holders := regexp.MustCompile(` needs? [a-z]+:[a-z_]+, which is held by .*super_admin\.$`)
	m := newMatrixTest(t, on)
	held := 0
	for _, route := range m.routes(t) {
		names := namedBy(t, route)
		if names == (named{}) {
			continue
		}
		held++
		for i, role := range []access.Role{access.Viewer, access.Analyst, access.Admin} {
			told := map[target]string{}
			for _, of := range []target{other, absent} {
				a := m.want(t, http.StatusForbidden, m.request(t, route, of, names, m.callers[i+1]))
				if detail := a.text(t, "detail"); !holders.MatchString(detail) {
					t.Errorf("%s %s as %s: the refusal does not say who may: %s", route.Method, route.Path, role, detail)
				}
				told[of] = anID.ReplaceAllString(a.raw, "ID")
			}
			if told[other] != told[absent] {
				t.Errorf("%s %s as %s tells them apart:\n%s\n%s", route.Method, route.Path, role, told[other], told[absent])
			}
		}
	}
	if held == 0 {
		t.Error("no route names a tenant or a user")
	}
}
