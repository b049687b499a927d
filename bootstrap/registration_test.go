package bootstrap_test

import (
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// testRegistration registers and signs in, as curl sends it, with the default settings.
func testRegistration(t *testing.T, on backend) {
	s := start(t, settings{"JWT_SECRET_KEY": secret, "PORT": "0"}.with(on(t)))
	email := uuid.NewString() + "@acme.com"
	account := map[string]string{"email": email, "password": password, "full_name": "Alice", "tenant_slug": newSlug()}
	curl := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	registered := s.want(t, 201, request{method: "POST", path: api + "/auth/register", body: account, header: curl})
	profile, _ := registered.body["user"].(map[string]any)
	if profile["role"] != "viewer" || profile["email"] != email || profile["is_active"] != true {
		t.Errorf("registered %v", profile)
	}
	in := s.want(t, 200, request{method: "POST", path: api + "/auth/login", body: credentials(email, password), header: curl})
	if in.body["token_type"] != "bearer" || in.body["expires_in"] != 900.0 {
		t.Errorf("signed in with %s", in.raw)
	}
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
			t.Errorf("%s: the second user is %s", c.mode, second.raw)
		}
	}
}

// testRegistrationsAtOnce: in mode open, simultaneous registrations with one slug create one tenant.
func testRegistrationsAtOnce(t *testing.T, on backend) {
	s := start(t, generous().with(on(t), settings{"REGISTRATION_MODE": "open"}))
	slug := newSlug()
	tenants := make(chan any, 8)
	var wg sync.WaitGroup
	for range cap(tenants) {
		wg.Go(func() {
			a := s.want(t, 201, request{method: "POST", path: api + "/auth/register", body: map[string]string{
				"email": uuid.NewString() + "@example.com", "password": password, "full_name": "Some Body", "tenant_slug": slug}})
			profile, _ := a.body["user"].(map[string]any)
			tenants <- profile["tenant_id"]
		})
	}
	wg.Wait()
	first := <-tenants
	for range cap(tenants) - 1 {
		if other := <-tenants; other != first {
			t.Errorf("one slug is two tenants: %v and %v", first, other)
		}
	}
}
