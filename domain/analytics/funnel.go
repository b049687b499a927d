package analytics

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// Limits of a funnel.
const (
	MinFunnelSteps  = 2
	MaxFunnelSteps  = 10
	MaxFunnelWindow = 366 * 24 * time.Hour
	// MaxFunnelGroups is how many groups the answer has, those with most users.
	MaxFunnelGroups = 100
)

// EventRequest is which events are meant, as a client sends it.
type EventRequest struct {
	EventType string
	Filters   []FilterRequest
}

// filters validates the request. A fault names the parts that are wrong, as of a field with this name.
func (r EventRequest) filters(name string) (Filters, error) {
	var c, eventType fault.Check
	event.CheckType(&eventType, r.EventType)
	c.Take(within(name, eventType.Err()))
	list, err := ParseFilters(name+".filters", r.Filters)
	c.Take(err)
	return append(Filters{ofType(r.EventType)}, list...), c.Err()
}

// FunnelRequest is a funnel as a client sends it.
type FunnelRequest struct {
	Steps     []EventRequest
	Window    string // how long a user may take from the first step to the last, such as 7d, 12h, 30m or 90s
	StartDate string
	EndDate   string
	GroupBy   []string // nil: by nothing
	Timezone  string   // default: UTC
}

// Funnel is a validated funnel: how many users do one step after the other.
type Funnel struct {
	Steps    []Step
	Within   time.Duration
	Window   Window
	GroupBy  []Dimension
	Timezone *time.Location
}

// Step is a step of a funnel.
type Step struct {
	EventType string
	filters   Filters
}

// Funnel validates the request. A fault names each field that is wrong.
func (r FunnelRequest) Funnel() (Funnel, error) {
	var (
		c   fault.Check
		f   Funnel
		err error
	)
	if len(r.Steps) < MinFunnelSteps || len(r.Steps) > MaxFunnelSteps {
		c.Add("steps", fmt.Sprintf("must have %d to %d steps", MinFunnelSteps, MaxFunnelSteps))
	} else {
		for i, s := range r.Steps {
			filters, err := s.filters(fmt.Sprintf("steps[%d]", i))
			c.Take(err)
			f.Steps = append(f.Steps, Step{s.EventType, filters})
		}
	}
	f.Within, err = parseSpan("window", r.Window)
	c.Take(err)
	f.Timezone, err = parseTimezone(r.Timezone)
	c.Take(err)
	if err == nil {
		f.Window, err = parseClosedWindow(r.StartDate, r.EndDate, f.Timezone)
		c.Take(err)
	}
	f.GroupBy, err = ParseDimensions(r.GroupBy)
	c.Take(err)
	return f, c.Err()
}

// parseSpan parses how long a funnel may take: a number of days, hours, minutes or seconds.
func parseSpan(field, s string) (time.Duration, error) {
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	invalid := fault.ErrInvalid.OnField(field, "must be such as 7d, 12h, 30m or 90s, and 366d at most")
	if s == "" || units[s[len(s)-1]] == 0 || strings.HasPrefix(s, "+") {
		return 0, invalid
	}
	n, err := strconv.ParseInt(s[:len(s)-1], 10, 32)
	unit := units[s[len(s)-1]]
	if err != nil || n < 1 || n > int64(MaxFunnelWindow/unit) {
		return 0, invalid
	}
	return time.Duration(n) * unit, nil
}

// within returns a fault about fields as one about fields of a field.
func within(name string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	var c fault.Check
	for _, field := range f.Fields {
		c.Add(name+"."+field.Name, field.Message)
	}
	return c.Err()
}

// StepResult is how far users came.
type StepResult struct {
	EventType string
	Users     int64 // who did this step and those before it
	// FromPrevious and FromFirst are which part of the users of the previous and of the first step they are, from 0 to 1; nil if there
	// are none, or no step before.
	FromPrevious, FromFirst *float64
	// MedianSeconds is how long users took for this step when they first reached it, from the one before; nil for the first step.
	MedianSeconds *float64
}

// FunnelResult is the answer to a funnel.
type FunnelResult struct {
	TenantID   id.Tenant
	Funnel     Funnel
	Steps      []StepResult
	Groups     []FunnelGroup // those with most users of the first step first; nil if the funnel is not grouped
	ExecutedAt time.Time
	Reading    Reading
}

// FunnelGroup is the users whose chain of steps begins with an event of a group.
type FunnelGroup struct {
	Group []Scalar // by dimension
	Steps []StepResult
}

// FunnelQuestion is the Question of a Funnel.
type FunnelQuestion struct {
	funnel Funnel
	span   span
	visits visits
	groups groupSet
}

// Question returns the question that the funnel asks.
func (f Funnel) Question() *FunnelQuestion { return &FunnelQuestion{funnel: f, span: f.Window.span()} }

// Window returns the window of the funnel.
func (q *FunnelQuestion) Window() Window { return q.funnel.Window }

// Identifiers returns the users that the funnel names; see Question.
func (q *FunnelQuestion) Identifiers() (list []string) {
	for _, s := range q.funnel.Steps {
		list = append(list, s.filters.identifiers()...)
	}
	return list
}

// Needs returns what is needed of a piece; see Question. Without an event of any step that is nothing.
func (q *FunnelQuestion) Needs(h *Header) Needs {
	needs := Needs{Columns: UserColumn}
	some := h == nil
	for _, s := range q.funnel.Steps {
		needs = needs.And(s.filters.needs())
		some = some || s.filters.mayFind(h, q.span)
	}
	for _, d := range q.funnel.GroupBy {
		needs = needs.And(d.needs())
	}
	if !some {
		return Needs{}
	}
	return needs
}

// AddHeader adds a piece without an event of any step.
func (q *FunnelQuestion) AddHeader(*Header) {}

// The marks of a visit have a bit for each step, above the group of an event of the first step.
const (
	stepShift       = 32 - MaxFunnelSteps
	groupMask       = 1<<stepShift - 1
	maxFunnelGroups = 100_000 // that are counted
)

// errTooManyFunnelGroups says what to narrow.
var errTooManyFunnelGroups = ErrTooExpensive.Saying("The funnel has too many groups. Group by less, or narrow it by its dates or filters.")

// Evaluate evaluates events; see Question.
func (q *FunnelQuestion) Evaluate(b *Batch) (add func() error) {
	b = b.Between(q.span.from, q.span.to)
	marks := make([]uint32, b.Len())
	for i, s := range q.funnel.Steps {
		for _, position := range s.filters.find(b) {
			marks[position] |= 1 << (stepShift + i)
		}
	}
	list := visitsOf(b, marks)
	if len(q.funnel.GroupBy) == 0 {
		return func() error { return q.visits.add(list) }
	}
	firsts := b.At(q.funnel.Steps[0].filters.find(b))
	columns := make([]column, len(q.funnel.GroupBy))
	for d, dimension := range q.funnel.GroupBy {
		columns[d] = dimension.column(firsts, q.funnel.Timezone)
	}
	groups, all := group(columns, firsts.Len())
	return func() error {
		to := q.groups.translate(columns, all)
		if len(q.groups.keys) > maxFunnelGroups {
			return errTooManyFunnelGroups
		}
		first := 0
		for i := range list {
			if list[i].does(0) {
				list[i].marks |= to[groups[first]]
				first++
			}
		}
		return q.visits.add(list)
	}
}

// does reports whether the event is one of a step.
func (v visit) does(step int) bool { return v.marks&(1<<(stepShift+step)) != 0 }

// visitsOf returns the events of a batch that have marks.
func visitsOf(b *Batch, marks []uint32) []visit {
	n := 0
	for _, m := range marks {
		if m != 0 {
			n++
		}
	}
	list := make([]visit, 0, n)
	for i, m := range marks {
		if m != 0 {
			list = append(list, visit{b.Times[i], b.Users[i], m})
		}
	}
	return list
}

// chain is the steps of a user up to one of them: when the first and the last of them were, and the group of the first.
type chain struct {
	first, last int64
	group       uint32
	found       bool
}

// reached is how far a user came, by step: how long the step took in the chain that first reached it.
type reached struct {
	steps int
	took  [MaxFunnelSteps]int64 // microseconds
	group uint32                // of the chain that first reached the last of the steps
}

// walk returns how far a user came, by the rules of windowFunnel of ClickHouse in its default mode: each event of the first step
// begins a new chain, an event of a later step continues the latest chain up to the step before if the chain began at most Within
// ago, and replaces the latest up to its own. An event is of one step of a chain at most.
func (f Funnel) walk(list []visit) (r reached) {
	var latest [MaxFunnelSteps]chain
	limit := f.Within.Microseconds()
	for _, v := range list {
		for step := len(f.Steps) - 1; step >= 0; step-- {
			if !v.does(step) {
				continue
			}
			c := chain{v.at, v.at, v.marks & groupMask, true}
			if step > 0 {
				before := latest[step-1]
				if !before.found || v.at > before.first+limit {
					continue
				}
				c.first, c.group = before.first, before.group
				if !latest[step].found {
					r.took[step] = v.at - before.last
				}
			}
			latest[step] = c
			if step == r.steps {
				r.steps, r.group = step+1, c.group
			}
		}
		if r.steps == len(f.Steps) {
			break
		}
	}
	return r
}

// Result returns the answer for the pieces that were added, as one of a tenant.
func (q *FunnelQuestion) Result(tenant id.Tenant) FunnelResult {
	q.sortGroups()
	all := newFunnelTally(q.funnel)
	groups := make([]*funnelTally, len(q.groups.keys))
	q.visits.byUser(func(list []visit) {
		r := q.funnel.walk(list)
		if r.steps == 0 {
			return
		}
		all.add(r)
		if len(q.funnel.GroupBy) > 0 {
			if groups[r.group] == nil {
				groups[r.group] = newFunnelTally(q.funnel)
			}
			groups[r.group].add(r)
		}
	})
	return FunnelResult{TenantID: tenant, Funnel: q.funnel, Steps: all.results(), Groups: q.groupResults(groups)}
}

// sortGroups numbers the groups by what they are, and no longer as they came: events at the same time are in order of their groups.
func (q *FunnelQuestion) sortGroups() {
	to := q.groups.sort(len(q.funnel.GroupBy))
	for _, list := range q.visits.lists {
		for i := range list {
			if v := &list[i]; len(to) > 0 && v.does(0) {
				v.marks = v.marks&^groupMask | to[v.marks&groupMask]
			}
		}
	}
}

// groupResults returns the results of the groups with most users.
func (q *FunnelQuestion) groupResults(tallies []*funnelTally) []FunnelGroup {
	if len(q.funnel.GroupBy) == 0 {
		return nil
	}
	var order []uint32
	for g, t := range tallies {
		if t != nil {
			order = append(order, uint32(g))
		}
	}
	slices.SortFunc(order, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(tallies[b].users[0], tallies[a].users[0]), cmp.Compare(a, b))
	})
	list := []FunnelGroup{}
	for _, g := range order[:min(len(order), MaxFunnelGroups)] {
		list = append(list, FunnelGroup{q.groups.scalars(g, len(q.funnel.GroupBy)), tallies[g].results()})
	}
	return list
}

// funnelTally is how many users came how far.
type funnelTally struct {
	funnel Funnel
	users  []int64     // by step
	took   [][]float64 // by step, of each user, in seconds
}

func newFunnelTally(f Funnel) *funnelTally {
	return &funnelTally{f, make([]int64, len(f.Steps)), make([][]float64, len(f.Steps))}
}

func (t *funnelTally) add(r reached) {
	for step := range r.steps {
		t.users[step]++
		if step > 0 {
			t.took[step] = append(t.took[step], float64(r.took[step])/1e6)
		}
	}
}

func (t *funnelTally) results() []StepResult {
	list := make([]StepResult, len(t.users))
	for i, n := range t.users {
		list[i] = StepResult{EventType: t.funnel.Steps[i].EventType, Users: n, FromFirst: share(n, t.users[0])}
		if i > 0 {
			list[i].FromPrevious = share(n, t.users[i-1])
		}
		if len(t.took[i]) > 0 {
			list[i].MedianSeconds = new(percentile(t.took[i], 0.5))
		}
	}
	return list
}

// share returns which part of a whole it is, or nil of nothing.
func share(part, whole int64) *float64 {
	if whole == 0 {
		return nil
	}
	return new(float64(part) / float64(whole))
}
