package events

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// maxChunk is how many bytes of events are read for an export at a time, more or less.
const maxChunk = 2 << 20

// List returns a page of the events of a selection; see ports.Events.
func (s *Store) List(ctx context.Context, scope access.Scope, selection analytics.Selection, after id.Event, p page.Page) (list []event.Event, err error) {
	err = s.withQueryTimeout(ctx, func(ctx context.Context) error {
		r := selected{Selection: selection, newestFirst: true, last: after, skip: p.Skip, limit: p.Limit}
		list, _, err = s.selectEvents(ctx, scope, r)
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) { // also between statements, so that none was timed out
			return analytics.ErrTooExpensive.Because(err)
		}
		return err
	})
	return list, err
}

// Export returns the next events of a selection; see ports.Events.
func (s *Store) Export(
	ctx context.Context, scope access.Scope, selection analytics.Selection, last id.Event, limit int,
) (list []event.Event, more bool, err error) {
	return s.selectEvents(ctx, scope, selected{Selection: selection, last: last, limit: limit, size: maxChunk})
}

// selected reads some events of a selection: from rows, but not where the headers of blocks tell that there are none.
type selected struct {
	analytics.Selection
	newestFirst bool
	last        id.Event // the event after which it begins; empty: the first
	skip, limit int
	size        int // of the events, in bytes, from which on no more are read; 0: any

	pieces
	position any // last, as the tables keep it
	events   *eventReader
}

// selectEvents reads events, and reports whether there may be more.
func (s *Store) selectEvents(ctx context.Context, scope access.Scope, r selected) (list []event.Event, more bool, err error) {
	tenantID, err := scope.Tenant()
	if err != nil {
		return nil, false, err
	}
	tenant, err := s.dialect.ID(string(tenantID))
	if err != nil {
		return nil, false, err
	}
	if r.last != "" {
		if r.position, err = s.dialect.ID(string(r.last)); err != nil {
			return nil, false, err
		}
	}
	window, err := r.rest()
	if err != nil {
		return nil, false, err
	}
	r.events = newEventReader(tenantID)
	r.pieces = pieces{Store: s, in: s.db.In(tenantID, sqlstore.Analyse), tenantID: tenantID, tenant: tenant}
	if r.isDirect() {
		if r.hides, err = r.hasErased(ctx); err == nil {
			err = r.read(ctx, []span{window})
		}
	} else {
		err = r.readWhereTheyMayBe(ctx, window)
	}
	if err != nil {
		return nil, false, err
	}
	return r.events.list, r.isFull(), nil
}

// isDirect reports whether it is no use to ask the headers: they know nothing of sessions, and whoever skips events has to count them,
// which one statement does.
func (r *selected) isDirect() bool {
	return r.skip > 0 || r.EventType == "" && r.Source == "" && r.UserIdentifier == ""
}

// rest returns the window without the time before the last event, or after it. It may keep a millisecond more: the order of ids decides.
func (r *selected) rest() (w span, err error) {
	w.from, w.to = r.Window.Micros()
	if r.last == "" {
		return w, nil
	}
	millis, err := strconv.ParseInt(string(r.last[:8]+r.last[9:13]), 16, 64) // see event.Bound
	if r.newestFirst {
		w.to = min(w.to, 1000*(millis+1))
	} else {
		w.from = max(w.from, 1000*millis)
	}
	return w, err
}

// readWhereTheyMayBe reads the spans which may have events of the selection, in the snapshot in which that was found out.
func (r *selected) readWhereTheyMayBe(ctx context.Context, window span) error {
	for attempt := 1; ; attempt++ {
		err := r.db.Snapshot(ctx, r.tenantID, func(ctx context.Context, in sqlstore.Executor) error {
			r.in = in
			r.events = newEventReader(r.tenantID) // the transaction may be repeated
			spans, err := r.spans(ctx, window)
			if err != nil {
				return err
			}
			return r.read(ctx, spans)
		})
		switch {
		case !errors.Is(err, errVanished):
			return err
		case attempt == attempts:
			return ports.ErrUnavailable.Because(err)
		}
	}
}

// spans returns where in the window events of the selection may be, oldest first: in rows only, in deltas, and in blocks whose headers
// don't tell otherwise.
func (r *selected) spans(ctx context.Context, window span) ([]span, error) {
	m, err := readManifest(ctx, r.in, r.tenant, window)
	if err != nil {
		return nil, err
	}
	r.hides = len(m.pending) > 0
	list := []span{{math.MinInt64, m.coveredFrom}}
	for _, d := range m.deltas {
		list = append(list, span{d.first, d.last + 1})
	}
	user, known, err := r.user(ctx)
	if err != nil {
		return nil, err
	}
	if known {
		headers, err := r.headers(ctx, m.blocks)
		if err != nil {
			return nil, err
		}
		for i, b := range m.blocks {
			if headers[i].MayHave(r.Selection, user) {
				list = append(list, span{b.first, b.last + 1})
			}
		}
	}
	return within(list, window), nil
}

// user returns the number of the selection's user, and whether any block may have events of that user: one without a number is in none.
func (r *selected) user(ctx context.Context) (number *uint32, known bool, err error) {
	if r.UserIdentifier == "" {
		return nil, true, nil
	}
	found := map[string]uint32{}
	if err := readNumbers(ctx, r.in, r.tenant, []string{r.UserIdentifier}, found); err != nil {
		return nil, false, err
	}
	n, known := found[r.UserIdentifier]
	return &n, known, nil
}

// within returns the parts of spans that are in a window, in order, with those as one between which there is nothing.
func within(list []span, window span) []span {
	slices.SortFunc(list, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var merged []span
	for _, s := range list {
		s = span{max(s.from, window.from), min(s.to, window.to)}
		last := len(merged) - 1
		switch {
		case s.from >= s.to:
		case last >= 0 && s.from <= merged[last].to:
			merged[last].to = max(merged[last].to, s.to)
		default:
			merged = append(merged, s)
		}
	}
	return merged
}

// isFull reports whether it has read as much as it is to.
func (r *selected) isFull() bool {
	return len(r.events.list) >= r.limit || r.size > 0 && r.events.bytes >= r.size
}

// read reads the events of spans, which are in order of time.
func (r *selected) read(ctx context.Context, spans []span) error {
	if r.newestFirst {
		slices.Reverse(spans)
	}
	for _, s := range spans {
		if err := r.readSpan(ctx, s); err != nil || r.isFull() {
			return err
		}
	}
	return nil
}

// errFull ends a statement of which no more rows are wanted.
var errFull = errors.New("enough events were read")

func (r *selected) readSpan(ctx context.Context, s span) error {
	f, err := r.filter(s)
	if err != nil {
		return err
	}
	r.narrow(f)
	order := " ORDER BY id LIMIT ? OFFSET ?"
	if r.newestFirst {
		order = " ORDER BY id DESC LIMIT ? OFFSET ?"
	}
	full := false
	err = r.in.Each(ctx, "reading events of a selection", "SELECT id, "+builtColumns+f.text.String()+order, func(rows *sql.Rows) error {
		if full = r.size > 0 && r.events.bytes >= r.size; full {
			return errFull
		}
		return r.events.add(rows)
	}, append(f.args, r.limit-len(r.events.list), r.skip)...)
	if full && errors.Is(err, errFull) {
		return nil
	}
	return err
}

// narrow adds the conditions of the selection to a filter.
func (r *selected) narrow(f *filter) {
	for _, c := range []struct{ column, value string }{
		{"event_type", r.EventType}, {"source", r.Source}, {"user_identifier", r.UserIdentifier}, {"session_id", r.SessionID},
	} {
		if c.value != "" {
			f.and(c.column+" = ?", c.value)
		}
	}
	switch {
	case r.position == nil:
	case r.newestFirst:
		f.and("id < ?", r.position)
	default:
		f.and("id > ?", r.position)
	}
}
