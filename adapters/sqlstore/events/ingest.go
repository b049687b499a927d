package events

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// Ingest stores the events of a batch that are new; see ports.Events.
func (s *Store) Ingest(ctx context.Context, scope access.Scope, b event.Batch) ([]event.Outcome, error) {
	tenant, err := scope.Tenant()
	if err != nil {
		return nil, err
	}
	if len(b.Entries) == 0 {
		return nil, nil
	}
	prepared := preparedBatch{Batch: b, entries: make([]entry, len(b.Entries))}
	for i := range b.Entries {
		e := &b.Entries[i]
		if err := scope.Covers(e.Event.TenantID); err != nil {
			return nil, err
		}
		values, err := valuesOf(s.dialect, &e.Event)
		if err != nil {
			return nil, err
		}
		prepared.entries[i] = entry{e, b.At, values}
	}
	return s.queue.submit(ctx, tenant, len(b.Entries), prepared)
}

// preparedBatch is a batch with all that can be done before it is its turn, since only one group at a time is stored on SQLite.
type preparedBatch struct {
	event.Batch
	entries []entry
}

// entry is an entry of a batch with the time of the batch and the values of its columns.
type entry struct {
	*event.Entry
	at     time.Time
	values []any
}

// tenant and id return the values of the primary key, with which columns begin.
func (e entry) tenant() any { return e.values[0] }
func (e entry) id() any     { return e.values[1] }

// errReused rolls a group back that holds an atomic batch with a reused name.
var errReused = errors.New("an event's name was used for another event")

// commit stores a group of batches in one transaction.
func (s *Store) commit(ctx context.Context, group []*submission) error {
	err := s.commitOnce(ctx, group)
	if errors.Is(err, errCautious) {
		err = s.commitOnce(ctx, group)
	}
	return err
}

func (s *Store) commitOnce(ctx context.Context, group []*submission) error {
	var deltas []*newDelta
	err := s.db.Transact(ctx, func(ctx context.Context, tx sqlstore.Transaction) error {
		deltas = deltas[:0]
		for tenant, batches := range byTenant(group) {
			stored, err := s.ingest(ctx, tx.In(tenant), batches)
			if err != nil {
				return err
			}
			if stored != nil {
				deltas = append(deltas, stored)
			}
		}
		if slices.ContainsFunc(group, refused) {
			return errReused
		}
		return nil
	})
	if errors.Is(err, errReused) && len(group) == 1 { // otherwise the queue commits the parts of the group on their own
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range deltas {
		s.rememberDelta(d.tenant, d.id, d.events, d.data)
		s.backlog.add(d.tenant, d.events, d.bytes, d.at)
	}
	return nil
}

// byTenant returns the batches of each tenant, in the order of their arrival.
func byTenant(group []*submission) map[id.Tenant][]*submission {
	tenants := map[id.Tenant][]*submission{}
	for _, r := range group {
		tenants[r.tenant] = append(tenants[r.tenant], r)
	}
	return tenants
}

// refused reports whether nothing of a batch may be stored.
func refused(r *submission) bool {
	return r.in.Atomic && slices.ContainsFunc(r.out, func(o event.Outcome) bool { return o.Status == event.Reused })
}
