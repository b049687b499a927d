package analytics

import (
	"cmp"
	"slices"
)

// Rows returns the answer for the pieces that were added. Errors: ErrTooExpensive.
func (q *QueryQuestion) Rows() ([]Row, error) {
	if err := q.fill(); err != nil {
		return nil, err
	}
	if q.total.memory > maxMemory {
		return nil, errTooManyGroups
	}
	order := make([]uint32, len(q.groups.keys))
	for g := range order {
		order[g] = uint32(g)
	}
	steps := q.order()
	slices.SortFunc(order, func(a, b uint32) int {
		for _, compare := range steps {
			if c := compare(a, b); c != 0 {
				return c
			}
		}
		return 0
	})
	order = order[:min(len(order), q.query.Limit)]
	rows := make([]Row, len(order))
	for i, g := range order {
		rows[i] = q.row(g)
	}
	return rows, nil
}

// row returns the row of a group.
func (q *QueryQuestion) row(group uint32) Row {
	r := Row{Group: make([]Scalar, len(q.query.GroupBy))}
	for d := range q.query.GroupBy {
		r.Group[d] = q.groups.label(group, d).Scalar
	}
	for _, m := range q.query.metrics() {
		r.Values = append(r.Values, q.value(group, m))
	}
	return r
}

// value returns a metric of a group. Without events there is one in a bucket of time that is filled: its number of events, of users
// and its sum are 0.
func (q *QueryQuestion) value(group uint32, m Metric) *float64 {
	events := q.total.events[group]
	switch m.function {
	case count:
		return new(float64(events))
	case uniqueUsers:
		return new(float64(unite(q.total.users[group]).Len()))
	}
	f := &q.total.fields[q.aggregation.of(m.field)]
	t := &f.tallies[group]
	if t.values == 0 {
		if m.function == sumOf && events == 0 && q.query.Fill {
			return new(0.0)
		}
		return nil
	}
	switch m.function {
	case sumOf:
		return new(t.sum.value())
	case avgOf:
		return t.average()
	case minOf:
		return new(f.mins[group])
	case maxOf:
		return new(f.maxs[group])
	default:
		return new(percentile(f.values[group], m.function.percentile))
	}
}

// order returns the steps by which groups are compared: those that were asked for, or the usual ones, and in the end by the groups'
// keys, which no two have in common.
func (q *QueryQuestion) order() []func(a, b uint32) int {
	var steps []func(a, b uint32) int
	for _, o := range q.query.OrderBy {
		if o.byMetric {
			steps = append(steps, q.byMetric(q.query.metrics()[o.position], o.descending))
		} else {
			steps = append(steps, q.byLabel(o.position, o.descending))
		}
	}
	if len(steps) == 0 {
		for d, dimension := range q.query.GroupBy {
			if dimension.isTime() {
				steps = append(steps, q.byLabel(d, false))
			}
		}
		steps = append(steps, q.byMetric(q.query.metrics()[0], true))
	}
	for d := range q.query.GroupBy {
		steps = append(steps, q.byLabel(d, false))
	}
	return steps
}

// byMetric compares groups by a metric. Those without a value come last.
func (q *QueryQuestion) byMetric(m Metric, descending bool) func(a, b uint32) int {
	values := make([]*float64, len(q.groups.keys))
	for g := range values {
		values[g] = q.value(uint32(g), m)
	}
	return func(a, b uint32) int {
		x, y := values[a], values[b]
		switch {
		case x == nil || y == nil:
			return compareNone(x == nil, y == nil)
		case descending:
			return cmp.Compare(*y, *x)
		default:
			return cmp.Compare(*x, *y)
		}
	}
}

// byLabel compares groups by what they have for a dimension. Those without anything come last.
func (q *QueryQuestion) byLabel(dimension int, descending bool) func(a, b uint32) int {
	return func(a, b uint32) int {
		x, y := q.groups.label(a, dimension), q.groups.label(b, dimension)
		switch {
		case x.IsNone() || y.IsNone():
			return compareNone(x.IsNone(), y.IsNone())
		case descending:
			return y.compare(x)
		default:
			return x.compare(y)
		}
	}
}

func compareNone(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// maxFilled is how many rows there may be with those of buckets without events.
const maxFilled = 200_000

// fill adds the groups that have no events but are in the answer: all events where they are not grouped, and the buckets of time.
func (q *QueryQuestion) fill() error {
	if len(q.query.GroupBy) == 0 {
		q.groups.number(keys{})
	}
	if q.query.Fill {
		d := slices.IndexFunc(q.query.GroupBy, Dimension.isTime)
		if err := q.fillBuckets(d); err != nil {
			return err
		}
	}
	q.total.grow(len(q.groups.keys), &q.aggregation)
	return nil
}

// fillBuckets adds a group for each bucket and each combination of the other dimensions that there is in any bucket.
func (q *QueryQuestion) fillBuckets(d int) error {
	starts := q.query.GroupBy[d].granularity.buckets(q.query.Window, q.query.Timezone)
	others := map[keys]bool{}
	for _, k := range q.groups.keys {
		k[d] = 0
		others[k] = true
	}
	if len(q.query.GroupBy) == 1 {
		others[keys{}] = true
	}
	if len(others)*len(starts) > maxFilled {
		return errTooManyRows
	}
	for _, start := range starts {
		code := q.groups.code(d, q.query.GroupBy[d].granularity.label(start))
		for k := range others {
			k[d] = code
			q.groups.number(k)
		}
	}
	return nil
}

// errTooManyRows says what to narrow.
var errTooManyRows = ErrTooExpensive.Saying("With fill the answer has too many rows. Choose a longer bucket of time, group by less, or narrow the query by its dates or filters.")
