package events

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// columns are the columns of an event, in the order of row and valuesOf.
const columns = "tenant_id, id, occurred_at, event_type, user_identifier, session_id, value, source, properties"

type row struct {
	TenantID       uuid     `db:"tenant_id"`
	ID             uuid     `db:"id"`
	OccurredAt     int64    `db:"occurred_at"` // microseconds since 1970
	Type           string   `db:"event_type"`
	UserIdentifier string   `db:"user_identifier"`
	SessionID      *string  `db:"session_id"`
	Value          *float64 `db:"value"`
	Source         *string  `db:"source"`
	Properties     *string  `db:"properties"`
}

func (r row) event() event.Event {
	e := event.Event{
		ID: id.Event(r.ID), TenantID: id.Tenant(r.TenantID), Type: r.Type, UserIdentifier: r.UserIdentifier, SessionID: r.SessionID,
		Value: r.Value, Source: r.Source, OccurredAt: time.UnixMicro(r.OccurredAt).UTC(),
	}
	if r.Properties != nil {
		e.Properties = *r.Properties
	}
	return e
}

func eventsOf(rows []row) []event.Event {
	list := make([]event.Event, 0, len(rows))
	for _, r := range rows {
		list = append(list, r.event())
	}
	return list
}

// columnTypes are the types of columns.
var columnTypes = []sqlstore.ColumnType{
	sqlstore.UUID, sqlstore.UUID, sqlstore.Integer, sqlstore.Text, sqlstore.Text, sqlstore.Text, sqlstore.Real, sqlstore.Text, sqlstore.Text,
}

// valuesOf returns the values of the columns of an event.
func valuesOf(d sqlstore.Dialect, e *event.Event) ([]any, error) {
	tenant, err := d.ID(string(e.TenantID))
	if err != nil {
		return nil, err
	}
	eventID, err := d.ID(string(e.ID))
	if err != nil {
		return nil, err
	}
	return []any{
		tenant, eventID, e.OccurredAt.UnixMicro(), e.Type, e.UserIdentifier,
		orNull(e.SessionID), orNull(e.Value), orNull(e.Source), nullIfEmpty(e.Properties),
	}, nil
}

// orNull returns what p points to, or NULL. The driver would find that out by reflection.
func orNull[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

func nullIfEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// uuid is a UUID read from a column of 16 bytes or of text.
type uuid string

// Scan implements sql.Scanner.
func (u *uuid) Scan(value any) error {
	switch v := value.(type) {
	case string:
		*u = uuid(v)
	case []byte:
		if len(v) == 16 {
			h := hex.EncodeToString(v)
			*u = uuid(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
			return nil
		}
		*u = uuid(v)
	default:
		return fmt.Errorf("reading a UUID: unsupported type %T", value)
	}
	return nil
}
