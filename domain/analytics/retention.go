package analytics

import (
	"fmt"
	"slices"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// MaxRetentionPeriods is how many periods the window of a retention can have.
const MaxRetentionPeriods = 400

// RetentionRequest is a retention as a client sends it.
type RetentionRequest struct {
	Cohort, Return EventRequest
	Period         string // day, week or month
	StartDate      string
	EndDate        string
	Timezone       string // default: UTC
}

// Retention is a validated retention: how many of the users who begin in a period come back in later ones.
type Retention struct {
	Cohort, Return Step
	Period         Granularity
	Window         Window
	Timezone       *time.Location
	periods        []time.Time // the starts of all periods that the window overlaps
}

// Retention validates the request. A fault names each field that is wrong.
func (r RetentionRequest) Retention() (Retention, error) {
	var (
		c fault.Check
		n Retention
	)
	filters, err := r.Cohort.filters("cohort")
	c.Take(err)
	n.Cohort = Step{r.Cohort.EventType, filters}
	filters, err = r.Return.filters("return")
	c.Take(err)
	n.Return = Step{r.Return.EventType, filters}
	i := slices.IndexFunc([]Granularity{Daily, Weekly, Monthly}, func(g Granularity) bool { return g.name == r.Period })
	if i < 0 {
		c.Add("period", "must be day, week or month")
	} else {
		n.Period = []Granularity{Daily, Weekly, Monthly}[i]
	}
	zone, err := parseTimezone(r.Timezone)
	c.Take(err)
	if err == nil {
		n.Timezone = zone
		n.Window, err = parseClosedWindow(r.StartDate, r.EndDate, zone)
		c.Take(err)
	}
	if err == nil && i >= 0 {
		c.Take(n.cut())
	}
	return n, c.Err()
}

// cut cuts the window into periods.
func (n *Retention) cut() error {
	const shortest = 20 * time.Hour // a day on which clocks change
	if n.Window.End.Sub(n.Window.Start) < MaxRetentionPeriods*31*24*time.Hour+shortest {
		n.periods = n.Period.buckets(n.Window, n.Timezone)
	}
	if len(n.periods) == 0 || len(n.periods) > MaxRetentionPeriods {
		return fault.ErrInvalid.OnField("period", fmt.Sprintf("must be so long that there are at most %d from start_date to end_date", MaxRetentionPeriods))
	}
	return nil
}

// RetentionResult is the answer to a retention.
type RetentionResult struct {
	TenantID   id.Tenant
	Retention  Retention
	Cohorts    []Cohort // one for each period of the window
	ExecutedAt time.Time
	Reading    Reading
}

// Cohort is the users whose first event of the cohort in the window is in one period.
type Cohort struct {
	Start string // of the period, as in the rows of a query
	Users int64
	// Returned is how many of them have an event of return in the period itself, in the next one and so on to the end of the window:
	// not before their first event of the cohort, but that event counts if it is of both.
	Returned []int64
}

// RetentionQuestion is the Question of a Retention.
type RetentionQuestion struct {
	retention Retention
	span      span
	edges     []int64 // the starts of the periods
	visits    visits
}

// The marks of visits.
const (
	isCohort = 1 << iota
	isReturn
)

// Question returns the question that the retention asks.
func (n Retention) Question() *RetentionQuestion {
	q := &RetentionQuestion{retention: n, span: n.Window.span()}
	for _, start := range n.periods {
		q.edges = append(q.edges, micros(start))
	}
	return q
}

// Window returns the window of the retention.
func (q *RetentionQuestion) Window() Window { return q.retention.Window }

// Identifiers returns the users that the retention names; see Question.
func (q *RetentionQuestion) Identifiers() []string {
	return append(q.retention.Cohort.filters.identifiers(), q.retention.Return.filters.identifiers()...)
}

// Needs returns what is needed of a piece; see Question. Without an event of either kind that is nothing.
func (q *RetentionQuestion) Needs(h *Header) Needs {
	cohort, back := q.retention.Cohort.filters, q.retention.Return.filters
	if h != nil && !cohort.mayFind(h, q.span) && !back.mayFind(h, q.span) {
		return Needs{}
	}
	return cohort.needs().And(back.needs()).And(Needs{Columns: UserColumn})
}

// AddHeader adds a piece without an event of either kind.
func (q *RetentionQuestion) AddHeader(*Header) {}

// Evaluate evaluates events; see Question.
func (q *RetentionQuestion) Evaluate(b *Batch) (add func() error) {
	b = b.Between(q.span.from, q.span.to)
	marks := make([]uint32, b.Len())
	for _, position := range q.retention.Cohort.filters.find(b) {
		marks[position] |= isCohort
	}
	for _, position := range q.retention.Return.filters.find(b) {
		marks[position] |= isReturn
	}
	list := visitsOf(b, marks)
	return func() error { return q.visits.add(list) }
}

// Result returns the answer for the pieces that were added, as one of a tenant.
func (q *RetentionQuestion) Result(tenant id.Tenant) RetentionResult {
	cohorts := make([]Cohort, len(q.edges))
	for i, start := range q.retention.periods {
		cohorts[i] = Cohort{Start: q.retention.Period.label(start).text, Returned: make([]int64, len(q.edges)-i)}
	}
	q.visits.byUser(func(list []visit) { q.walk(list, cohorts) })
	return RetentionResult{TenantID: tenant, Retention: q.retention, Cohorts: cohorts}
}

// walk adds a user to its cohort.
func (q *RetentionQuestion) walk(list []visit, cohorts []Cohort) {
	first := slices.IndexFunc(list, func(v visit) bool { return v.marks&isCohort != 0 })
	if first < 0 {
		return
	}
	for first > 0 && list[first-1].at == list[first].at { // at the same time is not before
		first--
	}
	begun := q.period(list[first].at)
	cohorts[begun].Users++
	last := -1
	for _, v := range list[first:] {
		if v.marks&isReturn == 0 {
			continue
		}
		if period := q.period(v.at); period != last {
			cohorts[begun].Returned[period-begun]++
			last = period
		}
	}
}

// period returns which period a time is in.
func (q *RetentionQuestion) period(at int64) int {
	i, found := slices.BinarySearch(q.edges, at)
	if !found {
		i--
	}
	return i
}
