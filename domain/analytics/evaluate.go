package analytics

import (
	"slices"
	"time"
)

// QueryQuestion is the Question of a Query.
type QueryQuestion struct {
	query       Query
	span        span
	filters     Filters
	aggregation aggregation
	groups      groupSet
	total       aggregates
}

// Question returns the question that the query asks.
func (q Query) Question() *QueryQuestion {
	question := &QueryQuestion{query: q, span: q.Window.span(), filters: q.Filters, aggregation: newAggregation(q.metrics())}
	if q.Timezone == nil {
		question.query.Timezone = time.UTC
	}
	if q.EventType != "" {
		question.filters = append(slices.Clip(q.Filters), ofType(q.EventType))
	}
	return question
}

// Window returns the window of the query.
func (q *QueryQuestion) Window() Window { return q.query.Window }

// Identifiers returns the users that the query names; see Question.
func (q *QueryQuestion) Identifiers() []string { return q.filters.identifiers() }

// Needs returns what is needed of a piece; see Question.
func (q *QueryQuestion) Needs(h *Header) Needs {
	if h != nil && (q.misses(h) || q.byHeader(h)) {
		return Needs{}
	}
	needs := q.filters.needs().And(Needs{Columns: TimeColumn})
	for _, d := range q.query.GroupBy {
		needs = needs.And(d.needs())
	}
	for _, m := range q.query.metrics() {
		needs = needs.And(m.needs())
	}
	return needs
}

// misses reports whether the query selects no event of a piece, as far as the header knows.
func (q *QueryQuestion) misses(h *Header) bool {
	_, any := q.filters.ofCells(h)
	return q.span.misses(h) || !any
}

// Evaluate evaluates events; see Question.
func (q *QueryQuestion) Evaluate(b *Batch) (add func() error) {
	b = q.filters.selectFrom(b.Between(q.span.from, q.span.to))
	columns := make([]column, len(q.query.GroupBy))
	for d, dimension := range q.query.GroupBy {
		columns[d] = dimension.column(b, q.query.Timezone)
	}
	groups, all := group(columns, b.Len())
	part := q.aggregation.ofEvents(b, groups, len(all))
	return func() error {
		to := q.groups.translate(columns, all)
		q.total.grow(len(q.groups.keys), &q.aggregation)
		q.total.take(part, to)
		if q.total.memory > maxMemory {
			return errTooManyGroups
		}
		return nil
	}
}
