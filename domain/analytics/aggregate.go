package analytics

import (
	"fmt"
	"math"
	"slices"
)

// maxMemory is how many bytes the groups of a question may take, more or less.
const maxMemory = 128 << 20

// errTooManyGroups says what to narrow.
var errTooManyGroups = ErrTooExpensive.Saying(fmt.Sprintf(
	"The groups of the query take more than %d MiB of memory. Group by less, leave out unique_users or percentiles, or narrow the query by its dates or filters.", maxMemory>>20))

// aggregates are what is worked out of the events of each group, by the number of the group.
type aggregates struct {
	events []int64
	fields []fieldAggregates // of each field of a metric
	users  [][]*Users        // to be united; nil unless they are counted
	memory int               // bytes, more or less
}

// fieldAggregates are those of one field.
type fieldAggregates struct {
	tallies    []tally
	mins, maxs []float64
	values     [][]float64 // nil unless there is a percentile
}

// grow makes room for so many groups.
func (a *aggregates) grow(groups int, p *aggregation) {
	const perGroup, perField, perList = 120, 64, 24
	more := groups - len(a.events)
	a.memory += more * (perGroup + perField*len(p.fields))
	a.events = append(a.events, make([]int64, more)...)
	if p.users {
		a.memory += more * perList
		a.users = append(a.users, make([][]*Users, more)...)
	}
	if a.fields == nil {
		a.fields = make([]fieldAggregates, len(p.fields))
	}
	for i := range a.fields {
		f := &a.fields[i]
		f.tallies = append(f.tallies, make([]tally, more)...)
		f.mins = append(f.mins, slices.Repeat([]float64{math.Inf(1)}, more)...)
		f.maxs = append(f.maxs, slices.Repeat([]float64{math.Inf(-1)}, more)...)
		if p.fields[i].percentile {
			a.memory += more * perList
			f.values = append(f.values, make([][]float64, more)...)
		}
	}
}

// take adds the groups of others, each to one of these.
func (a *aggregates) take(o *aggregates, to []uint32) {
	for i, g := range to {
		a.events[g] += o.events[i]
	}
	for k := range a.fields {
		a.fields[k].take(&o.fields[k], to)
		for _, list := range o.fields[k].values {
			a.memory += 8 * len(list)
		}
	}
	for i, sets := range o.users {
		for _, s := range sets {
			a.memory += 8 + s.Size()
		}
		a.users[to[i]] = append(a.users[to[i]], sets...)
	}
}

func (f *fieldAggregates) take(o *fieldAggregates, to []uint32) {
	for i, g := range to {
		f.tallies[g].addTally(o.tallies[i])
		f.mins[g], f.maxs[g] = min(f.mins[g], o.mins[i]), max(f.maxs[g], o.maxs[i])
	}
	for i, list := range o.values {
		f.values[to[i]] = append(f.values[to[i]], list...)
	}
}

// aggregation is what is to be worked out.
type aggregation struct {
	fields []aggregatedField
	users  bool
}

type aggregatedField struct {
	Field
	percentile bool
}

func newAggregation(metrics []Metric) (p aggregation) {
	for _, m := range metrics {
		switch m.function {
		case count:
		case uniqueUsers:
			p.users = true
		default:
			i := p.of(m.field)
			if i < 0 {
				p.fields, i = append(p.fields, aggregatedField{Field: m.field}), len(p.fields)
			}
			p.fields[i].percentile = p.fields[i].percentile || m.function.percentile > 0
		}
	}
	return p
}

// of returns which of the fields is the one given, or -1.
func (p *aggregation) of(f Field) int {
	return slices.IndexFunc(p.fields, func(a aggregatedField) bool { return a.Field == f })
}

// ofEvents works out what the events of a batch add to the groups that they are in, of which there are n.
func (p *aggregation) ofEvents(b *Batch, groups []uint32, n int) *aggregates {
	var a aggregates
	a.grow(n, p)
	for _, g := range groups {
		a.events[g]++
	}
	for i, f := range p.fields {
		values := f.numbers(b)
		a.fields[i].add(values, groups)
		if f.percentile {
			a.fields[i].values = byGroup(values, groups, n, func(v float64) bool { return v == v })
		}
	}
	if p.users {
		for g, numbers := range byGroup(b.Users, groups, n, func(uint32) bool { return true }) {
			a.users[g] = []*Users{new(UsersOf(numbers))}
		}
	}
	return &a
}

// byGroup returns those values of each group that are kept.
func byGroup[T any](values []T, groups []uint32, n int, keep func(T) bool) [][]T {
	ends := make([]int, n+1) // of a group, at the number after it
	for i, g := range groups {
		if keep(values[i]) {
			ends[g+1]++
		}
	}
	for g := range n {
		ends[g+1] += ends[g]
	}
	sorted, next := make([]T, ends[n]), slices.Clone(ends)
	for i, g := range groups {
		if keep(values[i]) {
			sorted[next[g]] = values[i]
			next[g]++
		}
	}
	lists := make([][]T, n)
	for g := range lists {
		lists[g] = sorted[ends[g]:ends[g+1]:ends[g+1]]
	}
	return lists
}

// add adds the values of events.
func (f *fieldAggregates) add(values []float64, groups []uint32) {
	for i, v := range values {
		g := groups[i]
		f.tallies[g].add(v)
		if v == v {
			f.mins[g], f.maxs[g] = min(f.mins[g], v), max(f.maxs[g], v)
		}
	}
}
