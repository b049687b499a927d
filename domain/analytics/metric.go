package analytics

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// MaxMetrics is how many metrics a query has at most.
const MaxMetrics = 20

// Metric is what is worked out of the events of a group.
type Metric struct {
	function function
	field    Field // of all functions but those of events and users
}

// function is how a metric is worked out.
type function struct {
	name string
	// percentile of the values, as percentile_cont of SQL interpolates it; 0: the function is none.
	percentile float64
}

// The functions.
var (
	count       = function{name: "count"}
	uniqueUsers = function{name: "unique_users"}
	sumOf       = function{name: "sum"}
	avgOf       = function{name: "avg"}
	minOf       = function{name: "min"}
	maxOf       = function{name: "max"}
)

// ofField are the functions of the values of a field.
func ofField() []function {
	return []function{sumOf, avgOf, minOf, maxOf, {"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}}
}

// Some of the metrics: those of a time series.
var (
	CountEvents   = Metric{function: count}
	CountUsers    = Metric{function: uniqueUsers}
	SumValues     = Metric{sumOf, valueField}
	AverageValues = Metric{avgOf, valueField} // of the events that have a value; none if no event has one
)

// ParseMetrics parses the names of metrics: count, unique_users, or a function of a field as in p95(value) and sum(properties.price).
// A fault names the field metrics.
func ParseMetrics(names []string) ([]Metric, error) {
	var c fault.Check
	if len(names) > MaxMetrics || names != nil && len(names) == 0 {
		c.Add("metrics", fmt.Sprintf("must have 1 to %d names", MaxMetrics))
		return nil, c.Err()
	}
	var list []Metric
	for i, name := range names {
		m, ok := parseMetric(name)
		switch {
		case !ok:
			c.Add(fmt.Sprintf("metrics[%d]", i), "must be count, unique_users, or one of sum, avg, min, max, p50, p90, p95 and p99 of value or properties.KEY, such as avg(value)")
		case slices.Contains(list, m):
			c.Add(fmt.Sprintf("metrics[%d]", i), "must not be there twice")
		}
		list = append(list, m)
	}
	return list, c.Err()
}

func parseMetric(name string) (Metric, bool) {
	for _, m := range []Metric{CountEvents, CountUsers} {
		if m.String() == name {
			return m, true
		}
	}
	for _, f := range ofField() {
		inside, ok := strings.CutPrefix(name, f.name+"(")
		if inside, closed := strings.CutSuffix(inside, ")"); ok && closed {
			field, ok := parseField(inside, valueField)
			return Metric{f, field}, ok
		}
	}
	return Metric{}, false
}

// parseSeriesMetric parses the name of a metric of a time series; an empty name means CountEvents. A fault names the field metric.
func parseSeriesMetric(s string) (Metric, error) {
	if s == "" {
		return CountEvents, nil
	}
	for _, m := range []Metric{CountEvents, CountUsers, SumValues, AverageValues} {
		if m.String() == s {
			return m, nil
		}
	}
	return Metric{}, fault.ErrInvalid.OnField("metric", "must be count, unique_users, sum(value) or avg(value)")
}

// String returns the metric's name.
func (m Metric) String() string {
	if m.field == (Field{}) {
		return m.function.name
	}
	return m.function.name + "(" + m.field.name + ")"
}

// needs returns what the metric reads.
func (m Metric) needs() Needs {
	switch m.function {
	case count:
		return Needs{}
	case uniqueUsers:
		return Needs{Columns: UserColumn}
	default:
		return m.field.needs()
	}
}

// byHeader reports whether headers know the metric.
func (m Metric) byHeader() bool {
	return m.field == (Field{}) || m.field == valueField && m.function.percentile == 0
}
