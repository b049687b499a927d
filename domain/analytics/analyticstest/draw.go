package analyticstest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// Start is when the events that are drawn begin: two days before clocks change in Europe. They last for Span.
var Start = time.Date(2026, 3, 27, 0, 0, 0, 0, time.UTC)

// Span is how long after Start the last event is.
const Span = 5 * 24 * time.Hour

// Drafts draws events, with values that are easy to confuse. Many are at the same time.
func Drafts(most int) *rapid.Generator[[]event.Draft] {
	optional := func(texts ...string) *rapid.Generator[*string] {
		return rapid.Custom(func(t *rapid.T) *string {
			if rapid.IntRange(0, 4).Draw(t, "none") == 0 {
				return nil
			}
			return new(rapid.SampledFrom(texts).Draw(t, "text"))
		})
	}
	properties := rapid.Custom(func(t *rapid.T) []byte {
		all := map[string]json.RawMessage{}
		for _, key := range []string{"plan", "size", "ä.\"b"} {
			if rapid.Bool().Draw(t, "has "+key) {
				all[key] = json.RawMessage(rapid.SampledFrom(propertyValues).Draw(t, key))
			}
		}
		if len(all) == 0 && rapid.Bool().Draw(t, "without properties") {
			return nil
		}
		if rapid.IntRange(0, 19).Draw(t, "rare") == 0 {
			all[fmt.Sprint("rare", rapid.IntRange(0, 2).Draw(t, "which"))] = json.RawMessage("1")
		}
		return []byte(quoted(all))
	})
	draft := rapid.Custom(func(t *rapid.T) event.Draft {
		minutes := rapid.IntRange(0, int(Span/time.Minute)/20).Draw(t, "minutes") * 20
		at := Start.Add(time.Duration(minutes) * time.Minute)
		if rapid.IntRange(0, 3).Draw(t, "exactly") > 0 {
			at = at.Add(time.Duration(rapid.IntRange(0, 1_000_000).Draw(t, "microseconds")) * time.Microsecond)
		}
		d := event.Draft{
			Type:           rapid.SampledFrom([]string{"view", "view", "click", "buy"}).Draw(t, "type"),
			UserIdentifier: rapid.SampledFrom([]string{"u1", "u2", "u3", "Ü 4", "5"}).Draw(t, "user"),
			SessionID:      optional("s1", "s2", "").Draw(t, "session"),
			Source:         optional("web", "app", "Web").Draw(t, "source"),
			OccurredAt:     &at,
			Properties:     properties.Draw(t, "properties"),
		}
		if rapid.Bool().Draw(t, "with a value") {
			d.Value = new(rapid.SampledFrom([]float64{0, 5, -1.5, 2.25, 1e6}).Draw(t, "value"))
		}
		return d
	})
	return rapid.SliceOfN(draft, 1, most)
}

var propertyValues = []string{`"pro"`, `"5"`, `5`, `5.0`, `0.1`, `1e2`, `100`, `-3`, `true`, `false`, `null`, `{"a":1}`, `[1,2]`, `""`, `"é\n"`}

// Event returns a draft as an event of a tenant.
func Event(d event.Draft, tenant id.Tenant, n int) event.Event {
	e, err := d.Entry(tenant, event.Unnamed(fmt.Sprint(n)), Start.Add(Span))
	if err != nil {
		panic(err)
	}
	return e.Event
}

var (
	groupNames  = []string{"event_type", "source", "user_identifier", "session_id", "hour", "day", "week", "month", "properties.plan", "properties.size", "properties.ä.\"b", "properties.rare1", "properties.none"}
	metricNames = []string{"count", "unique_users", "sum(value)", "avg(value)", "min(value)", "max(value)", "p50(value)", "p90(value)", "p95(value)", "p99(value)", "sum(properties.size)", "avg(properties.plan)", "p50(properties.size)", "max(properties.rare1)"}
	zones       = []string{"", "Europe/Berlin", "America/New_York", "Asia/Kolkata"}
)

// Filters draws filters.
func Filters(most int) *rapid.Generator[[]analytics.FilterRequest] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) analytics.FilterRequest {
		f := analytics.FilterRequest{
			Field: rapid.SampledFrom([]string{"event_type", "source", "user_identifier", "session_id", "value", "properties.plan", "properties.size", "properties.ä.\"b", "properties.rare1"}).Draw(t, "field"),
		}
		var ops []string
		for _, o := range analytics.Ops() {
			if f.Field != "value" || o.String() != "contains" && o.String() != "starts_with" {
				ops = append(ops, o.String())
			}
		}
		f.Op = rapid.SampledFrom(ops).Draw(t, "op")
		f.Value = []byte(values(f).Draw(t, "value"))
		return f
	}), 0, most)
}

// values draws values for a filter, as JSON.
func values(f analytics.FilterRequest) *rapid.Generator[string] {
	texts := []string{`"view"`, `"web"`, `"5"`, `"u1"`, `"Ü 4"`, `"s1"`, `""`, `"e"`, `"pro"`, `"nobody"`}
	numbers := []string{"5", "-1.5", "0.1", "100", "7"}
	of := texts
	switch {
	case f.Op == "exists":
		return rapid.SampledFrom([]string{"true", "false"})
	case f.Field == "value":
		of = numbers
	case f.Op == "contains" || f.Op == "starts_with" || f.Field[0] != 'p':
	case f.Op == "gt" || f.Op == "gte" || f.Op == "lt" || f.Op == "lte":
		of = slices.Concat(texts, numbers)
	default:
		of = slices.Concat(texts, numbers, []string{"true", "false"})
	}
	if f.Op != "in" && f.Op != "not_in" {
		return rapid.SampledFrom(of)
	}
	return rapid.Map(rapid.SliceOfN(rapid.SampledFrom(of), 1, 3), func(list []string) string {
		raw := make([]json.RawMessage, len(list))
		for i, one := range list {
			raw[i] = json.RawMessage(one)
		}
		return quoted(raw)
	})
}

// dates draws the ends of a window, which are empty now and then unless it is closed.
func dates(t *rapid.T, closed bool) (start, end string) {
	from := rapid.IntRange(0, 4).Draw(t, "from day")
	to := rapid.IntRange(from, 5).Draw(t, "to day")
	first, last := Start.AddDate(0, 0, from), Start.AddDate(0, 0, to)
	start, end = first.Format(time.DateOnly), last.Format(time.DateOnly)
	if rapid.Bool().Draw(t, "at times") {
		start, end = first.Add(90*time.Minute).Format(time.RFC3339), last.Add(150*time.Minute).Format(time.RFC3339)
	}
	if !closed && rapid.IntRange(0, 3).Draw(t, "open start") == 0 {
		start = ""
	}
	if !closed && rapid.IntRange(0, 3).Draw(t, "open end") == 0 {
		end = ""
	}
	return start, end
}

func names(t *rapid.T, from []string, least, most int) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(from), least, most, rapid.ID).Draw(t, "names")
}

// Queries draws queries.
func Queries() *rapid.Generator[analytics.QueryRequest] {
	return rapid.Custom(func(t *rapid.T) analytics.QueryRequest {
		r := analytics.QueryRequest{
			EventType: rapid.SampledFrom([]string{"", "", "view", "none"}).Draw(t, "type"),
			Filters:   Filters(3).Draw(t, "filters"),
			Timezone:  rapid.SampledFrom(zones).Draw(t, "zone"),
			Limit:     new(rapid.SampledFrom([]int{1, 3, 100, 10_000}).Draw(t, "limit")),
		}
		if rapid.IntRange(0, 5).Draw(t, "grouped") > 0 {
			r.GroupBy = append([]string{}, names(t, groupNames, 0, 4)...)
		}
		if rapid.IntRange(0, 5).Draw(t, "metrics") > 0 {
			r.Metrics = names(t, metricNames, 1, 5)
		}
		times := slices.DeleteFunc(slices.Clone(r.GroupBy), func(d string) bool { return !isTime(d) })
		r.Fill = len(times) == 1 && rapid.Bool().Draw(t, "fill")
		r.StartDate, r.EndDate = dates(t, r.Fill)
		order := slices.Clone(r.GroupBy)
		if r.Metrics != nil {
			order = append(order, r.Metrics...)
		}
		if len(order) > 0 && rapid.Bool().Draw(t, "ordered") {
			for _, by := range names(t, order, 1, min(2, len(order))) {
				r.OrderBy = append(r.OrderBy, analytics.OrderRequest{By: by, Direction: rapid.SampledFrom([]string{"", "asc", "desc"}).Draw(t, "direction")})
			}
		}
		return r
	})
}

func meant() *rapid.Generator[analytics.EventRequest] {
	return rapid.Custom(func(t *rapid.T) analytics.EventRequest {
		return analytics.EventRequest{EventType: rapid.SampledFrom([]string{"view", "click", "buy"}).Draw(t, "type"), Filters: Filters(1).Draw(t, "filters")}
	})
}

// Funnels draws funnels.
func Funnels() *rapid.Generator[analytics.FunnelRequest] {
	return rapid.Custom(func(t *rapid.T) analytics.FunnelRequest {
		r := analytics.FunnelRequest{
			Steps:    rapid.SliceOfN(meant(), 2, 4).Draw(t, "steps"),
			Window:   rapid.SampledFrom([]string{"1d", "2h", "40m", "1s"}).Draw(t, "window"),
			Timezone: rapid.SampledFrom(zones).Draw(t, "zone"),
		}
		if rapid.Bool().Draw(t, "grouped") {
			r.GroupBy = names(t, groupNames, 1, 2)
		}
		r.StartDate, r.EndDate = dates(t, true)
		return r
	})
}

// Retentions draws retentions.
func Retentions() *rapid.Generator[analytics.RetentionRequest] {
	return rapid.Custom(func(t *rapid.T) analytics.RetentionRequest {
		r := analytics.RetentionRequest{
			Cohort: meant().Draw(t, "cohort"), Return: meant().Draw(t, "return"),
			Period: rapid.SampledFrom([]string{"day", "week", "month"}).Draw(t, "period"), Timezone: rapid.SampledFrom(zones).Draw(t, "zone"),
		}
		r.StartDate, r.EndDate = dates(t, true)
		return r
	})
}

// Check draws questions of every kind and compares their answers with those of the events, of which ask must give the question all
// pieces.
func Check(t *rapid.T, events Events, ask func(q analytics.Question)) {
	request := Queries().Draw(t, "query")
	query, err := request.Query()
	must(t, err)
	question := query.Question()
	ask(question)
	rows, err := question.Rows()
	must(t, err)
	if difference := Difference(Rows(rows), events.Query(request)); difference != "" {
		t.Fatalf("%s: %s", quoted(request), difference)
	}

	steps := Funnels().Draw(t, "funnel")
	funnel, err := steps.Funnel()
	must(t, err)
	journey := funnel.Question()
	ask(journey)
	if got, want := FunnelSteps(journey.Result("")), events.Funnel(steps); !SameSteps(got, want) {
		t.Fatalf("%s: got %s, want %s", quoted(steps), quoted(got), quoted(want))
	}

	cohorts := Retentions().Draw(t, "retention")
	retention, err := cohorts.Retention()
	must(t, err)
	back := retention.Question()
	ask(back)
	if got, want := back.Result("").Cohorts, events.Retention(cohorts); quoted(got) != quoted(want) {
		t.Fatalf("%s: got %s, want %s", quoted(cohorts), quoted(got), quoted(want))
	}
}

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
