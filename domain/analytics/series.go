package analytics

import (
	"slices"
	"time"
)

// series computes the values of one metric in all buckets of a window.
type series struct {
	metric    Metric
	kind      kind
	window    Window
	span      span
	starts    []time.Time // of the buckets
	edges     []int64     // starts in microseconds since 1970
	wholeHour bool        // all edges are full hours of UTC
	tallies   []tally     // by bucket
	users     [][]*Users  // by bucket; to be united
	all       []*Users    // of the whole window; to be united
}

func newSeries(t Timeseries, w Window) *series {
	s := &series{
		metric: t.Metric, kind: kind{eventType: t.EventType, source: t.Source}, window: w, span: w.span(),
		starts: t.Granularity.buckets(w, t.Timezone),
	}
	s.edges = make([]int64, len(s.starts))
	for i, start := range s.starts {
		s.edges[i] = micros(start)
	}
	s.wholeHour = !slices.ContainsFunc(s.edges, isWithinHour)
	s.tallies = make([]tally, len(s.starts))
	s.users = make([][]*Users, len(s.starts))
	return s
}

// isWithinHour reports whether a time is not a full hour of UTC.
func isWithinHour(at int64) bool { return at%microsPerHour != 0 }

// needs returns the columns that are needed of a piece. A header is not enough if an edge of a bucket cuts one of its hours, or
// if it does not know which users had events from a source.
func (s *series) needs(h *Header) Columns {
	if h != nil && (s.span.misses(h) || s.isEnough(h)) {
		return 0
	}
	needs := TimeColumn | s.kind.columns()
	switch s.metric {
	case CountUsers:
		needs |= UserColumn
	case SumValues, AverageValues:
		needs |= ValueColumn
	}
	return needs
}

// isEnough reports whether a header of events in the window is enough.
func (s *series) isEnough(h *Header) bool {
	if s.metric == CountUsers && s.kind.source != "" || !s.span.byHours(h) {
		return false
	}
	first, last := s.bucket(max(h.First, s.span.from)), s.bucket(min(h.Last, s.span.to-1))
	return s.wholeHour || !slices.ContainsFunc(s.edges[first+1:last+1], isWithinHour)
}

// bucket returns the bucket of a time in the window.
func (s *series) bucket(at int64) int {
	i, found := slices.BinarySearch(s.edges, at)
	if found {
		return i
	}
	return i - 1
}

func (s *series) addHeader(h *Header) {
	m, ok := s.kind.ofCells(h)
	switch {
	case s.span.misses(h) || !ok:
	case s.metric == CountUsers:
		s.addSeen(h, m)
	default:
		s.addCells(h, m)
	}
}

// addCells adds the events of a header that match.
func (s *series) addCells(h *Header, m matcher) {
	cells := h.cells(s.span.hours())
	for i, bucket := 0, 0; i < len(cells); i++ {
		c := &cells[i]
		if i == 0 || c.Hour != cells[i-1].Hour {
			bucket = s.ofHour(h, c.Hour)
		}
		if m.cell(c) {
			s.tallies[bucket].addCell(c)
		}
	}
}

// ofHour returns the bucket of a piece's events of an hour. They are all in one, but its edge may be within the hour, where the
// piece has no events.
func (s *series) ofHour(h *Header, hour int64) int {
	return s.bucket(max(hour*microsPerHour, h.First))
}

// addSeen adds the users of a header who had events that match.
func (s *series) addSeen(h *Header, m matcher) {
	first, last := max(h.First, s.span.from), min(h.Last, s.span.to-1)
	hours := part{floor(first, microsPerHour), floor(last, microsPerHour) + 1, m.eventType}
	s.all = append(s.all, h.users(hours))
	for i, end := s.bucket(first), s.bucket(last); i <= end; i++ {
		p := hours
		if i < end {
			p.to = floor(s.edges[i+1], microsPerHour)
		}
		hours.from = p.to
		if p.to-p.from == 1 { // not worth remembering
			s.users[i] = append(s.users[i], h.seen(p)...)
		} else {
			s.users[i] = append(s.users[i], h.users(p))
		}
	}
}

func (s *series) addBatch(b *Batch) {
	i, end := b.between(s.span.from, s.span.to)
	m, ok := s.kind.in(b)
	for i < end && ok {
		bucket, j := s.bucket(b.Times[i]), end
		if bucket+1 < len(s.edges) {
			j = min(end, b.search(i, s.edges[bucket+1]))
		}
		s.addEvents(bucket, b, m, i, j)
		i = j
	}
}

// addEvents adds the events of a batch from the i-th to before the j-th that match, which are in one bucket.
func (s *series) addEvents(bucket int, b *Batch, m matcher, i, j int) {
	t := &s.tallies[bucket]
	switch s.metric {
	case CountUsers:
		var numbers []uint32
		for ; i < j; i++ {
			if m.event(i) {
				numbers = append(numbers, b.Users[i])
			}
		}
		users := new(UsersOf(numbers))
		s.users[bucket] = append(s.users[bucket], users)
		s.all = append(s.all, users)
	case CountEvents:
		for ; i < j; i++ {
			if m.event(i) {
				t.events++
			}
		}
	default:
		for ; i < j; i++ {
			if m.event(i) {
				t.add(b.Values[i])
			}
		}
	}
}

// result returns the values of what was added.
func (s *series) result() Series {
	r := Series{Window: s.window, Points: make([]Point, len(s.starts))}
	var total tally
	for i, start := range s.starts {
		r.Points[i] = Point{Time: start, Value: s.value(s.tallies[i], s.users[i])}
		total.addTally(s.tallies[i])
	}
	r.Total = s.value(total, s.all)
	return r
}

// value returns the metric of the events of a tally, which these users had.
func (s *series) value(t tally, users []*Users) *float64 {
	switch s.metric {
	case CountUsers:
		return new(float64(unite(users).Len()))
	case SumValues:
		return new(t.sum.value())
	case AverageValues:
		return t.average()
	default:
		return new(float64(t.events))
	}
}
