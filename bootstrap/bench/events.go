package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Typical describes the events that are sent, for people.
const Typical = "events of 20 types by 100,000 users, in the order of time within the last 28 days, each with an event_id, " +
	"a quarter with a value, half with a session, nine of ten with one of three sources, without properties but for those that questions are asked about"

const span = 28 * 24 * time.Hour

var sources = []string{"web", "mobile", "api"}

// row is an event.
type row struct {
	id        [16]byte
	at        time.Time
	eventType string
	user      string
	session   string   // empty: none
	value     *float64 // nil: none
	source    string   // empty: none
	plan      string   // a property; empty: no properties
}

// events makes typical events, always the same ones but for their times.
type events struct {
	random *rand.Rand
	name   string // with which the names of all begin
	at     time.Time
	step   time.Duration
	live   bool // whether the events occur as they are made
	plans  bool // whether the events have properties
	number int
}

// newEvents returns a maker of n events, of which the last one occurred a moment ago.
func newEvents(n int, now time.Time) *events {
	return &events{random: rand.New(rand.NewPCG(1, 2)), name: "bench", at: now.Add(-span), step: span / time.Duration(n+1)}
}

// withProperties returns the maker of events that have properties, too: one of three plans, and a number of seats.
func (e *events) withProperties() *events {
	e.plans = true
	return e
}

// newLiveEvents returns a maker of events that occur as they are made, but for one of twenty, which is a minute to three days late.
func newLiveEvents() *events {
	return &events{random: rand.New(rand.NewPCG(3, 4)), name: "live", live: true}
}

// when returns the time of the next event.
func (e *events) when() time.Time {
	if !e.live {
		e.at = e.at.Add(e.step)
		return e.at
	}
	const latest = 3 * 24 * 60
	at := time.Now()
	if e.random.IntN(20) == 0 {
		at = at.Add(-time.Duration(math.Pow(latest, e.random.Float64()) * float64(time.Minute))) // as many by hours as by minutes
	}
	return at
}

func (e *events) next() row {
	at := e.when()
	e.number++
	r := row{
		id: e.id(at), at: at,
		eventType: fmt.Sprintf("event_type_%02d", e.random.IntN(20)),
		user:      fmt.Sprintf("user-%05d", e.random.IntN(100_000)),
	}
	if e.random.IntN(2) == 0 {
		r.session = fmt.Sprintf("s-%08x", e.random.Uint32())
	}
	if e.random.IntN(4) == 0 {
		value := float64(e.random.IntN(100_000)) / 100
		r.value = &value
	}
	if e.random.IntN(10) > 0 {
		r.source = sources[e.random.IntN(len(sources))]
	}
	if e.plans {
		r.plan = []string{"free", "pro", "team"}[e.random.IntN(3)]
	}
	return r
}

// rows returns the next n events.
func (e *events) rows(n int) []row {
	rows := make([]row, n)
	for i := range rows {
		rows[i] = e.next()
	}
	return rows
}

// id returns an id as the service makes it, for rows that are not sent to it: a UUIDv8 (RFC 9562 5.8) of the time in milliseconds,
// the microseconds in it, and random bits.
func (e *events) id(at time.Time) (id [16]byte) {
	micros := uint64(at.UnixMicro())
	binary.BigEndian.PutUint64(id[:8], micros/1000<<16|0x8000|micros%1000)
	binary.BigEndian.PutUint64(id[8:], 1<<63|e.random.Uint64()>>2)
	return id
}

// write adds the next event as JSON. Single events have no event_id.
func (e *events) write(to *bytes.Buffer, named bool) {
	r := e.next()
	fmt.Fprintf(to, `{"event_type":%q,"user_identifier":%q,"occurred_at":%q`, r.eventType, r.user, r.at.UTC().Format(time.RFC3339Nano))
	if named {
		fmt.Fprintf(to, `,"event_id":"%s-%016d"`, e.name, e.number)
	}
	if r.session != "" {
		fmt.Fprintf(to, `,"session_id":%q`, r.session)
	}
	if r.value != nil {
		fmt.Fprintf(to, `,"value":%g`, *r.value)
	}
	if r.source != "" {
		fmt.Fprintf(to, `,"source":%q`, r.source)
	}
	if r.plan != "" {
		fmt.Fprintf(to, `,"properties":{"plan":%q,"seats":%d}`, r.plan, 1+e.random.IntN(50))
	}
	to.WriteByte('}')
}

// batch returns the body of a batch of n events.
func (e *events) batch(n int) []byte {
	var body bytes.Buffer
	body.WriteString(`{"events":[`)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		e.write(&body, true)
	}
	body.WriteString("]}")
	return body.Bytes()
}

// single returns the body of a single event.
func (e *events) single() []byte {
	var body bytes.Buffer
	e.write(&body, false)
	return body.Bytes()
}

// stream is n events as NDJSON, made as they are read.
type stream struct {
	events *events
	left   int
	buffer bytes.Buffer
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	for s.left > 0 && s.buffer.Len() < len(p) {
		s.events.write(&s.buffer, true)
		s.buffer.WriteByte('\n')
		s.left--
	}
	return s.buffer.Read(p) // io.EOF once nothing is left
}
