package bootstrap_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// testETags: a client may keep summaries and time series, and asks whether they are still so.
func testETags(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p, other := s.newPerson(t, newSlug(), access.Analyst), s.newPerson(t, newSlug(), access.Analyst)
	get := func(who person, path string, status int, known string) answer {
		t.Helper()
		r := request{method: "GET", path: api + path, token: who.access}
		if known != "" {
			r.header = map[string]string{"If-None-Match": known}
		}
		a := s.want(t, status, r)
		if a.header.Get("Cache-Control") != "private, no-cache" || !strings.Contains(a.header.Get("Vary"), "Authorization") || !strings.HasPrefix(a.header.Get("ETag"), `W/"`) {
			t.Errorf("%s: %v", path, a.header)
		}
		return a
	}
	seen := map[string]string{}
	for _, path := range []string{"/analytics/metrics/summary", "/analytics/metrics/summary?period=7d", "/analytics/timeseries", "/analytics/timeseries?source=web", "/analytics/timeseries?granularity=hour&period=7d"} {
		tag := get(p, path, 200, "").header.Get("ETag")
		if before, twice := seen[tag]; twice {
			t.Errorf("%s and %s have one tag", path, before)
		}
		seen[tag] = path
		for _, known := range []string{tag, `"x", ` + tag, strings.TrimPrefix(tag, "W/"), "*"} {
			if a := get(p, path, http.StatusNotModified, known); a.header.Get("ETag") != tag || a.raw != "" {
				t.Errorf("%s with %s: %s %q", path, known, a.header.Get("ETag"), a.raw)
			}
		}
		get(p, path, 200, `"x"`)
		if tag := get(other, path, 200, tag).header.Get("ETag"); seen[tag] != "" {
			t.Errorf("%s: two tenants have one tag", path)
		}
		s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: p.access, body: map[string]any{"event_type": "view", "user_identifier": "u", "source": "web", "occurred_at": time.Now().Add(-2 * time.Hour)}})
		if a := get(p, path, 200, tag); a.header.Get("ETag") == tag {
			t.Errorf("%s: another event does not show", path)
		}
	}
	refused := s.want(t, 422, request{method: "GET", path: api + "/analytics/metrics/summary?period=1d", token: p.access, header: map[string]string{"If-None-Match": "*"}})
	if refused.header.Get("Cache-Control") != "no-store" || refused.header.Get("ETag") != "" {
		t.Errorf("a problem: %v", refused.header)
	}
}
