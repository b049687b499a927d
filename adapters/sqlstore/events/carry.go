package events

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// stepSize is how many events are carried in a transaction: large enough for the commit not to matter, and small enough that
// stopping never waits for long. An INSERT has insertSize rows, since SQLite takes at most 32,766 arguments.
const (
	stepSize   = 5000
	insertSize = 1000
)

// ErrCarry: events can't be carried over without losing some. Nothing was lost: those that were not carried are where they were.
var ErrCarry = errors.New("events can't be carried over without a loss")

// Carrier carries all events between the table of schema 3, which schema 4 has renamed to events_before, and that of today. It
// can be stopped at any point, also by a power loss, and continues with the next call.
type Carrier struct {
	Dialect sqlstore.Dialect
	// Step runs fn with a transaction on the database that events are carried from and one on the database that they are carried
	// to, which may be the same, and commits the latter first: a stop in between repeats the step, and loses nothing.
	Step func(ctx context.Context, fn func(from, to *sqlx.Tx) error) error
	// Report is called at the start and after each step with the number of events that were carried, and of all.
	Report migrations.Report
}

// Forward carries the events to the table of today. Each gets a new id, of its time and the last 62 bits of the old one.
// Errors: ErrCarry; the context's, after the step that it ended in.
func (c Carrier) Forward(ctx context.Context) error {
	return c.carry(ctx, before{}, now{}, func(e event.Event) (event.Event, error) {
		eventID, err := event.Redate(e.ID, e.OccurredAt)
		e.ID = eventID
		return e, err
	})
}

// Back carries the events to the table of schema 3, which has no properties. Their ids stay. Errors: those of Forward.
func (c Carrier) Back(ctx context.Context) error {
	return c.carry(ctx, now{}, before{}, func(e event.Event) (event.Event, error) {
		e.Properties = ""
		return e, nil
	})
}

// layout is how a table keeps events.
type layout interface {
	table() string
	columns() string
	// order returns the columns of an index whose order is that of time within a tenant, so that rows are inserted one after another.
	order() string
	// position returns the values of these columns.
	position(d sqlstore.Dialect, e event.Event) ([]any, error)
	selectFrom(ctx context.Context, tx *sqlx.Tx, query string, args ...any) ([]event.Event, error)
	types() []sqlstore.ColumnType
	// values returns the values of the columns, which begin with the primary key, tenant_id and id.
	values(d sqlstore.Dialect, e *event.Event) ([]any, error)
}

// carriage is the state of a Carrier at work.
type carriage struct {
	Carrier
	from, to layout
	convert  func(event.Event) (event.Event, error)
	last     []any // the position of the last event that was carried; nil before the first step
	carried  int64 // also by earlier calls
	total    int64
}

func (c Carrier) carry(ctx context.Context, from, to layout, convert func(event.Event) (event.Event, error)) error {
	w := carriage{Carrier: c, from: from, to: to, convert: convert}
	left, carried, err := w.count(ctx)
	if err != nil {
		return err
	}
	w.carried, w.total = carried, carried+left
	if left == 0 {
		return nil
	}
	w.Report(w.carried, w.total)
	for done := false; !done; w.Report(w.carried, w.total) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("carrying events over was stopped at %d of %d: %w", w.carried, w.total, err)
		}
		if done, err = w.step(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("carrying events over, at %d of %d: %w", w.carried, w.total, err)
		}
	}
	left, carried, err = w.count(ctx)
	if err == nil && (left != 0 || carried != w.carried) {
		err = fmt.Errorf("%w: %d should have been carried; %d were, and %d are left", ErrCarry, w.carried, carried, left)
	}
	return err
}

// count returns the number of events that are to be carried, and that of those that have been.
func (w *carriage) count(ctx context.Context) (left, carried int64, err error) {
	err = w.Step(ctx, func(from, to *sqlx.Tx) error {
		if err := from.GetContext(ctx, &left, "SELECT COUNT(*) FROM "+w.from.table()); err != nil {
			return err
		}
		return to.GetContext(ctx, &carried, "SELECT COUNT(*) FROM "+w.to.table())
	})
	if err != nil {
		return 0, 0, fmt.Errorf("counting the events to carry over: %w", err)
	}
	return left, carried, nil
}

// step carries the next events, and reports whether none are left.
func (w *carriage) step(ctx context.Context) (done bool, err error) {
	var (
		inserted int64
		read     int
		last     []any
	)
	err = w.Step(ctx, func(from, to *sqlx.Tx) error {
		list, err := w.read(ctx, from)
		if read = len(list); err != nil || read == 0 {
			return err
		}
		if last, err = w.from.position(w.Dialect, list[read-1]); err != nil {
			return err
		}
		if inserted, err = w.insert(ctx, to, list); err != nil {
			return err
		}
		return w.remove(ctx, from, last, int64(read))
	})
	if err != nil {
		return false, err
	}
	w.total -= int64(read) - inserted // counted on both sides, by the first step after a stop between its two commits
	w.carried += inserted
	w.last = last
	return read < stepSize || w.carried == w.total, nil
}

// rowValue returns the placeholders of a position.
func rowValue(position []any) string {
	return "(?" + strings.Repeat(", ?", len(position)-1) + ")"
}

// read returns the next events.
func (w *carriage) read(ctx context.Context, tx *sqlx.Tx) ([]event.Event, error) {
	query := "SELECT " + w.from.columns() + " FROM " + w.from.table()
	if w.last != nil { // the index may still have the entries of the deleted rows
		query += " WHERE (" + w.from.order() + ") > " + rowValue(w.last)
	}
	query += " ORDER BY " + w.from.order() + " LIMIT ?"
	list, err := w.from.selectFrom(ctx, tx, w.Dialect.Rebind(query), append(w.last[:len(w.last):len(w.last)], stepSize)...)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	return list, nil
}

// insert converts events, stores them, and returns how many were not stored before. Errors: ErrCarry.
func (w *carriage) insert(ctx context.Context, tx *sqlx.Tx, list []event.Event) (int64, error) {
	converted := make([]*event.Event, len(list))
	for i, e := range list {
		e, err := w.convert(e)
		if err != nil {
			return 0, err
		}
		converted[i] = &e
	}
	var inserted int64
	for part := range slices.Chunk(converted, insertSize) {
		values, err := w.valuesOf(part, len(w.to.types()))
		if err != nil {
			return 0, err
		}
		source, args := w.Dialect.Rows(w.to.types(), values)
		query := "INSERT INTO " + w.to.table() + " (" + w.to.columns() + ") " + source + " ON CONFLICT (tenant_id, id) DO NOTHING"
		result, err := tx.ExecContext(ctx, w.Dialect.Rebind(query), args...)
		if err != nil {
			return 0, fmt.Errorf("inserting: %w", err)
		}
		stored, err := result.RowsAffected()
		if err != nil {
			return 0, fmt.Errorf("inserting: %w", err)
		}
		inserted += stored
	}
	if inserted < int64(len(list)) {
		return inserted, w.checkRepeated(ctx, tx, converted)
	}
	return inserted, nil
}

// valuesOf returns the first values of each event, as the table that they are carried to keeps them.
func (w *carriage) valuesOf(list []*event.Event, first int) (all []any, err error) {
	for _, e := range list {
		values, err := w.to.values(w.Dialect, e)
		if err != nil {
			return nil, err
		}
		all = append(all, values[:first]...)
	}
	return all, nil
}

// eventKey is the primary key of an event.
type eventKey struct {
	tenant id.Tenant
	event  id.Event
}

// checkRepeated verifies that events that were not all inserted are the same as those that are stored, as they are after a stop
// between the two commits of a step. This can be only the first step. Errors: ErrCarry.
func (w *carriage) checkRepeated(ctx context.Context, tx *sqlx.Tx, list []*event.Event) error {
	wanted := make(map[eventKey]*event.Event, len(list))
	for _, e := range list {
		wanted[eventKey{e.TenantID, e.ID}] = e
	}
	if w.last != nil || len(wanted) < len(list) {
		return fmt.Errorf("%w: two have the same id", ErrCarry)
	}
	for part := range slices.Chunk(list, insertSize) {
		keys, err := w.valuesOf(part, 2)
		if err != nil {
			return err
		}
		source, args := w.Dialect.Rows([]sqlstore.ColumnType{sqlstore.UUID, sqlstore.UUID}, keys)
		query := "SELECT " + w.to.columns() + " FROM " + w.to.table() + " WHERE (tenant_id, id) IN (" + source + ")"
		stored, err := w.to.selectFrom(ctx, tx, w.Dialect.Rebind(query), args...)
		if err != nil {
			return fmt.Errorf("reading what was inserted before: %w", err)
		}
		for _, e := range stored {
			if want := wanted[eventKey{e.TenantID, e.ID}]; !reflect.DeepEqual(&e, want) {
				return fmt.Errorf("%w: another event has the id %s", ErrCarry, e.ID)
			}
		}
	}
	return nil
}

// remove deletes the events up to a position. Errors: ErrCarry.
func (w *carriage) remove(ctx context.Context, tx *sqlx.Tx, last []any, read int64) error {
	query, args := "DELETE FROM "+w.from.table()+" WHERE ("+w.from.order()+") <= "+rowValue(last), last
	if w.last != nil {
		query, args = query+" AND ("+w.from.order()+") > "+rowValue(w.last), append(last[:len(last):len(last)], w.last...)
	}
	result, err := tx.ExecContext(ctx, w.Dialect.Rebind(query), args...)
	if err != nil {
		return fmt.Errorf("deleting: %w", err)
	}
	deleted, err := result.RowsAffected()
	if err == nil && deleted != read {
		err = fmt.Errorf("%w: %d were read, and %d would be deleted", ErrCarry, read, deleted)
	}
	return err
}
