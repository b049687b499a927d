package analytics_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

func TestQueryRequest(t *testing.T) {
	for _, c := range []struct {
		name    string
		request analytics.QueryRequest
		want    analytics.Query
		field   string // the invalid one
	}{
		{"defaults", analytics.QueryRequest{}, analytics.Query{GroupBy: []analytics.Dimension{analytics.ByEventType}, Timezone: time.UTC, Limit: 100}, ""},
		{"all", analytics.QueryRequest{EventType: "view", StartDate: "2026-01-01", EndDate: "2026-01-31", GroupBy: []string{"day"}, Limit: new(10)},
			analytics.Query{EventType: "view", Window: analytics.Window{Start: day(2026, 1, 1), End: day(2026, 2, 1)}, GroupBy: []analytics.Dimension{analytics.ByDay}, Timezone: time.UTC, Limit: 10}, ""},
		{"one day", analytics.QueryRequest{StartDate: "2026-01-01", EndDate: "2026-01-01"},
			analytics.Query{Window: analytics.Window{Start: day(2026, 1, 1), End: day(2026, 1, 2)}, GroupBy: []analytics.Dimension{analytics.ByEventType}, Timezone: time.UTC, Limit: 100}, ""},
		{"times", analytics.QueryRequest{StartDate: "2026-01-01T01:00:00+01:00", EndDate: "2026-01-02T00:00:00Z"},
			analytics.Query{Window: analytics.Window{Start: day(2026, 1, 1), End: day(2026, 1, 2)}, GroupBy: []analytics.Dimension{analytics.ByEventType}, Timezone: time.UTC, Limit: 100}, ""},
		{"the last day there is", analytics.QueryRequest{EndDate: "9999-12-31"},
			analytics.Query{GroupBy: []analytics.Dimension{analytics.ByEventType}, Timezone: time.UTC, Limit: 100}, ""},
		{"year 1", analytics.QueryRequest{StartDate: "0001-01-02"},
			analytics.Query{Window: analytics.Window{Start: day(1, 1, 2)}, GroupBy: []analytics.Dimension{analytics.ByEventType}, Timezone: time.UTC, Limit: 100}, ""},
		{"year 0", analytics.QueryRequest{StartDate: "0000-12-31"}, analytics.Query{}, "start_date"},
		{"no date", analytics.QueryRequest{StartDate: "yesterday"}, analytics.Query{}, "start_date"},
		{"times in lower case", analytics.QueryRequest{StartDate: "2026-01-01t00:00:00z"},
			analytics.Query{Window: analytics.Window{Start: day(2026, 1, 1)}, GroupBy: []analytics.Dimension{analytics.ByEventType}, Timezone: time.UTC, Limit: 100}, ""},
		{"comma", analytics.QueryRequest{StartDate: "2026-01-01T00:00:00,5Z"}, analytics.Query{}, "start_date"},
		{"one-digit hour", analytics.QueryRequest{EndDate: "2026-01-01T1:00:00Z"}, analytics.Query{}, "end_date"},
		{"offset of a day", analytics.QueryRequest{EndDate: "2026-01-01T00:00:00+24:00"}, analytics.Query{}, "end_date"},
		{"leap second", analytics.QueryRequest{EndDate: "2016-12-31T23:59:60Z"}, analytics.Query{}, "end_date"},
		{"no such day", analytics.QueryRequest{EndDate: "2026-02-30"}, analytics.Query{}, "end_date"},
		{"end before start", analytics.QueryRequest{StartDate: "2026-01-02", EndDate: "2026-01-01"}, analytics.Query{}, "end_date"},
		{"unknown dimension", analytics.QueryRequest{GroupBy: []string{"tenant_id"}}, analytics.Query{}, "group_by"},
		{"SQL", analytics.QueryRequest{GroupBy: []string{"event_type; DROP TABLE events"}}, analytics.Query{}, "group_by"},
		{"limit of 0", analytics.QueryRequest{Limit: new(0)}, analytics.Query{}, "limit"},
		{"limit too great", analytics.QueryRequest{Limit: new(10001)}, analytics.Query{}, "limit"},
		{"NUL", analytics.QueryRequest{EventType: "\x00"}, analytics.Query{}, "event_type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.request.Query()
			if c.field == "" {
				if err != nil || !reflect.DeepEqual(got, c.want) {
					t.Errorf("got %+v, %v, want %+v", got, err, c.want)
				}
				return
			}
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Name != c.field {
				t.Errorf("got %v, want an error of %s", err, c.field)
			}
		})
	}
}

func TestPeriod(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 59, 59, 999, time.FixedZone("half an hour ahead", 30*60)) // 12:29 UTC
	for name, start := range map[string]time.Time{
		"7d": day(2026, 3, 24), "30d": day(2026, 3, 1), "90d": day(2025, 12, 31), "": day(2026, 3, 1),
	} {
		p, err := analytics.ParsePeriod(name)
		if err != nil {
			t.Fatal(err)
		}
		if w, want := p.Window(now), (analytics.Window{Start: start.Add(12 * time.Hour), End: now}); w != want {
			t.Errorf("%q is %v, want %v", name, w, want)
		}
	}
	for _, name := range []string{"1d", "30", "30D", "-7d"} {
		if _, err := analytics.ParsePeriod(name); err == nil {
			t.Errorf("%q was read as a period", name)
		}
	}
}
