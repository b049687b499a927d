package bootstrap_test

import (
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// testRoleRules: each refusal has a status and a code of its own. The rules are tested beside the use cases.
func testRoleRules(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	slug := newSlug()
	super, admin, viewer := s.newPerson(t, slug, access.SuperAdmin), s.newPerson(t, slug, access.Admin), s.newPerson(t, slug, access.Viewer)
	onlyAdmin := s.newPerson(t, newSlug(), access.Admin)
	setRole := func(by, target person, role string) answer {
		t.Helper()
		return s.send(t, request{method: "PUT", path: api + "/users/" + string(target.user.ID) + "/role", token: by.access, body: map[string]string{"role": role}})
	}
	deactivate := func(by, target person) answer {
		t.Helper()
		return s.send(t, request{method: "DELETE", path: api + "/users/" + string(target.user.ID), token: by.access})
	}
	for _, c := range []struct {
		name   string
		got    answer
		status int
		code   string
	}{
		{"an admin grants super_admin", setRole(admin, viewer, "super_admin"), 403, "role_above_own"},
		{"an admin deactivates a super_admin", deactivate(admin, super), 403, "target_not_below"},
		{"an admin deactivates their own account", deactivate(admin, admin), 400, "own_account"},
		{"the last admin demotes themselves", setRole(onlyAdmin, onlyAdmin, "viewer"), 409, "last_admin"},
		{"an unknown role", setRole(admin, viewer, "root"), 422, "invalid_request"},
		{"no role", setRole(admin, viewer, ""), 422, "invalid_request"},
	} {
		if c.got.status != c.status || c.got.body["code"] != c.code {
			t.Errorf("%s: %d %s", c.name, c.got.status, c.got.raw)
		}
	}
	if a := setRole(super, viewer, "super_admin"); a.status != 200 {
		t.Errorf("a super_admin grants super_admin: %s", a.raw)
	}
	own := s.want(t, 200, request{method: "GET", path: api + "/users/" + string(admin.user.ID), token: admin.access})
	if own.body["email"] != admin.email {
		t.Errorf("the own user is %s", own.raw)
	}
	list := s.want(t, 200, request{method: "GET", path: api + "/users" + query("limit", "2", "skip", "1"), token: admin.access})
	if users, _ := list.body["users"].([]any); len(users) != 2 || list.body["count"] != 3.0 || list.body["tenant_id"] != string(admin.user.TenantID) {
		t.Errorf("a page of users is %s", list.raw)
	}
}
