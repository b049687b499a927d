package events

import (
	"cmp"
	"context"
	"slices"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// insert stores the events whose ids are new, in the order of their ids, and reads those that were there before.
func (w *ingestion) insert(ctx context.Context) error {
	w.fresh = w.candidates()
	if len(w.fresh) == 0 {
		return nil
	}
	values := make([]any, 0, len(w.fresh)*len(columnTypes))
	for _, i := range w.fresh {
		values = append(values, w.entries[i].values...)
	}
	if all, err := w.insertAll(ctx, values); err != nil || all {
		return err
	}
	inserted, err := w.insertRows(ctx, values)
	if err != nil || len(inserted) == len(w.fresh) {
		return err
	}
	isNew := make(map[id.Event]bool, len(inserted))
	for _, eventID := range inserted {
		isNew[id.Event(eventID)] = true
	}
	var others []id.Event
	w.fresh = slices.DeleteFunc(w.fresh, func(i int) bool {
		if isNew[w.ids[i]] {
			return false
		}
		others = append(others, w.ids[i])
		return true
	})
	return w.read(ctx, others)
}

// candidates returns the entries whose ids may be new, by id, of each id the first entry.
func (w *ingestion) candidates() []int {
	byID := func(i, j int) int { return cmp.Compare(w.ids[i], w.ids[j]) }
	list := make([]int, 0, len(w.ids))
	for i, eventID := range w.ids {
		if _, there := w.stored[eventID]; !there {
			list = append(list, i)
		}
	}
	if !slices.IsSortedFunc(list, byID) { // they often are: clients send events as they occur
		slices.SortStableFunc(list, byID)
	}
	return slices.CompactFunc(list, func(i, j int) bool { return w.ids[i] == w.ids[j] })
}

// insertRows stores the events with these values unless their ids exist, and returns the ids of those that it stored.
func (w *ingestion) insertRows(ctx context.Context, values []any) (inserted []uuid, err error) {
	query, args := w.insertion(values)
	err = w.in.List(ctx, &inserted, "ingesting events", query+" RETURNING id", args...)
	return inserted, err
}

// insertion returns the statement that stores the events with these values unless their ids exist, and its arguments.
func (w *ingestion) insertion(values []any) (query string, args []any) {
	source, args := w.dialect.Rows(columnTypes, values)
	return "INSERT INTO events (" + columns + ") " + source + " ON CONFLICT (tenant_id, id) DO NOTHING", args
}

// manyRows is from how many rows on a savepoint costs less than RETURNING.
const manyRows = 100

// insertAll stores many events if all their ids are new, and reports whether it did. On SQLite that takes a third of the time of
// insertRows, since its statements need to be parsed once only. For few events it does nothing.
func (w *ingestion) insertAll(ctx context.Context, values []any) (bool, error) {
	rows := len(values) / len(columnTypes)
	if rows < manyRows {
		return false, nil
	}
	if _, err := w.in.Exec(ctx, "beginning to ingest events", "SAVEPOINT ingestion"); err != nil {
		return false, err
	}
	inserted, err := w.insertParts(ctx, values, w.dialect.InsertSize(rows))
	if err != nil {
		return false, err
	}
	all := inserted == int64(rows)
	if !all {
		if _, err := w.in.Exec(ctx, "ingesting events anew", "ROLLBACK TO ingestion"); err != nil {
			return false, err
		}
	}
	_, err = w.in.Exec(ctx, "ingesting events", "RELEASE ingestion")
	return all, err
}

// insertParts stores events unless their ids exist, by statements of size rows, and returns how many it stored.
func (w *ingestion) insertParts(ctx context.Context, values []any, size int) (inserted int64, err error) {
	part := size * len(columnTypes)
	whole := len(values) / part * part
	for _, values := range [][]any{values[:whole], values[whole:]} {
		if len(values) == 0 {
			continue
		}
		n, err := w.insertAlike(ctx, slices.Collect(slices.Chunk(values, part)))
		if err != nil {
			return 0, err
		}
		inserted += n
	}
	return inserted, nil
}

// insertAlike stores events by statements for equally many rows each, and returns how many it stored.
func (w *ingestion) insertAlike(ctx context.Context, parts [][]any) (inserted int64, err error) {
	query, args := w.insertion(parts[0])
	if len(parts) == 1 {
		return w.in.Exec(ctx, "ingesting events", query, args...)
	}
	return w.in.ExecEach(ctx, "ingesting events", query, parts)
}
