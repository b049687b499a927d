package events

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// queue is a group commit: concurrent requests share transactions. There is no timer: what arrives while a group is being
// committed makes the next group, so that a lone request is committed at once, and many at once cost one transaction.
//
// Each tenant's requests join groups in the order of their arrival, and tenants take turns request by request, or group by
// group if groups are not mixed. However much of one tenant waits, the next group holds a request of every other tenant that
// waits, as far as they fit.
type queue[In, Out any] struct {
	limits limits
	commit func(ctx context.Context, group []*request[In, Out]) error

	mu      sync.Mutex
	arrived sync.Cond
	lines   map[id.Tenant]*line // the tenants with waiting requests
	turns   list.List           // their *line, the next one first
	waiting int                 // events of all tenants
	closed  bool

	committers sync.WaitGroup
}

// limits are the settings of a queue.
type limits struct {
	committers int  // groups that are committed side by side
	mixed      bool // whether a group may hold requests of several tenants
	group      int  // events in a group; a request of more makes a group of its own

	// waiting and perTenant are how many events may wait, in all and of one tenant. A request beyond them is refused unless its
	// turn comes within patience.
	waiting, perTenant int
	patience           time.Duration
}

// request is what one caller waits for. All its events belong to one tenant.
type request[In, Out any] struct {
	tenant id.Tenant
	events int // at least 1
	in     In
	out    Out // set by commit

	err   error
	done  chan struct{} // closed when out and err are set
	place *list.Element // in the line of its tenant; nil once it has left it
}

// line holds the waiting requests of one tenant.
type line struct {
	requests list.List
	events   int
	turn     *list.Element
}

var errClosed = errors.New("the event store is closed")

// newQueue starts the committers of a queue. commit stores a group wholly or, if it fails, not at all, and sets out of each
// request. It is not cancelled, and must end by itself in limited time. Its faults of kind fault.Unavailable fail the whole
// group; after any other error, or a panic, parts of the group are committed on their own, down to single requests, so that no
// request fails for the sake of another.
func newQueue[In, Out any](l limits, commit func(ctx context.Context, group []*request[In, Out]) error) *queue[In, Out] {
	q := &queue[In, Out]{limits: l, commit: commit, lines: map[id.Tenant]*line{}}
	q.arrived.L = &q.mu
	for range l.committers {
		q.committers.Go(q.work)
	}
	return q
}

// close refuses further requests, fails those that wait, and returns when the groups that are being committed are done.
func (q *queue[In, Out]) close() {
	q.mu.Lock()
	q.closed = true
	for q.turns.Len() > 0 {
		r := q.first()
		q.remove(r)
		r.finish(ports.ErrUnavailable.Because(errClosed))
	}
	q.arrived.Broadcast()
	q.mu.Unlock()
	q.committers.Wait()
}

// submit waits until a request of the given number of events is committed, and returns its result. If the caller's context
// ends before the request is part of a group, nothing of it is stored; later, it may be stored nevertheless, and in must not
// change. Errors: ports.ErrBusy, ports.ErrUnavailable if the queue is closed, those of commit, and the context's.
func (q *queue[In, Out]) submit(ctx context.Context, tenant id.Tenant, events int, in In) (out Out, err error) {
	if err := ctx.Err(); err != nil {
		return out, fmt.Errorf("queueing events: %w", err)
	}
	r := &request[In, Out]{tenant: tenant, events: events, in: in, done: make(chan struct{})}
	fits, err := q.join(r)
	if err != nil {
		return out, err
	}
	var late <-chan time.Time
	if !fits {
		late = time.After(q.limits.patience)
	}
	for {
		select {
		case <-r.done:
			return r.out, r.err
		case <-ctx.Done():
			q.withdraw(r)
			return out, fmt.Errorf("waiting for events to be committed: %w", ctx.Err())
		case <-late: // once at most
			if q.withdraw(r) {
				return out, ports.ErrBusy
			}
		}
	}
}

// join appends a request to its tenant's line, and reports whether it is within the limits.
func (q *queue[In, Out]) join(r *request[In, Out]) (fits bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, ports.ErrUnavailable.Because(errClosed)
	}
	l := q.lines[r.tenant]
	if l == nil {
		l = &line{}
		l.turn = q.turns.PushBack(l)
		q.lines[r.tenant] = l
	}
	r.place = l.requests.PushBack(r)
	l.events += r.events
	q.waiting += r.events
	q.arrived.Signal()
	return q.waiting <= q.limits.waiting && l.events <= q.limits.perTenant, nil
}

// withdraw takes a request out of its line, and reports whether it was still there.
func (q *queue[In, Out]) withdraw(r *request[In, Out]) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.place == nil {
		return false
	}
	q.remove(r)
	return true
}

// first returns the request whose turn it is.
func (q *queue[In, Out]) first() *request[In, Out] {
	return q.turns.Front().Value.(*line).requests.Front().Value.(*request[In, Out])
}

// remove takes a request out of its line.
func (q *queue[In, Out]) remove(r *request[In, Out]) {
	l := q.lines[r.tenant]
	l.requests.Remove(r.place)
	r.place = nil
	l.events -= r.events
	q.waiting -= r.events
	if l.requests.Len() == 0 {
		q.turns.Remove(l.turn)
		delete(q.lines, r.tenant)
	}
}

// work commits group after group until the queue is closed.
func (q *queue[In, Out]) work() {
	for {
		// Where more requests are ready to run than there are processors, those that run first join the group. Else this returns at once.
		runtime.Gosched()
		group := q.next()
		if len(group) == 0 {
			return
		}
		_ = q.settle(group)
	}
}

// next waits for requests and takes those of the next group out of their lines. It returns none once the queue is closed.
func (q *queue[In, Out]) next() []*request[In, Out] {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.turns.Len() == 0 && !q.closed {
		q.arrived.Wait()
	}
	var (
		group  []*request[In, Out]
		events int
		turn   *list.Element
	)
	for q.turns.Len() > 0 {
		r := q.first()
		if len(group) > 0 && (events+r.events > q.limits.group || !q.limits.mixed && r.tenant != group[0].tenant) {
			break
		}
		turn = q.turns.Front()
		q.remove(r)
		group, events = append(group, r), events+r.events
		if q.limits.mixed {
			q.turns.MoveToBack(turn) // does nothing if that was the tenant's last request
		}
	}
	if !q.limits.mixed && turn != nil {
		q.turns.MoveToBack(turn)
	}
	return group
}

// settle commits a group and finishes its requests. It returns the error if nothing can be committed at the moment.
func (q *queue[In, Out]) settle(group []*request[In, Out]) (down error) {
	err := q.try(group)
	unavailable := fault.KindOf(err) == fault.Unavailable
	if err != nil && !unavailable && len(group) > 1 {
		return q.settleHalves(group)
	}
	for _, r := range group {
		r.finish(err)
	}
	if unavailable {
		return err
	}
	return nil
}

// settleHalves settles a group that failed for the sake of one of its requests, which is found so in few steps.
func (q *queue[In, Out]) settleHalves(group []*request[In, Out]) (down error) {
	half := len(group) / 2
	down = q.settle(group[:half])
	if down == nil {
		return q.settle(group[half:])
	}
	for _, r := range group[half:] { // not tried, since each attempt may last until its timeout
		r.finish(ports.ErrUnavailable.Because(down))
	}
	return down
}

// try commits a group. A panic becomes an error, so that the process goes on and no caller waits for ever.
func (q *queue[In, Out]) try(group []*request[In, Out]) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic while committing events: %v\n%s", p, debug.Stack())
		}
	}()
	return q.commit(context.Background(), group)
}

// finish hands the caller its result.
func (r *request[In, Out]) finish(err error) {
	r.err = err
	close(r.done)
}
