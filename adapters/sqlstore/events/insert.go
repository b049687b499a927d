package events

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// attempts is how often events are inserted that were there, but had been deleted by the time they were read.
const attempts = 3

// errCautious: the database has no such statement; with other statements the transaction may succeed.
var errCautious = errors.New("the database has no such statement")

var errDeleted = errors.New("events that were there are being deleted")

// insert stores the events whose ids are new, in the order of their ids, and reads those that were there before.
func (w *ingestion) insert(ctx context.Context) error {
	candidates := w.candidates()
	all, err := w.insertAll(ctx, w.values(candidates))
	if all {
		w.fresh = candidates
		return nil
	}
	for tried := 0; err == nil && len(candidates) > 0; tried++ {
		if tried == attempts {
			return ports.ErrUnavailable.Because(errDeleted)
		}
		candidates, err = w.insertNew(ctx, candidates)
	}
	slices.SortFunc(w.fresh, w.byID)
	return err
}

// insertNew stores the events of those candidates whose ids are new, and reads the others. It returns those that were neither
// stored nor found, since they have been deleted meanwhile.
func (w *ingestion) insertNew(ctx context.Context, candidates []int) (missing []int, err error) {
	inserted, err := w.insertRows(ctx, candidates)
	if err != nil {
		return nil, err
	}
	isNew := make(map[id.Event]bool, len(inserted))
	for _, eventID := range inserted {
		isNew[id.Event(eventID)] = true
	}
	var others []id.Event
	for _, i := range candidates {
		if isNew[w.ids[i]] {
			w.fresh = append(w.fresh, i)
		} else {
			missing, others = append(missing, i), append(others, w.ids[i])
		}
	}
	err = w.read(ctx, others)
	return slices.DeleteFunc(missing, func(i int) bool { _, there := w.stored[w.ids[i]]; return there }), err
}

// values returns the values of the columns of entries.
func (w *ingestion) values(entries []int) []any {
	values := make([]any, 0, len(entries)*len(columnTypes))
	for _, i := range entries {
		values = append(values, w.entries[i].values...)
	}
	return values
}

// candidates returns the entries whose ids may be new, by id, of each id the first entry.
func (w *ingestion) candidates() []int {
	list := make([]int, 0, len(w.ids))
	for i, eventID := range w.ids {
		if _, there := w.stored[eventID]; !there {
			list = append(list, i)
		}
	}
	if !slices.IsSortedFunc(list, w.byID) { // they often are: clients send events as they occur
		slices.SortStableFunc(list, w.byID)
	}
	return slices.CompactFunc(list, func(i, j int) bool { return w.ids[i] == w.ids[j] })
}

// byID compares two entries by their ids.
func (w *ingestion) byID(i, j int) int { return cmp.Compare(w.ids[i], w.ids[j]) }

// insertRows stores the events of entries unless their ids exist, and returns the ids of those that it stored. If it can, it stores
// their delta by the same statement, as if all were new, as they nearly always are: a round trip less.
func (w *ingestion) insertRows(ctx context.Context, entries []int) (inserted []uuid, err error) {
	query, args := w.insertion(w.values(entries))
	if w.early == nil && len(entries) < manyRows && w.dialect.InsertsByWith() && !w.cautious.Load() {
		w.early = w.newDelta(entries)
		first, before, err := w.deltaInsertion(w.early)
		if err != nil {
			return nil, err
		}
		query, args = "WITH delta AS ("+first+") "+query, append(before, args...)
	}
	err = w.in.List(ctx, &inserted, "ingesting events", query+" ON CONFLICT (tenant_id, id) DO NOTHING RETURNING id", args...)
	if w.early != nil && w.dialect.Unsupported(err) {
		w.cautious.Store(true)
		err = errCautious
	}
	return inserted, err
}

// insertion returns the statement that stores the events with these values, and its arguments.
func (w *ingestion) insertion(values []any) (query string, args []any) {
	source, args := w.dialect.Rows(columnTypes, values)
	return "INSERT INTO events (" + columns + ") " + source, args
}

// manyRows is from how many rows on a savepoint costs less than what it saves.
const manyRows = 100

// insertAll stores many events if all their ids are new, as they nearly always are, and reports whether it did. A plain INSERT takes
// half of the time of insertRows on Postgres, and on SQLite, where its statement is parsed once for all, a third. For few events it
// does nothing.
func (w *ingestion) insertAll(ctx context.Context, values []any) (bool, error) {
	if len(values) < manyRows*len(columnTypes) || w.cautious.Load() {
		return false, nil
	}
	if _, err := w.in.Exec(ctx, "beginning to ingest events", "SAVEPOINT ingestion"); err != nil {
		return false, err
	}
	err := w.insertParts(ctx, values)
	switch {
	case err == nil:
		return true, nil
	case w.dialect.Unsupported(err):
		w.cautious.Store(true)
	case !w.dialect.KeyExists(err):
		return false, err
	}
	_, err = w.in.Exec(ctx, "ingesting events anew", "ROLLBACK TO ingestion")
	return false, err
}

// insertParts stores events by statements of the size that suits the database.
func (w *ingestion) insertParts(ctx context.Context, values []any) error {
	part := w.dialect.InsertSize(len(values)/len(columnTypes)) * len(columnTypes)
	whole := len(values) / part * part
	if err := w.insertAlike(ctx, slices.Collect(slices.Chunk(values[:whole], part))); err != nil || whole == len(values) {
		return err
	}
	return w.insertAlike(ctx, [][]any{values[whole:]})
}

// insertAlike stores events by statements for equally many rows each.
func (w *ingestion) insertAlike(ctx context.Context, parts [][]any) (err error) {
	query, args := w.insertion(parts[0])
	if len(parts) == 1 {
		_, err = w.in.Exec(ctx, "ingesting events", query, args...)
	} else {
		err = w.in.ExecEach(ctx, "ingesting events", query, parts)
	}
	return err
}
