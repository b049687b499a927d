package analytics

import (
	"fmt"
	"slices"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// Limits of a query.
const (
	DefaultQueryLimit = 100
	MaxQueryLimit     = 10_000
)

// QueryRequest is a query as a client sends it. Empty strings and nil mean the default.
type QueryRequest struct {
	EventType string
	StartDate string
	EndDate   string
	GroupBy   []string // default: event_type; without a name, all events are one group
	Metrics   []string // default: the number of events and the average of their values, in the form of the first version
	Filters   []FilterRequest
	Timezone  string // default: UTC
	OrderBy   []OrderRequest
	Fill      bool
	Limit     *int
}

// OrderRequest is by which dimension or metric the rows of an answer are ordered.
type OrderRequest struct {
	By        string
	Direction string // default: asc
}

// Query is a validated query for metrics of the events in each group.
type Query struct {
	EventType string // empty: all
	Window    Window
	GroupBy   []Dimension
	Metrics   []Metric // none: the number of events and the average of their values, in the form of the first version
	Filters   Filters
	Timezone  *time.Location // nil: UTC
	OrderBy   []Order
	Fill      bool // whether buckets of time without events have rows, too
	Limit     int
}

// Order is one step of the order of rows: by a dimension or by a metric, of which the position is given.
type Order struct {
	position   int
	byMetric   bool
	descending bool
}

// Query validates the request and fills in the defaults. A fault names each field that is wrong.
//
// Dates are days of the time zone (2026-01-31) or times (RFC 3339). The start is inclusive. An end that is a day includes the whole
// day; an end that is a time is exclusive.
func (r QueryRequest) Query() (Query, error) {
	var (
		c   fault.Check
		q   = Query{EventType: r.EventType, Fill: r.Fill, Limit: DefaultQueryLimit}
		err error
	)
	if r.EventType != "" {
		event.CheckType(&c, r.EventType)
	}
	if q.GroupBy = []Dimension{ByEventType}; r.GroupBy != nil {
		q.GroupBy, err = ParseDimensions(r.GroupBy)
		c.Take(err)
	}
	q.Timezone, err = parseTimezone(r.Timezone)
	c.Take(err)
	if err == nil {
		q.Window, err = parseWindow("start_date", r.StartDate, "end_date", r.EndDate, q.Timezone)
		c.Take(err)
	}
	q.Metrics, err = ParseMetrics(r.Metrics)
	c.Take(err)
	q.Filters, err = ParseFilters("filters", r.Filters)
	c.Take(err)
	q.OrderBy = q.parseOrder(&c, r.OrderBy)
	if q.Fill {
		q.checkFill(&c)
	}
	if r.Limit != nil {
		q.Limit = *r.Limit
		if q.Limit < 1 || q.Limit > MaxQueryLimit {
			c.Add("limit", fmt.Sprintf("must be 1 to %d", MaxQueryLimit))
		}
	}
	return q, c.Err()
}

// parseOrder parses the order of rows, whose dimensions and metrics are known.
func (q Query) parseOrder(c *fault.Check, requests []OrderRequest) []Order {
	names := slices.Concat(q.DimensionNames(), q.MetricNames())
	if len(requests) > MaxDimensions+MaxMetrics {
		c.Add("order_by", fmt.Sprintf("must have at most %d steps", MaxDimensions+MaxMetrics))
		return nil
	}
	var list []Order
	for i, r := range requests {
		position := slices.Index(names, r.By)
		if position < 0 {
			c.Add(fmt.Sprintf("order_by[%d].by", i), "must be a name of group_by or metrics")
		}
		if r.Direction != "" && r.Direction != "asc" && r.Direction != "desc" {
			c.Add(fmt.Sprintf("order_by[%d].direction", i), "must be asc or desc")
		}
		o := Order{position: position, descending: r.Direction == "desc"}
		if o.position >= len(q.GroupBy) {
			o.position, o.byMetric = position-len(q.GroupBy), true
		}
		list = append(list, o)
	}
	return list
}

// maxBuckets is of how many buckets of time an answer can have rows.
const maxBuckets = 50_000

func (q Query) checkFill(c *fault.Check) {
	times := 0
	for _, d := range q.GroupBy {
		if d.isTime() {
			times++
		}
	}
	switch {
	case times != 1:
		c.Add("fill", "needs exactly one of hour, day, week and month in group_by")
	case q.Window.Start.IsZero() || q.Window.End.IsZero():
		c.Add("fill", "needs start_date and end_date")
	case q.Window.End.Sub(q.Window.Start) > maxBuckets*time.Hour:
		c.Add("fill", fmt.Sprintf("needs a window of at most %d hours", maxBuckets))
	}
}

// DimensionNames returns what the dimensions are called in a row.
func (q Query) DimensionNames() []string {
	names := make([]string, len(q.GroupBy))
	for i, d := range q.GroupBy {
		names[i] = d.String()
	}
	return names
}

// MetricNames returns what the metrics are called in a row.
func (q Query) MetricNames() []string {
	if len(q.Metrics) == 0 {
		return []string{"count", "avg_value"}
	}
	names := make([]string, len(q.Metrics))
	for i, m := range q.Metrics {
		names[i] = m.String()
	}
	return names
}

// metrics returns the metrics of a row.
func (q Query) metrics() []Metric {
	if len(q.Metrics) == 0 {
		return []Metric{CountEvents, AverageValues}
	}
	return q.Metrics
}

// Row is the result for one group.
type Row struct {
	Group  []Scalar   // by dimension
	Values []*float64 // by metric; nil: no event of the group has a value
}

// Result is the result of a query. Without an order, rows are by time if a dimension is one of time, and then by the first metric,
// highest first. What is equal is in the order of the groups.
type Result struct {
	TenantID   id.Tenant
	Query      Query
	Rows       []Row
	ExecutedAt time.Time
	Reading    Reading
}
