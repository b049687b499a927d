package analytics_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// TestPlan: what a question costs is known from the headers, and one that costs too much is refused with what to narrow.
func TestPlan(t *testing.T) {
	header := func(events int64) *analytics.Header {
		return &analytics.Header{
			First: 0, Last: 1, Events: events, Types: []string{"", "view"}, Sources: []string{""}, Cells: []analytics.Cell{{Type: 1, Events: events}},
		}
	}
	query := func(r analytics.QueryRequest) *analytics.QueryQuestion {
		q, err := r.Query()
		if err != nil {
			t.Fatal(err)
		}
		return q.Question()
	}
	byKey := query(analytics.QueryRequest{GroupBy: []string{"properties.a", "properties.b"}, Metrics: []string{"sum(properties.b)"}})
	var plan analytics.Plan
	plan.Add(byKey, header(10), false)
	plan.Add(query(analytics.QueryRequest{}), header(10), false)
	plan.Add(query(analytics.QueryRequest{}), header(10), true)
	plan.Add(query(analytics.QueryRequest{EventType: "buy", GroupBy: []string{"properties.a"}}), header(10), false)
	if plan.Events != 20 || plan.Values != 10*3+10*3 || !plan.Pieces[1].Nothing() || plan.Pieces[2].Nothing() || !plan.Pieces[3].Nothing() {
		t.Errorf("the plan is %+v", plan)
	}
	if err := plan.Check(); err != nil {
		t.Error(err)
	}
	plan.Add(byKey, header(1_000_000_000), false)
	if err := plan.Check(); !errors.Is(err, analytics.ErrTooExpensive) || !strings.Contains(err.Error(), "Narrow") {
		t.Errorf("a plan of %d values: %v", plan.Values, err)
	}
}

// TestLimitsOfQuestions: what would take too much memory is refused.
func TestLimitsOfQuestions(t *testing.T) {
	visits := make([]one, 100_000)
	for i := range visits {
		visits[i] = one{at: int64(i), kind: "view", user: uint32(i)}
	}
	batch := batchOf(visits)
	funnel, err := analytics.FunnelRequest{Steps: []analytics.EventRequest{{EventType: "view"}, {EventType: "view"}}, Window: "7d", StartDate: "1970-01-01", EndDate: "1970-01-02"}.Funnel()
	if err != nil {
		t.Fatal(err)
	}
	q := funnel.Question()
	for range 100 {
		if err = q.Evaluate(batch)(); err != nil {
			break
		}
	}
	if !errors.Is(err, analytics.ErrTooExpensive) {
		t.Errorf("ten million visits: %v", err)
	}
	query, err := analytics.QueryRequest{GroupBy: []string{"session_id"}, Metrics: []string{"count", "unique_users", "p50(value)"}}.Query()
	if err != nil {
		t.Fatal(err)
	}
	groups := query.Question()
	for n := range 20 {
		part := *batch
		var sessions analytics.StringsBuilder
		for i := range visits {
			sessions.Add(string(rune('a'+n)) + string(rune(0x10000+i)))
		}
		part.Sessions = sessions.Strings()
		if err = groups.Evaluate(&part)(); err != nil {
			break
		}
	}
	if !errors.Is(err, analytics.ErrTooExpensive) {
		t.Errorf("two million groups: %v", err)
	}
}
