package porttest

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// Fixture returns the path of a file in the top-level testdata, which holds the fixtures of more than one package.
func Fixture(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "testdata", name)
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// EventFixture is a line of testdata/events.ndjson: an event as a client sends it.
type EventFixture struct {
	Type           string    `json:"event_type"`
	UserIdentifier string    `json:"user_identifier"`
	SessionID      *string   `json:"session_id"`
	Value          *float64  `json:"value"`
	Source         *string   `json:"source"`
	OccurredAt     time.Time `json:"occurred_at"`
}

// EventFixtures returns the lines of testdata/events.ndjson.
func EventFixtures(t testing.TB) (events []EventFixture) {
	t.Helper()
	f, err := os.Open(Fixture(t, "events.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e EventFixture
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// Results are what testdata/results.json expects of the events in events.ndjson, as another program computed them.
type Results struct {
	Summary struct {
		Start, End    time.Time
		TotalEvents   int64 `json:"total_events"`
		UniqueUsers   int64 `json:"unique_users"`
		TopEventTypes []struct {
			Type  string `json:"event_type"`
			Count int64
		} `json:"top_event_types"`
	}
	Queries []struct {
		Query   map[string]any // the request body
		Results []map[string]any
	}
}

// ExpectedResults reads testdata/results.json.
func ExpectedResults(t testing.TB) (r Results) {
	t.Helper()
	content, err := os.ReadFile(Fixture(t, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// parseQuery turns a request body of the file into the domain's query.
func parseQuery(t testing.TB, body map[string]any) analytics.Query {
	t.Helper()
	text := func(name string) string { s, _ := body[name].(string); return s }
	r := analytics.QueryRequest{EventType: text("event_type"), StartDate: text("start_date"), EndDate: text("end_date")}
	if name := text("group_by"); name != "" {
		r.GroupBy = []string{name}
	}
	if limit, given := body["limit"].(float64); given {
		r.Limit = new(int(limit))
	}
	q, err := r.Query()
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// BrokenConfigurations returns the files in testdata/config, each with the settings that its first line names as invalid.
func BrokenConfigurations(t testing.TB) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(Fixture(t, "config/*.env"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files of broken configuration: %v", len(files), err)
	}
	broken := make(map[string][]string, len(files))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(content), "\n")
		names, found := strings.CutPrefix(first, "# invalid: ")
		if !found {
			t.Fatalf("the first line of %s does not name the invalid settings", file)
		}
		broken[file] = strings.Split(names, ", ")
	}
	return broken
}
