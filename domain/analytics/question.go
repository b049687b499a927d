package analytics

import (
	"math"
	"time"
)

// Question is a question about a tenant's events in a window. It is given each piece of them once, as a header or as columns,
// in any order, and is not for concurrent use.
type Question interface {
	Window() Window
	// Needs returns the columns without which the events of a piece can't be answered; 0 if its header is enough. For nil it
	// returns the columns that are needed of events without a header, which is never 0.
	Needs(h *Header) Columns
	// AddHeader adds a piece by its header, which must be enough.
	AddHeader(h *Header)
	// AddBatch adds events, with at least the columns that Needs returns. Events outside the window are passed over.
	AddBatch(b *Batch)
}

// Reading is where the events of an answer came from.
type Reading struct {
	Sealed, Rows bool  // whether there were events in blocks, and others
	EventsRead   int64 // events that were looked at one by one
	Took         time.Duration
}

// Source returns sealed, rows or both.
func (r Reading) Source() string {
	switch {
	case r.Sealed && r.Rows:
		return "both"
	case r.Rows:
		return "rows"
	default:
		return "sealed"
	}
}

// tally is how many events there are, how many of them have a value, and the sum of the values.
type tally struct {
	events, values int64
	sum            sum
}

// add adds an event with a value, or with NaN.
func (t *tally) add(value float64) {
	t.events++
	if value == value {
		t.values++
		t.sum.add(value)
	}
}

func (t *tally) addCell(c *Cell) {
	t.events += c.Events
	t.values += c.Values
	t.sum.add(c.Sum)
}

func (t *tally) addTally(o tally) {
	t.events += o.events
	t.values += o.values
	t.sum.add(o.sum.total)
	t.sum.add(o.sum.lost)
}

// average returns the average of the values, or nil if there are none.
func (t *tally) average() *float64 {
	if t.values == 0 {
		return nil
	}
	return new(t.sum.value() / float64(t.values))
}

// sum adds numbers with so little error that the order they come in does not show (Neumaier's variant of Kahan's summation).
type sum struct {
	total, lost float64
}

func (s *sum) add(x float64) {
	t := s.total + x
	if math.Abs(s.total) >= math.Abs(x) {
		s.lost += (s.total - t) + x
	} else {
		s.lost += (x - t) + s.total
	}
	s.total = t
}

func (s *sum) value() float64 { return s.total + s.lost }
