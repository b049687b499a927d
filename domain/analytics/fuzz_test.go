package analytics_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics/analyticstest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// FuzzQuery: whatever a client sends is refused with the fields that are wrong, or planned and evaluated.
func FuzzQuery(f *testing.F) {
	f.Add("day,properties.plan", "count,p95(value),sum(properties.size)", "properties.plan", "eq", `"pro"`, "Europe/Berlin", "2026-03-27", "2026-03-30", "count", "desc", true)
	f.Add("", "", "value", "gte", "1e400", "", "", "", "", "", false)
	f.Add("user_identifier,hour,week,month", "unique_users", "user_identifier", "not_in", `["u1",""]`, "UTC", "0001-01-01", "9999-12-31", "hour", "asc", false)
	f.Add("properties.", "avg()", "properties.a", "in", `[[]]`, "Local", "x", "y", "z", "up", true)
	events := fuzzEvents()
	batch := columnsOf(events, map[string]uint32{})
	header := analytics.NewHeader(batch)
	f.Fuzz(func(t *testing.T, groups, metrics, field, op, value, zone, start, end, by, direction string, fill bool) {
		r := analytics.QueryRequest{
			GroupBy: strings.Split(groups, ","), Metrics: strings.Split(metrics, ","), Timezone: zone, StartDate: start, EndDate: end, Fill: fill,
			Filters: []analytics.FilterRequest{{Field: field, Op: op, Value: []byte(value)}}, OrderBy: []analytics.OrderRequest{{By: by, Direction: direction}},
		}
		query, err := r.Query()
		if err != nil {
			isRefusal(t, err)
			return
		}
		q := query.Question()
		var plan analytics.Plan
		plan.Add(q, header, false)
		if needs := plan.Pieces[0]; needs.Nothing() {
			q.AddHeader(header)
		} else if plan.Events != header.Events || plan.Values < plan.Events {
			t.Fatalf("the plan is %+v", plan)
		} else if err := q.Evaluate(only(batch, needs))(); err != nil {
			t.Fatal(err)
		}
		rows, err := q.Rows()
		if err != nil && !errors.Is(err, analytics.ErrTooExpensive) {
			t.Fatal(err)
		}
		for _, row := range rows {
			if len(row.Group) != len(query.GroupBy) || len(row.Values) != len(query.MetricNames()) {
				t.Fatalf("a row is %+v", row)
			}
		}
	})
}

// FuzzFunnel does the same with funnels.
func FuzzFunnel(f *testing.F) {
	f.Add("view", "buy", "7d", "source", "2026-03-27", "2026-03-30")
	f.Add("", "view", "0d", "properties.x,hour", "", "2026-03-30T00:00:00Z")
	f.Add("view", "view", "366d", "value", "2026-03-30", "2026-03-27")
	batch := columnsOf(fuzzEvents(), map[string]uint32{})
	f.Fuzz(func(t *testing.T, first, second, window, groups, start, end string) {
		funnel, err := analytics.FunnelRequest{
			Steps: []analytics.EventRequest{{EventType: first}, {EventType: second}}, Window: window, GroupBy: strings.Split(groups, ","), StartDate: start, EndDate: end,
		}.Funnel()
		if err != nil {
			isRefusal(t, err)
			return
		}
		q := funnel.Question()
		if err := q.Evaluate(only(batch, q.Needs(nil)))(); err != nil {
			t.Fatal(err)
		}
		if r := q.Result(home); r.Steps[1].Users > r.Steps[0].Users {
			t.Fatalf("%+v", r.Steps)
		}
	})
}

func isRefusal(t *testing.T, err error) {
	t.Helper()
	var refusal *fault.Error
	if !errors.As(err, &refusal) || refusal.Kind != fault.Invalid || len(refusal.Fields) == 0 {
		t.Fatalf("refused with %v", err)
	}
}

func fuzzEvents() (events []event.Event) {
	for i, who := range []string{"u1", "u2", "u1"} {
		at := analyticstest.Start.AddDate(0, 0, i)
		events = append(events, analyticstest.Event(event.Draft{
			Type: []string{"view", "buy", "buy"}[i], UserIdentifier: who, OccurredAt: &at, Value: new(float64(i)), Properties: []byte(`{"plan":"pro","size":1.5}`),
		}, home, i))
	}
	return events
}
