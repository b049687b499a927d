package analytics

import (
	"math"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// TimeseriesRequest asks for a time series as a client sends it. Empty strings mean the default.
type TimeseriesRequest struct {
	Metric      string // default: count
	Granularity string // default: day
	Period      string // default: 30d
	EventType   string // default: all
	Source      string // default: all
	Timezone    string // default: UTC
	Compare     string // default: with nothing
}

// Timeseries is a validated request for a time series.
type Timeseries struct {
	Metric      Metric
	Granularity Granularity
	Period      Period
	EventType   string // empty: all
	Source      string // empty: all
	Timezone    *time.Location
	Compare     bool // with the window of equal length right before
}

// Timeseries validates the request and fills in the defaults. A fault names each field that is wrong.
func (r TimeseriesRequest) Timeseries() (Timeseries, error) {
	var (
		c   fault.Check
		s   = Timeseries{EventType: r.EventType, Source: r.Source, Compare: r.Compare == "previous"}
		err error
	)
	s.Metric, err = parseSeriesMetric(r.Metric)
	c.Take(err)
	s.Granularity, err = ParseGranularity(r.Granularity)
	c.Take(err)
	s.Period, err = ParsePeriod(r.Period)
	c.Take(err)
	if r.EventType != "" {
		event.CheckType(&c, r.EventType)
	}
	if r.Source != "" {
		event.CheckSource(&c, r.Source)
	}
	s.Timezone, err = parseTimezone(r.Timezone)
	c.Take(err)
	if r.Compare != "" && r.Compare != "previous" {
		c.Add("compare", "must be previous")
	}
	return s, c.Err()
}

// parseTimezone returns the time zone with a name of the IANA time zone database; an empty name means UTC. A fault names the
// field timezone. All names of the database begin with a capital letter, unlike the other files that may be next to it.
func parseTimezone(name string) (*time.Location, error) {
	const longest = 64
	invalid := fault.ErrInvalid.OnField("timezone", "must be a name of the IANA time zone database such as Europe/Berlin")
	if name == "" {
		return time.UTC, nil
	}
	if name == "Local" || len(name) > longest || name[0] < 'A' || name[0] > 'Z' {
		return nil, invalid
	}
	for _, r := range name {
		if !('A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '/' || r == '_' || r == '-' || r == '+') {
			return nil, invalid
		}
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, invalid.Because(err)
	}
	return zone, nil
}

// Point is the value of one bucket.
type Point struct {
	// Time is the start of the bucket in the time zone that was asked for. The first bucket of a window may start before the
	// window does, and the last one end after it; their values are of the events in the window alone.
	Time  time.Time
	Value *float64 // nil: an average of nothing
}

// Series is the values of all buckets that a window overlaps, in chronological order, and that of the whole window.
type Series struct {
	Window Window
	Points []Point
	// Total is the metric of all events in the window: a user with events in several buckets is one user. Nil: an average of nothing.
	Total *float64
}

// TimeseriesResult is the answer to a request for a time series.
type TimeseriesResult struct {
	TenantID   id.Tenant
	Timeseries Timeseries
	Series
	Previous *Series // nil: not asked for
	// ChangePercent is how much greater Total is than that of Previous, in percent of that; nil if there is none, or it is 0.
	ChangePercent *float64
	Reading       Reading
}

// TimeseriesQuestion is the Question of a Timeseries. It covers both windows, so both are answered by the same state of the events.
type TimeseriesQuestion struct {
	timeseries Timeseries
	series     []*series // the one asked for, and the one before if it is to be compared
}

// Question returns the question that the time series asks of the period that ends now. The period begins at a full hour of UTC.
func (t Timeseries) Question(now time.Time) *TimeseriesQuestion {
	w := t.Period.Window(now)
	q := &TimeseriesQuestion{timeseries: t, series: []*series{newSeries(t, w)}}
	if t.Compare {
		q.series = append(q.series, newSeries(t, Window{Start: w.Start.Add(-w.End.Sub(w.Start)), End: w.Start}))
	}
	return q
}

// Window returns the window of the events that are needed.
func (q *TimeseriesQuestion) Window() Window {
	return Window{Start: q.series[len(q.series)-1].window.Start, End: q.series[0].window.End}
}

// Identifiers returns nobody; see analytics.Question.
func (q *TimeseriesQuestion) Identifiers() []string { return nil }

// Needs returns what is needed of a piece; see analytics.Question.
func (q *TimeseriesQuestion) Needs(h *Header) (n Needs) {
	for _, s := range q.series {
		n.Columns |= s.needs(h)
	}
	return n
}

// AddHeader adds a piece by its header.
func (q *TimeseriesQuestion) AddHeader(h *Header) {
	for _, s := range q.series {
		s.addHeader(h)
	}
}

// Evaluate evaluates events when they are added, which headers nearly always make few; see analytics.Question.
func (q *TimeseriesQuestion) Evaluate(b *Batch) (add func() error) {
	return func() error {
		for _, s := range q.series {
			s.addBatch(b)
		}
		return nil
	}
}

// Result returns the answer for the pieces that were added, as one of a tenant.
func (q *TimeseriesQuestion) Result(tenant id.Tenant) TimeseriesResult {
	r := TimeseriesResult{TenantID: tenant, Timeseries: q.timeseries, Series: q.series[0].result()}
	if len(q.series) > 1 {
		previous := q.series[1].result()
		r.Previous = &previous
		r.ChangePercent = change(previous.Total, r.Total)
	}
	return r
}

// change returns by how many percent a value grew, or nil if that can't be said.
func change(from, to *float64) *float64 {
	if from == nil || to == nil || *from == 0 {
		return nil
	}
	return new((*to - *from) / math.Abs(*from) * 100)
}
