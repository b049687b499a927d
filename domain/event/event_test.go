package event_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

var now = time.Date(2026, 1, 1, 12, 0, 0, 123456789, time.UTC)

func TestDraft(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(*event.Draft)
		field string // the one to blame; empty where the event is good
	}{
		{"least", func(*event.Draft) {}, ""},
		{"all", func(d *event.Draft) {
			d.SessionID, d.Source, d.Value, d.OccurredAt = new("s"), new("web"), new(1.5), new(now.Add(-time.Hour))
		}, ""},
		{"no type", func(d *event.Draft) { d.Type = "" }, "event_type"},
		{"type too long", func(d *event.Draft) { d.Type = strings.Repeat("x", 101) }, "event_type"},
		{"NUL in the type", func(d *event.Draft) { d.Type = "a\x00" }, "event_type"},
		{"no user", func(d *event.Draft) { d.UserIdentifier = " " }, "user_identifier"},
		{"user too long", func(d *event.Draft) { d.UserIdentifier = strings.Repeat("x", 256) }, "user_identifier"},
		{"session too long", func(d *event.Draft) { d.SessionID = new(strings.Repeat("x", 256)) }, "session_id"},
		{"source too long", func(d *event.Draft) { d.Source = new(strings.Repeat("x", 101)) }, "source"},
		{"newline in the source", func(d *event.Draft) { d.Source = new("a\nb") }, "source"},
		{"greatest value", func(d *event.Draft) { d.Value = new(-event.MaxValue) }, ""},
		{"value too great", func(d *event.Draft) { d.Value = new(1e16) }, "value"},
		{"NaN", func(d *event.Draft) { d.Value = new(math.NaN()) }, "value"},
		{"infinity", func(d *event.Draft) { d.Value = new(math.Inf(-1)) }, "value"},
		{"a little ahead", func(d *event.Draft) { d.OccurredAt = new(now.Add(event.MaxAhead)) }, ""},
		{"year 9999", func(d *event.Draft) { d.OccurredAt = new(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)) }, "occurred_at"},
		{"event_id", func(d *event.Draft) { d.EventID = new("order 66") }, ""},
		{"empty event_id", func(d *event.Draft) { d.EventID = new("") }, "event_id"},
		{"event_id too long", func(d *event.Draft) { d.EventID = new(strings.Repeat("x", 129)) }, "event_id"},
		{"properties", func(d *event.Draft) { d.Properties = []byte(`{"a": 1}`) }, ""},
		{"properties that are no object", func(d *event.Draft) { d.Properties = []byte(`[1]`) }, "properties"},
		{"year 1", func(d *event.Draft) { d.OccurredAt = new(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)) }, "occurred_at"},
		{"5 years ago", func(d *event.Draft) { d.OccurredAt = new(now.AddDate(-5, 0, 0)) }, ""},
		{"more than 5 years ago", func(d *event.Draft) { d.OccurredAt = new(now.AddDate(-5, 0, 0).Add(-1)) }, "occurred_at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := event.Draft{Type: "page_view", UserIdentifier: "u1"}
			c.edit(&d)
			entry, err := d.Entry("t", event.Unnamed("random"), now)
			if c.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				e := entry.Event
				if !entry.Repeats(e) {
					t.Errorf("%+v does not repeat its own event", entry)
				}
				if e.OccurredAt.Nanosecond()%1000 != 0 || e.OccurredAt.Location() != time.UTC {
					t.Errorf("occurred at %v", e.OccurredAt)
				}
				return
			}
			f, ok := err.(*fault.Error)
			if !ok || !slices.ContainsFunc(f.Fields, func(f fault.Field) bool { return f.Name == c.field }) {
				t.Errorf("got %v, want %s to be blamed", err, c.field)
			}
		})
	}
}

func TestRepeats(t *testing.T) {
	entry := func(d event.Draft, now time.Time) event.Entry {
		e, err := d.Entry("t", event.Unnamed("random"), now)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	d := event.Draft{Type: "a", UserIdentifier: "u", Value: new(1.0), Properties: []byte(`{"a":1,"b":2}`)}
	stored := entry(d, now).Event
	d.Properties = []byte(` { "b":2, "a" : 1 }`)
	if !entry(d, now.Add(time.Hour)).Repeats(stored) {
		t.Error("the same event an hour later is not a repeat")
	}
	for name, edit := range map[string]func(*event.Draft){
		"type":       func(d *event.Draft) { d.Type = "b" },
		"user":       func(d *event.Draft) { d.UserIdentifier = "v" },
		"value":      func(d *event.Draft) { d.Value = new(2.0) },
		"no value":   func(d *event.Draft) { d.Value = nil },
		"source":     func(d *event.Draft) { d.Source = new("web") },
		"session":    func(d *event.Draft) { d.SessionID = new("s") },
		"time":       func(d *event.Draft) { d.OccurredAt = new(now.Add(time.Second)) },
		"properties": func(d *event.Draft) { d.Properties = []byte(`{"a":1}`) },
		"none":       func(d *event.Draft) { d.Properties = nil },
	} {
		other := d
		edit(&other)
		if entry(other, now).Repeats(stored) {
			t.Errorf("an event with another %s is a repeat", name)
		}
	}
}

func FuzzDraft(f *testing.F) {
	f.Add("page_view", "u1", "s", "web", 1.5, int64(0))
	f.Add("", "\x00", "\xff", strings.Repeat("x", 300), math.Inf(1), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, kind, user, session, source string, value float64, seconds int64) {
		d := event.Draft{Type: kind, UserIdentifier: user, SessionID: &session, Source: &source, Value: &value,
			OccurredAt: new(time.Unix(seconds, 0))}
		entry, err := d.Entry("t", event.Unnamed("random"), now)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("not a fault of the caller: %v", err)
			}
			return
		}
		e := entry.Event
		if !entry.Repeats(e) || strings.ContainsRune(e.Type+e.UserIdentifier+*e.SessionID+*e.Source, 0) ||
			math.IsNaN(*e.Value) || math.IsInf(*e.Value, 0) || e.OccurredAt.Year() > 2026 {
			t.Errorf("%+v was accepted", e)
		}
	})
}
