package bootstrap_test

import (
	"testing"

	"github.com/google/uuid"
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
		{"no enumeration", testNoEnumeration},
		{"rotation", testRotation},
		{"concurrent refreshes", testConcurrentRefresh},
		{"sign out", testSignOut},
		{"guessing", testGuessing},
		{"session limit", testSessionLimit},
		{"registrations at once", testRegistrationsAtOnce},
		{"address throttled", testAddressThrottled},
		{"stolen token", testStolenToken},
		{"grace", testGrace},
		{"changes count at once", testChangesCountAtOnce},
		{"password", testPassword},
		{"operator", testOperator},
		{"restart and other processes", testRestart},
		{"tokens", testTokens},
		{"role rules", testRoleRules},
		{"rate limits", testRateLimits},
		{"events", testEvents},
		{"expected results", testResults},
		{"idempotency", testIdempotency},
		{"export", testExport},
		{"bad input", testBadInput},
		{"all field errors", testAllFieldErrors},
		{"formats", testFormats},
		{"homographs", testHomographs},
		{"malformed query", testMalformedQuery},
		{"cross-site", testCrossSite},
		{"open routes", testOpenRoutes},
		{"too large is counted", testTooLargeCounted},
		{"audit log", testAuditLog},
		{"headers", testHeaders},
		{"docs", testDocs},
		{"root", testRoot},
		{"contract", testContract},
	} {
		t.Run(test.name, func(t *testing.T) { t.Parallel(); test.run(t, on) })
	}
}

// testWalkthrough sends the requests of the README's walkthrough.
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
