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
		{"year 1", func(d *event.Draft) { d.OccurredAt = new(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)) }, "occurred_at"},
		{"the beginning", func(d *event.Draft) { d.OccurredAt = new(event.Earliest) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := event.Draft{Type: "page_view", UserIdentifier: "u1"}
			c.edit(&d)
			e, err := d.Event("e", "t", now)
			if c.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				if !d.Matches(e) {
					t.Errorf("%+v does not match its own draft", e)
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

func TestMatches(t *testing.T) {
	d := event.Draft{Type: "a", UserIdentifier: "u", Value: new(1.0)}
	e, err := d.Event("e", "t", now)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []event.Draft{
		{Type: "b", UserIdentifier: "u", Value: new(1.0)},
		{Type: "a", UserIdentifier: "v", Value: new(1.0)},
		{Type: "a", UserIdentifier: "u", Value: new(2.0)},
		{Type: "a", UserIdentifier: "u"},
		{Type: "a", UserIdentifier: "u", Value: new(1.0), Source: new("web")},
		{Type: "a", UserIdentifier: "u", Value: new(1.0), OccurredAt: new(now.Add(time.Second))},
	} {
		if other.Matches(e) {
			t.Errorf("%+v matches %+v", other, e)
		}
	}
}

func FuzzDraft(f *testing.F) {
	f.Add("page_view", "u1", "s", "web", 1.5, int64(0))
	f.Add("", "\x00", "\xff", strings.Repeat("x", 300), math.Inf(1), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, kind, user, session, source string, value float64, seconds int64) {
		d := event.Draft{Type: kind, UserIdentifier: user, SessionID: &session, Source: &source, Value: &value,
			OccurredAt: new(time.Unix(seconds, 0))}
		e, err := d.Event("e", "t", now)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("not a fault of the caller: %v", err)
			}
			return
		}
		if !d.Matches(e) || strings.ContainsRune(e.Type+e.UserIdentifier+*e.SessionID+*e.Source, 0) ||
			math.IsNaN(*e.Value) || math.IsInf(*e.Value, 0) || e.OccurredAt.Year() > 2026 {
			t.Errorf("%+v was accepted", e)
		}
	})
}
