package send

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/exporting"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// exportedCSV returns an export of events.
func exportedCSV(t *testing.T, list []event.Event) []byte {
	t.Helper()
	var file bytes.Buffer
	for _, f := range exporting.Formats() {
		if f.Name != "csv" {
			continue
		}
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
	}
	return file.Bytes()
}

// TestTable_export: what an export writes becomes the same events, whatever their texts begin with.
func TestTable_export(t *testing.T) {
	at := time.Date(2026, 1, 31, 9, 30, 0, 123_000, time.UTC)
	list := []event.Event{{ID: "i", Type: "view", UserIdentifier: "u", OccurredAt: at}}
	for _, text := range []string{"", "'", "''", "'=", "'a", "=1+1", "+", "-1", "@a", "a,\"b\"", `"`, `\`, "é\u2028", "7", "{}"} {
		list = append(list, event.Event{
			ID: id.Event("i" + text), Type: "t" + text, UserIdentifier: text, SessionID: &text, Value: new(-1e-7), Source: &text, OccurredAt: at,
			Properties: `{"a":["` + strings.Trim(text, `"\,ab`) + `",1.50]}`,
		})
	}
	header, rest, _ := bytes.Cut(exportedCSV(t, list), []byte("\n"))
	table, err := newTable(header)
	if err != nil {
		t.Fatal(err)
	}
	var got []event.Event
	for line := range bytes.Lines(rest) {
		object, err := table.event(bytes.TrimSpace(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		var d struct {
			ID         id.Event        `json:"event_id"`
			Type       string          `json:"event_type"`
			User       string          `json:"user_identifier"`
			Session    *string         `json:"session_id"`
			Value      *float64        `json:"value"`
			Source     *string         `json:"source"`
			At         time.Time       `json:"occurred_at"`
			Properties json.RawMessage `json:"properties"`
		}
		if err := json.Unmarshal(object, &d); err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		got = append(got, event.Event{
			ID: d.ID, Type: d.Type, UserIdentifier: d.User, SessionID: d.Session, Value: d.Value, Source: d.Source, OccurredAt: d.At, Properties: string(d.Properties),
		})
	}
	if len(got) != len(list) {
		t.Fatalf("%d events, want %d", len(got), len(list))
	}
	for i := range list {
		if !reflect.DeepEqual(got[i], list[i]) {
			t.Errorf("got  %+v\nwant %+v", got[i], list[i])
		}
	}
}
