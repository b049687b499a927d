package analytics

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// MaxDimensions is by how many dimensions events can be grouped at once.
const MaxDimensions = 4

// Dimension is what events are grouped by: a field, or the bucket of time that they are in. The zero Dimension is none.
type Dimension struct {
	field       Field
	granularity Granularity
}

// Some of the dimensions.
var (
	ByEventType = Dimension{field: eventTypeField}
	BySource    = Dimension{field: sourceField}
	ByDay       = Dimension{granularity: Daily}
)

// ParseDimensions parses the names of dimensions, at most MaxDimensions, each once. A fault names the field group_by.
func ParseDimensions(names []string) ([]Dimension, error) {
	var c fault.Check
	if len(names) > MaxDimensions {
		c.Add("group_by", fmt.Sprintf("must have at most %d names", MaxDimensions))
		return nil, c.Err()
	}
	var list []Dimension
	for _, name := range names {
		d, ok := parseDimension(name)
		switch {
		case !ok:
			c.Add("group_by", "must be one of event_type, source, user_identifier, session_id, hour, day, week, month and properties.KEY, or a list of them")
			return nil, c.Err()
		case slices.Contains(list, d):
			c.Add("group_by", "must not have a name twice")
			return nil, c.Err()
		}
		list = append(list, d)
	}
	return list, nil
}

func parseDimension(name string) (Dimension, bool) {
	for _, g := range []Granularity{Hourly, Daily, Weekly, Monthly} {
		if g.name == name {
			return Dimension{granularity: g}, true
		}
	}
	field, ok := parseField(name, eventTypeField, sourceField, userField, sessionField)
	return Dimension{field: field}, ok
}

// String returns the dimension's name.
func (d Dimension) String() string {
	if d.isTime() {
		return d.granularity.name
	}
	return d.field.name
}

func (d Dimension) isTime() bool { return d.granularity.name != "" }

// needs returns what grouping by the dimension reads.
func (d Dimension) needs() Needs {
	if d.isTime() {
		return Needs{Columns: TimeColumn}
	}
	return d.field.needs()
}

// column returns what the events of a batch have for the dimension.
func (d Dimension) column(b *Batch, zone *time.Location) column {
	if d.isTime() {
		return d.granularity.column(b.Len(), zone, func(i int) int64 { return b.Times[i] })
	}
	codes, scalar, size := d.field.column(b)
	return column{codes, func(code int) label { return label{Scalar: scalar(code)} }, size}
}

// column returns the buckets of so many times, in microseconds since 1970.
func (g Granularity) column(n int, zone *time.Location, at func(i int) int64) column {
	var (
		codes    = make([]uint32, n)
		labels   []label
		from, to int64
	)
	for i := range codes {
		if t := at(i); t < from || t >= to {
			start, end := g.bucket(time.UnixMicro(t).In(zone))
			from, to = micros(start), micros(end)
			labels = append(labels, g.label(start))
		}
		codes[i] = uint32(len(labels) - 1)
	}
	return column{codes, func(code int) label { return labels[code] }, len(labels)}
}

// label is what a row has for a dimension. Those of time are in order of their time.
type label struct {
	Scalar
	at int64 // in microseconds since 1970; 0 if it is no time
}

func (l label) compare(o label) int {
	return cmp.Or(cmp.Compare(l.at, o.at), l.Scalar.compare(o.Scalar))
}
