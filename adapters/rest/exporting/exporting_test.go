package exporting

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// written returns a file of events.
func written(t *testing.T, format string, list ...event.Event) []byte {
	t.Helper()
	for _, f := range Formats() {
		if f.Name != format {
			continue
		}
		var file bytes.Buffer
		w, err := f.New(&file)
		for _, e := range list {
			if err == nil {
				err = w.Write(e)
			}
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	t.Fatalf("there is no format %s", format)
	return nil
}

// samples are events with texts and numbers of all kinds.
func samples() []event.Event {
	at := time.Date(2026, 1, 31, 9, 30, 0, 120_000, time.UTC)
	list := []event.Event{{
		ID: "0190a5e4-7b1c-8a11-b2c3-d4e5f6a7b8c9", Type: "view", UserIdentifier: "u", SessionID: new(""), Source: new("web"), OccurredAt: at,
		Properties: `{"a":["<\u0000&\u2028",` + "\"\u2028\u2029é\"" + `,1.50]}`,
	}}
	for _, text := range []string{"=1+1", "'", "''=", "@a", "+", "-1", `"`, `a,"b"`, `\`, "<&>", "\u2028\u2029é\U0001f600\ufffd", "\xff\xe2\x80", "\x00\x1f\b\f\n\r\t\x7f"} {
		list = append(list, event.Event{ID: "i", Type: text, UserIdentifier: text, SessionID: &text, Source: &text, OccurredAt: at.Truncate(time.Second)})
	}
	for _, n := range []float64{0, math.Copysign(0, -1), 1, -12.25, 0.1, 1e-6, 9.99e-7, 1e-10, 1e20, 1e21, -1e100, math.MaxFloat64, 5e-324} {
		list = append(list, event.Event{ID: "i", Type: "n", UserIdentifier: "u", Value: &n, OccurredAt: at})
	}
	return list
}

// TestLines: each line is what encoding/json makes of the event.
func TestLines(t *testing.T) {
	type line struct {
		ID             string          `json:"id"`
		EventType      string          `json:"event_type"`
		UserIdentifier string          `json:"user_identifier"`
		SessionID      *string         `json:"session_id"`
		Value          *float64        `json:"value"`
		Source         *string         `json:"source"`
		OccurredAt     time.Time       `json:"occurred_at"`
		Properties     json.RawMessage `json:"properties"`
	}
	for _, e := range samples() {
		var want bytes.Buffer
		l := line{string(e.ID), e.Type, e.UserIdentifier, e.SessionID, e.Value, e.Source, e.OccurredAt, json.RawMessage(e.Properties)}
		if e.Properties == "" {
			l.Properties = nil
		}
		if err := json.NewEncoder(&want).Encode(l); err != nil {
			t.Fatal(err)
		}
		if got := written(t, "ndjson", e); string(got) != want.String() {
			t.Errorf("got  %swant %s", got, want.String())
		}
	}
}

func TestTable(t *testing.T) {
	at := time.Date(2026, 1, 31, 9, 30, 0, 120_000, time.UTC)
	for _, c := range []struct {
		event event.Event
		want  string
	}{
		{event.Event{ID: "i", Type: "view", UserIdentifier: "u", OccurredAt: at}, "i,view,u,,,,2026-01-31T09:30:00.00012Z,"},
		{event.Event{ID: "i", Type: "=1+1", UserIdentifier: "'a", SessionID: new(""), Value: new(-1.5), Source: new("-"), OccurredAt: at, Properties: `{"a":"b"}`},
			`i,'=1+1,''a,',-1.5,'-,2026-01-31T09:30:00.00012Z,"{""a"":""b""}"`},
		{event.Event{ID: "i", Type: "a,b", UserIdentifier: `"`, SessionID: new("+"), Source: new("@"), OccurredAt: at}, `i,"a,b","""",'+,,'@,2026-01-31T09:30:00.00012Z,`},
	} {
		_, got, _ := strings.Cut(string(written(t, "csv", c.event)), "\r\n")
		if got != c.want+"\r\n" {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	records, err := csv.NewReader(bytes.NewReader(written(t, "csv", samples()...))).ReadAll()
	if err != nil || len(records) != 1+len(samples()) {
		t.Errorf("%d records, %v", len(records), err)
	}
}

func TestParquet(t *testing.T) {
	want := samples()
	for len(want) < rowGroup+10 {
		want = append(want, want...)
	}
	file := written(t, "parquet", want...)
	rows, err := parquet.Read[parquetRow](bytes.NewReader(file), int64(len(file)))
	if err != nil || len(rows) != len(want) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, e := range want {
		r := rows[i]
		got := event.Event{
			ID: e.ID, Type: r.EventType, UserIdentifier: r.UserIdentifier, SessionID: r.SessionID, Value: r.Value, Source: r.Source,
			OccurredAt: time.UnixMicro(r.OccurredAt).UTC(),
		}
		if r.Properties != nil {
			got.Properties = *r.Properties
		}
		if r.ID != string(e.ID) || !bytes.Equal(written(t, "ndjson", got), written(t, "ndjson", e)) || (got.SessionID == nil) != (e.SessionID == nil) {
			t.Fatalf("event %d: %+v", i, r)
		}
		if i > 100 {
			break
		}
	}
}
