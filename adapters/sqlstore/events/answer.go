package events

import (
	"context"
	"errors"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Answer brings the events of a question's window to it; see ports.Events.
func (s *Store) Answer(ctx context.Context, scope access.Scope, q analytics.Question) (analytics.Reading, error) {
	tenantID, err := scope.Tenant()
	if err != nil {
		return analytics.Reading{}, err
	}
	tenant, err := s.dialect.ID(string(tenantID))
	if err != nil {
		return analytics.Reading{}, err
	}
	a := answer{question: q}
	a.window.from, a.window.to = q.Window().Micros()
	err = s.withQueryTimeout(ctx, func(ctx context.Context) error {
		for attempt := 1; ; attempt++ {
			err := s.db.Snapshot(ctx, tenantID, func(ctx context.Context, in sqlstore.Executor) error {
				a.pieces = pieces{s, in, tenantID, tenant}
				return a.read(ctx)
			})
			if err != nil && a.begun && errors.Is(ctx.Err(), context.DeadlineExceeded) { // between statements, so that none was timed out
				return analytics.ErrTooExpensive.Because(err)
			}
			if !errors.Is(err, errVanished) {
				return err
			}
			if a.begun || attempt == attempts {
				return ports.ErrUnavailable.Because(err)
			}
		}
	})
	return a.reading, err
}

// answer brings the events of a tenant to one question.
type answer struct {
	pieces
	question analytics.Question
	window   span
	manifest *manifest
	numbers  *numbers
	begun    bool // whether the question was given events
	reading  analytics.Reading
}

// read reads what the question needs in one snapshot: first all that may have to be read once more, and then the events.
func (a *answer) read(ctx context.Context) (err error) {
	a.manifest, err = readManifest(ctx, a.in, a.tenant, a.window)
	if err != nil {
		return err
	}
	a.backlog.meet(a.tenantID, a.manifest)
	headers, err := a.headers(ctx, a.manifest.blocks)
	if err != nil {
		return err
	}
	deltas, err := a.deltas(ctx, a.manifest.deltas)
	if err != nil {
		return err
	}
	numbered, err := a.number(ctx, deltas)
	if err != nil {
		return err
	}
	a.begun = true
	for i, b := range a.manifest.blocks {
		if err := a.addBlock(ctx, b, headers[i]); err != nil {
			return err
		}
	}
	for i, d := range a.manifest.deltas {
		a.addDelta(d, numbered[i])
	}
	return a.addRows(ctx)
}

// addBlock adds the events of a block, by its header if that is enough.
func (a *answer) addBlock(ctx context.Context, b piece, h *analytics.Header) error {
	gone := a.manifest.gone(b)
	columns := a.question.Needs(h)
	if len(gone) == 0 && columns == 0 {
		a.question.AddHeader(h)
		a.reading.Sealed = true
		return nil
	}
	batch, err := a.columns(ctx, b, columns|a.question.Needs(nil))
	if err != nil {
		return err
	}
	a.add(without(batch, gone))
	a.reading.Sealed = true
	return nil
}

// addDelta adds the events of a delta.
func (a *answer) addDelta(d piece, n numberedDelta) {
	gone := a.manifest.gone(d)
	a.reading.Rows = true
	if len(gone) == 0 && a.question.Needs(n.header) == 0 {
		a.question.AddHeader(n.header)
		return
	}
	a.add(without(n.batch, gone))
}

// add adds events one by one.
func (a *answer) add(b *analytics.Batch) {
	b = b.Between(a.window.from, a.window.to)
	a.reading.EventsRead += int64(b.Len())
	a.question.AddBatch(b)
}

// numberedDelta is a delta with the numbers of users.
type numberedDelta struct {
	batch  *analytics.Batch
	header *analytics.Header
}

// number returns deltas with numbers of users, all from the same state of them. Where events are read from rows, too, the question
// has numbers of its own, since that takes longer.
func (a *answer) number(ctx context.Context, deltas []*storedDelta) ([]numberedDelta, error) {
	shared := !a.needsRows()
	a.numbers = newNumbers()
	if shared {
		a.numbers = a.sharedNumbers(a.tenantID)
		defer func() { a.keepNumbers(a.tenantID, a.numbers) }()
	}
	n := a.numbers
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.enter(a.manifest.nextUser) {
		return nil, errVanished
	}
	list := make([]numberedDelta, len(deltas))
	for i, d := range deltas {
		if !shared {
			d = &storedDelta{decode: d.decode}
		}
		var err error
		if list[i], err = a.numberDelta(ctx, d); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// numberDelta numbers the users of a delta, unless that was done and is still right.
func (a *answer) numberDelta(ctx context.Context, d *storedDelta) (numberedDelta, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := a.numbers
	if d.numberedBy == n && (!d.open || d.generation == n.generation) {
		return d.numbered, nil
	}
	decoded, err := d.decode()
	if err != nil {
		return numberedDelta{}, err
	}
	batch := *decoded.batch
	batch.Users, d.open, err = n.of(ctx, a.in, a.tenant, decoded.identifiers)
	if err != nil {
		return numberedDelta{}, err
	}
	d.numbered = numberedDelta{&batch, analytics.NewHeader(&batch)}
	d.numberedBy, d.generation = n, n.generation
	return d.numbered, nil
}

// needsRows reports whether the question is about events that are in rows only.
func (a *answer) needsRows() bool { return a.window.from < a.manifest.coveredFrom }

// rowsSize is how many rows are read at a time.
const rowsSize = 20_000

// addRows adds the events that are in rows only.
func (a *answer) addRows(ctx context.Context) error {
	if !a.needsRows() {
		return nil
	}
	s := span{a.window.from, min(a.window.to, a.manifest.coveredFrom)}
	r := rowReader{pieces: a.pieces, span: s}
	for !r.done {
		decoded, err := r.next(ctx, rowsSize)
		if err != nil {
			return err
		}
		if decoded.batch.Len() == 0 {
			break
		}
		batch := *decoded.batch
		if batch.Users, _, err = a.numbers.of(ctx, a.in, a.tenant, decoded.identifiers); err != nil {
			return err
		}
		a.reading.Rows = true
		a.add(&batch)
	}
	return nil
}
