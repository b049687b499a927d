package analyticstest

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// is reports whether an event is meant.
func is(e event.Event, r analytics.EventRequest) bool {
	return e.Type == r.EventType && len(Events{e}.Selected(r.Filters...)) == 1
}

// byUser returns the events of each user.
func (es Events) byUser() map[string]Events {
	users := map[string]Events{}
	for _, e := range es {
		users[e.UserIdentifier] = append(users[e.UserIdentifier], e)
	}
	return users
}

// entry is an event as a step of a funnel.
type entry struct {
	at    time.Time
	step  int
	group []key
}

// entries returns what windowFunnel of ClickHouse is given of a user's events: a later step first, where an event is of several; of
// events at the same time those first whose highest step, then whose next, is the lowest.
func (es Events) entries(r analytics.FunnelRequest, zone *time.Location) (list []entry) {
	type sorted struct {
		event event.Event
		steps []int // descending
		group []key
	}
	var all []sorted
	for _, e := range es {
		s := sorted{event: e}
		for step := len(r.Steps) - 1; step >= 0; step-- {
			if is(e, r.Steps[step]) {
				s.steps = append(s.steps, step)
			}
		}
		for _, d := range r.GroupBy {
			s.group = append(s.group, keyOf(e, d, zone))
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b sorted) int {
		return cmp.Or(a.event.OccurredAt.Compare(b.event.OccurredAt), slices.Compare(a.steps, b.steps), slices.CompareFunc(a.group, b.group, compareKeys))
	})
	for _, s := range all {
		for _, step := range s.steps {
			list = append(list, entry{s.event.OccurredAt, step, s.group})
		}
	}
	return list
}

// Steps is how far the users of a funnel came, in all or of a group: the answer of each step.
type Steps struct {
	Group  []string
	Users  []int64
	Median []*float64
}

// Funnel answers a funnel, which is valid: all users, and then the groups.
func (es Events) Funnel(r analytics.FunnelRequest) []Steps {
	f, err := r.Funnel()
	if err != nil {
		panic(err)
	}
	type way struct {
		level int
		took  []float64
		group []key
	}
	var groups []*groupOf
	ways := map[string][]way{}
	for _, events := range es.in(f.Window).byUser() {
		times := make([]*[2]time.Time, len(r.Steps)) // the first and the last of the chain up to each step
		from := make([][]key, len(r.Steps))          // the group of its first
		w := way{took: make([]float64, len(r.Steps))}
		for _, e := range events.entries(r, f.Timezone) {
			if e.step == 0 {
				times[0], from[0] = &[2]time.Time{e.at, e.at}, e.group
				if w.level == 0 {
					w.level, w.group = 1, e.group
				}
			} else if before := times[e.step-1]; before != nil && e.at.Sub(before[0]) <= f.Within {
				if times[e.step] == nil {
					w.took[e.step], w.level, w.group = e.at.Sub(before[1]).Seconds(), e.step+1, from[e.step-1]
				}
				times[e.step], from[e.step] = &[2]time.Time{before[0], e.at}, from[e.step-1]
				if e.step == len(r.Steps)-1 {
					break
				}
			}
		}
		if w.level > 0 {
			groups = add(groups, w.group)
			ways[name(w.group)] = append(ways[name(w.group)], w)
		}
	}
	tell := func(group []key, list []way) Steps {
		s := Steps{Group: []string{}}
		for _, k := range group {
			s.Group = append(s.Group, k.json)
		}
		for step := range r.Steps {
			var users int64
			var took []float64
			for _, w := range list {
				if w.level > step {
					users++
					took = append(took, w.took[step])
				}
			}
			s.Users = append(s.Users, users)
			s.Median = append(s.Median, nil)
			if slices.Sort(took); step > 0 && users > 0 {
				s.Median[step] = new(interpolated(took, 0.5))
			}
		}
		return s
	}
	var everyone []way
	for _, list := range ways {
		everyone = append(everyone, list...)
	}
	answer := []Steps{tell(nil, everyone)}
	if len(r.GroupBy) == 0 {
		return answer
	}
	slices.SortFunc(groups, func(a, b *groupOf) int {
		return cmp.Or(cmp.Compare(len(ways[name(b.keys)]), len(ways[name(a.keys)])), slices.CompareFunc(a.keys, b.keys, compareKeys))
	})
	for _, g := range groups {
		answer = append(answer, tell(g.keys, ways[name(g.keys)]))
	}
	return answer
}

func name(keys []key) (s string) {
	for _, k := range keys {
		s += k.json + "|"
	}
	return s
}

// FunnelSteps returns the answer to a funnel in this form.
func FunnelSteps(r analytics.FunnelResult) []Steps {
	tell := func(group []analytics.Scalar, results []analytics.StepResult) Steps {
		s := Steps{Group: texts(group)}
		for _, one := range results {
			s.Users, s.Median = append(s.Users, one.Users), append(s.Median, one.MedianSeconds)
		}
		return s
	}
	answer := []Steps{tell(nil, r.Steps)}
	for _, g := range r.Groups {
		answer = append(answer, tell(g.Group, g.Steps))
	}
	return answer
}

// SameSteps reports whether two answers are the same, but for the last bits of medians.
func SameSteps(a, b []Steps) bool {
	return slices.EqualFunc(a, b, func(a, b Steps) bool {
		return slices.Equal(a.Group, b.Group) && slices.Equal(a.Users, b.Users) && slices.EqualFunc(a.Median, b.Median, func(x, y *float64) bool {
			return x == y || x != nil && y != nil && math.Abs(*x-*y) < 1e-6
		})
	})
}

// Retention answers a retention, which is valid.
func (es Events) Retention(r analytics.RetentionRequest) (cohorts []analytics.Cohort) {
	n, err := r.Retention()
	if err != nil {
		panic(err)
	}
	var periods []string
	for at := n.Window.Start; at.Before(n.Window.End); at = at.Add(15 * time.Minute) {
		if p := bucket(at.In(n.Timezone), r.Period).json; !slices.Contains(periods, p) {
			periods = append(periods, p)
		}
	}
	for i, p := range periods {
		cohorts = append(cohorts, analytics.Cohort{Start: p[1 : len(p)-1], Returned: make([]int64, len(periods)-i)})
	}
	period := func(at time.Time) int { return slices.Index(periods, bucket(at.In(n.Timezone), r.Period).json) }
	for _, events := range es.in(n.Window).byUser() {
		var first time.Time
		for _, e := range events {
			if is(e, r.Cohort) && (first.IsZero() || e.OccurredAt.Before(first)) {
				first = e.OccurredAt
			}
		}
		if first.IsZero() {
			continue
		}
		begun := period(first)
		cohorts[begun].Users++
		returned := map[int]bool{}
		for _, e := range events {
			if is(e, r.Return) && !e.OccurredAt.Before(first) {
				returned[period(e.OccurredAt)-begun] = true
			}
		}
		for k := range returned {
			cohorts[begun].Returned[k]++
		}
	}
	return cohorts
}
