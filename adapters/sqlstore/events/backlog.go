package events

import (
	"math"
	"sync"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// backlog is what this process knows of the deltas of tenants: those that it has stored, and those that its questions met. Sealing
// finds its work there: each replica seals the tenants that it serves, and needs no list of all tenants.
type backlog struct {
	mu      sync.Mutex
	tenants map[id.Tenant]pending
}

// pending is the deltas of a tenant that wait to be sealed.
type pending struct {
	deltas  int
	events  int64
	bytes   int64
	oldest  time.Time // zero if there are none
	urgent  bool      // whether something else waits
	visited time.Time // when it was last looked into
	until   time.Time // to wait for, after a failure
}

func newBacklog() *backlog { return &backlog{tenants: map[id.Tenant]pending{}} }

// add adds a delta that was stored at a time.
func (b *backlog) add(tenant id.Tenant, events, bytes int64, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.tenants[tenant]
	w.deltas++
	w.events += events
	w.bytes += bytes
	if w.oldest.IsZero() || at.Before(w.oldest) {
		w.oldest = at
	}
	b.tenants[tenant] = w
}

// meet notes what a question met.
func (b *backlog) meet(tenant id.Tenant, m *manifest) {
	waits := m.coveredFrom > math.MinInt64 || len(m.deltas) >= dueDeltas || len(m.pending) > 0
	b.mu.Lock()
	defer b.mu.Unlock()
	w, known := b.tenants[tenant]
	if waits || !known {
		w.urgent = w.urgent || waits
		b.tenants[tenant] = w
	}
}

// visit notes that a tenant is looked into, which starts from nothing: what there is will be added again. It returns what was known.
func (b *backlog) visit(tenant id.Tenant, now time.Time) pending {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.tenants[tenant]
	b.tenants[tenant] = pending{visited: now}
	return known
}

// again notes that a tenant is to be looked into once more.
func (b *backlog) again(tenant id.Tenant) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.tenants[tenant]
	w.urgent = true
	b.tenants[tenant] = w
}

// putOff restores what was known of a tenant, which could not be looked into, to be tried again after a while.
func (b *backlog) putOff(tenant id.Tenant, known pending, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.tenants[tenant]
	w.deltas, w.events, w.bytes = max(w.deltas, known.deltas), max(w.events, known.events), max(w.bytes, known.bytes)
	if w.oldest.IsZero() || !known.oldest.IsZero() && known.oldest.Before(w.oldest) {
		w.oldest = known.oldest
	}
	w.urgent = w.urgent || known.urgent
	w.until = now.Add(dueAge)
	b.tenants[tenant] = w
}

// due returns the tenants to seal.
func (b *backlog) due(now time.Time) []id.Tenant {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []id.Tenant
	for tenant, w := range b.tenants {
		if now.Before(w.until) {
			continue
		}
		old := !w.oldest.IsZero() && w.oldest.Before(now.Add(-dueAge))
		much := w.deltas >= dueDeltas || w.events >= dueEvents || w.bytes >= dueBytes
		if w.urgent || old || much || w.visited.Before(now.Add(-quiet)) {
			list = append(list, tenant)
		}
	}
	return list
}

// Backlog returns how much waits to be sealed; see ports.Seals.
func (s *Store) Backlog() (events int64, oldest time.Time) {
	s.backlog.mu.Lock()
	defer s.backlog.mu.Unlock()
	for _, w := range s.backlog.tenants {
		events += w.events
		if !w.oldest.IsZero() && (oldest.IsZero() || w.oldest.Before(oldest)) {
			oldest = w.oldest
		}
	}
	return events, oldest
}

// Unsealed returns the tenants that have work for Seal; see ports.Seals.
func (s *Store) Unsealed(now time.Time) []id.Tenant { return s.backlog.due(now) }
