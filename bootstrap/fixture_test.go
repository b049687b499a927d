package bootstrap_test

import (
	"encoding/csv"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// testResults ingests the events of testdata and compares the results with those that another program computed.
func testResults(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	for _, e := range porttest.EventFixtures(t) {
		s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: p.access, body: e})
	}
	for _, c := range porttest.ExpectedResults(t).Queries {
		a := s.want(t, 200, request{method: "POST", path: api + "/analytics/query", token: p.access, body: c.Query})
		var got []map[string]any
		for _, row := range a.body["results"].([]any) {
			got = append(got, row.(map[string]any))
		}
		if len(got)+len(c.Results) > 0 && !reflect.DeepEqual(got, c.Results) {
			t.Errorf("%v: %v, want %v", c.Query, got, c.Results)
		}
	}
}

// TestEventFiles: both files hold the same events.
func TestEventFiles(t *testing.T) {
	f, err := os.Open(porttest.Fixture(t, "events.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	given := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	var events []porttest.EventFixture
	for _, row := range rows[1:] {
		at, err := time.Parse(time.RFC3339, row[5])
		if err != nil {
			t.Fatal(err)
		}
		e := porttest.EventFixture{Type: row[0], UserIdentifier: row[1], SessionID: given(row[2]), Source: given(row[4]), OccurredAt: at}
		if row[3] != "" {
			value, err := strconv.ParseFloat(row[3], 64)
			if err != nil {
				t.Fatal(err)
			}
			e.Value = &value
		}
		events = append(events, e)
	}
	if want := porttest.EventFixtures(t); len(want) == 0 || !reflect.DeepEqual(events, want) {
		t.Errorf("%d events as CSV are not the %d as NDJSON", len(events), len(want))
	}
}
