package events

import (
	"context"
	"errors"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/block"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Answer brings the events of a question's window to it; see ports.Events.
func (s *Store) Answer(ctx context.Context, scope access.Scope, q analytics.Question) (analytics.Reading, error) {
	tenantID, filters, err := scope.Questions()
	if err != nil {
		return analytics.Reading{}, err
	}
	tenant, err := s.dialect.ID(string(tenantID))
	if err != nil {
		return analytics.Reading{}, err
	}
	a := answer{question: analytics.Narrowed(q, filters)}
	a.window.from, a.window.to = q.Window().Micros()
	err = s.withQueryTimeout(ctx, func(ctx context.Context) error {
		for attempt := 1; ; attempt++ {
			err := s.db.Snapshot(ctx, tenantID, func(ctx context.Context, in sqlstore.Executor) error {
				a.pieces = pieces{Store: s, in: in, tenantID: tenantID, tenant: tenant}
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
	names    []string // of the users with numbers, if the question needs them
	begun    bool     // whether the question was given events
	reading  analytics.Reading
}

// read reads what the question needs in one snapshot: first all that may have to be read once more, and then the events.
func (a *answer) read(ctx context.Context) (err error) {
	a.manifest, err = readManifest(ctx, a.in, a.tenant, a.window)
	if err != nil {
		return err
	}
	a.hides = len(a.manifest.pending) > 0
	a.backlog.meet(a.tenantID, a.manifest)
	headers, err := a.headers(ctx, a.manifest.blocks)
	if err != nil {
		return err
	}
	plan, err := a.plan(headers)
	if err != nil {
		return err
	}
	deltas, err := a.deltas(ctx, a.manifest.deltas)
	if err != nil {
		return err
	}
	numbered, numbers, err := a.number(ctx, deltas)
	if err != nil {
		return err
	}
	if a.question.Needs(nil).Columns&analytics.IdentifierColumn != 0 {
		if a.names, err = a.userNames(ctx, a.manifest.nextUser, a.manifest.forgotten); err != nil {
			return err
		}
	}
	a.begun = true
	e := newEvaluation(a.Store, a.question)
	defer func() { err = errors.Join(err, e.wait()); a.reading.EventsRead = e.read }()
	for i, b := range a.manifest.blocks {
		if err := a.addBlock(ctx, e, b, headers[i], plan.Pieces[i], numbers); err != nil {
			return err
		}
	}
	for i, d := range a.manifest.deltas {
		if err := a.addDelta(e, d, deltas[i], numbered[i], numbers); err != nil {
			return err
		}
	}
	return a.addRows(ctx, e)
}

// plan plans how blocks are read, by their headers. Errors: analytics.ErrTooExpensive.
func (a *answer) plan(headers []*analytics.Header) (plan analytics.Plan, err error) {
	for i, b := range a.manifest.blocks {
		gone := a.manifest.gone(b)
		plan.Add(a.question, headers[i], len(gone) > 0)
		plan.Pieces[i] = plan.Pieces[i].And(needsOf(gone))
	}
	return plan, plan.Check()
}

// addBlock adds the events of a block, by its header if that is enough.
func (a *answer) addBlock(ctx context.Context, e *evaluation, b piece, h *analytics.Header, needs analytics.Needs, numbers map[string]uint32) error {
	a.reading.Sealed = true
	if needs.Nothing() {
		e.addHeader(h)
		return ctx.Err()
	}
	load, err := a.columns(ctx, b, stored(needs))
	if err != nil {
		return err
	}
	gone := a.manifest.gone(b)
	return e.run(func() (*analytics.Batch, error) {
		batch, err := load()
		if err != nil {
			return nil, err
		}
		known := *batch
		known.Numbers = numbers
		if needs.Columns&analytics.IdentifierColumn != 0 {
			known.Identifiers = named(batch.Users, a.names)
		}
		return without(&known, gone), nil
	})
}

// stored returns which of the columns that are needed are stored.
func stored(needs analytics.Needs) analytics.Needs {
	if needs.Columns&analytics.IdentifierColumn != 0 {
		needs.Columns = needs.Columns&^analytics.IdentifierColumn | analytics.UserColumn
	}
	return needs
}

// addDelta adds the events of a delta.
func (a *answer) addDelta(e *evaluation, d piece, stored *storedDelta, n numberedDelta, numbers map[string]uint32) error {
	gone := a.manifest.gone(d)
	needs := a.question.Needs(n.header)
	a.reading.Rows = true
	if len(gone) == 0 && needs.Nothing() {
		e.addHeader(n.header)
		return nil
	}
	return e.run(func() (*analytics.Batch, error) {
		batch := *n.batch
		batch.Numbers = numbers
		if err := stored.addProperties(&batch, needs.And(a.question.Needs(nil))); err != nil {
			return nil, err
		}
		return without(&batch, gone), nil
	})
}

// numberedDelta is a delta with the numbers of users.
type numberedDelta struct {
	batch  *analytics.Batch
	header *analytics.Header
}

// number returns deltas with numbers of users, and the numbers of those whom the question names, all from the same state of them. Where events are read from rows, too, the question
// has numbers of its own, since that takes longer.
func (a *answer) number(ctx context.Context, deltas []*storedDelta) (list []numberedDelta, named map[string]uint32, err error) {
	shared := !a.needsRows()
	a.numbers = newNumbers()
	if shared {
		a.numbers = a.sharedNumbers(a.tenantID, a.manifest.forgotten)
		defer func() { a.keepNumbers(a.tenantID, a.manifest.forgotten, a.numbers) }()
	}
	n := a.numbers
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.enter(a.manifest.nextUser) {
		return nil, nil, errVanished
	}
	list = make([]numberedDelta, len(deltas))
	for i, d := range deltas {
		if !shared {
			d = &storedDelta{decode: d.decode}
		}
		if list[i], err = a.numberDelta(ctx, d); err != nil {
			return nil, nil, err
		}
	}
	named, err = a.numbersOf(ctx, append(a.question.Identifiers(), a.manifest.goneUsers()...))
	return list, named, err
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
	batch.Identifiers = decoded.identifiers
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
func (a *answer) addRows(ctx context.Context, e *evaluation) error {
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
		batch.Identifiers = decoded.identifiers
		if batch.Users, _, err = a.numbers.of(ctx, a.in, a.tenant, decoded.identifiers); err != nil {
			return err
		}
		if batch.Numbers, err = a.numbersOf(ctx, a.question.Identifiers()); err != nil {
			return err
		}
		batch.ByKey = block.ByKey(batch.Properties, a.question.Needs(nil).Keys...)
		a.reading.Rows = true
		if err := e.run(func() (*analytics.Batch, error) { return &batch, nil }); err != nil {
			return err
		}
	}
	return nil
}
