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

// Fixture returns the path of a file in testdata at the top level, which holds what more than one package tests with.
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

// ReportedEvent is a line of testdata/events.ndjson: an event as a client reports it.
type ReportedEvent struct {
	Type           string    `json:"event_type"`
	UserIdentifier string    `json:"user_identifier"`
	SessionID      *string   `json:"session_id"`
	Value          *float64  `json:"value"`
	Source         *string   `json:"source"`
	OccurredAt     time.Time `json:"occurred_at"`
}

// ReportedEvents returns the lines of testdata/events.ndjson.
func ReportedEvents(t testing.TB) (events []ReportedEvent) {
	t.Helper()
	f, err := os.Open(Fixture(t, "events.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e ReportedEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// Answers are what testdata/answers.json says of the events in events.ndjson. They were worked out by another program.
type Answers struct {
	Totals struct {
		Start, End  time.Time
		Events      int64
		UniqueUsers int64 `json:"unique_users"`
		Top         []struct {
			Type  string `json:"event_type"`
			Count int64
		} `json:"top_event_types"`
	}
	Queries []struct {
		Question map[string]any // as it is asked over HTTP
		Results  []map[string]any
	}
}

// ExpectedAnswers reads testdata/answers.json.
func ExpectedAnswers(t testing.TB) (a Answers) {
	t.Helper()
	content, err := os.ReadFile(Fixture(t, "answers.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// ask returns a question of the file as the domain has it.
func ask(t testing.TB, question map[string]any) analytics.Query {
	t.Helper()
	text := func(name string) string { s, _ := question[name].(string); return s }
	a := analytics.Ask{EventType: text("event_type"), StartDate: text("start_date"), EndDate: text("end_date"), GroupBy: text("group_by")}
	if limit, given := question["limit"].(float64); given {
		a.Limit = new(int(limit))
	}
	q, err := a.Query()
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// BrokenConfigurations returns the files in testdata/config, and what the first line of each says is to blame.
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
		blamed, found := strings.CutPrefix(first, "# blames: ")
		if !found {
			t.Fatalf("%s does not say whom to blame", file)
		}
		broken[file] = strings.Split(blamed, ", ")
	}
	return broken
}
