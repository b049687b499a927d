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
		if q.Needs(h) == 0 {
			q.AddHeader(h)
		} else {
			q.AddBatch(batches[i])
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

func BenchmarkQuery(b *testing.B) {
	batches := benchBatches(10, 1, 100_000)
	for _, d := range []analytics.Dimension{analytics.ByEventType, analytics.BySource, analytics.ByDay} {
		query := analytics.Query{GroupBy: d, Limit: 100}
		b.Run(fmt.Sprint("1,000,000 events by ", d), func(b *testing.B) {
			for b.Loop() {
				q := query.Question()
				for _, batch := range batches {
					q.AddBatch(batch)
				}
				if len(q.Rows()) < 4 {
					b.Fatal(q.Rows())
				}
			}
		})
	}
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
