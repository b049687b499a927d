package memory

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// NewGate returns a gate for atOnce concurrent requests, at most perTenant of them of one tenant. At most queue more of each
// tenant wait to enter, for at most queueTimeout. It refuses others with the error full.
func NewGate(atOnce, perTenant, queue int, queueTimeout time.Duration, full error) *Gate {
	return &Gate{atOnce: atOnce, perTenant: perTenant, queue: queue, queueTimeout: queueTimeout, full: full, tenants: map[id.Tenant]*tenantQueue{}}
}

// Gate bounds the number of concurrent requests of a kind, such as queries, in this process.
type Gate struct {
	atOnce, perTenant, queue int
	queueTimeout             time.Duration
	full                     error

	mu      sync.Mutex
	inside  int
	tenants map[id.Tenant]*tenantQueue
	turns   []id.Tenant // the tenants with waiting requests, the next one first
}

// tenantQueue is the state of a tenant with running or waiting requests.
type tenantQueue struct {
	inside  int
	waiting []chan struct{} // closed on admission
}

// Enter waits for a slot, at most queueTimeout. Errors: that of NewGate, and the context's.
func (g *Gate) Enter(ctx context.Context, tenant id.Tenant) (leave func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, g.queueTimeout, g.full)
	defer cancel()
	return g.wait(ctx, tenant, g.queue)
}

// Reenter waits for a slot until the context ends.
func (g *Gate) Reenter(ctx context.Context, tenant id.Tenant) (leave func(), err error) {
	return g.wait(ctx, tenant, math.MaxInt)
}

// Load returns how many are inside, and how many wait, of all tenants.
func (g *Gate) Load() (inside, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, tenant := range g.turns {
		waiting += len(g.tenants[tenant].waiting)
	}
	return g.inside, waiting
}

func (g *Gate) wait(ctx context.Context, tenant id.Tenant, queue int) (leave func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	turn := make(chan struct{})
	leave = sync.OnceFunc(func() { g.leave(tenant, turn) })
	if waiting := g.join(tenant, turn); waiting > queue {
		leave()
		return nil, g.full
	}
	select {
	case <-turn:
		return leave, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}

// join appends to a tenant's queue and returns its length, 0 if there was a free slot.
func (g *Gate) join(tenant id.Tenant, turn chan struct{}) (waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.tenants[tenant]
	if l == nil {
		l = &tenantQueue{}
		g.tenants[tenant] = l
	}
	if len(l.waiting) == 0 {
		g.turns = append(g.turns, tenant)
	}
	l.waiting = append(l.waiting, turn)
	g.admit()
	return len(l.waiting)
}

// leave removes a turn, whether it is still waiting or was admitted.
func (g *Gate) leave(tenant id.Tenant, turn chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.tenants[tenant]
	if i := slices.Index(l.waiting, turn); i < 0 {
		g.inside--
		l.inside--
	} else if l.waiting = slices.Delete(l.waiting, i, i+1); len(l.waiting) == 0 {
		g.turns = slices.DeleteFunc(g.turns, func(t id.Tenant) bool { return t == tenant })
	}
	g.admit()
	if l.inside == 0 && len(l.waiting) == 0 {
		delete(g.tenants, tenant)
	}
}

// admit admits waiting requests while there are free slots, tenants round robin.
func (g *Gate) admit() {
	for i := 0; i < len(g.turns) && g.inside < g.atOnce; {
		tenant := g.turns[i]
		l := g.tenants[tenant]
		if l.inside == g.perTenant {
			i++
			continue
		}
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
		l.inside++
		g.inside++
		g.turns = slices.Delete(g.turns, i, i+1)
		if len(l.waiting) > 0 {
			g.turns = append(g.turns, tenant) // behind all others
		}
	}
}
