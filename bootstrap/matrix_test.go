package bootstrap_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// statuses are what anyone, viewer, analyst, admin and super_admin get.
type statuses [5]int

// row is what a route answers to each role: for what is its own, of another tenant, and absent. A route without a
// target has the first alone.
type row struct {
	own, other, absent statuses
	body               func() any
	fresh              bool // the caller is spent by it
}

func all(status int) statuses { return statuses{status, status, status, status, status} }

var (
	onlySuper    = func(status int) statuses { return statuses{401, 403, 403, 403, status} }
	fromAdmin    = func(status int) statuses { return statuses{401, 403, 403, status, status} }
	fromAnalyst  = func(status int) statuses { return statuses{401, 403, status, status, status} }
	fromViewer   = func(status int) statuses { return statuses{401, status, status, status, status} }
	openToAll    = row{own: all(200)}
	anEventDraft = func() any { return map[string]any{"event_type": "view", "user_identifier": "u"} }
)

// documentationFiles is where the files of the documentation are, each by a route of its own: one row stands for all.
const documentationFiles = api + "/docs/assets/"

// matrix is the whole of authorization: every route, role and target (ASVS 8.2, 8.3, 8.4; API1, API3, API5).
var matrix = map[string]row{
	"POST /api/v1/auth/register": {own: all(201), body: func() any {
		return map[string]string{"email": uuid.NewString() + "@example.com", "password": password, "full_name": "Some Body", "tenant_slug": newSlug()}
	}},
	"POST /api/v1/auth/login":   {own: all(401), body: func() any { return credentials("nobody@example.com", password) }},
	"POST /api/v1/auth/refresh": {own: all(401), body: func() any { return map[string]string{"refresh_token": "none"} }},
	"POST /api/v1/auth/logout":  {own: fromViewer(204), fresh: true},
	"GET /api/v1/auth/me":       {own: fromViewer(200)},
	"POST /api/v1/auth/password": {own: fromViewer(200), fresh: true, body: func() any {
		return map[string]string{"current_password": password, "new_password": "another Pass 2"}
	}},
	"GET /api/v1/users":        {own: fromAdmin(200), other: onlySuper(200), absent: onlySuper(404)},
	"GET /api/v1/users/:id":    {own: fromAdmin(200), other: onlySuper(200), absent: onlySuper(404)},
	"DELETE /api/v1/users/:id": {own: fromAdmin(204), other: onlySuper(204), absent: onlySuper(404)},
	"PUT /api/v1/users/:id/role": {own: fromAdmin(200), other: onlySuper(200), absent: onlySuper(404), body: func() any {
		return map[string]string{"role": "analyst"}
	}},
	"GET /api/v1/analytics/events":          {own: fromAnalyst(200), other: onlySuper(200), absent: onlySuper(404)},
	"POST /api/v1/analytics/events":         {own: fromAnalyst(201), other: onlySuper(201), absent: onlySuper(404), body: anEventDraft},
	"GET /api/v1/analytics/metrics/summary": {own: fromViewer(200), other: onlySuper(200), absent: onlySuper(404)},
	"POST /api/v1/analytics/query":          {own: fromAnalyst(200), other: onlySuper(200), absent: onlySuper(404), body: func() any { return map[string]string{} }},
	"GET /api/v1/analytics/export":          {own: fromAnalyst(200), other: onlySuper(200), absent: onlySuper(404)},
	"GET /api/v1/":                          openToAll,
	"GET /api/v1/health":                    openToAll,
	"GET /api/v1/health/live":               openToAll,
	"GET /api/v1/health/ready":              openToAll,
	"GET /api/v1/openapi.json":              openToAll,
	"GET /api/v1/docs":                      openToAll,
	"GET /api/v1/docs/start.js":             openToAll,
	"GET " + documentationFiles + "*":       openToAll,
}

func testMatrix(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	acme, globex := newSlug(), newSlug()
	stranger := s.newPerson(t, globex, access.Admin)
	s.newPerson(t, globex, access.Admin) // so that the stranger is not the last
	callers := make([]person, len(statuses{}))
	for i, role := range access.Roles() {
		callers[i+1] = s.newPerson(t, acme, role)
	}
	names := append([]string{"anyone"}, func() (n []string) {
		for _, r := range access.Roles() {
			n = append(n, r.String())
		}
		return n
	}()...)

	engine, ok := s.app.Handler().(*echo.Echo)
	if !ok {
		t.Fatal("the handler is no router")
	}
	seen := map[string]bool{}
	for _, route := range engine.Routes() {
		name := route.Method + " " + route.Path
		key := name
		if strings.HasPrefix(route.Path, documentationFiles) {
			key = route.Method + " " + documentationFiles + "*"
		}
		expected, found := matrix[key]
		if !found {
			t.Errorf("the route %s has no row in the table", name)
			continue
		}
		seen[key] = true
		t.Run(name, func(t *testing.T) {
			for i := range callers {
				for target, want := range map[string]int{"own": expected.own[i], "other": expected.other[i], "absent": expected.absent[i]} {
					if want == 0 {
						continue
					}
					caller := callers[i]
					if expected.fresh && i > 0 {
						caller = s.newPerson(t, acme, access.Roles()[i-1])
					}
					path := targetPath(t, s, route, target, callers[4], stranger)
					r := request{method: route.Method, path: path, token: caller.access}
					if expected.body != nil {
						r.body = expected.body()
					}
					if got := s.send(t, r); got.status != want {
						t.Errorf("%s asks for %s (%s): %d, want %d: %s", names[i], target, path, got.status, want, got.raw)
					}
				}
			}
		})
	}
	for name := range matrix {
		if !seen[name] {
			t.Errorf("the table has a row for %s, which is no route", name)
		}
	}
}

// targetPath returns the path of a route with its target: a user by id, or a tenant by parameter.
func targetPath(t *testing.T, s *service, route *echo.Route, target string, host, stranger person) string {
	t.Helper()
	if strings.Contains(route.Path, ":id") {
		id := uuid.NewString()
		switch target {
		case "own":
			slug := "" // a new user beside the callers, since some routes change it
			list, err := s.operator().Tenants.List(t.Context(), access.Operator())
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range list {
				if one.ID == host.user.TenantID {
					slug = one.Slug.String()
				}
			}
			id = string(s.newPerson(t, slug, access.Viewer).user.ID)
		case "other":
			id = string(stranger.user.ID)
		}
		return strings.Replace(route.Path, ":id", id, 1)
	}
	switch target {
	case "other":
		return route.Path + query("tenant_id", string(stranger.user.TenantID))
	case "absent":
		return route.Path + query("tenant_id", uuid.NewString())
	}
	if row := matrix[route.Method+" "+route.Path]; row.other != (statuses{}) {
		return route.Path + query("tenant_id", string(host.user.TenantID))
	}
	return route.Path
}

// testAbsenceIsHidden holds the refusals for a user of another tenant and for one that does not exist against each
// other: to the letter, but for the ids (API1).
func testAbsenceIsHidden(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	stranger := s.newPerson(t, newSlug(), access.Viewer)
	slug := newSlug()
	for _, role := range []access.Role{access.Viewer, access.Analyst, access.Admin} {
		caller := s.newPerson(t, slug, role)
		for _, r := range []request{
			{method: "GET", path: api + "/users/%s"},
			{method: "DELETE", path: api + "/users/%s"},
			{method: "PUT", path: api + "/users/%s/role", body: map[string]string{"role": "viewer"}},
			{method: "GET", path: api + "/users?tenant_id=%s"},
			{method: "GET", path: api + "/analytics/metrics/summary?tenant_id=%s"},
		} {
			existing, absent := string(stranger.user.ID), uuid.NewString()
			if strings.Contains(r.path, "tenant_id") {
				existing = string(stranger.user.TenantID)
			}
			var told [2]string
			for i, id := range []string{existing, absent} {
				q := r
				q.path, q.token = fmt.Sprintf(r.path, id), caller.access
				a := s.want(t, http.StatusForbidden, q)
				if detail := a.text(t, "detail"); !strings.Contains(detail, ": it needs ") || !strings.HasSuffix(detail, "super_admin.") {
					t.Errorf("%s as %s: the refusal does not say who may: %s", r.path, role, detail)
				}
				told[i] = strings.NewReplacer(id, "ID", a.text(t, "request_id"), "R").Replace(a.raw)
			}
			if told[0] != told[1] {
				t.Errorf("%s as %s tells them apart:\n%s\n%s", r.path, role, told[0], told[1])
			}
		}
	}
}
