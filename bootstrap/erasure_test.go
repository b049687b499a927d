package bootstrap_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// testErasure: an admin erases a user, of whom nothing is left in any answer, but for what comes in later.
func testErasure(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	slug := newSlug()
	analyst, admin := s.newPerson(t, slug, access.Analyst), s.newPerson(t, slug, access.Admin)
	neighbour := s.newPerson(t, newSlug(), access.Admin)
	ingestViews(t, s, analyst, "erased-user", 3)
	ingestViews(t, s, analyst, "other-user", 2)
	ingestViews(t, s, neighbour, "erased-user", 1)

	s.want(t, 422, request{method: "DELETE", path: api + "/analytics/events", token: admin.access})
	s.want(t, 422, request{method: "DELETE", path: api + "/analytics/events?source=web", token: admin.access})
	done := s.want(t, 200, request{method: "DELETE", path: api + "/analytics/events?user_identifier=erased-user", token: admin.access})
	if done.body["deleted"] != 3.0 || done.body["completed_at"] == "" {
		t.Errorf("erased: %s", done.raw)
	}
	counts := func(p person, want string) {
		t.Helper()
		a := s.want(t, 200, request{method: "POST", path: api + "/analytics/query", token: p.access, body: map[string]any{"group_by": "user_identifier", "metrics": []string{"count", "unique_users"}}})
		if got := fmt.Sprint(a.body["results"]); got != want {
			t.Errorf("the counts are %s, want %s", got, want)
		}
	}
	counts(admin, "[map[count:2 unique_users:1 user_identifier:other-user]]")
	counts(neighbour, "[map[count:1 unique_users:1 user_identifier:erased-user]]")
	for _, path := range []string{"/analytics/events", "/analytics/events?user_identifier=erased-user", "/analytics/export", "/analytics/properties"} {
		if a := s.want(t, 200, request{method: "GET", path: api + path, token: admin.access}); strings.Contains(a.raw, "erased-user") {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
	ingestViews(t, s, analyst, "erased-user", 1)
	counts(admin, "[map[count:2 unique_users:1 user_identifier:other-user] map[count:1 unique_users:1 user_identifier:erased-user]]")

	path := fmt.Sprintf("%s/analytics/erasures/%s", api, done.body["request_id"])
	if a := s.want(t, 200, request{method: "GET", path: path, token: admin.access}); a.body["status"] != "done" || a.body["deleted"] != 3.0 || strings.Contains(a.raw, "erased-user") {
		t.Errorf("the erasure is %s", a.raw)
	}
	s.want(t, 404, request{method: "GET", path: path, token: neighbour.access})
	s.want(t, 404, request{method: "GET", path: api + "/analytics/erasures/" + uuid.NewString(), token: admin.access})
	for _, act := range []string{"analytics.erasure_requested", "analytics.erasure_completed"} {
		lines := s.log.lines(t, act)
		if len(lines) != 1 || lines[0]["severity"] != "WARNING" || strings.Contains(fmt.Sprint(lines), "erased-user") {
			t.Errorf("%s: %v", act, lines)
		}
	}
}

// ingestViews ingests events of a user, an hour ago.
func ingestViews(t *testing.T, s *service, p person, who string, n int) {
	t.Helper()
	for i := range n {
		s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: p.access, body: map[string]any{
			"event_type": "view", "user_identifier": who, "event_id": fmt.Sprint(who, i, time.Now().UnixNano()), "occurred_at": time.Now().Add(-time.Hour),
			"properties": map[string]any{"of": who},
		}})
	}
}

// TestErasure_files: once an erasure is done, the files of the database have nothing of the user.
func TestErasure_files(t *testing.T) {
	on := onSQLite(t)
	s := start(t, generous().with(on))
	slug := newSlug()
	analyst, admin := s.newPerson(t, slug, access.Analyst), s.newPerson(t, slug, access.Admin)
	const who = "somebody-to-forget-4711"
	ingestViews(t, s, analyst, who, 20)
	ingestViews(t, s, analyst, "others", 20)
	dir := filepath.Dir(strings.TrimPrefix(on["DATABASE_URL"], "sqlite://"))
	if !filesHave(t, dir, who) {
		t.Fatal("the test does not find the user in the files even before")
	}
	s.want(t, 200, request{method: "DELETE", path: api + "/analytics/events?user_identifier=" + who, token: admin.access})
	if filesHave(t, dir, who) {
		t.Error("the files still have the user")
	}
}

// filesHave reports whether a file of a folder has a text.
func filesHave(t *testing.T, dir, text string) (found bool) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(text)) {
			t.Logf("%s has it", e.Name())
			found = true
		}
	}
	return found
}
