package events

import (
	"database/sql"
	"encoding/hex"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// eventReader turns rows with an id and builtColumns into events. It makes few allocations for each, since an export reads many.
type eventReader struct {
	tenant id.Tenant
	list   []event.Event
	bytes  int // that the events take, more or less

	row   scanned
	id    sql.RawBytes
	dest  []any             // points to the fields of row
	texts map[string]string // those that many events have in common
}

// details are what an event points to.
type details struct {
	session, source string
	value           float64
}

func newEventReader(tenant id.Tenant) *eventReader {
	r := &eventReader{tenant: tenant, list: []event.Event{}, texts: map[string]string{}}
	r.dest = []any{&r.id, &r.row.at, &r.row.eventType, &r.row.user, &r.row.session, &r.row.value, &r.row.source, &r.row.properties}
	return r
}

// add reads a row.
func (r *eventReader) add(rows *sql.Rows) error {
	if err := rows.Scan(r.dest...); err != nil {
		return err
	}
	r.list = append(r.list, r.event())
	return nil
}

// event returns the row as an event. What is its own is in one text.
func (r *eventReader) event() event.Event {
	const idLength, overhead = 36, 250
	s := &r.row
	text := make([]byte, 0, 512)
	text = appendID(text, r.id)
	text = append(text, s.user...)
	text = append(text, s.session...)
	text = append(text, s.properties...)
	own := string(text)
	r.bytes += len(own) + overhead
	user := len(own) - len(s.properties) - len(s.session) // where it ends
	e := event.Event{
		ID: id.Event(own[:idLength]), TenantID: r.tenant, Type: r.shared(s.eventType), UserIdentifier: own[idLength:user],
		Properties: own[len(own)-len(s.properties):], OccurredAt: time.UnixMicro(s.at).UTC(),
	}
	if s.session == nil && s.source == nil && !s.value.Valid {
		return e
	}
	d := &details{own[user : user+len(s.session)], r.shared(s.source), s.value.Float64}
	if s.session != nil {
		e.SessionID = &d.session
	}
	if s.source != nil {
		e.Source = &d.source
	}
	if s.value.Valid {
		e.Value = &d.value
	}
	return e
}

// shared returns a text that is kept once, unless there are many.
func (r *eventReader) shared(text []byte) string {
	const most = 1000
	known, found := r.texts[string(text)]
	if !found {
		known = string(text)
		if len(r.texts) < most {
			r.texts[known] = known
		}
	}
	return known
}

// appendID appends a UUID in its canonical form, read from a column of 16 bytes or of text.
func appendID(to []byte, column []byte) []byte {
	if len(column) != 16 {
		return append(to, column...)
	}
	to = append(hex.AppendEncode(to, column[:4]), '-')
	to = append(hex.AppendEncode(to, column[4:6]), '-')
	to = append(hex.AppendEncode(to, column[6:8]), '-')
	to = append(hex.AppendEncode(to, column[8:10]), '-')
	return hex.AppendEncode(to, column[10:])
}
