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
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
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
	for condition, bound := range map[string]time.Time{"id >= ?": w.Start, "id < ?": w.End} {
		if bound.IsZero() {
			continue
		}
		eventID, err := s.dialect.ID(string(event.Bound(bound)))
		if err != nil {
			return err
		}
		f.and(condition, eventID)
	}
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
	var rows []row
	if err := s.read(ctx, sqlstore.LookUp, f, &rows, "reading an event", columns, ""); err != nil {
		return event.Event{}, err
	}
	if len(rows) == 0 {
		return event.Event{}, event.ErrNotFound
	}
	return rows[0].event(), nil
}

func (s *Store) List(ctx context.Context, scope access.Scope, eventType string, p page.Page) ([]event.Event, error) {
	f, err := s.newFilter(scope)
	if err != nil {
		return nil, err
	}
	if eventType != "" {
		f.and("event_type = ?", eventType)
	}
	var rows []row
	err = s.withQueryTimeout(ctx, func(ctx context.Context) error {
		return s.read(ctx, sqlstore.Analyse, f, &rows, "listing events", columns, " ORDER BY id DESC LIMIT ? OFFSET ?", p.Limit, p.Skip)
	})
	if err != nil {
		return nil, err
	}
	return eventsOf(rows), nil
}

func (s *Store) After(ctx context.Context, scope access.Scope, last event.Event, limit int) ([]event.Event, error) {
	f, err := s.newFilter(scope)
	if err != nil {
		return nil, err
	}
	if last.ID != "" {
		column, err := s.dialect.ID(string(last.ID))
		if err != nil {
			return nil, err
		}
		f.and("id > ?", column)
	}
	var rows []row
	err = s.read(ctx, sqlstore.Analyse, f, &rows, "reading more events", columns, " ORDER BY id LIMIT ?", limit)
	if err != nil {
		return nil, err
	}
	return eventsOf(rows), nil
}

func (s *Store) Summarize(ctx context.Context, scope access.Scope, w analytics.Window) (analytics.Summary, error) {
	f, err := s.newFilter(scope)
	if err != nil {
		return analytics.Summary{}, err
	}
	if err := s.window(f, w); err != nil {
		return analytics.Summary{}, err
	}
	var (
		counts struct {
			Events int64 `db:"events"`
			Users  int64 `db:"users"`
		}
		top []struct {
			Type  string `db:"event_type"`
			Count int64  `db:"count"`
		}
	)
	err = s.withQueryTimeout(ctx, func(ctx context.Context) error {
		return s.db.In(f.tenant, sqlstore.Analyse).Together(ctx, func(ctx context.Context, in sqlstore.Executor) error {
			err := in.Get(ctx, &counts, nil, "counting events",
				"SELECT COUNT(*) AS events, COUNT(DISTINCT user_identifier) AS users"+f.text.String(), f.args...)
			if err != nil {
				return err
			}
			return in.List(ctx, &top, "counting event types",
				"SELECT event_type, COUNT(*) AS count"+f.text.String()+" GROUP BY event_type ORDER BY 2 DESC, 1 LIMIT ?",
				append(f.args, analytics.TopEventTypes)...)
		})
	})
	if err != nil {
		return analytics.Summary{}, err
	}
	summary := analytics.Summary{
		TenantID: f.tenant, Window: w, TotalEvents: counts.Events, UniqueUsers: counts.Users,
		TopEventTypes: make([]analytics.EventTypeCount, 0, len(top)),
	}
	for _, t := range top {
		summary.TopEventTypes = append(summary.TopEventTypes, analytics.EventTypeCount(t))
	}
	return summary, nil
}

// grouping returns the expression that events are grouped by, and the order of the groups.
func (s *Store) grouping(d analytics.Dimension) (expression, order string) {
	switch d {
	case analytics.ByDay:
		return s.dialect.Day("occurred_at"), "1"
	case analytics.BySource:
		return "source", "2 DESC, 1 NULLS LAST"
	default:
		return "event_type", "2 DESC, 1"
	}
}

func (s *Store) Query(ctx context.Context, scope access.Scope, query analytics.Query) ([]analytics.Row, error) {
	f, err := s.newFilter(scope)
	if err != nil {
		return nil, err
	}
	if err := s.window(f, query.Window); err != nil {
		return nil, err
	}
	if query.EventType != "" {
		f.and("event_type = ?", query.EventType)
	}
	expression, order := s.grouping(query.GroupBy)
	var rows []struct {
		Key      *string  `db:"key"`
		Count    int64    `db:"count"`
		AvgValue *float64 `db:"avg_value"`
	}
	err = s.withQueryTimeout(ctx, func(ctx context.Context) error {
		return s.read(ctx, sqlstore.Analyse, f, &rows, "querying events",
			expression+" AS key, COUNT(*) AS count, AVG(value) AS avg_value", " GROUP BY 1 ORDER BY "+order+" LIMIT ?", query.Limit)
	})
	if err != nil {
		return nil, err
	}
	answer := make([]analytics.Row, 0, len(rows))
	for _, row := range rows {
		answer = append(answer, analytics.Row(row))
	}
	return answer, nil
}
