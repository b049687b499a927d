package analytics_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// benchNow is a time at which the last hour is not over.
var benchNow = time.Date(2026, 3, 31, 12, 30, 0, 0, time.UTC)

// benchBatches returns the events of so many days until benchNow, in so many batches a day of so many events each: 100,000 users,
// 5 types, 4 sources.
func benchBatches(days, perDay, events int) []*analytics.Batch {
	const users = 100_000
	r := rand.New(rand.NewPCG(1, 2))
	var batches []*analytics.Batch
	for d := range days {
		start := benchNow.Truncate(24*time.Hour).AddDate(0, 0, -d)
		length := min(24*time.Hour, benchNow.Sub(start))
		for range perDay {
			list := make([]one, events)
			for i := range list {
				at := start.Add(length * time.Duration(i) / time.Duration(events))
				list[i] = one{
					at: at.UnixMicro(), kind: fmt.Sprint("type", r.IntN(5)), source: fmt.Sprint("source", r.IntN(4)), user: r.Uint32N(users),
					value: math.NaN(),
				}
				if r.IntN(2) == 0 {
					list[i].value = r.Float64()
				}
			}
			batches = append(batches, batchOf(list))
		}
	}
	return batches
}

// benchHeaders returns the headers of the batches, as they are after they were used once.
func benchHeaders(batches []*analytics.Batch) []*analytics.Header {
	var headers []*analytics.Header
	for _, b := range batches {
		h := analytics.NewHeader(b)
		h.Size()
		headers = append(headers, h)
	}
	return headers
}

// answer gives a question all pieces, by their headers where they are enough.
func answer(q analytics.Question, headers []*analytics.Header, batches []*analytics.Batch) {
	for i, h := range headers {
		if q.Needs(h).Nothing() {
			q.AddHeader(h)
		} else if err := q.Evaluate(batches[i])(); err != nil {
			panic(err)
		}
	}
}

func BenchmarkSummary(b *testing.B) {
	for _, perDay := range []int{1, 4, 10} {
		batches := benchBatches(31, perDay, 33_000)
		headers := benchHeaders(batches)
		b.Run(fmt.Sprint(len(headers), " headers"), func(b *testing.B) {
			for b.Loop() {
				q := analytics.NewSummaryQuestion(analytics.Month.Window(benchNow))
				answer(q, headers, batches)
				if s := q.Summary(home); s.UniqueUsers < 99_000 {
					b.Fatalf("%+v", s)
				}
			}
		})
	}
}

func BenchmarkTimeseries(b *testing.B) {
	batches := benchBatches(31, 4, 27_500)
	headers := benchHeaders(batches)
	for _, r := range []analytics.TimeseriesRequest{
		{Metric: "count"}, {Metric: "avg(value)"}, {Metric: "unique_users"}, {Metric: "unique_users", EventType: "type1"},
		{Metric: "unique_users", Timezone: "America/New_York"}, {Metric: "unique_users", Granularity: "hour"},
		{Metric: "unique_users", Compare: "previous", Period: "7d"},
	} {
		s, err := r.Timeseries()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(s.Metric, " by ", s.Granularity, " of ", s.Timezone, " ", s.EventType, r.Compare), func(b *testing.B) {
			for b.Loop() {
				q := s.Question(benchNow)
				answer(q, headers, batches)
				if r := q.Result(home); *r.Total == 0 {
					b.Fatalf("%+v", r)
				}
			}
		})
	}
}

// BenchmarkQuery: 1,000,000 events, from their columns.
func BenchmarkQuery(b *testing.B) {
	batches := benchBatches(10, 1, 100_000)
	for _, batch := range batches {
		var plans, names analytics.StringsBuilder
		for i, user := range batch.Users {
			plans.Add([]string{`"free"`, `"pro"`, `"team"`}[i%3])
			names.Add(fmt.Sprint("user-", user))
		}
		batch.ByKey, batch.Identifiers = map[string]analytics.Strings{"plan": plans.Strings()}, names.Strings()
	}
	for name, r := range map[string]analytics.QueryRequest{
		"by type":                     {},
		"by day":                      {GroupBy: []string{"day"}},
		"by type and source, of some": {GroupBy: []string{"event_type", "source"}, Filters: []analytics.FilterRequest{{Field: "properties.plan", Op: "eq", Value: []byte(`"pro"`)}}},
		"percentiles by day":          {GroupBy: []string{"day"}, Metrics: []string{"p50(value)", "p95(value)"}},
		"users by hour":               {GroupBy: []string{"hour"}, Metrics: []string{"unique_users"}},
		"by user":                     {GroupBy: []string{"user_identifier"}},
	} {
		query, err := r.Query()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				q := query.Question()
				evaluate(b, q, batches)
				if rows, err := q.Rows(); err != nil || len(rows) < 4 {
					b.Fatal(rows, err)
				}
			}
		})
	}
}

func evaluate(b *testing.B, q analytics.Question, batches []*analytics.Batch) {
	for _, batch := range batches {
		if err := q.Evaluate(batch)(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJourneys: 1,000,000 events of 100,000 users.
func BenchmarkJourneys(b *testing.B) {
	batches := benchBatches(10, 1, 100_000)
	start, end := "2020-01-01", "2030-01-01"
	funnel, err := analytics.FunnelRequest{Steps: []analytics.EventRequest{{EventType: "type1"}, {EventType: "type2"}, {EventType: "type3"}}, Window: "7d", StartDate: start, EndDate: end}.Funnel()
	if err != nil {
		b.Fatal(err)
	}
	retention, err := analytics.RetentionRequest{Cohort: analytics.EventRequest{EventType: "type1"}, Return: analytics.EventRequest{EventType: "type2"}, Period: "month", StartDate: start, EndDate: end}.Retention()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("funnel", func(b *testing.B) {
		for b.Loop() {
			q := funnel.Question()
			evaluate(b, q, batches)
			if r := q.Result(home); r.Steps[2].Users == 0 {
				b.Fatal(r)
			}
		}
	})
	b.Run("retention", func(b *testing.B) {
		for b.Loop() {
			q := retention.Question()
			evaluate(b, q, batches)
			q.Result(home)
		}
	})
}

func BenchmarkNewHeader(b *testing.B) {
	batch := benchBatches(1, 1, 100_000)[0]
	for b.Loop() {
		analytics.NewHeader(batch)
	}
}

func BenchmarkMerge(b *testing.B) {
	batches := benchBatches(1, 8, 12_500)
	for b.Loop() {
		analytics.Merge(batches...)
	}
}
