package events

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// openErasure is an erasure that is not done.
type openErasure struct {
	ID          uuid   `db:"id"`
	State       string `db:"state"`
	RequestedAt int64  `db:"requested_at"`
}

const openErasures = "SELECT id, state, requested_at FROM erasures WHERE tenant_id = ? AND state <> 'done'"

// clean deletes some of the rows of erased events, and what is left of erasures that came to nothing. It reports whether there may be more.
func (w *sealing) clean(ctx context.Context) (more bool, err error) {
	var open []openErasure
	err = w.db.In(w.tenantID, sqlstore.LookUp).List(ctx, &open, "looking for erasures", openErasures, w.tenant)
	if err != nil || len(open) == 0 {
		return false, err
	}
	err = w.db.Transact(ctx, func(ctx context.Context, tx sqlstore.Transaction) error {
		w.in, more, open = tx.In(w.tenantID), false, nil
		err := w.in.List(ctx, &open, "claiming erasures", openErasures+" ORDER BY id"+skipLocked(w.dialect), w.tenant)
		for i := 0; err == nil && !more && i < len(open); i++ {
			if e := open[i]; e.State == pendingErasure || w.now.UnixMicro()-e.RequestedAt >= maxCollecting.Microseconds() {
				more, err = w.cleanOne(ctx, e.ID, e.State)
			}
		}
		return err
	})
	return more, err
}

// cleanOne deletes some of what an erasure has in erased_events, with the rows if it is pending. An erasure that came to nothing it deletes
// once nothing else is left.
func (w *sealing) cleanOne(ctx context.Context, erasureID uuid, state string) (more bool, err error) {
	key, err := w.dialect.ID(string(erasureID))
	if err != nil {
		return false, err
	}
	var found []uuid
	err = w.in.List(ctx, &found, "looking for erased events", "SELECT event_id FROM erased_events WHERE tenant_id = ? AND erasure_id = ? LIMIT ?", w.tenant, key, erasedAtOnce)
	if err != nil {
		return false, err
	}
	if len(found) == 0 {
		if state == collectingErasure {
			_, err = w.in.Exec(ctx, "giving up an erasure", "DELETE FROM erasures WHERE tenant_id = ? AND id = ?", w.tenant, key)
		}
		return false, err
	}
	ids := make([]any, len(found))
	for i, eventID := range found {
		if ids[i], err = w.dialect.ID(string(eventID)); err != nil {
			return false, err
		}
	}
	source, args := w.dialect.Rows([]sqlstore.ColumnType{sqlstore.UUID}, ids)
	if state == pendingErasure {
		if _, err := w.in.Exec(ctx, "deleting erased events", "DELETE FROM events WHERE tenant_id = ? AND id IN ("+source+")", append([]any{w.tenant}, args...)...); err != nil {
			return false, err
		}
	}
	_, err = w.in.Exec(ctx, "deleting erased events", "DELETE FROM erased_events WHERE tenant_id = ? AND erasure_id = ? AND event_id IN ("+source+")",
		append([]any{w.tenant, key}, args...)...)
	return true, err
}

// complete completes erasures of which neither rows nor pieces are left: what remains is users who have no events any more.
func (w *sealing) complete(ctx context.Context, p pieces) error {
	left, err := p.unusedUsers(ctx, w.manifest)
	if err != nil {
		return err
	}
	w.change = &change{coveredFrom: w.manifest.coveredFrom, forget: left, done: w.manifest.pending}
	return nil
}

// unusedUsers returns the users who are in no piece. All events are in pieces.
func (p pieces) unusedUsers(ctx context.Context, m *manifest) ([]string, error) {
	headers, err := p.headers(ctx, m.blocks)
	if err != nil {
		return nil, err
	}
	sets := make([]analytics.Users, len(headers))
	for i, h := range headers {
		sets[i] = h.Users()
	}
	used := analytics.UnionOf(sets...)
	unused := map[string]bool{}
	err = p.in.Each(ctx, "looking for users without events", "SELECT user_identifier, number FROM event_users WHERE tenant_id = ?", func(rows *sql.Rows) error {
		var (
			identifier string
			number     int64
		)
		if err := rows.Scan(&identifier, &number); err != nil {
			return err
		}
		if !used.Has(uint32(number)) {
			unused[identifier] = true
		}
		return nil
	}, p.tenant)
	if err != nil {
		return nil, err
	}
	deltas, err := p.deltas(ctx, m.deltas)
	if err != nil {
		return nil, err
	}
	for _, d := range deltas { // of users who have come back
		decoded, err := d.decode()
		if err != nil {
			return nil, err
		}
		for _, identifier := range decoded.identifiers.Dictionary {
			delete(unused, identifier)
		}
	}
	return slices.Sorted(maps.Keys(unused)), nil
}

// forgetUsers removes users, of whom no event is left, and their numbers.
func (w *sealing) forgetUsers(ctx context.Context) error {
	for part := range slices.Chunk(w.change.forget, lookUpSize) {
		identifiers := make([]any, len(part))
		for i, identifier := range part {
			identifiers[i] = identifier
		}
		source, args := w.dialect.Rows([]sqlstore.ColumnType{sqlstore.Text}, identifiers)
		_, err := w.in.Exec(ctx, "forgetting users", "DELETE FROM event_users WHERE tenant_id = ? AND user_identifier IN ("+source+")", append([]any{w.tenant}, args...)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// completeErasures notes that nothing is left of erasures, and forgets whom they were about.
func (w *sealing) completeErasures(ctx context.Context) error {
	for _, erasureID := range w.change.done {
		key, err := w.dialect.ID(string(erasureID))
		if err != nil {
			return err
		}
		_, err = w.in.Exec(ctx, "completing an erasure",
			"UPDATE erasures SET state = 'done', user_identifier = '', completed_at = ? WHERE tenant_id = ? AND id = ?", w.now.UnixMicro(), w.tenant, key)
		if err != nil {
			return err
		}
	}
	return nil
}

// afterCompletion removes what the database keeps beside its tables of what a completed erasure deleted.
func (w *sealing) afterCompletion(ctx context.Context) error {
	statement := w.dialect.AfterErasing()
	if len(w.change.done) == 0 || statement == "" {
		return nil
	}
	return w.db.Outside(sqlstore.Write).Each(ctx, "overwriting what was erased", statement, func(*sql.Rows) error { return nil })
}
