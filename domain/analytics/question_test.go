package analytics_test

import (
	"cmp"
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

// only returns a batch without what was not asked for.
func only(b *analytics.Batch, needs analytics.Needs) *analytics.Batch {
	part := &analytics.Batch{Times: b.Times, Numbers: b.Numbers}
	take := func(column analytics.Columns, take func()) {
		if needs.Columns&column != 0 {
			take()
		}
	}
	take(analytics.TypeColumn, func() { part.Types = b.Types })
	take(analytics.SourceColumn, func() { part.Sources = b.Sources })
	take(analytics.UserColumn, func() { part.Users = b.Users })
	take(analytics.IdentifierColumn, func() { part.Identifiers = b.Identifiers })
	take(analytics.SessionColumn, func() { part.Sessions = b.Sessions })
	take(analytics.ValueColumn, func() { part.Values = b.Values })
	for _, key := range needs.Keys {
		if part.ByKey == nil {
			part.ByKey = map[string]analytics.Strings{}
		}
		part.ByKey[key] = b.ByKey[key]
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
		case !needs.Nothing():
			if err := q.Evaluate(only(p.batch, needs))(); err != nil {
				t.Fatal(err)
			}
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

// TestAverageIsExact: the order of the values does not show in an average.
func TestAverageIsExact(t *testing.T) {
	var events []one
	for i := range 100_000 {
		events = append(events, one{at: int64(i), kind: "view", value: 0.1}, one{at: int64(i), kind: "view", value: 1e10}, one{at: int64(i), kind: "view", value: -1e10})
	}
	q := analytics.Query{GroupBy: []analytics.Dimension{analytics.ByEventType}, Limit: 1}.Question()
	if err := q.Evaluate(batchOf(events))(); err != nil {
		t.Fatal(err)
	}
	rows, err := q.Rows()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := *rows[0].Values[1], 0.1/3; math.Abs(got-want) > 1e-15 {
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
		"by type":                              {query(analytics.Query{GroupBy: []analytics.Dimension{analytics.ByEventType}}), analytics.TimeColumn | kind | value},
		"by source":                            {query(analytics.Query{GroupBy: []analytics.Dimension{analytics.BySource}}), analytics.TimeColumn | source | value},
		"by source of a type":                  {query(analytics.Query{GroupBy: []analytics.Dimension{analytics.BySource}, EventType: "view"}), 0},
		"by day":                               {query(analytics.Query{GroupBy: []analytics.Dimension{analytics.ByDay}}), analytics.TimeColumn | value},
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
		if got := c.question.Needs(h).Columns; got != c.want {
			t.Errorf("%s: needs %b, want %b", name, got, c.want)
		}
	}
}
