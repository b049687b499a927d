package events

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
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
	for _, e := range b.Entries {
		if err := scope.Covers(e.Event.TenantID); err != nil {
			return nil, err
		}
	}
	if len(b.Entries) == 0 {
		return nil, nil
	}
	return s.queue.submit(ctx, tenant, len(b.Entries), b)
}

// errReused rolls a group back that holds an atomic batch with a reused name.
var errReused = errors.New("an event's name was used for another event")

// commit stores a group of batches in one transaction.
func (s *Store) commit(ctx context.Context, group []*submission) error {
	err := s.db.Transact(ctx, func(ctx context.Context, tx sqlstore.Transaction) error {
		for tenant, batches := range byTenant(group) {
			if err := s.ingest(ctx, tx.In(tenant), tenant, batches); err != nil {
				return err
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
	return err
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

// ingestion stores batches of one tenant in a transaction. Whether an entry is new is decided by the primary keys of the two
// tables, so it holds also against transactions that run at the same time.
type ingestion struct {
	*Store
	in      sqlstore.Executor
	tenant  id.Tenant
	entries []entry
	ids     []id.Event               // for each entry: the id of the event that is stored under its name
	stored  map[id.Event]event.Event // those that were there before
	fresh   map[id.Event]int         // those that are new, with the entry that each comes from
}

// entry is an entry of a batch with the time of the batch.
type entry struct {
	event.Entry
	at time.Time
}

// ingest stores batches of a tenant, and sets their outcomes.
func (s *Store) ingest(ctx context.Context, in sqlstore.Executor, tenant id.Tenant, batches []*submission) error {
	w := ingestion{Store: s, in: in, tenant: tenant, stored: map[id.Event]event.Event{}}
	for _, r := range batches {
		for _, e := range r.in.Entries {
			w.entries = append(w.entries, entry{e, r.in.At})
			w.ids = append(w.ids, e.Event.ID)
		}
	}
	if err := w.resolveKeys(ctx); err != nil {
		return err
	}
	if err := w.insert(ctx); err != nil {
		return err
	}
	outcomes := w.outcomes()
	for _, r := range batches {
		n := len(r.in.Entries)
		r.out, outcomes = outcomes[:n:n], outcomes[n:]
	}
	return nil
}

// resolveKeys sets the ids of the entries with keys: the id that the key is remembered with, or else the id of the first entry
// with the key, which is remembered from now on.
func (w *ingestion) resolveKeys(ctx context.Context) error {
	first := map[event.Key]int{} // the first entry with a key
	for i, e := range w.entries {
		if e.Key == nil {
			continue
		}
		if _, known := first[*e.Key]; !known {
			first[*e.Key] = i
		}
	}
	if len(first) == 0 {
		return nil
	}
	known, err := w.remember(ctx, first)
	if err != nil {
		return err
	}
	if err := w.read(ctx, slices.Collect(maps.Values(known))); err != nil {
		return err
	}
	for key, eventID := range known {
		if _, there := w.stored[eventID]; there {
			continue
		}
		// The event has been deleted since: this one takes its place.
		delete(known, key)
		if err := w.replace(ctx, key, w.entries[first[key]]); err != nil {
			return err
		}
	}
	for i, e := range w.entries {
		if e.Key == nil {
			continue
		}
		if eventID, there := known[*e.Key]; there {
			w.ids[i] = eventID
		} else {
			w.ids[i] = w.entries[first[*e.Key]].Event.ID
		}
	}
	return nil
}

// remember stores the keys, and returns those that are remembered already, with the ids of their events. It locks them
// all, in an order that is the same for all transactions.
func (w *ingestion) remember(ctx context.Context, first map[event.Key]int) (map[event.Key]id.Event, error) {
	keys := make([]event.Key, 0, len(first))
	for key := range first {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b event.Key) int { return slices.Compare(a[:], b[:]) })
	rows := []sqlstore.Column{{Type: sqlstore.UUID}, {Type: sqlstore.Bytes}, {Type: sqlstore.UUID}, {Type: sqlstore.Integer}}
	tenant, err := w.dialect.ID(string(w.tenant))
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		eventID, err := w.dialect.ID(string(w.entries[first[key]].Event.ID))
		if err != nil {
			return nil, err
		}
		for column, value := range []any{tenant, key[:], eventID, w.entries[first[key]].at.UnixMicro()} {
			rows[column].Values = append(rows[column].Values, value)
		}
	}
	source, args := w.dialect.Rows(rows...)
	var claimed [][]byte
	err = w.in.List(ctx, &claimed, "remembering the keys of events", "INSERT INTO event_keys (tenant_id, key, event_id, stored_at) "+source+
		" ON CONFLICT (tenant_id, key) DO UPDATE SET event_id = excluded.event_id, stored_at = excluded.stored_at"+
		" WHERE event_keys.stored_at <= excluded.stored_at - ? RETURNING key", append(args, event.KeyLifetime.Microseconds())...)
	if err != nil {
		return nil, err
	}
	isNew := make(map[event.Key]bool, len(claimed))
	for _, key := range claimed {
		isNew[event.Key(key)] = true
	}
	keys = slices.DeleteFunc(keys, func(key event.Key) bool { return isNew[key] })
	return w.remembered(ctx, keys)
}

// remembered returns the ids of the events that keys are remembered with.
func (w *ingestion) remembered(ctx context.Context, keys []event.Key) (map[event.Key]id.Event, error) {
	known := make(map[event.Key]id.Event, len(keys))
	if len(keys) == 0 {
		return known, nil
	}
	wanted := sqlstore.Column{Type: sqlstore.Bytes}
	for _, key := range keys {
		wanted.Values = append(wanted.Values, key[:])
	}
	tenant, err := w.dialect.ID(string(w.tenant))
	if err != nil {
		return nil, err
	}
	source, args := w.dialect.Rows(wanted)
	var rows []struct {
		Key     []byte `db:"key"`
		EventID uuid   `db:"event_id"`
	}
	err = w.in.List(ctx, &rows, "reading the keys of events",
		"SELECT key, event_id FROM event_keys WHERE tenant_id = ? AND key IN ("+source+")", append([]any{tenant}, args...)...)
	for _, r := range rows {
		known[event.Key(r.Key)] = id.Event(r.EventID)
	}
	return known, err
}

// replace remembers a key with the event of an entry.
func (w *ingestion) replace(ctx context.Context, key event.Key, e entry) error {
	tenant, err := w.dialect.ID(string(w.tenant))
	if err != nil {
		return err
	}
	newID, err := w.dialect.ID(string(e.Event.ID))
	if err != nil {
		return err
	}
	_, err = w.in.Exec(ctx, "remembering the key of an event", "UPDATE event_keys SET event_id = ?, stored_at = ? WHERE tenant_id = ? AND key = ?",
		newID, e.at.UnixMicro(), tenant, key[:])
	return err
}

// insert stores the events whose ids are new, in the order of their ids, and reads those that were there before.
func (w *ingestion) insert(ctx context.Context) error {
	w.fresh = make(map[id.Event]int, len(w.ids))
	var list []event.Event
	for i, e := range w.entries {
		if _, there := w.stored[w.ids[i]]; there {
			continue
		}
		if _, there := w.fresh[w.ids[i]]; !there {
			w.fresh[w.ids[i]] = i
			list = append(list, e.Event)
		}
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b event.Event) int { return strings.Compare(string(a.ID), string(b.ID)) })
	inserted, err := w.insertRows(ctx, list)
	if err != nil || len(inserted) == len(list) {
		return err
	}
	isNew := make(map[id.Event]bool, len(inserted))
	for _, eventID := range inserted {
		isNew[id.Event(eventID)] = true
	}
	maps.DeleteFunc(w.fresh, func(eventID id.Event, _ int) bool { return !isNew[eventID] })
	var others []id.Event
	for _, e := range list {
		if !isNew[e.ID] {
			others = append(others, e.ID)
		}
	}
	return w.read(ctx, others)
}

// insertRows stores events unless their ids exist, and returns the ids of those that it stored.
func (w *ingestion) insertRows(ctx context.Context, list []event.Event) ([]uuid, error) {
	rows, err := rowsOf(w.dialect, list)
	if err != nil {
		return nil, err
	}
	const into, unlessThere = "INSERT INTO events (" + columns + ") ", " ON CONFLICT (tenant_id, id) DO NOTHING"
	source, args := w.dialect.Rows(rows...)
	var inserted []uuid
	err = w.in.List(ctx, &inserted, "ingesting events", into+source+unlessThere+" RETURNING id", args...)
	return inserted, err
}

// read adds the events with these ids, as far as there are any, to those that were stored before.
func (w *ingestion) read(ctx context.Context, ids []id.Event) error {
	if len(ids) == 0 {
		return nil
	}
	wanted := sqlstore.Column{Type: sqlstore.UUID}
	for _, eventID := range ids {
		value, err := w.dialect.ID(string(eventID))
		if err != nil {
			return err
		}
		wanted.Values = append(wanted.Values, value)
	}
	tenant, err := w.dialect.ID(string(w.tenant))
	if err != nil {
		return err
	}
	source, args := w.dialect.Rows(wanted)
	var rows []row
	err = w.in.List(ctx, &rows, "reading events by id",
		"SELECT "+columns+" FROM events WHERE tenant_id = ? AND id IN ("+source+")", append([]any{tenant}, args...)...)
	for _, e := range eventsOf(rows) {
		w.stored[e.ID] = e
	}
	return err
}

// outcomes returns what became of the entries.
func (w *ingestion) outcomes() []event.Outcome {
	list := make([]event.Outcome, len(w.ids))
	for i, e := range w.entries {
		there, old := w.stored[w.ids[i]]
		first, isNew := w.fresh[w.ids[i]]
		if isNew {
			there = w.entries[first].Event
		}
		switch {
		case !old && isNew && first == i:
			list[i] = event.Outcome{Status: event.Stored, Event: there}
		case e.Repeats(there):
			list[i] = event.Outcome{Status: event.Duplicate, Event: there}
		default:
			list[i] = event.Outcome{Status: event.Reused, Event: there}
		}
	}
	return list
}
