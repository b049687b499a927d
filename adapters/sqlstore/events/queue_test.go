package events

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// queueTest drives a queue whose commits last until the test ends them, in a synctest bubble: time passes only while all
// goroutines wait. A request is named for its tenant: a1 and a2 are of the tenant a.
type queueTest struct {
	t        tb
	queue    *queue[string, string]
	attempts chan attempt
	results  map[string]chan result
}

// tb is what it needs of a test.
type tb interface {
	rapid.TB
	Context() context.Context
	Cleanup(func())
}

// attempt is a commit that is going on.
type attempt struct {
	group string // the names of the requests, in order
	end   chan error
}

type result struct {
	out   string
	err   error
	after time.Duration
}

func newQueueTest(t tb, l limits) *queueTest {
	over := make(chan struct{})
	q := &queueTest{t: t, attempts: make(chan attempt, 100), results: map[string]chan result{}}
	q.queue = newQueue(l, func(ctx context.Context, group []*request[string, string]) error {
		a := attempt{names(group), make(chan error)}
		q.attempts <- a
		var err error
		select {
		case err = <-a.end:
		case <-over:
		}
		if errors.Is(err, errBug) {
			panic("a bug")
		}
		for _, r := range group {
			r.out = r.in + " is stored"
		}
		return errors.Join(err, ctx.Err())
	})
	t.Cleanup(func() { // if the test has failed early, what it has begun ends here
		close(over)
		q.queue.close()
	})
	return q
}

var (
	errBug  = errors.New("panic")
	errRow  = errors.New("a row that the database refuses")
	errDown = ports.ErrUnavailable.Because(errors.New("no route to host"))
)

func names(group []*request[string, string]) string {
	var list []string
	for _, r := range group {
		list = append(list, r.in)
	}
	return strings.Join(list, " ")
}

// submits submits requests of one event.
func (q *queueTest) submits(names ...string) {
	for _, name := range names {
		q.submit(q.t.Context(), name, 1)
	}
}

func (q *queueTest) submit(ctx context.Context, name string, events int) {
	c := make(chan result, 1)
	q.results[name] = c
	began := time.Now()
	go func() {
		out, err := q.queue.submit(ctx, id.Tenant(name[:1]), events, name)
		c <- result{out, err, time.Since(began)}
	}()
	synctest.Wait()
}

// commits expects a commit of these requests to have begun, and ends it.
func (q *queueTest) commits(group string, err error) { q.t.Helper(); q.begins(group).end <- err }

// begins expects a commit of these requests to have begun.
func (q *queueTest) begins(group string) attempt {
	q.t.Helper()
	synctest.Wait()
	select {
	case a := <-q.attempts:
		if a.group != group {
			q.t.Errorf("the group is %q, want %q", a.group, group)
		}
		return a
	default:
		q.t.Fatalf("no commit has begun, want one of %q", group)
		panic("unreachable")
	}
}

// stored expects requests to have succeeded.
func (q *queueTest) stored(names ...string) {
	q.t.Helper()
	for _, name := range names {
		if r := q.result(name); r.err != nil || r.out != name+" is stored" {
			q.t.Errorf("the result of %s is %q, %v", name, r.out, r.err)
		}
	}
}

// failed expects requests to have failed.
func (q *queueTest) failed(want error, names ...string) {
	q.t.Helper()
	for _, name := range names {
		if r := q.result(name); !errors.Is(r.err, want) {
			q.t.Errorf("the result of %s is %q, %v, want %v", name, r.out, r.err, want)
		}
	}
}

func (q *queueTest) result(name string) result {
	q.t.Helper()
	synctest.Wait()
	select {
	case r := <-q.results[name]:
		return r
	default:
		q.t.Fatalf("%s is still waiting", name)
		panic("unreachable")
	}
}

// close expects the queue to be idle, and closes it.
func (q *queueTest) close() {
	q.t.Helper()
	synctest.Wait()
	for ; len(q.attempts) > 0; synctest.Wait() {
		another := <-q.attempts
		q.t.Errorf("another commit has begun: %q", another.group)
		another.end <- nil
	}
	if q.queue.waiting != 0 || len(q.queue.lines) != 0 || q.queue.turns.Len() != 0 {
		q.t.Errorf("%d events are waiting", q.queue.waiting)
	}
	q.queue.close()
}

// roomy are limits that do not matter.
var roomy = limits{committers: 1, mixed: true, group: 100, waiting: 1000, perTenant: 1000, patience: time.Second}

func with(change func(*limits)) limits {
	l := roomy
	change(&l)
	return l
}

func TestQueue(t *testing.T) {
	for name, test := range map[string]struct {
		limits limits
		run    func(*queueTest)
	}{
		"what arrives during a commit makes the next": {roomy, func(q *queueTest) {
			q.submits("a1", "a2", "b1", "a3")
			q.commits("a1", nil)
			q.stored("a1")
			q.submits("c1")
			q.commits("a2 b1 a3", nil)
			q.stored("a2", "b1", "a3")
			q.commits("c1", nil)
			q.stored("c1")
		}},
		"tenants take turns": {with(func(l *limits) { l.group = 3 }), func(q *queueTest) {
			q.submits("a1", "a2", "a3", "a4", "a5", "a6", "b1", "b2", "c1")
			q.commits("a1", nil)
			q.commits("a2 b1 c1", nil)
			commit := q.begins("a3 b2 a4")
			q.submits("d1")
			commit.end <- nil
			q.commits("a5 d1 a6", nil)
		}},
		"one tenant in a group": {with(func(l *limits) { l.group, l.mixed = 2, false }), func(q *queueTest) {
			q.submits("a1", "a2", "a3", "a4", "b1", "a5", "c1")
			q.commits("a1", nil)
			q.commits("a2 a3", nil)
			q.commits("b1", nil)
			q.commits("c1", nil)
			q.commits("a4 a5", nil)
		}},
		"a group is limited by its events": {with(func(l *limits) { l.group = 10 }), func(q *queueTest) {
			q.submits("a1", "a2")
			q.submit(q.t.Context(), "b1", 5)
			q.submit(q.t.Context(), "c1", 5) // it and d1 are not passed over
			q.submit(q.t.Context(), "d1", 11)
			q.submits("e1")
			q.commits("a1", nil)
			q.commits("a2 b1", nil)
			q.commits("c1", nil)
			q.commits("d1", nil)
			q.commits("e1", nil)
		}},
		"groups side by side": {with(func(l *limits) { l.committers = 2 }), func(q *queueTest) {
			q.submits("a1", "a2", "a3", "b1")
			first, second := q.begins("a1"), q.begins("a2")
			second.end <- nil
			q.stored("a2")
			third := q.begins("a3 b1")
			first.end <- nil
			third.end <- nil
			q.stored("a1", "a3", "b1")
		}},
		"a caller that leaves in time": {roomy, func(q *queueTest) {
			ctx, cancel := context.WithCancel(q.t.Context())
			q.submits("a1", "a2")
			q.submit(ctx, "a3", 1)
			q.submit(ctx, "b1", 1)
			cancel()
			q.failed(context.Canceled, "a3", "b1")
			q.submit(ctx, "a4", 1)
			q.failed(context.Canceled, "a4")
			q.commits("a1", nil)
			q.commits("a2", nil)
		}},
		"a caller that leaves too late": {roomy, func(q *queueTest) {
			ctx, cancel := context.WithTimeout(q.t.Context(), time.Minute)
			defer cancel()
			q.submit(ctx, "a1", 1)
			commit := q.begins("a1")
			q.submits("b1")
			time.Sleep(time.Hour)
			q.failed(context.DeadlineExceeded, "a1")
			commit.end <- nil
			q.commits("b1", nil)
			q.stored("b1")
		}},
		"a full queue of one tenant": {with(func(l *limits) { l.perTenant = 2 }), func(q *queueTest) {
			q.submits("a1", "a2", "a3", "a4", "b1")
			time.Sleep(time.Hour)
			if r := q.result("a4"); !errors.Is(r.err, ports.ErrBusy) || r.after != time.Second {
				q.t.Errorf("a4 got %v after %v, want busy after 1s", r.err, r.after)
			}
			q.commits("a1", nil)
			q.commits("a2 b1 a3", nil)
			q.stored("a1", "a2", "a3", "b1")
		}},
		"a full queue of all": {with(func(l *limits) { l.waiting = 3 }), func(q *queueTest) {
			q.submits("a1", "a2", "a3")
			q.submit(q.t.Context(), "b1", 2)
			q.submits("c1")
			time.Sleep(time.Hour)
			q.failed(ports.ErrBusy, "b1", "c1")
			q.submits("d1", "e1")
			q.commits("a1", nil)
			q.commits("a2 d1 e1 a3", nil) // e1 within its patience
			q.stored("a1", "a2", "a3", "d1", "e1")
		}},
		"patience ends with the turn": {with(func(l *limits) { l.waiting = 1 }), func(q *queueTest) {
			q.submits("a1", "a2", "b1")
			time.Sleep(time.Second / 2)
			q.commits("a1", nil)
			commit := q.begins("a2 b1")
			time.Sleep(time.Hour)
			commit.end <- nil
			q.stored("a1", "a2", "b1")
		}},
		"a request that the database refuses": {roomy, func(q *queueTest) {
			q.submits("a1", "a2", "b1", "c1", "d1")
			q.commits("a1", errRow)
			q.failed(errRow, "a1")
			q.commits("a2 b1 c1 d1", errRow)
			q.commits("a2 b1", nil)
			q.commits("c1 d1", errRow)
			q.commits("c1", errRow)
			q.commits("d1", nil)
			q.stored("a2", "b1", "d1")
			q.failed(errRow, "c1")
		}},
		"the database is down": {roomy, func(q *queueTest) {
			q.submits("a1", "a2", "b1")
			q.commits("a1", errDown)
			q.commits("a2 b1", ports.ErrOutcomeUnknown)
			q.failed(ports.ErrUnavailable, "a1")
			q.failed(ports.ErrOutcomeUnknown, "a2", "b1")
		}},
		"the database goes down between the parts of a group": {roomy, func(q *queueTest) {
			q.submits("a1", "a2", "b1", "c1", "d1", "e1")
			q.commits("a1", nil)
			q.commits("a2 b1 c1 d1 e1", errRow)
			q.commits("a2 b1", errRow)
			q.commits("a2", ports.ErrOutcomeUnknown)
			q.failed(ports.ErrOutcomeUnknown, "a2")
			q.failed(ports.ErrUnavailable, "b1", "c1", "d1", "e1")
		}},
		"a bug": {roomy, func(q *queueTest) {
			q.submits("a1", "a2", "b1")
			q.commits("a1", errBug)
			if r := q.result("a1"); r.err == nil || !strings.Contains(r.err.Error(), "a bug\n") {
				q.t.Errorf("a1 got %v, want the panic", r.err)
			}
			q.commits("a2 b1", errBug)
			q.commits("a2", nil)
			q.commits("b1", nil)
			q.stored("a2", "b1")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQueueTest(t, test.limits)
				test.run(q)
				q.close()
			})
		})
	}
}

func TestQueue_close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueueTest(t, roomy)
		q.submits("a1", "a2", "b1")
		commit := q.begins("a1")
		var closed atomic.Bool
		go func() {
			q.queue.close()
			closed.Store(true)
		}()
		q.failed(ports.ErrUnavailable, "a2", "b1")
		q.submits("a3")
		q.failed(ports.ErrUnavailable, "a3")
		if closed.Load() {
			t.Error("close returned during a commit")
		}
		commit.end <- nil
		q.stored("a1")
		if !closed.Load() {
			t.Error("close waits for ever")
		}
		q.close() // again
	})
}

// BenchmarkQueue shows what the queue adds to a request of one event, with 64 callers.
func BenchmarkQueue(b *testing.B) {
	for _, tenants := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d tenants", tenants), func(b *testing.B) {
			q := newQueue(roomy, func(context.Context, []*request[int, int]) error { return nil })
			defer q.close()
			b.ReportAllocs()
			b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
			var callers atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				tenant := id.Tenant(fmt.Sprint(int(callers.Add(1)) % tenants))
				for pb.Next() {
					if _, err := q.submit(b.Context(), tenant, 1, 0); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
