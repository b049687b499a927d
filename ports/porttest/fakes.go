package porttest

import (
	"context"
	"slices"
	"sync"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// AuditLog is an audit log in memory.
type AuditLog struct {
	mu      sync.Mutex
	entries []audit.Entry
}

// Write stores an entry.
func (l *AuditLog) Write(_ context.Context, e audit.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

// Entries returns the entries of an act, oldest first.
func (l *AuditLog) Entries(act audit.Act) []audit.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.entries), func(e audit.Entry) bool { return e.Act != act })
}

// Gate is a fake query gate that admits all queries unless SetFull says otherwise, and stores their tenants. It has no slots
// and no queue, which is most of what QueryGate tests, so it can't pass that test.
type Gate struct {
	mu                 sync.Mutex
	full               bool
	inside             int
	entered, reentered []id.Tenant
}

// SetFull sets whether Enter refuses queries.
func (g *Gate) SetFull(full bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.full = full
}

// Inside returns the number of running queries.
func (g *Gate) Inside() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside
}

// Visits returns the tenants of all calls of Enter and of Reenter.
func (g *Gate) Visits() (entered, reentered []id.Tenant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.entered), slices.Clone(g.reentered)
}

// Enter admits a query unless the gate is full. Errors: ports.ErrTooManyQueries.
func (g *Gate) Enter(_ context.Context, tenant id.Tenant) (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.full {
		return nil, ports.ErrTooManyQueries
	}
	g.entered = append(g.entered, tenant)
	return g.admit(), nil
}

// Reenter admits a query, even if the gate is full.
func (g *Gate) Reenter(_ context.Context, tenant id.Tenant) (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reentered = append(g.reentered, tenant)
	return g.admit(), nil
}

func (g *Gate) admit() (leave func()) {
	g.inside++
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.inside--
	})
}
