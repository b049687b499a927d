package events

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	googleuuid "github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// An erasure takes three steps. First the ids of its events are collected, in one snapshot, and stored in erased_events, and the pieces
// that may have such events are noted. Then one transaction marks these pieces by tombstones, unless any piece has changed since, and makes the
// erasure pending: from then on no answer has its events, since rows are read without those in erased_events, and pieces without what
// tombstones say. What is stored meanwhile is in neither, so it stays. Last, sealing deletes the rows, writes the pieces anew and
// forgets users who have no events any more; see clean.go.

// States of erasures.
const (
	collectingErasure = "collecting"
	pendingErasure    = "pending"
)

const (
	// erasedAtOnce is how many events are written or deleted by a transaction, and maxErased how many an erasure may have: their ids take
	// 80 MB in memory.
	erasedAtOnce, maxErased = 5_000, 5_000_000
	// maxCollecting is how long an erasure may look for its events. Then it is taken for one of a process that has ended.
	maxCollecting = time.Minute
)

// errTooManyErased says what to narrow.
var errTooManyErased = analytics.ErrTooExpensive.Saying(fmt.Sprintf("These are more than %d events. Erase them by several requests, each for a part of the time.", maxErased))

// notErased is the condition that the event of a row was not erased; its parameter is the tenant.
const notErased = "NOT EXISTS (SELECT 1 FROM erased_events x JOIN erasures e ON e.tenant_id = x.tenant_id AND e.id = x.erasure_id" +
	" WHERE x.tenant_id = events.tenant_id AND x.event_id = events.id AND e.tenant_id = ? AND e.state = 'pending')"

// hasErased reports whether there are rows of events that were erased.
func (p pieces) hasErased(ctx context.Context) (bool, error) {
	var states []string
	err := p.in.List(ctx, &states, "looking for erasures", "SELECT state FROM erasures WHERE tenant_id = ? AND state = 'pending'", p.tenant)
	return len(states) > 0, err
}

// Erase begins an erasure; see ports.Erasures.
func (s *Store) Erase(ctx context.Context, scope access.Scope, e event.Erasure, selection analytics.Selection) (events int64, err error) {
	tenantID, err := scope.Tenant()
	if err != nil {
		return 0, err
	}
	tenant, err := s.dialect.ID(string(tenantID))
	if err != nil {
		return 0, err
	}
	erasureID, err := s.dialect.ID(string(e.ID))
	if err != nil {
		return 0, err
	}
	w := erasing{sealing: sealing{Store: s, tenantID: tenantID, tenant: tenant, now: e.RequestedAt}, id: erasureID, erasure: e, selection: selection}
	if err := w.register(ctx); err != nil {
		return 0, err
	}
	for attempt := 1; ; attempt++ {
		err := w.attempt(ctx)
		switch {
		case err == nil:
			s.backlog.again(tenantID)
			return int64(len(w.found)), nil
		case !errors.Is(err, errOutdated) && !errors.Is(err, errVanished):
			return 0, err
		case attempt == attempts:
			return 0, ports.ErrUnavailable.Because(err)
		}
	}
}

// attempt does all that comes before an erasure is pending. If it fails, nothing is left of it. Errors: errOutdated, errVanished,
// analytics.ErrTooExpensive.
func (w *erasing) attempt(ctx context.Context) error {
	err := w.withQueryTimeout(ctx, w.begin)
	for _, next := range []func(context.Context) error{w.store, w.activate} {
		if err == nil {
			err = next(ctx)
		}
	}
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) { // between statements, so that none was timed out
		err = analytics.ErrTooExpensive.Because(err)
	}
	return errors.Join(err, w.abandon(context.WithoutCancel(ctx)))
}

// erasing is an erasure that begins.
type erasing struct {
	sealing
	id        any
	erasure   event.Erasure
	selection analytics.Selection
	found     []googleuuid.UUID // the events
	marks     []tombstone
}

// span returns the window of the selection.
func (w *erasing) span() (s span) {
	s.from, s.to = w.selection.Window.Micros()
	return s
}

// begin collects the events of the erasure in one snapshot.
func (w *erasing) begin(ctx context.Context) error {
	w.found, w.marks = nil, nil
	s := w.span()
	_, err := w.db.In(w.tenantID, sqlstore.Write).Exec(ctx, "beginning an erasure",
		"INSERT INTO erasures (tenant_id, id, state, user_identifier, event_type, from_at, until_at, events, requested_by, requested_at, completed_at, reported)"+
			" VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, 0, ?)", w.tenant, w.id, collectingErasure,
		w.selection.UserIdentifier, w.selection.EventType, s.from, s.to, string(w.erasure.RequestedBy), w.erasure.RequestedAt.UnixMicro(), false)
	if err != nil {
		return err
	}
	return w.db.Snapshot(ctx, w.tenantID, func(ctx context.Context, in sqlstore.Executor) error {
		r := selected{Selection: w.selection, pieces: pieces{Store: w.Store, in: in, tenantID: w.tenantID, tenant: w.tenant}}
		if w.manifest, err = readManifest(ctx, in, w.tenant, everything); err != nil {
			return err
		}
		if err := w.mark(ctx, r); err != nil {
			return err
		}
		spans, err := r.spans(ctx, s)
		if err != nil {
			return err
		}
		for _, s := range spans {
			if err := w.collect(ctx, r, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// mark notes the pieces that may have events of the erasure.
func (w *erasing) mark(ctx context.Context, r selected) error {
	s := w.span()
	for _, d := range w.manifest.deltas {
		if d.overlaps(s) {
			w.markPiece(d)
		}
	}
	user, known, err := r.user(ctx)
	if err != nil || !known {
		return err
	}
	headers, err := r.headers(ctx, w.manifest.blocks)
	if err != nil {
		return err
	}
	for i, b := range w.manifest.blocks {
		if b.overlaps(s) && headers[i].MayHave(w.selection, user) {
			w.markPiece(b)
		}
	}
	return nil
}

// markPiece notes a piece, unless an erasure of the same has marked it already.
func (w *erasing) markPiece(p piece) {
	g := gone{w.span(), w.selection.UserIdentifier, w.selection.EventType}
	if !slices.Contains(w.manifest.tombstones[p.id], g) {
		w.marks = append(w.marks, tombstone{p.id, g})
	}
}

// collect reads the ids of the events of a span, some after the other.
func (w *erasing) collect(ctx context.Context, r selected, s span) error {
	f, err := r.filter(s)
	if err != nil {
		return err
	}
	r.narrow(f)
	return r.in.Each(ctx, "looking for events to erase", "SELECT id"+f.text.String(), func(rows *sql.Rows) error {
		var text uuid
		if err := rows.Scan(&text); err != nil {
			return err
		}
		eventID, err := googleuuid.Parse(string(text))
		if w.found = append(w.found, eventID); len(w.found) > maxErased {
			return errTooManyErased
		}
		return err
	}, f.args...)
}

// store stores the events of the erasure, by transactions that keep nobody waiting for long.
func (w *erasing) store(ctx context.Context) error {
	for part := range slices.Chunk(w.found, erasedAtOnce) {
		ids := make([]any, len(part))
		for i, eventID := range part {
			var err error
			if ids[i], err = w.dialect.ID(eventID.String()); err != nil {
				return err
			}
		}
		if err := w.write(ctx, ids); err != nil {
			return err
		}
	}
	return nil
}

// write stores some of the events of the erasure.
func (w *erasing) write(ctx context.Context, ids []any) error {
	var values []any
	for _, eventID := range ids {
		values = append(values, w.tenant, eventID, w.id)
	}
	source, args := w.dialect.Rows([]sqlstore.ColumnType{sqlstore.UUID, sqlstore.UUID, sqlstore.UUID}, values)
	_, err := w.db.In(w.tenantID, sqlstore.Write).Exec(ctx, "collecting events to erase",
		"INSERT INTO erased_events (tenant_id, event_id, erasure_id) "+source+" ON CONFLICT DO NOTHING", args...)
	return err
}

// activate makes the erasure pending, unless the pieces have changed since its events were collected. Errors: errOutdated.
func (w *erasing) activate(ctx context.Context) error {
	return w.db.Transact(ctx, func(ctx context.Context, tx sqlstore.Transaction) error {
		w.in = tx.In(w.tenantID)
		w.change = &change{coveredFrom: w.manifest.coveredFrom, tombstones: w.marks}
		if err := w.apply(ctx); err != nil {
			return err
		}
		if err := w.in.ExecOne(ctx, errOutdated, "making an erasure pending",
			"UPDATE erasures SET state = ?, events = ? WHERE tenant_id = ? AND id = ? AND state = ?", pendingErasure, len(w.found), w.tenant, w.id, collectingErasure); err != nil {
			return err
		}
		_, err := w.in.Exec(ctx, "forgetting the keys of erased events",
			"DELETE FROM event_keys WHERE tenant_id = ? AND event_id IN (SELECT event_id FROM erased_events WHERE tenant_id = ? AND erasure_id = ?)", w.tenant, w.tenant, w.id)
		return err
	})
}

// abandon removes an erasure that came to nothing.
func (w *erasing) abandon(ctx context.Context) error {
	in := w.db.In(w.tenantID, sqlstore.Write)
	if _, err := in.Exec(ctx, "giving up an erasure", "DELETE FROM erased_events WHERE tenant_id = ? AND erasure_id = ?", w.tenant, w.id); err != nil {
		return err
	}
	_, err := in.Exec(ctx, "giving up an erasure", "DELETE FROM erasures WHERE tenant_id = ? AND id = ? AND state = ?", w.tenant, w.id, collectingErasure)
	return err
}

// Erasure returns an erasure; see ports.Erasures.
func (s *Store) Erasure(ctx context.Context, scope access.Scope, erasureID id.Erasure) (event.Erasure, error) {
	list, err := s.erasures(ctx, scope, func(id.Tenant) (string, []any, error) {
		value, err := s.dialect.ID(string(erasureID))
		return " AND id = ?", []any{value}, err
	})
	switch {
	case err != nil:
		return event.Erasure{}, err
	case len(list) == 0:
		return event.Erasure{}, event.ErrNoErasure
	case !list[0].IsDone():
		s.backlog.again(list[0].TenantID) // this process may not know of it
	}
	return list[0], nil
}

// Unreported returns the erasures that are done and not reported yet; see ports.Erasures.
func (s *Store) Unreported(ctx context.Context, scope access.Scope) ([]event.Erasure, error) {
	return s.erasures(ctx, scope, func(id.Tenant) (string, []any, error) {
		return " AND state = 'done' AND reported = ?", []any{false}, nil
	})
}

func (s *Store) erasures(ctx context.Context, scope access.Scope, condition func(id.Tenant) (string, []any, error)) ([]event.Erasure, error) {
	tenantID, err := scope.Tenant()
	if err != nil {
		return nil, err
	}
	tenant, err := s.dialect.ID(string(tenantID))
	if err != nil {
		return nil, err
	}
	text, args, err := condition(tenantID)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		ID          uuid   `db:"id"`
		State       string `db:"state"`
		Events      int64  `db:"events"`
		RequestedBy string `db:"requested_by"`
		RequestedAt int64  `db:"requested_at"`
		CompletedAt int64  `db:"completed_at"`
	}
	err = s.db.In(tenantID, sqlstore.LookUp).List(ctx, &rows, "reading erasures",
		"SELECT id, state, events, requested_by, requested_at, completed_at FROM erasures WHERE tenant_id = ? AND state <> 'collecting'"+text, append([]any{tenant}, args...)...)
	var list []event.Erasure
	for _, r := range rows {
		e := event.Erasure{ID: id.Erasure(r.ID), TenantID: tenantID, Events: r.Events, RequestedBy: id.User(r.RequestedBy), RequestedAt: time.UnixMicro(r.RequestedAt).UTC()}
		if r.CompletedAt > 0 {
			e.CompletedAt = time.UnixMicro(r.CompletedAt).UTC()
		}
		list = append(list, e)
	}
	return list, err
}

// Reported notes that an erasure was reported; see ports.Erasures.
func (s *Store) Reported(ctx context.Context, scope access.Scope, erasureID id.Erasure) error {
	tenantID, err := scope.Tenant()
	if err != nil {
		return err
	}
	var ids [2]any
	for i, text := range []string{string(tenantID), string(erasureID)} {
		if ids[i], err = s.dialect.ID(text); err != nil {
			return err
		}
	}
	return s.db.In(tenantID, sqlstore.Write).ExecOne(ctx, event.ErrNoErasure, "noting that an erasure was reported",
		"UPDATE erasures SET reported = ? WHERE tenant_id = ? AND id = ?", true, ids[0], ids[1])
}
