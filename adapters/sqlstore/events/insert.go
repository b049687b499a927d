package events

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// insert stores the events whose ids are new, in the order of their ids, and reads those that were there before.
func (w *ingestion) insert(ctx context.Context) error {
	w.fresh = make(map[id.Event]int, len(w.ids))
	list := make([]*event.Event, 0, len(w.ids))
	for i, e := range w.entries {
		if _, there := w.stored[w.ids[i]]; there {
			continue
		}
		if _, there := w.fresh[w.ids[i]]; !there {
			w.fresh[w.ids[i]] = i
			list = append(list, &e.Event)
		}
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b *event.Event) int { return strings.Compare(string(a.ID), string(b.ID)) })
	if all, err := w.insertAll(ctx, list); err != nil || all {
		return err
	}
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

const (
	insertInto  = "INSERT INTO events (" + columns + ") "
	unlessThere = " ON CONFLICT (tenant_id, id) DO NOTHING"
)

// insertRows stores events unless their ids exist, and returns the ids of those that it stored.
func (w *ingestion) insertRows(ctx context.Context, list []*event.Event) (inserted []uuid, err error) {
	values, err := valuesOf(w.dialect, list)
	if err != nil {
		return nil, err
	}
	query, args := w.insertion(values)
	err = w.in.List(ctx, &inserted, "ingesting events", query+" RETURNING id", args...)
	return inserted, err
}

// insertion returns the statement that stores the events with these values unless their ids exist, and its arguments.
func (w *ingestion) insertion(values []any) (query string, args []any) {
	source, args := w.dialect.Rows(columnTypes, values)
	return "INSERT INTO events (" + columns + ") " + source + " ON CONFLICT (tenant_id, id) DO NOTHING", args
}

// insertAll stores many events if all their ids are new, and reports whether it did. That is three times as fast as insertRows
// on SQLite, where parsing long statements and RETURNING take longer than inserting; where it is no faster, it does nothing.
func (w *ingestion) insertAll(ctx context.Context, list []*event.Event) (bool, error) {
	size := w.dialect.InsertSize()
	if size == 0 || len(list) < size {
		return false, nil
	}
	if _, err := w.in.Exec(ctx, "beginning to ingest events", "SAVEPOINT ingestion"); err != nil {
		return false, err
	}
	inserted, err := w.insertParts(ctx, list, size)
	if err != nil {
		return false, err
	}
	all := inserted == int64(len(list))
	if !all {
		if _, err := w.in.Exec(ctx, "ingesting events anew", "ROLLBACK TO ingestion"); err != nil {
			return false, err
		}
	}
	_, err = w.in.Exec(ctx, "ingesting events", "RELEASE ingestion")
	return all, err
}

// insertParts stores events unless their ids exist, by statements of size rows, and returns how many it stored.
func (w *ingestion) insertParts(ctx context.Context, list []*event.Event, size int) (inserted int64, err error) {
	values, err := valuesOf(w.dialect, list)
	if err != nil {
		return 0, err
	}
	part := size * len(columnTypes)
	whole := len(values) / part * part
	for _, values := range [][]any{values[:whole], values[whole:]} {
		if len(values) == 0 {
			continue
		}
		parts := slices.Collect(slices.Chunk(values, part))
		query, _ := w.insertion(parts[0])
		n, err := w.in.ExecEach(ctx, "ingesting events", query, parts)
		if err != nil {
			return 0, err
		}
		inserted += n
	}
	return inserted, nil
}
