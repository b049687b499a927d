package analytics

import (
	"slices"
	"time"
)

// byHeader reports whether a header is enough.
func (q *QueryQuestion) byHeader(h *Header) bool {
	bySource := slices.Contains(q.query.GroupBy, BySource) ||
		slices.ContainsFunc(q.filters, func(f Filter) bool { return f.field == sourceField })
	first, last := max(h.First, q.span.from), min(h.Last, q.span.to-1)
	return q.span.byHours(h) && q.filters.byHeader() && !(q.aggregation.users && bySource) &&
		!slices.ContainsFunc(q.query.metrics(), func(m Metric) bool { return !m.byHeader() }) &&
		!slices.ContainsFunc(q.query.GroupBy, func(d Dimension) bool { return !d.byHeader(first, last, q.query.Timezone) })
}

// AddHeader adds a piece by its header.
func (q *QueryQuestion) AddHeader(h *Header) {
	if q.misses(h) {
		return
	}
	selected, _ := q.filters.ofCells(h)
	cells := h.cells(q.span.hours())
	if len(q.filters) > 0 {
		cells = slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool { return !selected.cell(&c) })
	}
	columns := q.columnsOfCells(h, len(cells), func(i int) cellKey { return cellKey{cells[i].Hour, cells[i].Type, cells[i].Source} })
	groups, all := group(columns, len(cells))
	to := q.groups.translate(columns, all)
	q.total.grow(len(q.groups.keys), &q.aggregation)
	for i := range cells {
		q.total.addCell(to[groups[i]], &cells[i])
	}
	if q.aggregation.users {
		q.addSeen(h, selected)
	}
}

// addCell adds the events of a cell to a group.
func (a *aggregates) addCell(group uint32, c *Cell) {
	a.events[group] += c.Events
	for i := range a.fields { // of value, which is all that headers know
		f := &a.fields[i]
		f.tallies[group].addCell(c)
		if c.Values > 0 {
			f.mins[group], f.maxs[group] = min(f.mins[group], c.Min), max(f.maxs[group], c.Max)
		}
	}
}

// addSeen adds the users of a header to the groups.
func (q *QueryQuestion) addSeen(h *Header, selected cellFilter) {
	var (
		parts = q.parts(h, selected)
		sets  = make([][]*Users, len(parts))
	)
	for i, p := range parts {
		sets[i] = h.sets(p)
	}
	columns := q.columnsOfCells(h, len(parts), func(i int) cellKey { return cellKey{hour: parts[i].from, eventType: parts[i].eventType} })
	groups, all := group(columns, len(parts))
	to := q.groups.translate(columns, all)
	q.total.grow(len(q.groups.keys), &q.aggregation)
	for i, g := range groups {
		q.total.users[to[g]] = append(q.total.users[to[g]], sets[i]...)
	}
}

// parts cuts the events of a header in the window into parts with events that are each in one group.
func (q *QueryQuestion) parts(h *Header, selected cellFilter) (list []part) {
	byType := slices.Contains(q.query.GroupBy, ByEventType) || slices.Contains(selected.types[1:], false)
	for _, hours := range q.segments(h) {
		if !byType {
			list = append(list, hours)
			continue
		}
		for code := 1; code < len(h.Types); code++ {
			if selected.types[code] {
				list = append(list, part{hours.from, hours.to, uint32(code)})
			}
		}
	}
	return slices.DeleteFunc(list, func(p part) bool { return !h.has(p) })
}

// cellKey is where a cell of a header is.
type cellKey struct {
	hour              int64
	eventType, source uint32
}

// columnsOfCells returns what so many cells have for the dimensions.
func (q *QueryQuestion) columnsOfCells(h *Header, cells int, key func(i int) cellKey) []column {
	columns := make([]column, len(q.query.GroupBy))
	for d, dimension := range q.query.GroupBy {
		switch dimension {
		case ByEventType:
			columns[d] = columnOfTexts(h.Types, cells, func(i int) uint32 { return key(i).eventType })
		case BySource:
			columns[d] = columnOfTexts(h.Sources, cells, func(i int) uint32 { return key(i).source })
		default:
			columns[d] = dimension.granularity.column(cells, q.query.Timezone, func(i int) int64 { return max(key(i).hour*microsPerHour, h.First) })
		}
	}
	return columns
}

func columnOfTexts(dictionary []string, n int, code func(i int) uint32) column {
	c := column{codes: make([]uint32, n), size: max(1, len(dictionary))}
	for i := range c.codes {
		c.codes[i] = code(i)
	}
	c.labels = func(code int) (l label) {
		if code > 0 {
			l.Scalar = Text(dictionary[code])
		}
		return l
	}
	return c
}

// segments cuts the hours of a header's events in the window into parts, of all types, that are each in one bucket of every dimension
// of time.
func (q *QueryQuestion) segments(h *Header) (list []part) {
	first, last := max(h.First, q.span.from), min(h.Last, q.span.to-1)
	for from, end := floor(first, microsPerHour), floor(last, microsPerHour)+1; from < end; {
		p := part{from: from, to: end}
		at := time.UnixMicro(max(first, from*microsPerHour)).In(q.query.Timezone)
		for _, d := range q.query.GroupBy {
			if d.isTime() {
				if _, next := d.granularity.bucket(at); micros(next) <= last {
					p.to = min(p.to, floor(micros(next), microsPerHour))
				}
			}
		}
		list = append(list, p)
		from = p.to
	}
	return list
}

// byHeader reports whether the headers of events with times from first to last know the dimension.
func (d Dimension) byHeader(first, last int64, zone *time.Location) bool {
	if !d.isTime() {
		return d == ByEventType || d == BySource
	}
	from, to := time.UnixMicro(first).In(zone), time.UnixMicro(last)
	_, offset := from.Zone()
	if _, end := from.ZoneBounds(); end.IsZero() || to.Before(end) {
		return offset%secondsPerHour == 0
	}
	for {
		_, end := d.granularity.bucket(from)
		if end.After(to) {
			return true
		}
		if isWithinHour(micros(end)) {
			return false
		}
		from = end
	}
}

const secondsPerHour = 60 * 60
