package analytics

import "fmt"

// Plan is how a question is answered: which pieces by their headers, which by which of their columns, and what that costs. It is made
// of headers alone, before anything else is read.
type Plan struct {
	Pieces []Needs // what is needed of each piece, in the order in which they were added
	Events int64   // that are read one by one
	Values int64   // that are read: the number of columns for each of these events
}

// maxValues is how many values a question may read. It takes a processor some 10 s to read them, and far less if others have just
// asked for the same.
const maxValues = 500_000_000

// Add adds a piece. Where events of it are gone, its header does not count.
func (p *Plan) Add(q Question, h *Header, gone bool) {
	needs := q.Needs(h)
	if gone && needs.Nothing() {
		needs = q.Needs(nil)
	}
	p.Pieces = append(p.Pieces, needs)
	if !needs.Nothing() {
		p.Events += h.Events
		p.Values += h.Events * needs.columns()
	}
}

// Check returns what to narrow if the question is too expensive. Errors: ErrTooExpensive.
func (p *Plan) Check() error {
	if p.Values <= maxValues {
		return nil
	}
	return ErrTooExpensive.Saying(fmt.Sprintf("The query would read %d values, %d of each of %d events, and may read %d. Narrow it by its dates or to one event type, or ask for fewer fields.",
		p.Values, p.Values/p.Events, p.Events, maxValues))
}
