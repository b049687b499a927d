package bootstrap_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

const batchPath = api + "/analytics/events/batch"

// anEvent returns an event with more fields than it needs, in pairs.
func anEvent(fields ...any) map[string]any {
	e := map[string]any{"event_type": "view", "user_identifier": "u"}
	for i := 0; i < len(fields); i += 2 {
		e[fields[i].(string)] = fields[i+1]
	}
	return e
}

// lines returns events as NDJSON.
func lines(t testing.TB, events ...map[string]any) string {
	t.Helper()
	var b strings.Builder
	for _, e := range events {
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(raw, '\n'))
	}
	return b.String()
}

// batchOf returns a request with a batch: of events as one document, or of a text as lines.
func batchOf(p person, body any, header ...string) request {
	r := request{method: "POST", path: batchPath, token: p.access, header: map[string]string{}}
	switch b := body.(type) {
	case []map[string]any:
		r.body = map[string]any{"events": b}
	case string:
		r.body, r.header["Content-Type"] = b, mediaNDJSON
	}
	for i := 0; i < len(header); i += 2 {
		r.header[header[i]] = header[i+1]
	}
	return r
}

// outcome returns what became of a batch: the numbers, and the index, code and field of each rejected event.
func (a answer) outcome() string {
	text := fmt.Sprintf("%v %v %v", a.body["accepted"], a.body["duplicates"], a.body["rejected_count"])
	rejected, _ := a.body["rejected"].([]any)
	for _, r := range rejected {
		r := r.(map[string]any)
		text += fmt.Sprintf(" | %v %v %v", r["index"], r["code"], r["field"])
	}
	return text
}

// storedEvents returns how many events a person's tenant has.
func (s *service) storedEvents(t *testing.T, p person) int {
	t.Helper()
	var list []any
	a := s.want(t, 200, request{method: "GET", path: api + "/analytics/events?limit=1000", token: p.access})
	if err := json.Unmarshal([]byte(a.raw), &list); err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// testBatches: what becomes of the events of batches, also if they are sent again.
func testBatches(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	type batch []map[string]any
	now := s.clock.Now()
	at := now.Add(-time.Hour).Format(time.RFC3339Nano)
	bad := batch{
		anEvent("event_id", "a"), anEvent("event_type", ""), anEvent("colour", "red"), anEvent("occurred_at", "yesterday"),
		anEvent("occurred_at", now.AddDate(-6, 0, 0).Format(time.RFC3339)), anEvent("value", "1"), anEvent("value", 1e300), anEvent("user_identifier", "\x00"),
		anEvent("properties", []int{1}), anEvent("properties", map[string]any{"a": map[string]any{"b": []any{[]any{[]any{[]any{1}}}}}}), anEvent("event_id", "b"),
	}
	for _, c := range []struct {
		name         string
		first, again any // []map[string]any or NDJSON
		key          string
		want         string
		wantAgain    string
		stored       int
	}{
		{"event ids with times", []map[string]any{anEvent("event_id", "a", "occurred_at", at), anEvent("event_id", "b", "occurred_at", at)}, nil, "", "2 0 0", "0 2 0", 2},
		{"event ids without", []map[string]any{anEvent("event_id", "a"), anEvent("event_id", "b")}, nil, "", "2 0 0", "0 2 0", 2},
		{"an event id twice in one batch", []map[string]any{anEvent("event_id", "a"), anEvent("event_id", "a")}, nil, "", "1 1 0", "0 2 0", 1},
		{"an event id with two bodies", []map[string]any{anEvent("event_id", "a"), anEvent("event_id", "a", "value", 1)}, nil, "",
			"1 0 1 | 1 event_id_reused event_id", "0 1 1 | 1 event_id_reused event_id", 1},
		{"another body under a known event id", []map[string]any{anEvent("event_id", "a")}, []map[string]any{anEvent("event_id", "a", "source", "web"), anEvent("event_id", "b")}, "",
			"1 0 0", "1 0 1 | 0 event_id_reused event_id", 2},
		{"a key for the whole", []map[string]any{anEvent(), anEvent(), anEvent("event_id", "a")}, nil, "order 66", "3 0 0", "0 3 0", 3},
		{"a key for lines", lines(t, anEvent(), anEvent()), nil, "order 66", "2 0 0", "0 2 0", 2},
		{"lines without a key", lines(t, anEvent(), anEvent()), nil, "", "2 0 0", "2 0 0", 4},
		{"properties in another order", `{"event_type":"v","user_identifier":"u","event_id":"a","properties":{"b":1,"a":{"c":[true,null]}}}` + "\n",
			`{"event_id":"a","properties":{"a":{"c":[true,null]},"b":1},"user_identifier":"u","event_type":"v"}` + "\n", "", "1 0 0", "0 1 0", 1},
		{"bad ones", []map[string]any(bad), nil, "", "2 0 9 | 1 invalid_request event_type | 2 invalid_request colour | 3 invalid_request occurred_at | 4 invalid_request occurred_at" +
			" | 5 invalid_request value | 6 invalid_request value | 7 invalid_request user_identifier | 8 invalid_request properties | 9 invalid_request properties",
			"0 2 9 | 1 invalid_request event_type | 2 invalid_request colour | 3 invalid_request occurred_at | 4 invalid_request occurred_at" +
				" | 5 invalid_request value | 6 invalid_request value | 7 invalid_request user_identifier | 8 invalid_request properties | 9 invalid_request properties", 2},
		{"bad lines", "\n" + lines(t, anEvent("event_id", "a")) + "{\nnull\n" + lines(t, anEvent("event_id", "b")) + `{"event_type":"view","event_type":"view"}`, nil, "",
			"2 0 3 | 2 malformed_json body | 3 invalid_request body | 5 malformed_json event_type", "0 2 3 | 2 malformed_json body | 3 invalid_request body | 5 malformed_json event_type", 2},
		{"none", []map[string]any{}, nil, "", "0 0 0", "0 0 0", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.newPerson(t, newSlug(), access.Analyst)
			var header []string
			if c.key != "" {
				header = []string{"Idempotency-Key", c.key}
			}
			if c.again == nil {
				c.again = c.first
			}
			if got := s.want(t, 200, batchOf(p, c.first, header...)).outcome(); got != c.want {
				t.Errorf("at first %s, want %s", got, c.want)
			}
			s.clock.Advance(time.Minute)
			if got := s.want(t, 200, batchOf(p, c.again, header...)).outcome(); got != c.wantAgain {
				t.Errorf("again %s, want %s", got, c.wantAgain)
			}
			if n := s.storedEvents(t, p); n != c.stored {
				t.Errorf("%d events are stored, want %d", n, c.stored)
			}
		})
	}
	p := s.newPerson(t, newSlug(), access.Analyst)
	events := []map[string]any{anEvent(), anEvent("properties", map[string]any{"page": "/"})}
	issued := s.want(t, 200, batchOf(p, events)).header.Get("Idempotency-Key")
	s.advance(t, 2*event.KeyLifetime)
	s.signIn(t, &p)
	if a := s.want(t, 200, batchOf(p, events, "Idempotency-Key", issued)); issued == "" || a.outcome() != "0 2 0" || a.header.Get("Idempotency-Key") != issued {
		t.Errorf("with the key %q that was handed out: %s", issued, a.raw)
	}
	if a := s.want(t, 200, batchOf(p, lines(t, anEvent()))); a.header.Get("Idempotency-Key") != "" {
		t.Errorf("a stream was given a key")
	}
	single := s.want(t, 200, request{method: "GET", path: api + "/analytics/export", token: p.access})
	if !strings.Contains(single.raw, `"properties":{"page":"/"}`) || !strings.Contains(single.raw, `"properties":null`) {
		t.Errorf("the export has other properties: %s", single.raw)
	}
	s.refusedBatches(t, p)
}

// refusedBatches: what is wrong with a batch as a whole.
func (s *service) refusedBatches(t *testing.T, p person) {
	t.Helper()
	before := s.storedEvents(t, p)
	many := make([]map[string]any, event.MaxBatch+1)
	for i := range many {
		many[i] = anEvent()
	}
	raw := func(text string) request {
		r := batchOf(p, text)
		r.header["Content-Type"] = "application/json"
		return r
	}
	typed := func(mediaType string) request { return batchOf(p, lines(t, anEvent()), "Content-Type", mediaType) }
	at := func(query string, r request) request { r.path += query; return r }
	for _, c := range []struct {
		name   string
		r      request
		status int
		field  string
	}{
		{"too many", batchOf(p, many), 422, "events"},
		{"too large", raw(`{"events":[` + strings.Repeat(" ", 10<<20) + `]}`), 413, ""},
		{"not an array", raw(`{"events":{}}`), 422, "events"},
		{"no events", raw(`{}`), 422, "events"},
		{"unknown field", raw(`{"events":[],"atomic":true}`), 422, "atomic"},
		{"malformed", raw(`{"events":[{]}`), 400, "body"},
		{"empty", raw(``), 400, "body"},
		{"atomic lines", at("?atomic=true", batchOf(p, "")), 422, "atomic"},
		{"atomic perhaps", at("?atomic=perhaps", batchOf(p, many[:1])), 422, "atomic"},
		{"atomic twice", at("?atomic=true&atomic=false", batchOf(p, many[:1])), 422, "atomic"},
		{"unknown parameter", at("?atomc=true", batchOf(p, many[:1])), 422, "atomc"},
		{"tenant is not a UUID", at("?tenant_id=acme", batchOf(p, many[:1])), 422, "tenant_id"},
		{"bad key", batchOf(p, many[:1], "Idempotency-Key", "schlüssel"), 422, "Idempotency-Key"},
		{"empty key", batchOf(p, many[:1], "Idempotency-Key", ""), 422, "Idempotency-Key"},
		{"CSV", typed("text/csv"), 415, ""},
		{"lines in Latin-1", typed("application/x-ndjson; charset=latin1"), 415, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.want(t, c.status, c.r)
			if names := a.fields(); c.field != "" && (len(names) != 1 || names[0] != c.field) {
				t.Errorf("the fields are %v: %s", names, a.raw)
			}
		})
	}
	if n := s.storedEvents(t, p); n != before {
		t.Errorf("%d events of refused batches are stored", n-before)
	}
	s.want(t, 200, typed("application/x-ndjson; charset=UTF-8"))
}

// testAtomicBatches: all events are stored, or none.
func testAtomicBatches(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	atomic := func(status int, events []map[string]any, header ...string) answer {
		t.Helper()
		r := batchOf(p, events, header...)
		r.path += "?atomic=true"
		return s.want(t, status, r)
	}
	good := []map[string]any{anEvent("event_id", "a"), anEvent("event_id", "b")}
	if got := atomic(200, good).outcome(); got != "2 0 0" {
		t.Errorf("good ones: %s", got)
	}
	if got := atomic(200, good).outcome(); got != "0 2 0" {
		t.Errorf("the same again: %s", got)
	}
	for name, c := range map[string]struct {
		event map[string]any
		want  string
	}{
		"an invalid one": {anEvent("event_type", ""), "0 0 1 | 1 invalid_request event_type"},
		"a reused name":  {anEvent("event_id", "a", "value", 7), "0 0 1 | 1 event_id_reused event_id"},
	} {
		a := atomic(422, []map[string]any{anEvent("event_id", "new"), c.event, anEvent()}, "Idempotency-Key", name)
		if a.outcome() != c.want || a.body["code"] != "batch_rejected" || a.header.Get("Idempotency-Key") != name {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	if n := s.storedEvents(t, p); n != 2 {
		t.Errorf("%d events are stored, want 2", n)
	}
	if a := atomic(200, []map[string]any{anEvent("event_id", "new"), anEvent()}, "Idempotency-Key", "an invalid one"); a.outcome() != "2 0 0" {
		t.Errorf("after it was mended: %s", a.raw)
	}
}

// packed returns a text as a client compresses it.
func packed(t *testing.T, encoding, text string) string {
	t.Helper()
	var (
		b bytes.Buffer
		w io.WriteCloser = gzip.NewWriter(&b)
	)
	if encoding == "zstd" {
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// testCompressed: all three ways to ingest accept gzip and zstd, within limits.
func testCompressed(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	send := func(status int, path, mediaType, encoding, body string) answer {
		t.Helper()
		return s.want(t, status, request{method: "POST", path: api + path, token: p.access, body: body,
			header: map[string]string{"Content-Type": mediaType, "Content-Encoding": encoding}})
	}
	const single, document = `{"event_type":"view","user_identifier":"u"}`, `{"events":[{"event_type":"view","user_identifier":"u"}]}`
	for _, encoding := range []string{"gzip", "zstd"} {
		before := s.storedEvents(t, p)
		send(201, "/analytics/events", "application/json", encoding, packed(t, encoding, single))
		send(200, "/analytics/events/batch", "application/json", encoding, packed(t, encoding, document))
		send(200, "/analytics/events/batch", mediaNDJSON, encoding, packed(t, encoding, strings.Repeat(single+"\n", 10)))
		if n := s.storedEvents(t, p) - before; n != 12 {
			t.Errorf("%d events are stored of 12 as %s", n, encoding)
		}
		for path, body := range map[string]string{"/analytics/events": single, "/analytics/events/batch": document} {
			if a := send(400, path, "application/json", encoding, body); a.body["code"] != "malformed_encoding" {
				t.Errorf("what is not %s: %s", encoding, a.raw)
			}
			send(413, path, "application/json", encoding, packed(t, encoding, body+strings.Repeat(" ", 4<<20)))
		}
		send(415, "/auth/password", "application/json", encoding, packed(t, encoding, "{}"))
	}
	if a := send(415, "/analytics/events", "application/json", "br", single); a.header.Get("Accept-Encoding") != "identity, gzip, zstd" {
		t.Errorf("Accept-Encoding: %s", a.header.Get("Accept-Encoding"))
	}
}
