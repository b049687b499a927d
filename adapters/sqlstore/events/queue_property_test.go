package events

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// TestQueue_property compares a queue with a model of it over random histories of many tenants: callers that come and leave,
// and commits that succeed, fail, panic, or find the database down.
func TestQueue_property(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, testHistory) // hides the test's deadline, which a bubble forbids to ask for
	})
}

func testHistory(t *rapid.T) {
	l := limits{
		committers: rapid.IntRange(1, 3).Draw(t, "committers"), mixed: rapid.Bool().Draw(t, "mixed"),
		group: rapid.IntRange(1, 12).Draw(t, "group"), waiting: rapid.IntRange(1, 30).Draw(t, "waiting"),
		perTenant: rapid.IntRange(1, 15).Draw(t, "per tenant"), patience: time.Second,
	}
	m := &model{queueTest: newQueueTest(t, l), limits: l, lines: map[string][]*member{}, ahead: map[string]map[string]int{}}
	t.Repeat(map[string]func(*rapid.T){
		"submit": func(t *rapid.T) { m.submits(t) },
		"leave":  func(t *rapid.T) { m.leaves(t) },
		"commit": func(t *rapid.T) { m.finishes(t) },
		"time": func(*rapid.T) {
			time.Sleep(l.patience / 2)
			m.settles()
		},
	})
	for m.settles(); len(m.running) > 0; m.settles() {
		m.end(m.running[0], nil)
	}
	for _, r := range m.members {
		if r.state == waiting {
			t.Errorf("%s never had its turn", r.name)
		}
	}
	m.close()
}

// model is what a queue should hold.
type model struct {
	*queueTest
	limits  limits
	members []*member
	lines   map[string][]*member // by tenant, those that wait
	running []attempt
	// ahead counts how often other tenants had their turn since a tenant waits for its own.
	ahead map[string]map[string]int
}

type state int

const (
	waiting state = iota
	taken         // part of a commit
	ended         // has its result
)

// member is a request.
type member struct {
	name   string
	events int
	poison bool // no commit with it succeeds
	state  state
	leave  func()
	left   bool
	limit  time.Time // when its patience ends; zero if it is within the limits
}

func (r *member) tenant() string { return r.name[:1] }

func (m *model) submits(t *rapid.T) {
	tenant := rapid.SampledFrom([]string{"a", "a", "a", "b", "b", "c", "d", "e"}).Draw(t, "tenant")
	r := &member{
		name: tenant + strconv.Itoa(len(m.members)), events: rapid.IntRange(1, 6).Draw(t, "events"),
		poison: rapid.IntRange(0, 9).Draw(t, "poison") == 0,
	}
	all, own := r.events, r.events
	for of, line := range m.lines {
		for _, other := range line {
			all += other.events
			if of == tenant {
				own += other.events
			}
		}
	}
	if all > m.limits.waiting || own > m.limits.perTenant {
		r.limit = time.Now().Add(m.limits.patience)
	}
	m.members = append(m.members, r)
	if len(m.lines[tenant]) == 0 {
		m.ahead[tenant] = map[string]int{}
	}
	m.lines[tenant] = append(m.lines[tenant], r)
	ctx, leave := context.WithCancel(context.Background())
	r.leave = leave
	m.submit(ctx, r.name, r.events)
	m.settles()
}

// leaves ends the context of a caller.
func (m *model) leaves(t *rapid.T) {
	present := slices.DeleteFunc(slices.Clone(m.members), func(r *member) bool { return r.state == ended || r.left })
	if len(present) == 0 {
		t.Skip("nobody is there")
	}
	r := rapid.SampledFrom(present).Draw(t, "caller")
	r.leave()
	r.left = true
	m.failed(context.Canceled, r.name)
	if r.state == waiting {
		r.state = ended
		m.remove(r)
	}
	m.settles()
}

// finishes ends a commit.
func (m *model) finishes(t *rapid.T) {
	if len(m.running) == 0 {
		t.Skip("no commit is running")
	}
	a := rapid.SampledFrom(m.running).Draw(t, "commit")
	m.end(a, rapid.SampledFrom([]error{nil, nil, nil, errDown, ports.ErrOutcomeUnknown, errBug}).Draw(t, "error"))
	m.settles()
}

// end ends a commit with an error, or with what the database says.
func (m *model) end(a attempt, err error) {
	m.running = slices.DeleteFunc(m.running, func(r attempt) bool { return r == a })
	group := m.of(a)
	if err == nil && slices.ContainsFunc(group, func(r *member) bool { return r.poison }) {
		err = errRow
	}
	a.end <- err
	synctest.Wait()
	down := errors.Is(err, errDown) || errors.Is(err, ports.ErrOutcomeUnknown)
	if err != nil && !down && len(group) > 1 {
		return // its halves follow
	}
	for _, r := range group {
		r.state = ended
		switch {
		case r.left:
		case err == nil:
			m.stored(r.name)
		case errors.Is(err, errBug):
			if m.result(r.name).err == nil {
				m.t.Errorf("a panic has stored %s", r.name)
			}
		default:
			m.failed(err, r.name)
		}
	}
	if down { // ends the other parts of the same group
		for _, r := range m.members {
			if r.state == taken && !m.isRunning(r) && !r.left && len(m.results[r.name]) > 0 {
				m.failed(ports.ErrUnavailable, r.name)
				r.state = ended
			}
		}
	}
}

func (m *model) isRunning(r *member) bool {
	return slices.ContainsFunc(m.running, func(a attempt) bool { return slices.Contains(m.of(a), r) })
}

// of returns the members of a commit.
func (m *model) of(a attempt) []*member {
	var group []*member
	for name := range strings.FieldsSeq(a.group) {
		i := slices.IndexFunc(m.members, func(r *member) bool { return r.name == name })
		group = append(group, m.members[i])
	}
	return group
}

func (m *model) remove(r *member) {
	line := m.lines[r.tenant()]
	i := slices.Index(line, r)
	m.lines[r.tenant()] = slices.Delete(line, i, i+1)
}

// settles collects the commits that have begun and the callers that ran out of patience, and checks that no committer is idle
// while somebody waits.
func (m *model) settles() {
	synctest.Wait()
	for len(m.attempts) > 0 {
		a := <-m.attempts
		m.running = append(m.running, a)
		if group := m.of(a); group[0].state == waiting {
			m.begins(group)
		} else if slices.ContainsFunc(group, func(r *member) bool { return r.state != taken }) {
			m.t.Errorf("%q is committed again", a.group)
		}
	}
	waits := 0
	for _, r := range m.members {
		late := !r.limit.IsZero() && !time.Now().Before(r.limit)
		if r.state == waiting && late {
			m.failed(ports.ErrBusy, r.name)
			r.state = ended
			m.remove(r)
		}
		if r.state == waiting {
			waits++
		}
	}
	if waits > 0 && len(m.running) < m.limits.committers {
		m.t.Errorf("%d are waiting, and only %d commits are running", waits, len(m.running))
	}
}

// begins checks a new group: its size, its tenants, and that each had its turn.
func (m *model) begins(group []*member) {
	events, tenants := 0, map[string]bool{}
	for _, r := range group {
		if line := m.lines[r.tenant()]; len(line) == 0 || line[0] != r {
			m.t.Fatalf("%s was not the first of its tenant", r.name)
		}
		m.remove(r)
		r.state = taken
		events += r.events
		if m.limits.mixed || !tenants[r.tenant()] {
			m.serves(r.tenant())
		}
		tenants[r.tenant()] = true
	}
	if events > m.limits.group && len(group) > 1 {
		m.t.Errorf("a group has %d events", events)
	}
	if len(tenants) > 1 && !m.limits.mixed {
		m.t.Errorf("a group has requests of %v", slices.Collect(maps.Keys(tenants)))
	}
}

// serves checks that no other tenant that waits is passed over twice by the same one.
func (m *model) serves(tenant string) {
	m.ahead[tenant] = map[string]int{}
	for other, line := range m.lines {
		if other == tenant || len(line) == 0 {
			continue
		}
		m.ahead[other][tenant]++
		if m.ahead[other][tenant] > 1 {
			m.t.Errorf("%s had its turn twice while %s was waiting", tenant, other)
		}
	}
}
