package sqlstore

import (
	"context"
	"errors"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
)

const eventColumns = "id, tenant_id, event_type, user_identifier, session_id, value, source, occurred_at"

type eventRow struct {
	ID             id.Event  `db:"id"`
	TenantID       id.Tenant `db:"tenant_id"`
	Type           string    `db:"event_type"`
	UserIdentifier string    `db:"user_identifier"`
	SessionID      *string   `db:"session_id"`
	Value          *float64  `db:"value"`
	Source         *string   `db:"source"`
	OccurredAt     dbTime    `db:"occurred_at"`
}

func (r eventRow) event() (event.Event, error) {
	return event.Event{
		ID: r.ID, TenantID: r.TenantID, Type: r.Type, UserIdentifier: r.UserIdentifier, SessionID: r.SessionID,
		Value: r.Value, Source: r.Source, OccurredAt: r.OccurredAt.Time,
	}, nil
}

type events struct{ repositories }

func (s events) Ingest(ctx context.Context, scope access.Scope, e event.Event) (bool, error) {
	if err := scope.Covers(e.TenantID); err != nil {
		return false, err
	}
	added, err := s.in(e.TenantID, write).exec(ctx, "ingesting an event",
		"INSERT INTO events ("+eventColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, id) DO NOTHING",
		e.ID, e.TenantID, e.Type, e.UserIdentifier, e.SessionID, e.Value, e.Source, dbTime{e.OccurredAt})
	return added == 1, err
}

// filter is the FROM and WHERE clause of a statement on one tenant's events.
type filter struct {
	tenant id.Tenant
	text   strings.Builder
	args   []any
}

func newFilter(scope access.Scope) (*filter, error) {
	tenantID, err := scope.Tenant()
	if err != nil {
		return nil, err
	}
	f := &filter{tenant: tenantID, args: []any{tenantID}}
	f.text.WriteString(" FROM events WHERE tenant_id = ?")
	return f, nil
}

func (f *filter) and(condition string, args ...any) {
	f.text.WriteString(" AND " + condition)
	f.args = append(f.args, args...)
}

func (f *filter) window(w analytics.Window) {
	if !w.Start.IsZero() {
		f.and("occurred_at >= ?", dbTime{w.Start})
	}
	if !w.End.IsZero() {
		f.and("occurred_at < ?", dbTime{w.End})
	}
}

// read selects columns by the filter into dest.
func (s events) read(ctx context.Context, use purpose, f *filter, dest any, doing, columns, rest string, args ...any) error {
	return s.in(f.tenant, use).list(ctx, dest, doing, "SELECT "+columns+f.text.String()+rest, append(f.args, args...)...)
}

// withQueryTimeout limits all statements of a query together to the time of one. Errors: analytics.ErrTooExpensive.
func (s events) withQueryTimeout(caller context.Context, run func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(caller, s.dialect.Timeout())
	defer cancel()
	err := run(ctx)
	if s.dialect.TimedOut(err) && !errors.Is(caller.Err(), context.Canceled) {
		return analytics.ErrTooExpensive.Because(err)
	}
	return err
}

func (s events) ByID(ctx context.Context, scope access.Scope, eventID id.Event) (event.Event, error) {
	f, err := newFilter(scope)
	if err != nil {
		return event.Event{}, err
	}
	f.and("id = ?", eventID)
	var rows []eventRow
	if err := s.read(ctx, lookUp, f, &rows, "reading an event", eventColumns, ""); err != nil {
		return event.Event{}, err
	}
	if len(rows) == 0 {
		return event.Event{}, event.ErrNotFound
	}
	return rows[0].event()
}

func (s events) List(ctx context.Context, scope access.Scope, eventType string, p page.Page) ([]event.Event, error) {
	f, err := newFilter(scope)
	if err != nil {
		return nil, err
	}
	if eventType != "" {
		f.and("event_type = ?", eventType)
	}
	var rows []eventRow
	err = s.withQueryTimeout(ctx, func(ctx context.Context) error {
		return s.read(ctx, analyse, f, &rows, "listing events", eventColumns, " ORDER BY occurred_at DESC, id DESC LIMIT ? OFFSET ?", p.Limit, p.Skip)
	})
	if err != nil {
		return nil, err
	}
	return convert(rows, eventRow.event)
}

func (s events) After(ctx context.Context, scope access.Scope, last event.Event, limit int) ([]event.Event, error) {
	f, err := newFilter(scope)
	if err != nil {
		return nil, err
	}
	if last.ID != "" {
		f.and("(occurred_at, id) > (?, ?)", dbTime{last.OccurredAt}, last.ID)
	}
	var rows []eventRow
	err = s.read(ctx, analyse, f, &rows, "reading more events", eventColumns, " ORDER BY occurred_at, id LIMIT ?", limit)
	if err != nil {
		return nil, err
	}
	return convert(rows, eventRow.event)
}

func (s events) Summarize(ctx context.Context, scope access.Scope, w analytics.Window) (analytics.Summary, error) {
	f, err := newFilter(scope)
	if err != nil {
		return analytics.Summary{}, err
	}
	f.window(w)
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
		return s.db.inTenant(ctx, f.tenant, analyse, func(ctx context.Context, q sqlx.ExtContext) error {
			err := s.getFrom(ctx, q, &counts, nil, "counting events",
				"SELECT COUNT(*) AS events, COUNT(DISTINCT user_identifier) AS users"+f.text.String(), f.args...)
			if err != nil {
				return err
			}
			return s.listFrom(ctx, q, &top, "counting event types",
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
func (s events) grouping(d analytics.Dimension) (expression, order string) {
	switch d {
	case analytics.ByDay:
		return s.dialect.Day("occurred_at"), "1"
	case analytics.BySource:
		return "source", "2 DESC, 1 NULLS LAST"
	default:
		return "event_type", "2 DESC, 1"
	}
}

func (s events) Query(ctx context.Context, scope access.Scope, query analytics.Query) ([]analytics.Row, error) {
	f, err := newFilter(scope)
	if err != nil {
		return nil, err
	}
	f.window(query.Window)
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
		return s.read(ctx, analyse, f, &rows, "querying events",
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
