package analytics

import (
	"cmp"
	"slices"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// TopEventTypes is how many event types a summary names.
const TopEventTypes = 5

// Period is how far back a summary looks.
type Period struct {
	name string
	days int
}

// The periods.
var (
	Week    = Period{"7d", 7}
	Month   = Period{"30d", 30}
	Quarter = Period{"90d", 90}
)

// ParsePeriod parses the name of a period; an empty name means Month. A fault names the field period.
func ParsePeriod(s string) (Period, error) {
	if s == "" {
		return Month, nil
	}
	for _, p := range []Period{Week, Month, Quarter} {
		if p.name == s {
			return p, nil
		}
	}
	return Period{}, fault.ErrInvalid.OnField("period", "must be 7d, 30d or 90d")
}

// String returns the period's name.
func (p Period) String() string { return p.name }

// Window returns the window of that many days that ends now. It begins with a full hour of UTC, so it is up to an hour longer:
// what is known of the events by hours answers it.
func (p Period) Window(now time.Time) Window {
	return Window{Start: now.UTC().AddDate(0, 0, -p.days).Truncate(time.Hour), End: now}
}

// EventTypeCount is the number of events of a type.
type EventTypeCount struct {
	Type  string
	Count int64
}

// Summary counts a tenant's events in a window of time.
type Summary struct {
	TenantID      id.Tenant
	Window        Window
	TotalEvents   int64
	UniqueUsers   int64
	TopEventTypes []EventTypeCount // at most TopEventTypes, highest count first
	Reading       Reading
}

// SummaryQuestion is the Question that a Summary answers.
type SummaryQuestion struct {
	window Window
	span   span
	types  map[string]int64
	users  []*Users // to be united
}

// NewSummaryQuestion returns the question for the events in a window.
func NewSummaryQuestion(w Window) *SummaryQuestion {
	return &SummaryQuestion{window: w, span: w.span(), types: map[string]int64{}}
}

// Window returns the window of the summary.
func (q *SummaryQuestion) Window() Window { return q.window }

// Identifiers returns nobody; see Question.
func (q *SummaryQuestion) Identifiers() []string { return nil }

// Needs returns what is needed of a piece; see Question.
func (q *SummaryQuestion) Needs(h *Header) Needs {
	if h != nil && q.span.byHours(h) {
		return Needs{}
	}
	return Needs{Columns: TypeColumn | UserColumn}
}

// AddHeader adds a piece by its header.
func (q *SummaryQuestion) AddHeader(h *Header) {
	if q.span.misses(h) {
		return
	}
	from, to := q.span.hours()
	q.users = append(q.users, h.users(part{from: from, to: to}))
	counts := make([]int64, max(1, len(h.Types))) // by code
	if q.span.holds(h) {
		for code, t := range h.inWhole().byType {
			counts[code] = t.events
		}
	} else {
		for _, c := range h.cells(from, to) {
			counts[c.Type] += c.Events
		}
	}
	q.addCounts(h.Types, counts)
}

// Evaluate evaluates events; see Question.
func (q *SummaryQuestion) Evaluate(b *Batch) (add func() error) {
	b = b.Between(q.span.from, q.span.to)
	users := UsersOf(b.Users)
	counts := make([]int64, max(1, len(b.Types.Dictionary)))
	for _, code := range b.Types.Codes {
		counts[code]++
	}
	return func() error {
		q.users = append(q.users, &users)
		q.addCounts(b.Types.Dictionary, counts)
		return nil
	}
}

// addCounts adds the number of events of each type of a dictionary.
func (q *SummaryQuestion) addCounts(types []string, counts []int64) {
	for code, n := range counts {
		if n > 0 && code > 0 {
			q.types[types[code]] += n
		}
	}
}

// Summary returns the answer for the pieces that were added, as one of a tenant.
func (q *SummaryQuestion) Summary(tenant id.Tenant) Summary {
	s := Summary{
		TenantID: tenant, Window: q.window, UniqueUsers: int64(unite(q.users).Len()),
		TopEventTypes: make([]EventTypeCount, 0, len(q.types)),
	}
	for eventType, n := range q.types {
		s.TotalEvents += n
		s.TopEventTypes = append(s.TopEventTypes, EventTypeCount{eventType, n})
	}
	slices.SortFunc(s.TopEventTypes, func(a, b EventTypeCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Type, b.Type))
	})
	s.TopEventTypes = slices.Clip(s.TopEventTypes[:min(TopEventTypes, len(s.TopEventTypes))])
	return s
}
