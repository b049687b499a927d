package events

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// A delta is the events that one transaction stored for a tenant, in the order of their ids and so of their times: a byte for the
// version of the form, and then one record per event, compressed. A record is a byte that tells which optional fields there are, the
// time since the event before it in microseconds, and the fields, each text after its length.

const deltaVersion = 1

// The optional fields of a record.
const (
	hasSession = 1 << iota
	hasValue
	hasSource
	hasProperties
)

// maxDeltaSize is how many bytes a delta may decompress to, about twice what the largest group of the largest events takes.
const maxDeltaSize = 64 << 20

// delta is a decoded delta.
type delta struct {
	batch       *analytics.Batch  // without the numbers of users
	identifiers analytics.Strings // of the users
}

// deltaWriter builds a delta.
type deltaWriter struct {
	records []byte
	last    int64
}

func (w *deltaWriter) add(e *event.Event) {
	var fields byte
	if e.SessionID != nil {
		fields |= hasSession
	}
	if e.Value != nil {
		fields |= hasValue
	}
	if e.Source != nil {
		fields |= hasSource
	}
	if e.Properties != "" {
		fields |= hasProperties
	}
	at := e.OccurredAt.UnixMicro()
	w.records = binary.AppendVarint(append(w.records, fields), at-w.last)
	w.last = at
	w.text(e.Type)
	w.text(e.UserIdentifier)
	if e.SessionID != nil {
		w.text(*e.SessionID)
	}
	if e.Value != nil {
		w.records = binary.LittleEndian.AppendUint64(w.records, math.Float64bits(*e.Value))
	}
	if e.Source != nil {
		w.text(*e.Source)
	}
	if e.Properties != "" {
		w.text(e.Properties)
	}
}

func (w *deltaWriter) text(s string) {
	w.records = append(binary.AppendUvarint(w.records, uint64(len(s))), s...)
}

// bytes returns the delta.
func (w *deltaWriter) bytes() []byte {
	compressed := s2.Encode(make([]byte, s2.MaxEncodedLen(len(w.records))), w.records)
	return append([]byte{deltaVersion}, compressed...)
}

// newDelta is a delta that was stored.
type newDelta struct {
	tenant id.Tenant
	id     uuid
	at     time.Time // when it was made
	first  time.Time // of its events
	last   time.Time
	events int64
	bytes  int64 // before they were compressed
	data   []byte
}

// storeDelta stores the events that are new as a delta, and returns it, or nil if there are none.
func (w *ingestion) storeDelta(ctx context.Context) (*newDelta, error) {
	if w.early != nil {
		if w.early.events == int64(len(w.fresh)) {
			return w.early, nil
		}
		if err := w.deleteDelta(ctx, w.early); err != nil { // some of its events were there before
			return nil, err
		}
	}
	if len(w.fresh) == 0 {
		return nil, nil
	}
	d := w.newDelta(w.fresh)
	query, args, err := w.deltaInsertion(d)
	if err != nil {
		return nil, err
	}
	_, err = w.in.Exec(ctx, "storing a delta", query, args...)
	return d, err
}

// newDelta returns the events of entries, which are in the order of their ids, as a delta.
func (w *ingestion) newDelta(entries []int) *newDelta {
	var writer deltaWriter
	for _, i := range entries {
		writer.add(&w.entries[i].Event)
	}
	first, last := w.entries[entries[0]], w.entries[entries[len(entries)-1]]
	return &newDelta{
		tenant: first.Event.TenantID, id: newPieceID(first.at), at: first.at, first: first.Event.OccurredAt, last: last.Event.OccurredAt,
		events: int64(len(entries)), bytes: int64(len(writer.records)), data: writer.bytes(),
	}
}

// deltaInsertion returns the statement that stores a delta, and its arguments.
func (w *ingestion) deltaInsertion(d *newDelta) (query string, args []any, err error) {
	deltaID, err := w.dialect.ID(string(d.id))
	return "INSERT INTO deltas (tenant_id, id, first_at, last_at, events, bytes, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
		[]any{w.tenant, deltaID, d.first.UnixMicro(), d.last.UnixMicro(), d.events, d.bytes, d.data}, err
}

func (w *ingestion) deleteDelta(ctx context.Context, d *newDelta) error {
	deltaID, err := w.dialect.ID(string(d.id))
	if err == nil {
		_, err = w.in.Exec(ctx, "storing a delta anew", "DELETE FROM deltas WHERE tenant_id = ? AND id = ?", w.tenant, deltaID)
	}
	return err
}

var errDelta = errors.New("the delta is damaged")

// decodeDelta returns the events of a delta as columns.
func decodeDelta(data []byte) (delta, error) {
	if len(data) == 0 || data[0] != deltaVersion {
		return delta{}, fmt.Errorf("%w: unknown version", errDelta)
	}
	if n, err := s2.DecodedLen(data[1:]); err != nil || n > maxDeltaSize {
		return delta{}, fmt.Errorf("%w: size %d (%w)", errDelta, n, err)
	}
	records, err := s2.Decode(nil, data[1:])
	if err != nil {
		return delta{}, fmt.Errorf("%w: %w", errDelta, err)
	}
	r := deltaReader{rest: records}
	for len(r.rest) > 0 && r.err == nil {
		r.record()
	}
	if r.err != nil {
		return delta{}, r.err
	}
	return r.delta(), nil
}

// deltaReader reads records into columns. After an error it reads nothing but zeros.
type deltaReader struct {
	rest []byte
	err  error

	batch                                         analytics.Batch
	types, sources, sessions, properties, usersBy analytics.StringsBuilder
	last                                          int64
}

func (r *deltaReader) record() {
	fields := r.next(1)[0]
	step, n := binary.Varint(r.rest)
	r.skip(n)
	if at := r.last + step; len(r.batch.Times) > 0 && at < r.last {
		r.fail()
	} else {
		r.last = at
	}
	r.batch.Times = append(r.batch.Times, r.last)
	r.text(&r.types, true)
	r.text(&r.usersBy, true)
	r.text(&r.sessions, fields&hasSession != 0)
	value := math.NaN()
	if fields&hasValue != 0 {
		value = math.Float64frombits(binary.LittleEndian.Uint64(r.next(8)))
	}
	r.batch.Values = append(r.batch.Values, value)
	r.text(&r.sources, fields&hasSource != 0)
	r.text(&r.properties, fields&hasProperties != 0)
}

// text reads the text of a column, if the event has one.
func (r *deltaReader) text(column *analytics.StringsBuilder, there bool) {
	if !there {
		column.AddOptional(nil)
		return
	}
	length, n := binary.Uvarint(r.rest)
	r.skip(n)
	if length > uint64(len(r.rest)) {
		r.fail()
		length = 0
	}
	column.AddBytes(r.next(int(length)))
}

// skip passes over a number of n bytes, which is not there if n < 1.
func (r *deltaReader) skip(n int) {
	if n < 1 {
		r.fail()
		return
	}
	r.rest = r.rest[n:]
}

// next returns the next n bytes, at most 8 of which may be missing.
func (r *deltaReader) next(n int) []byte {
	if len(r.rest) < n {
		r.fail()
		return make([]byte, n)
	}
	part := r.rest[:n]
	r.rest = r.rest[n:]
	return part
}

func (r *deltaReader) fail() {
	r.err = fmt.Errorf("%w: it ends within a record, or is not in order", errDelta)
	r.rest = nil
}

func (r *deltaReader) delta() delta {
	r.batch.Types, r.batch.Sources = r.types.Strings(), r.sources.Strings()
	r.batch.Sessions, r.batch.Properties = r.sessions.Strings(), r.properties.Strings()
	return delta{batch: &r.batch, identifiers: r.usersBy.Strings()}
}
