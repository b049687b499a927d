package events

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// now is the layout of today.
type now struct{}

func (now) table() string   { return "events" }
func (now) columns() string { return columns }
func (now) order() string   { return "tenant_id, id" }

func (now) position(d sqlstore.Dialect, e event.Event) ([]any, error) {
	values, err := valuesOf(d, &e)
	if err != nil {
		return nil, err
	}
	return values[:2], nil
}

func (now) selectFrom(ctx context.Context, tx *sqlx.Tx, query string, args ...any) ([]event.Event, error) {
	var rows []row
	err := tx.SelectContext(ctx, &rows, query, args...)
	return eventsOf(rows), err
}

func (now) types() []sqlstore.ColumnType { return columnTypes }

func (now) values(d sqlstore.Dialect, e *event.Event) ([]any, error) { return valuesOf(d, e) }

// before is the layout of schema 3: ids are UUIDs without the time, as text on SQLite, and times are timestamps or text.
type before struct{}

func (before) table() string { return "events_before" }
func (before) columns() string {
	return "tenant_id, id, event_type, user_identifier, session_id, value, source, occurred_at"
}
func (before) order() string { return "tenant_id, occurred_at, id" }

func (before) position(_ sqlstore.Dialect, e event.Event) ([]any, error) {
	return []any{e.TenantID, sqlstore.Time{Time: e.OccurredAt}, e.ID}, nil
}

func (before) selectFrom(ctx context.Context, tx *sqlx.Tx, query string, args ...any) ([]event.Event, error) {
	var rows []struct {
		TenantID       id.Tenant     `db:"tenant_id"`
		ID             id.Event      `db:"id"`
		Type           string        `db:"event_type"`
		UserIdentifier string        `db:"user_identifier"`
		SessionID      *string       `db:"session_id"`
		Value          *float64      `db:"value"`
		Source         *string       `db:"source"`
		OccurredAt     sqlstore.Time `db:"occurred_at"`
	}
	if err := tx.SelectContext(ctx, &rows, query, args...); err != nil {
		return nil, err
	}
	list := make([]event.Event, 0, len(rows))
	for _, r := range rows {
		list = append(list, event.Event{
			ID: r.ID, TenantID: r.TenantID, Type: r.Type, UserIdentifier: r.UserIdentifier, SessionID: r.SessionID,
			Value: r.Value, Source: r.Source, OccurredAt: r.OccurredAt.Time,
		})
	}
	return list, nil
}

func (before) types() []sqlstore.ColumnType {
	return []sqlstore.ColumnType{
		sqlstore.UUID, sqlstore.UUID, sqlstore.Text, sqlstore.Text, sqlstore.Text, sqlstore.Real, sqlstore.Text, sqlstore.Timestamp,
	}
}

func (before) values(_ sqlstore.Dialect, e *event.Event) ([]any, error) {
	return []any{
		string(e.TenantID), string(e.ID), e.Type, e.UserIdentifier,
		orNull(e.SessionID), orNull(e.Value), orNull(e.Source), sqlstore.Time{Time: e.OccurredAt},
	}, nil
}
