package events

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// ingestion stores batches of one tenant in a transaction. Whether an entry is new is decided by the primary keys of the two
// tables, so it holds also against transactions that run at the same time.
type ingestion struct {
	*Store
	in      sqlstore.Executor
	tenant  any // as the tables keep it
	entries []entry
	ids     []id.Event               // for each entry: the id of the event that is stored under its name
	stored  map[id.Event]event.Event // those that were there before
	fresh   []int                    // the entries whose events are new, by the order of their ids
	early   *newDelta                // the delta that was stored together with them, and has them if all were new; or nil
}

// ingest stores batches of one tenant, which hold at least one entry, and sets their outcomes. It returns the delta that it
// stored, or nil.
func (s *Store) ingest(ctx context.Context, in sqlstore.Executor, batches []*submission) (*newDelta, error) {
	w := ingestion{Store: s, in: in, stored: map[id.Event]event.Event{}}
	for _, r := range batches {
		w.entries = append(w.entries, r.in.entries...)
	}
	w.tenant = w.entries[0].tenant()
	w.ids = make([]id.Event, len(w.entries))
	for i, e := range w.entries {
		w.ids[i] = e.Event.ID
	}
	if err := w.resolveKeys(ctx); err != nil {
		return nil, err
	}
	if err := w.insert(ctx); err != nil {
		return nil, err
	}
	outcomes := w.outcomes()
	for _, r := range batches {
		n := len(r.in.Entries)
		r.out, outcomes = outcomes[:n:n], outcomes[n:]
	}
	return w.storeDelta(ctx)
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
	values := make([]any, 0, 4*len(keys))
	for _, key := range keys {
		e := w.entries[first[key]]
		values = append(values, w.tenant, key[:], e.id(), e.at.UnixMicro())
	}
	source, args := w.dialect.Rows([]sqlstore.ColumnType{sqlstore.UUID, sqlstore.Bytes, sqlstore.UUID, sqlstore.Integer}, values)
	lifetime := strconv.FormatInt(event.KeyLifetime.Microseconds(), 10) // no parameter: Citus can't pass on one of ON CONFLICT
	var claimed [][]byte
	err := w.in.List(ctx, &claimed, "remembering the keys of events", "INSERT INTO event_keys (tenant_id, key, event_id, stored_at) "+source+
		" ON CONFLICT (tenant_id, key) DO UPDATE SET event_id = excluded.event_id, stored_at = excluded.stored_at"+
		" WHERE event_keys.stored_at <= excluded.stored_at - "+lifetime+" RETURNING key", args...)
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
	wanted := make([]any, 0, len(keys))
	for _, key := range keys {
		wanted = append(wanted, key[:])
	}
	source, args := w.dialect.Rows([]sqlstore.ColumnType{sqlstore.Bytes}, wanted)
	var rows []struct {
		Key     []byte `db:"key"`
		EventID uuid   `db:"event_id"`
	}
	err := w.in.List(ctx, &rows, "reading the keys of events",
		"SELECT key, event_id FROM event_keys WHERE tenant_id = ? AND key IN ("+source+")", append([]any{w.tenant}, args...)...)
	for _, r := range rows {
		known[event.Key(r.Key)] = id.Event(r.EventID)
	}
	return known, err
}

// replace remembers a key with the event of an entry.
func (w *ingestion) replace(ctx context.Context, key event.Key, e entry) error {
	_, err := w.in.Exec(ctx, "remembering the key of an event", "UPDATE event_keys SET event_id = ?, stored_at = ? WHERE tenant_id = ? AND key = ?",
		e.id(), e.at.UnixMicro(), w.tenant, key[:])
	return err
}

// read adds the events with these ids, as far as there are any, to those that were stored before.
func (w *ingestion) read(ctx context.Context, ids []id.Event) error {
	if len(ids) == 0 {
		return nil
	}
	wanted := make([]any, 0, len(ids))
	for _, eventID := range ids {
		value, err := w.dialect.ID(string(eventID))
		if err != nil {
			return err
		}
		wanted = append(wanted, value)
	}
	source, args := w.dialect.Rows([]sqlstore.ColumnType{sqlstore.UUID}, wanted)
	var rows []row
	err := w.in.List(ctx, &rows, "reading events by id",
		"SELECT "+columns+" FROM events WHERE tenant_id = ? AND id IN ("+source+")", append([]any{w.tenant}, args...)...)
	for _, e := range eventsOf(rows) {
		w.stored[e.ID] = e
	}
	return err
}

// outcomes returns what became of the entries.
func (w *ingestion) outcomes() []event.Outcome {
	list := make([]event.Outcome, len(w.ids))
	for _, i := range w.fresh {
		list[i] = event.Outcome{Status: event.Stored, Event: w.entries[i].Event}
	}
	for i, e := range w.entries {
		if list[i].Status == event.Stored {
			continue
		}
		list[i] = event.Outcome{Status: event.Reused, Event: w.under(w.ids[i])}
		if e.Repeats(list[i].Event) {
			list[i].Status = event.Duplicate
		}
	}
	return list
}

// under returns the event that is stored with an id.
func (w *ingestion) under(eventID id.Event) event.Event {
	if there, old := w.stored[eventID]; old {
		return there
	}
	at, _ := slices.BinarySearchFunc(w.fresh, eventID, func(i int, wanted id.Event) int { return cmp.Compare(w.ids[i], wanted) })
	return w.entries[w.fresh[at]].Event
}
