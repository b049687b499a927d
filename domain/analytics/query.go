package analytics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// Limits of a query.
const (
	DefaultQueryLimit = 100
	MaxQueryLimit     = 10_000
)

// Dimension is what events are grouped by.
type Dimension struct {
	name string
}

// The dimensions.
var (
	ByEventType = Dimension{"event_type"}
	BySource    = Dimension{"source"}
	ByDay       = Dimension{"day"} // of UTC, as 2026-01-31
)

// ParseDimension parses the name of a dimension; an empty name means ByEventType. A fault names the field group_by.
func ParseDimension(s string) (Dimension, error) {
	if s == "" {
		return ByEventType, nil
	}
	for _, d := range []Dimension{ByEventType, BySource, ByDay} {
		if d.name == s {
			return d, nil
		}
	}
	return Dimension{}, fault.ErrInvalid.OnField("group_by", "must be event_type, source or day")
}

// String returns the dimension's name.
func (d Dimension) String() string { return d.name }

// QueryRequest is a query as a client sends it. Empty strings and nil mean the default.
type QueryRequest struct {
	EventType string
	StartDate string
	EndDate   string
	GroupBy   string
	Limit     *int
}

// Query is a validated query for the number and the average value of the events in each group.
type Query struct {
	EventType string // empty: all
	Window    Window
	GroupBy   Dimension
	Limit     int
}

// Query validates the request and fills in the defaults. A fault names each field that is wrong.
//
// Dates are days (2026-01-31) or times (RFC 3339). The start is inclusive. An end that is a day includes the whole day; an
// end that is a time is exclusive.
func (r QueryRequest) Query() (Query, error) {
	var (
		c   fault.Check
		q   = Query{EventType: r.EventType, Limit: DefaultQueryLimit}
		err error
	)
	if r.EventType != "" {
		event.CheckType(&c, r.EventType)
	}
	q.GroupBy, err = ParseDimension(r.GroupBy)
	c.Take(err)
	q.Window, err = parseWindow("start_date", r.StartDate, "end_date", r.EndDate, time.UTC)
	c.Take(err)
	if r.Limit != nil {
		q.Limit = *r.Limit
		if q.Limit < 1 || q.Limit > MaxQueryLimit {
			c.Add("limit", fmt.Sprintf("must be 1 to %d", MaxQueryLimit))
		}
	}
	return q, c.Err()
}

// Row is the result for one group.
type Row struct {
	Key      *string // nil: events without a value for the dimension
	Count    int64
	AvgValue *float64 // nil: none of the events has a value
}

// Result is the result of a query. Days are in chronological order; other groups by count, highest first.
type Result struct {
	TenantID   id.Tenant
	Query      Query
	Rows       []Row
	ExecutedAt time.Time
	Reading    Reading
}

// QueryQuestion is the Question of a Query.
type QueryQuestion struct {
	query  Query
	span   span
	filter filter
	none   tally            // of the events without a text for the dimension
	texts  map[string]tally // by the text for the dimension
	days   map[int64]tally  // by the day since 1970
}

// Question returns the question that the query asks.
func (q Query) Question() *QueryQuestion {
	return &QueryQuestion{
		query: q, span: q.Window.span(), filter: filter{eventType: q.EventType}, texts: map[string]tally{}, days: map[int64]tally{},
	}
}

// Window returns the window of the query.
func (q *QueryQuestion) Window() Window { return q.query.Window }

// Needs returns the columns that are needed of a piece; see Question.
func (q *QueryQuestion) Needs(h *Header) Columns {
	if h != nil && q.span.byHours(h) {
		return 0
	}
	needs := ValueColumn | q.filter.columns()
	switch q.query.GroupBy {
	case ByEventType:
		needs |= TypeColumn
	case BySource:
		needs |= SourceColumn
	}
	return needs
}

// AddHeader adds a piece by its header.
func (q *QueryQuestion) AddHeader(h *Header) {
	matches, ok := q.filter.ofCells(h)
	if q.span.misses(h) || !ok {
		return
	}
	cells := h.cells(q.span.hours())
	switch q.query.GroupBy {
	case ByDay:
		for _, c := range cells {
			if matches.cell(&c) {
				day := floor(c.Hour, 24)
				t := q.days[day]
				t.addCell(&c)
				q.days[day] = t
			}
		}
	case BySource:
		q.addTexts(h.Sources, tallyCells(cells, matches, len(h.Sources), func(c *Cell) uint32 { return c.Source }))
	default:
		q.addTexts(h.Types, tallyCells(cells, matches, len(h.Types), func(c *Cell) uint32 { return c.Type }))
	}
}

// tallyCells returns the tallies of the cells that match, by code.
func tallyCells(cells []Cell, m matcher, codes int, code func(*Cell) uint32) []tally {
	tallies := make([]tally, max(1, codes))
	for i := range cells {
		if c := &cells[i]; m.cell(c) {
			tallies[code(c)].addCell(c)
		}
	}
	return tallies
}

// AddBatch adds events by their columns.
func (q *QueryQuestion) AddBatch(b *Batch) {
	b = b.Between(q.span.from, q.span.to)
	matches, ok := q.filter.in(b)
	switch {
	case b.Len() == 0 || !ok:
	case q.query.GroupBy == ByDay:
		q.addDays(b, matches)
	case q.query.GroupBy == BySource:
		q.addTexts(b.Sources.Dictionary, tallyTexts(b.Sources, b.Values, matches))
	default:
		q.addTexts(b.Types.Dictionary, tallyTexts(b.Types, b.Values, matches))
	}
}

// tallyTexts returns the tallies of the events that match, by the code of the text.
func tallyTexts(column Strings, values []float64, m matcher) []tally {
	tallies := make([]tally, max(1, len(column.Dictionary)))
	for i, code := range column.Codes {
		if m.event(i) {
			tallies[code].add(values[i])
		}
	}
	return tallies
}

// addTexts adds the tallies by the codes of a dictionary.
func (q *QueryQuestion) addTexts(dictionary []string, tallies []tally) {
	q.none.addTally(tallies[0])
	for code := 1; code < len(tallies); code++ {
		if tallies[code].events > 0 {
			t := q.texts[dictionary[code]]
			t.addTally(tallies[code])
			q.texts[dictionary[code]] = t
		}
	}
}

// addDays adds the events that match by their days.
func (q *QueryQuestion) addDays(b *Batch, m matcher) {
	for i := 0; i < b.Len(); {
		day := floor(b.Times[i], microsPerDay)
		j := b.search(i, (day+1)*microsPerDay)
		t := q.days[day]
		for ; i < j; i++ {
			if m.event(i) {
				t.add(b.Values[i])
			}
		}
		if t.events > 0 {
			q.days[day] = t
		}
	}
}

// Rows returns the answer for the pieces that were added: days in chronological order, other groups by count, highest first,
// then by key, events without a key last.
func (q *QueryQuestion) Rows() []Row {
	rows := make([]Row, 0, len(q.texts)+len(q.days)+1)
	add := func(key *string, t tally) {
		rows = append(rows, Row{Key: key, Count: t.events, AvgValue: t.average()})
	}
	if q.none.events > 0 {
		add(nil, q.none)
	}
	for text, t := range q.texts {
		add(&text, t)
	}
	for day, t := range q.days {
		add(new(time.UnixMicro(day*microsPerDay).UTC().Format(time.DateOnly)), t)
	}
	slices.SortFunc(rows, q.compare)
	return slices.Clip(rows[:min(len(rows), q.query.Limit)])
}

// compare is the order of the rows.
func (q *QueryQuestion) compare(a, b Row) int {
	if a.Count != b.Count && q.query.GroupBy != ByDay {
		return cmp.Compare(b.Count, a.Count)
	}
	switch {
	case a.Key == b.Key:
		return 0
	case a.Key == nil:
		return 1
	case b.Key == nil:
		return -1
	default:
		return strings.Compare(*a.Key, *b.Key)
	}
}
