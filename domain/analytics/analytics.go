// Package analytics provides queries and summaries of a tenant's events, and their results.
package analytics

import (
	"fmt"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/instant"
)

// Limits of a query.
const (
	DefaultQueryLimit = 100
	MaxQueryLimit     = 10_000
	// TopEventTypes is how many event types a summary names.
	TopEventTypes = 5
)

// ErrTooExpensive: the query exceeded its time limit in the database. It has no retry time, since a retry would not help.
var ErrTooExpensive = fault.New(fault.Invalid, "query_too_expensive", "The query takes too long over this many events. Narrow it to a shorter time window or to one event type, or skip fewer events.")

// Period is how far back a summary looks.
type Period struct {
	name string
	days int
}

// The periods.
var (
	Week    = Period{"7d", 7}
	Month   = Period{"30d", 30}
	Quarter = Period{"90d", 90}
)

// ParsePeriod parses the name of a period; an empty name means Month. A fault names the field period.
func ParsePeriod(s string) (Period, error) {
	if s == "" {
		return Month, nil
	}
	for _, p := range []Period{Week, Month, Quarter} {
		if p.name == s {
			return p, nil
		}
	}
	return Period{}, fault.ErrInvalid.OnField("period", "must be 7d, 30d or 90d")
}

// String returns the period's name.
func (p Period) String() string { return p.name }

// Window returns the window of that many days that ends now.
func (p Period) Window(now time.Time) Window {
	return Window{Start: now.AddDate(0, 0, -p.days), End: now}
}

// Window is a span of time, including Start and excluding End. A zero time leaves that side open.
type Window struct {
	Start time.Time
	End   time.Time
}

// Dimension is what events are grouped by.
type Dimension struct {
	name string
}

// The dimensions.
var (
	ByEventType = Dimension{"event_type"}
	BySource    = Dimension{"source"}
	ByDay       = Dimension{"day"} // of UTC, as 2026-01-31
)

// ParseDimension parses the name of a dimension; an empty name means ByEventType. A fault names the field group_by.
func ParseDimension(s string) (Dimension, error) {
	if s == "" {
		return ByEventType, nil
	}
	for _, d := range []Dimension{ByEventType, BySource, ByDay} {
		if d.name == s {
			return d, nil
		}
	}
	return Dimension{}, fault.ErrInvalid.OnField("group_by", "must be event_type, source or day")
}

// String returns the dimension's name.
func (d Dimension) String() string { return d.name }

// QueryRequest is a query as a client sends it. Empty strings and nil mean the default.
type QueryRequest struct {
	EventType string
	StartDate string
	EndDate   string
	GroupBy   string
	Limit     *int
}

// Query is a validated query for the number and the average value of the events in each group.
type Query struct {
	EventType string // empty: all
	Window    Window
	GroupBy   Dimension
	Limit     int
}

// Query validates the request and fills in the defaults. A fault names each field that is wrong.
//
// Dates are days (2026-01-31) or times (RFC 3339). The start is inclusive. An end that is a day includes the whole day; an
// end that is a time is exclusive.
func (r QueryRequest) Query() (Query, error) {
	var (
		c   fault.Check
		q   = Query{EventType: r.EventType, Limit: DefaultQueryLimit}
		err error
	)
	if r.EventType != "" {
		event.CheckType(&c, r.EventType)
	}
	q.GroupBy, err = ParseDimension(r.GroupBy)
	c.Take(err)
	q.Window.Start, _, err = parseDate("start_date", r.StartDate)
	c.Take(err)
	end, day, err := parseDate("end_date", r.EndDate)
	c.Take(err)
	if day {
		end = end.AddDate(0, 0, 1)
	}
	if end.Year() <= 9999 { // an end after the last supported day leaves the window open
		q.Window.End = end
	}
	if !q.Window.Start.IsZero() && !end.IsZero() && !q.Window.Start.Before(end) {
		c.Add("end_date", "must be after start_date")
	}
	if r.Limit != nil {
		q.Limit = *r.Limit
		if q.Limit < 1 || q.Limit > MaxQueryLimit {
			c.Add("limit", fmt.Sprintf("must be 1 to %d", MaxQueryLimit))
		}
	}
	return q, c.Err()
}

// parseDate parses a day or a time and reports whether it was a day. An empty string is the zero time.
func parseDate(field, s string) (at time.Time, day bool, err error) {
	if s == "" {
		return time.Time{}, false, nil
	}
	if at, err = time.Parse(time.DateOnly, s); err == nil {
		day = true
	} else if at, err = instant.Parse(s); err != nil {
		return time.Time{}, false, fault.ErrInvalid.OnField(field, err.Error()+", or a day such as 2026-01-31")
	}
	at = at.UTC()
	if at.Year() < 1 || at.Year() > 9999 {
		return time.Time{}, false, fault.ErrInvalid.OnField(field, "must be in the years 0001 to 9999")
	}
	return at, day, nil
}

// Row is the result for one group.
type Row struct {
	Key      *string // nil: events without a value for the dimension
	Count    int64
	AvgValue *float64 // nil: none of the events has a value
}

// Result is the result of a query. Days are in chronological order; other groups by count, highest first.
type Result struct {
	TenantID   id.Tenant
	Query      Query
	Rows       []Row
	ExecutedAt time.Time
}

// EventTypeCount is the number of events of a type.
type EventTypeCount struct {
	Type  string
	Count int64
}

// Summary counts a tenant's events in a window of time.
type Summary struct {
	TenantID      id.Tenant
	Window        Window
	TotalEvents   int64
	UniqueUsers   int64
	TopEventTypes []EventTypeCount // at most TopEventTypes, highest count first
}
