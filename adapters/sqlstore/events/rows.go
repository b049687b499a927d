package events

import (
	"context"
	"database/sql"
	"math"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// rowReader reads the events of a span from rows, oldest first.
type rowReader struct {
	pieces
	span span
	last any // the id of the last event that was read; nil before the first
	done bool
}

// next returns the next events, at most limit.
func (r *rowReader) next(ctx context.Context, limit int) (delta, error) {
	f, err := r.filter(r.span)
	if err != nil {
		return delta{}, err
	}
	if r.last != nil {
		f.and("id > ?", r.last)
	}
	var (
		columns columnBuilder
		last    uuid
	)
	err = r.in.Each(ctx, "reading events from rows", "SELECT id, "+builtColumns+f.text.String()+" ORDER BY id LIMIT ?",
		func(rows *sql.Rows) error {
			r, err := scanRow(rows, &last)
			if err == nil {
				columns.add(r)
			}
			return err
		}, append(f.args, limit)...)
	if err != nil {
		return delta{}, err
	}
	d := columns.delta()
	if r.done = d.batch.Len() < limit; !r.done {
		r.last, err = r.dialect.ID(string(last))
	}
	return d, err
}

// builtColumns are the columns that a columnBuilder reads.
const builtColumns = "occurred_at, event_type, user_identifier, session_id, value, source, properties"

// columnBuilder turns rows into columns.
type columnBuilder struct {
	batch                                       analytics.Batch
	types, users, sessions, sources, properties analytics.StringsBuilder
}

// scanned is a row with builtColumns. It is valid until the next one is read.
type scanned struct {
	at                                           int64
	eventType, user, session, source, properties sql.RawBytes
	value                                        sql.NullFloat64
}

// scanRow reads a row that has builtColumns after those that are read into first.
func scanRow(rows *sql.Rows, first ...any) (r scanned, err error) {
	err = rows.Scan(append(first, &r.at, &r.eventType, &r.user, &r.session, &r.value, &r.source, &r.properties)...)
	return r, err
}

func (b *columnBuilder) add(r scanned) {
	b.batch.Times = append(b.batch.Times, r.at)
	b.types.AddBytes(r.eventType)
	b.users.AddBytes(r.user)
	optional(&b.sessions, r.session)
	optional(&b.sources, r.source)
	optional(&b.properties, r.properties)
	if !r.value.Valid {
		r.value.Float64 = math.NaN()
	}
	b.batch.Values = append(b.batch.Values, r.value.Float64)
}

func optional(column *analytics.StringsBuilder, text sql.RawBytes) {
	if text == nil {
		column.AddOptional(nil)
		return
	}
	column.AddBytes(text)
}

func (b *columnBuilder) delta() delta {
	b.batch.Types, b.batch.Sources = b.types.Strings(), b.sources.Strings()
	b.batch.Sessions, b.batch.Properties = b.sessions.Strings(), b.properties.Strings()
	return delta{batch: &b.batch, identifiers: b.users.Strings()}
}
