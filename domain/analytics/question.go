package analytics

import (
	"math"
	"time"
)

// Question is a question about a tenant's events in a window. It is given each piece of them once, as a header or as columns, in any
// order.
type Question interface {
	Window() Window
	// Identifiers returns the users whose numbers the events must be given with.
	Identifiers() []string
	// Needs returns what is needed of a piece's events to answer; nothing if its header is enough. For nil it returns what is needed of
	// events without a header, which is never nothing.
	Needs(h *Header) Needs
	// AddHeader adds a piece by its header, which must be enough.
	AddHeader(h *Header)
	// Evaluate evaluates events, with at least what Needs returns. Events outside the window are passed over. The result is in the
	// answer once add was called. Evaluate may run at the same time as anything else; add and AddHeader run one at a time. The error
	// of add is ErrTooExpensive.
	Evaluate(b *Batch) (add func() error)
}

// Narrowed returns a question about those events alone that filters select, and the question itself without filters. It is answered
// from columns: headers know too little of the events.
func Narrowed(q Question, filters Filters) Question {
	if len(filters) == 0 {
		return q
	}
	return narrowed{q, filters}
}

type narrowed struct {
	Question
	filters Filters
}

func (n narrowed) Identifiers() []string {
	return append(n.Question.Identifiers(), n.filters.identifiers()...)
}

func (n narrowed) Needs(h *Header) Needs {
	if h != nil && !n.filters.mayFind(h, n.Window().span()) {
		return Needs{}
	}
	return n.Question.Needs(nil).And(n.filters.needs())
}

// AddHeader adds nothing: none of the events is selected.
func (n narrowed) AddHeader(*Header) {}

func (n narrowed) Evaluate(b *Batch) (add func() error) {
	return n.Question.Evaluate(n.filters.selectFrom(b))
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
