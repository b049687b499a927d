package events

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// filter is the FROM and WHERE clause of a statement on one tenant's events.
type filter struct {
	tenant id.Tenant
	text   strings.Builder
	args   []any
}

func (s *Store) newFilter(scope access.Scope) (*filter, error) {
	tenantID, err := scope.Tenant()
	if err != nil {
		return nil, err
	}
	column, err := s.dialect.ID(string(tenantID))
	if err != nil {
		return nil, err
	}
	f := &filter{tenant: tenantID, args: []any{column}}
	f.text.WriteString(" FROM events WHERE tenant_id = ?")
	return f, nil
}

func (f *filter) and(condition string, args ...any) {
	f.text.WriteString(" AND " + condition)
	f.args = append(f.args, args...)
}

// window limits the events to a window, by their ids, which begin with the time.
func (s *Store) window(f *filter, w analytics.Window) error {
	return errors.Join(s.bound(f, "id >= ?", w.Start), s.bound(f, "id < ?", w.End))
}

// bound adds a condition on ids from a time on; none for the zero time.
func (s *Store) bound(f *filter, condition string, at time.Time) error {
	if at.IsZero() {
		return nil
	}
	eventID, err := s.dialect.ID(string(event.Bound(at)))
	if err != nil {
		return err
	}
	f.and(condition, eventID)
	return nil
}

// read selects columns by the filter into dest.
func (s *Store) read(ctx context.Context, use sqlstore.Purpose, f *filter, dest any, doing, columns, rest string, args ...any) error {
	return s.db.In(f.tenant, use).List(ctx, dest, doing, "SELECT "+columns+f.text.String()+rest, append(f.args, args...)...)
}

// withQueryTimeout limits all statements of a query together to the time of one. Errors: analytics.ErrTooExpensive.
func (s *Store) withQueryTimeout(caller context.Context, run func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(caller, s.dialect.Timeout())
	defer cancel()
	err := run(ctx)
	if s.dialect.TimedOut(err) && !errors.Is(caller.Err(), context.Canceled) {
		return analytics.ErrTooExpensive.Because(err)
	}
	return err
}

func (s *Store) ByID(ctx context.Context, scope access.Scope, eventID id.Event) (event.Event, error) {
	f, err := s.newFilter(scope)
	if err != nil {
		return event.Event{}, err
	}
	column, err := s.dialect.ID(string(eventID))
	if err != nil {
		return event.Event{}, err
	}
	f.and("id = ?", column)
	f.and(notErased, f.args[0])
	var rows []row
	if err := s.read(ctx, sqlstore.LookUp, f, &rows, "reading an event", columns, ""); err != nil {
		return event.Event{}, err
	}
	if len(rows) == 0 {
		return event.Event{}, event.ErrNotFound
	}
	return rows[0].event(), nil
}
