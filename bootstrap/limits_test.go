package bootstrap_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// TestUnlimited: without limits nobody is refused, and no answer speaks of a limit.
func TestUnlimited(t *testing.T) {
	s := generous()
	for name := range s {
		if strings.HasPrefix(name, "RATE_LIMIT_") {
			s[name] = "unlimited"
		}
	}
	running := start(t, s.with(onSQLite(t)))
	p := running.newPerson(t, newSlug(), access.Analyst)
	running.signIn(t, &p)
	running.refresh(t, 200, p.refresh)
	running.signIn(t, &p)
	for _, a := range []answer{
		running.me(t, 200, p.access), running.me(t, 401, "no token"),
		running.want(t, 404, request{method: "GET", path: api + "/nowhere"}),
		running.want(t, 200, request{method: "GET", path: api + "/analytics/export", token: p.access}),
	} {
		for _, name := range slices.Sorted(maps.Keys(a.header)) {
			if strings.Contains(strings.ToLower(name), "ratelimit") {
				t.Errorf("an answer has %s: %s", name, a.header.Get(name))
			}
		}
	}
}
