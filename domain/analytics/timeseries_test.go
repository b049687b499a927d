package analytics_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

func TestTimeseriesRequest(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	type request = analytics.TimeseriesRequest
	for name, c := range map[string]struct {
		request request
		want    analytics.Timeseries
		fields  []string // the invalid ones
	}{
		"defaults": {request{}, analytics.Timeseries{
			Metric: analytics.CountEvents, Granularity: analytics.Daily, Period: analytics.Month, Timezone: time.UTC,
		}, nil},
		"all": {request{"avg(value)", "week", "90d", "view", "web", "Europe/Berlin", "previous"}, analytics.Timeseries{
			Metric: analytics.AverageValues, Granularity: analytics.Weekly, Period: analytics.Quarter, EventType: "view", Source: "web",
			Timezone: berlin, Compare: true,
		}, nil},
		"all wrong": {request{"median(value)", "minute", "1y", "\x00", strings.Repeat("x", 101), "Europe/Atlantis", "next"}, analytics.Timeseries{},
			[]string{"metric", "granularity", "period", "event_type", "source", "timezone", "compare"}},
		"SQL":               {request{Metric: "sum(id)"}, analytics.Timeseries{}, []string{"metric"}},
		"this machine's":    {request{Timezone: "Local"}, analytics.Timeseries{}, []string{"timezone"}},
		"its file":          {request{Timezone: "localtime"}, analytics.Timeseries{}, []string{"timezone"}},
		"with leap seconds": {request{Timezone: "right/UTC"}, analytics.Timeseries{}, []string{"timezone"}},
		"parent directory":  {request{Timezone: "Europe/../UTC"}, analytics.Timeseries{}, []string{"timezone"}},
		"absolute path":     {request{Timezone: "/etc/localtime"}, analytics.Timeseries{}, []string{"timezone"}},
		"backslash":         {request{Timezone: `Europe\Berlin`}, analytics.Timeseries{}, []string{"timezone"}},
		"a directory":       {request{Timezone: "Europe"}, analytics.Timeseries{}, []string{"timezone"}},
		"NUL":               {request{Timezone: "UTC\x00"}, analytics.Timeseries{}, []string{"timezone"}},
		"an offset":         {request{Timezone: "+01:00"}, analytics.Timeseries{}, []string{"timezone"}},
		"very long":         {request{Timezone: strings.Repeat("A", 1_000_000)}, analytics.Timeseries{}, []string{"timezone"}},
	} {
		got, err := c.request.Timeseries()
		var (
			f      *fault.Error
			fields []string
		)
		if errors.As(err, &f) {
			for _, field := range f.Fields {
				fields = append(fields, field.Name)
			}
		}
		if !slices.Equal(fields, c.fields) || (err == nil && !reflect.DeepEqual(got, c.want)) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// TestBuckets: the start of some buckets of a period, where clocks change and calendars are odd.
func TestBuckets(t *testing.T) {
	for _, c := range []struct {
		name                      string
		granularity, period, zone string
		now                       string
		total                     int    // how many buckets
		from                      string // what the first of the following starts with
		want                      []string
	}{
		{"days of UTC", "day", "7d", "", "2026-03-10T12:30:00Z", 8, "2026-03-03",
			[]string{"2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z"}},
		{"now is a full hour and a new bucket, which is empty", "hour", "7d", "UTC", "2026-03-10T12:00:00Z", 168, "2026-03-10T11",
			[]string{"2026-03-10T11:00:00Z"}},
		{"a day of 23 hours", "day", "7d", "Europe/Berlin", "2026-03-31T12:00:00Z", 8, "2026-03-28",
			[]string{"2026-03-28T00:00:00+01:00", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"}},
		{"a day of 25 hours", "day", "7d", "Europe/Berlin", "2026-10-27T12:00:00Z", 8, "2026-10-24",
			[]string{"2026-10-24T00:00:00+02:00", "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"}},
		{"an hour that is not there", "hour", "7d", "Europe/Berlin", "2026-03-31T12:00:00Z", 168, "2026-03-29T01",
			[]string{"2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"}},
		{"an hour that is there twice", "hour", "7d", "Europe/Berlin", "2026-10-27T12:00:00Z", 168, "2026-10-25T02",
			[]string{"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"}},
		{"spring in New York", "day", "7d", "America/New_York", "2026-03-10T12:00:00Z", 8, "2026-03-08",
			[]string{"2026-03-08T00:00:00-05:00", "2026-03-09T00:00:00-04:00"}},
		{"autumn in New York", "day", "7d", "America/New_York", "2026-11-03T12:00:00Z", 8, "2026-11-01",
			[]string{"2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"}},
		{"half hours", "hour", "7d", "Asia/Kolkata", "2026-03-10T12:00:00Z", 169, "2026-03-03T17",
			[]string{"2026-03-03T17:00:00+05:30", "2026-03-03T18:00:00+05:30"}},
		{"days between half hours", "day", "7d", "Asia/Kolkata", "2026-03-10T12:00:00Z", 8, "2026-03-10",
			[]string{"2026-03-10T00:00:00+05:30"}},
		{"clocks that change by half an hour", "hour", "7d", "Australia/Lord_Howe", "2026-04-07T12:00:00Z", 169, "2026-04-05T01",
			[]string{"2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30"}},
		{"a period that begins when clocks change by half an hour", "hour", "7d", "Australia/Lord_Howe", "2026-04-11T15:30:00Z", 169, "2026-04-05",
			[]string{"2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30"}},
		{"clocks that change a minute after the hour", "hour", "7d", "America/St_Johns", "2010-11-09T12:30:00Z", 170, "2010-11-07T00",
			[]string{"2010-11-07T00:00:00-02:30", "2010-11-06T23:01:00-03:30", "2010-11-07T00:00:00-03:30"}},
		{"clocks that change back to the day before", "day", "7d", "America/St_Johns", "2010-11-14T03:15:00Z", 7, "2010-11-07",
			[]string{"2010-11-07T00:00:00-02:30", "2010-11-08T00:00:00-03:30"}},
		{"weeks begin on Monday", "week", "30d", "Europe/Berlin", "2026-03-31T12:00:00Z", 6, "2026-02-23",
			[]string{"2026-02-23T00:00:00+01:00", "2026-03-02T00:00:00+01:00", "2026-03-09T00:00:00+01:00", "2026-03-16T00:00:00+01:00",
				"2026-03-23T00:00:00+01:00", "2026-03-30T00:00:00+02:00"}},
		{"a week on a Sunday", "week", "7d", "UTC", "2026-03-08T12:00:00Z", 2, "2026-02-23",
			[]string{"2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"}},
		{"a week on a Monday", "week", "7d", "UTC", "2026-03-09T12:00:00Z", 2, "2026-03-02",
			[]string{"2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"}},
		{"months", "month", "90d", "Europe/Berlin", "2026-03-31T22:30:00Z", 5, "2025-12-01",
			[]string{"2025-12-01T00:00:00+01:00", "2026-01-01T00:00:00+01:00", "2026-02-01T00:00:00+01:00", "2026-03-01T00:00:00+01:00",
				"2026-04-01T00:00:00+02:00"}},
		{"a day that was not there", "day", "7d", "Pacific/Apia", "2012-01-02T12:00:00Z", 8, "2011-12-29",
			[]string{"2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"}},
		{"a day without midnight", "day", "7d", "Africa/Cairo", "2026-04-26T12:00:00Z", 8, "2026-04-23",
			[]string{"2026-04-23T00:00:00+02:00", "2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"}},
		{"a day with midnight twice", "day", "7d", "America/Havana", "2026-11-03T12:00:00Z", 8, "2026-11-01",
			[]string{"2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := analytics.TimeseriesRequest{Granularity: c.granularity, Period: c.period, Timezone: c.zone}.Timeseries()
			if err != nil {
				t.Fatal(err)
			}
			now, err := time.Parse(time.RFC3339, c.now)
			if err != nil {
				t.Fatal(err)
			}
			var starts []string
			for _, p := range s.Question(now).Result(home).Points {
				starts = append(starts, p.Time.Format(time.RFC3339))
			}
			if len(starts) != c.total {
				t.Errorf("%d buckets, want %d: %v", len(starts), c.total, starts)
			}
			i := slices.IndexFunc(starts, func(s string) bool { return strings.HasPrefix(s, c.from) })
			if i < 0 || len(starts) < i+len(c.want) || !slices.Equal(starts[i:i+len(c.want)], c.want) {
				t.Errorf("got %v, want %v", starts, c.want)
			}
		})
	}
}

// naiveSeries answers a time series by looking at one event after the other; it takes the starts of the buckets from the answer.
func naiveSeries(s analytics.Timeseries, got analytics.Series, events []one) analytics.Series {
	events = slices.DeleteFunc(inWindow(events, got.Window), func(e one) bool {
		return s.EventType != "" && e.kind != s.EventType || s.Source != "" && e.source != s.Source
	})
	want := analytics.Series{Window: got.Window, Points: []analytics.Point{}, Total: naiveMetric(s.Metric, events)}
	for i, p := range got.Points {
		bucket := analytics.Window{Start: p.Time}
		if i+1 < len(got.Points) {
			bucket.End = got.Points[i+1].Time
		}
		want.Points = append(want.Points, analytics.Point{Time: p.Time, Value: naiveMetric(s.Metric, inWindow(events, bucket))})
	}
	return want
}

func naiveMetric(m analytics.Metric, events []one) *float64 {
	var sum, n float64
	users := map[uint32]bool{}
	for _, e := range events {
		users[e.user] = true
		if !math.IsNaN(e.value) {
			sum += e.value
			n++
		}
	}
	switch {
	case m == analytics.CountEvents:
		return new(float64(len(events)))
	case m == analytics.CountUsers:
		return new(float64(len(users)))
	case m == analytics.SumValues:
		return &sum
	case n == 0:
		return nil
	default:
		return new(sum / n)
	}
}

// someTimeseries generates time series of seven days.
func someTimeseries() *rapid.Generator[analytics.Timeseries] {
	return rapid.Custom(func(t *rapid.T) analytics.Timeseries {
		s, err := analytics.TimeseriesRequest{
			Metric:      rapid.SampledFrom([]string{"count", "unique_users", "sum(value)", "avg(value)"}).Draw(t, "metric"),
			Granularity: rapid.SampledFrom([]string{"hour", "day", "week", "month"}).Draw(t, "granularity"),
			Period:      "7d",
			EventType:   rapid.SampledFrom([]string{"", "", "view", "none"}).Draw(t, "type"),
			Source:      rapid.SampledFrom([]string{"", "", "web", "none"}).Draw(t, "source"),
			Timezone:    rapid.SampledFrom([]string{"", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"}).Draw(t, "timezone"),
			Compare:     rapid.SampledFrom([]string{"", "previous"}).Draw(t, "compare"),
		}.Timeseries()
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestTimeseriesQuestion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hour := day(2026, 4, 7).Add(time.Duration(evenly(24).Draw(t, "hour")) * time.Hour)
		now := hour.Add(rapid.SampledFrom([]time.Duration{0, 1, 30 * time.Minute, time.Hour - 1}).Draw(t, "into the hour"))
		from := hour.AddDate(0, 0, -rapid.SampledFrom([]int{1, 8, 16}).Draw(t, "days"))
		events := sortedEvents(from, from.AddDate(0, 0, rapid.SampledFrom([]int{1, 2, 17}).Draw(t, "days of events")), 60).Draw(t, "events")
		all := pieces(t, events)
		for _, s := range rapid.SliceOfN(someTimeseries(), 5, 5).Draw(t, "questions") { // headers remember something of each
			q := s.Question(now)
			ask(t, q, all)
			got := q.Result(home)
			if want := naiveSeries(s, got.Series, events); !reflect.DeepEqual(got.Series, want) {
				t.Fatalf("got %v, want %v", values(got.Series), values(want))
			}
			if got.Previous == nil {
				continue
			}
			if want := naiveSeries(s, *got.Previous, events); !reflect.DeepEqual(*got.Previous, want) {
				t.Fatalf("previous: got %v, want %v", values(*got.Previous), values(want))
			}
		}
	})
}

// values describes the values of a series that are not 0.
func values(s analytics.Series) []any {
	all := []any{s.Window}
	if s.Total != nil {
		all = append(all, *s.Total)
	}
	for _, p := range s.Points {
		if p.Value != nil && *p.Value != 0 {
			all = append(all, p.Time, *p.Value)
		}
	}
	return all
}

// TestCompare: the window before, and by how many percent the total grew.
func TestCompare(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 30, 0, 0, time.UTC)
	start := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	before := time.Date(2026, 2, 24, 11, 30, 0, 0, time.UTC)
	event := func(at time.Time, value float64) one { return one{at: at.UnixMicro(), kind: "view", value: value} }
	for name, c := range map[string]struct {
		metric string
		events []one
		want   *float64
	}{
		"twice as many":          {"count", []one{event(before, 1), event(start, 1), event(start, 1)}, new(100.0)},
		"none any more":          {"count", []one{event(start.Add(-1), 1)}, new(-100.0)},
		"nothing before":         {"count", []one{event(before.Add(-1), 1), event(start, 1)}, nil},
		"nothing at all":         {"avg(value)", nil, nil},
		"no average before":      {"avg(value)", []one{event(before, math.NaN()), event(start, 1)}, nil},
		"no average any more":    {"avg(value)", []one{event(before, 1)}, nil},
		"more, from a debt":      {"sum(value)", []one{event(before, -4), event(start, 2)}, new(150.0)},
		"the same users as then": {"unique_users", []one{event(before, 1), event(start, 1), event(now.Add(-time.Microsecond), 1)}, new(0.0)},
	} {
		s, err := analytics.TimeseriesRequest{Metric: c.metric, Period: "7d", Compare: "previous"}.Timeseries()
		if err != nil {
			t.Fatal(err)
		}
		q := s.Question(now)
		if want := (analytics.Window{Start: before, End: now}); q.Window() != want {
			t.Errorf("%s: the window is %v, want %v", name, q.Window(), want)
		}
		if err := q.Evaluate(batchOf(c.events))(); err != nil {
			t.Fatal(err)
		}
		r := q.Result(home)
		if !reflect.DeepEqual(r.ChangePercent, c.want) {
			t.Errorf("%s: the change is %v, want %v", name, r.ChangePercent, c.want)
		}
		if want := (analytics.Window{Start: before, End: start}); r.Previous.Window != want {
			t.Errorf("%s: the window before is %v, want %v", name, r.Previous.Window, want)
		}
	}
}

// TestSharedHeaders: questions of several goroutines share headers, which derive and remember what they are asked for.
func TestSharedHeaders(t *testing.T) {
	batches := benchBatches(8, 1, 1000)
	headers := make([]*analytics.Header, len(batches))
	for i, b := range batches {
		headers[i] = analytics.NewHeader(b)
	}
	var questions sync.WaitGroup
	totals := make([]float64, 16)
	for i := range totals {
		questions.Go(func() {
			s, err := analytics.TimeseriesRequest{
				Metric: "unique_users", Period: "7d", Timezone: []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"}[i%4],
			}.Timeseries()
			if err != nil {
				t.Error(err)
				return
			}
			q := s.Question(benchNow)
			answer(q, headers, batches)
			totals[i] = *q.Result(home).Total
		})
	}
	questions.Wait()
	if slices.Max(totals) != slices.Min(totals) || totals[0] == 0 {
		t.Errorf("the totals are %v", totals)
	}
}
