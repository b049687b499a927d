package analytics_test

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

const home id.Tenant = "home"

// only returns a batch without the columns that were not asked for.
func only(b *analytics.Batch, columns analytics.Columns) *analytics.Batch {
	part := &analytics.Batch{Times: b.Times}
	if columns&analytics.TypeColumn != 0 {
		part.Types = b.Types
	}
	if columns&analytics.SourceColumn != 0 {
		part.Sources = b.Sources
	}
	if columns&analytics.UserColumn != 0 {
		part.Users = b.Users
	}
	if columns&analytics.ValueColumn != 0 {
		part.Values = b.Values
	}
	return part
}

// piece is some events as they are stored.
type piece struct {
	batch  *analytics.Batch
	header *analytics.Header // nil: there is none
}

// pieces cuts events at random, so that pieces overlap, and some have no header.
func pieces(t *rapid.T, events []one) []piece {
	lists := make([][]one, rapid.SampledFrom([]int{1, 2, 3, 12}).Draw(t, "pieces"))
	for i, e := range events {
		n := i * len(lists) / len(events)
		if rapid.IntRange(0, 9).Draw(t, "late") == 0 {
			n = rapid.IntRange(0, len(lists)-1).Draw(t, "piece")
		}
		lists[n] = append(lists[n], e)
	}
	all := make([]piece, len(lists))
	for i, list := range lists {
		all[i].batch = batchOf(list)
		if rapid.IntRange(0, 3).Draw(t, "with header") > 0 {
			all[i].header = analytics.NewHeader(all[i].batch)
		}
	}
	return all
}

// ask gives a question the pieces in random order: their headers where they are enough, otherwise the columns it needs.
func ask(t *rapid.T, q analytics.Question, all []piece) {
	for _, p := range rapid.Permutation(all).Draw(t, "order") {
		needs := q.Needs(p.header)
		switch {
		case needs != 0:
			q.AddBatch(only(p.batch, needs))
		case p.header == nil:
			t.Fatal("nothing is needed of events without a header")
		default:
			q.AddHeader(p.header)
		}
	}
}

// inWindow returns the events in a window.
func inWindow(events []one, w analytics.Window) []one {
	return slices.DeleteFunc(slices.Clone(events), func(e one) bool {
		at := time.UnixMicro(e.at)
		return !w.Start.IsZero() && at.Before(w.Start) || !w.End.IsZero() && !at.Before(w.End)
	})
}

// windows generates windows that begin and end at a full hour, at an event, or never.
func windows(events []one) *rapid.Generator[analytics.Window] {
	edge := rapid.Custom(func(t *rapid.T) time.Time {
		at := time.UnixMicro(rapid.SampledFrom(append([]one{{}}, events...)).Draw(t, "edge").at).UTC()
		switch rapid.IntRange(0, 5).Draw(t, "kind of edge") {
		case 0:
			return time.Time{}
		case 1:
			return at
		case 2:
			return at.Add(1) // a nanosecond
		default:
			return at.Truncate(time.Hour)
		}
	})
	return rapid.Custom(func(t *rapid.T) analytics.Window {
		w := analytics.Window{Start: edge.Draw(t, "start"), End: edge.Draw(t, "end")}
		if !w.Start.IsZero() && !w.End.IsZero() && w.End.Before(w.Start) {
			w.Start, w.End = w.End, w.Start
		}
		return w
	})
}

// naiveSummary answers a summary by looking at one event after the other.
func naiveSummary(w analytics.Window, events []one) analytics.Summary {
	users, types := map[uint32]bool{}, map[string]int64{}
	s := analytics.Summary{TenantID: home, Window: w, TopEventTypes: []analytics.EventTypeCount{}}
	for _, e := range inWindow(events, w) {
		s.TotalEvents++
		users[e.user] = true
		types[e.kind]++
	}
	s.UniqueUsers = int64(len(users))
	for kind, n := range types {
		s.TopEventTypes = append(s.TopEventTypes, analytics.EventTypeCount{Type: kind, Count: n})
	}
	slices.SortFunc(s.TopEventTypes, func(a, b analytics.EventTypeCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Type, b.Type))
	})
	return s
}

func TestSummaryQuestion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := sortedEvents(day(2026, 1, 30), day(2026, 2, 2), 60).Draw(t, "events")
		all := pieces(t, events)
		for _, w := range rapid.SliceOfN(windows(events), 5, 5).Draw(t, "windows") {
			q := analytics.NewSummaryQuestion(w)
			ask(t, q, all)
			if got, want := q.Summary(home), naiveSummary(w, events); !reflect.DeepEqual(got, want) {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		}
	})
}

// TestTopEventTypes: a summary names five, the first by name of those that are equally frequent.
func TestTopEventTypes(t *testing.T) {
	var events []one
	for i, kind := range []string{"f", "e", "d", "c", "b", "a", "a"} {
		events = append(events, one{at: int64(i), kind: kind, value: math.NaN()})
	}
	q := analytics.NewSummaryQuestion(analytics.Window{})
	q.AddHeader(analytics.NewHeader(batchOf(events)))
	want := []analytics.EventTypeCount{{"a", 2}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}}
	if got := q.Summary(home).TopEventTypes; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// group is the events of one row of a query.
type group struct {
	key   *string
	count int64
	sum   float64
	n     float64
}

// naiveRows answers a query by looking at one event after the other.
func naiveRows(query analytics.Query, events []one) []analytics.Row {
	groups := map[string]*group{}
	for _, e := range inWindow(events, query.Window) {
		if query.EventType != "" && e.kind != query.EventType {
			continue
		}
		key := map[analytics.Dimension]string{
			analytics.ByEventType: e.kind, analytics.BySource: e.source, analytics.ByDay: time.UnixMicro(e.at).UTC().Format(time.DateOnly),
		}[query.GroupBy]
		if groups[key] == nil {
			groups[key] = &group{key: &key}
			if key == "-" {
				groups[key].key = nil
			}
		}
		groups[key].count++
		if !math.IsNaN(e.value) {
			groups[key].sum += e.value
			groups[key].n++
		}
	}
	rows := []analytics.Row{}
	for _, g := range groups {
		row := analytics.Row{Key: g.key, Count: g.count}
		if g.n > 0 {
			row.AvgValue = new(g.sum / g.n)
		}
		rows = append(rows, row)
	}
	text := func(r analytics.Row) string {
		if r.Key == nil {
			return "~" // after all others
		}
		return *r.Key
	}
	slices.SortFunc(rows, func(a, b analytics.Row) int {
		if query.GroupBy == analytics.ByDay {
			return cmp.Compare(text(a), text(b))
		}
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(text(a), text(b)))
	})
	return rows[:min(len(rows), query.Limit)]
}

func TestQueryQuestion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := sortedEvents(day(2026, 1, 30), day(2026, 2, 2), 60).Draw(t, "events")
		all := pieces(t, events)
		for _, w := range rapid.SliceOfN(windows(events), 5, 5).Draw(t, "windows") {
			query := analytics.Query{
				Window:    w,
				EventType: rapid.SampledFrom([]string{"", "", "view", "none"}).Draw(t, "type"),
				GroupBy:   rapid.SampledFrom([]analytics.Dimension{analytics.ByEventType, analytics.BySource, analytics.ByDay}).Draw(t, "dimension"),
				Limit:     rapid.IntRange(1, 5).Draw(t, "limit"),
			}
			q := query.Question()
			ask(t, q, all)
			if got, want := q.Rows(), naiveRows(query, events); !reflect.DeepEqual(got, want) {
				t.Fatalf("got %s, want %s", describe(got), describe(want))
			}
		}
	})
}

func describe(rows []analytics.Row) (s string) {
	for _, r := range rows {
		key, average := "nil", "nil"
		if r.Key != nil {
			key = *r.Key
		}
		if r.AvgValue != nil {
			average = fmt.Sprint(*r.AvgValue)
		}
		s += fmt.Sprintf("[%s %d %s]", key, r.Count, average)
	}
	return s
}

// TestAverageIsExact: the order of the values does not show in an average.
func TestAverageIsExact(t *testing.T) {
	var events []one
	for i := range 100_000 {
		events = append(events, one{at: int64(i), kind: "view", value: 0.1}, one{at: int64(i), kind: "view", value: 1e10}, one{at: int64(i), kind: "view", value: -1e10})
	}
	q := analytics.Query{GroupBy: analytics.ByEventType, Limit: 1}.Question()
	q.AddBatch(batchOf(events))
	if got, want := *q.Rows()[0].AvgValue, 0.1/3; math.Abs(got-want) > 1e-15 {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestNeeds: what each question needs of a piece from 10:20 to 14:40.
func TestNeeds(t *testing.T) {
	at := func(hour, minute int) time.Time { return time.Date(2026, 3, 10, hour, minute, 0, 0, time.UTC) }
	h := analytics.NewHeader(batchOf([]one{{at: at(10, 20).UnixMicro()}, {at: at(14, 40).UnixMicro()}}))
	summary := func(start, end time.Time) analytics.Question {
		return analytics.NewSummaryQuestion(analytics.Window{Start: start, End: end})
	}
	query := func(q analytics.Query) analytics.Question {
		q.Window.Start = at(10, 30)
		return q.Question()
	}
	series := func(r analytics.TimeseriesRequest, now time.Time) analytics.Question {
		s, err := r.Timeseries()
		if err != nil {
			t.Fatal(err)
		}
		return s.Question(now)
	}
	const kind, source, user, value = analytics.TypeColumn, analytics.SourceColumn, analytics.UserColumn, analytics.ValueColumn
	for name, c := range map[string]struct {
		question analytics.Question
		want     analytics.Columns
	}{
		"an open window":                       {summary(time.Time{}, time.Time{}), 0},
		"the window holds the piece":           {summary(at(10, 20), at(14, 41)), 0},
		"a full hour":                          {summary(at(11, 0), at(14, 0)), 0},
		"a start within an hour":               {summary(at(10, 21), time.Time{}), kind | user},
		"an end within an hour":                {summary(time.Time{}, at(14, 40)), kind | user},
		"a window before the piece":            {summary(at(9, 10), at(10, 20)), 0},
		"a window after the piece":             {summary(at(14, 41), at(14, 50)), 0},
		"by type":                              {query(analytics.Query{GroupBy: analytics.ByEventType}), kind | value},
		"by source":                            {query(analytics.Query{GroupBy: analytics.BySource}), source | value},
		"by source of a type":                  {query(analytics.Query{GroupBy: analytics.BySource, EventType: "view"}), source | kind | value},
		"by day":                               {query(analytics.Query{GroupBy: analytics.ByDay}), value},
		"count":                                {series(analytics.TimeseriesRequest{}, at(15, 30)), 0},
		"count until within an hour":           {series(analytics.TimeseriesRequest{}, at(14, 30)), analytics.TimeColumn},
		"count by half hours":                  {series(analytics.TimeseriesRequest{Granularity: "hour", Timezone: "Asia/Kolkata"}, at(15, 30)), analytics.TimeColumn},
		"sum by half hours":                    {series(analytics.TimeseriesRequest{Metric: "sum(value)", Granularity: "hour", Timezone: "Asia/Kolkata"}, at(15, 30)), analytics.TimeColumn | value},
		"a day that begins elsewhere":          {series(analytics.TimeseriesRequest{Timezone: "Asia/Kolkata"}, at(15, 30)), 0},
		"users":                                {series(analytics.TimeseriesRequest{Metric: "unique_users", EventType: "view", Granularity: "hour"}, at(15, 30)), 0},
		"users of a source":                    {series(analytics.TimeseriesRequest{Metric: "unique_users", EventType: "view", Source: "web"}, at(15, 30)), analytics.TimeColumn | kind | source | user},
		"users of a source, in another window": {series(analytics.TimeseriesRequest{Metric: "unique_users", Source: "web"}, at(9, 30)), 0},
		"the window before cuts the piece":     {series(analytics.TimeseriesRequest{Period: "7d", Compare: "previous"}, at(12, 40).AddDate(0, 0, 14)), analytics.TimeColumn},
	} {
		if got := c.question.Needs(h); got != c.want {
			t.Errorf("%s: needs %b, want %b", name, got, c.want)
		}
	}
}
