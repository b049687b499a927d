package events

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// someEvents are events with and without each of the optional fields.
func someEvents() []event.Event {
	at := time.UnixMicro(1_767_323_045_000_001).UTC()
	text, value := "x", -1.5
	return []event.Event{
		{Type: "view", UserIdentifier: "u", OccurredAt: at},
		{Type: "view", UserIdentifier: "é", OccurredAt: at, SessionID: &text, Value: &value, Source: &text, Properties: `{"a":1}`},
		{Type: "click", UserIdentifier: "u", OccurredAt: at.Add(time.Hour), Value: new(0.0)},
	}
}

func encoded(list []event.Event) []byte {
	var w deltaWriter
	for i := range list {
		w.add(&list[i])
	}
	return w.bytes()
}

// TestDelta: a delta decodes to the columns of its events.
func TestDelta(t *testing.T) {
	list := someEvents()
	d, err := decodeDelta(encoded(list))
	if err != nil {
		t.Fatal(err)
	}
	b := d.batch
	for i, e := range list {
		if b.Times[i] != e.OccurredAt.UnixMicro() || b.Types.Dictionary[b.Types.Codes[i]] != e.Type ||
			d.identifiers.Dictionary[d.identifiers.Codes[i]] != e.UserIdentifier || b.Properties.Dictionary[b.Properties.Codes[i]] != e.Properties {
			t.Errorf("event %d is not as it was", i)
		}
		if e.Value == nil != math.IsNaN(b.Values[i]) || e.Value != nil && *e.Value != b.Values[i] {
			t.Errorf("event %d has the value %g", i, b.Values[i])
		}
		if (e.SessionID == nil) != (b.Sessions.Codes[i] == 0) || (e.Source == nil) != (b.Sources.Codes[i] == 0) {
			t.Errorf("event %d has a session or a source that it had not", i)
		}
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "another version": {2}, "not compressed": {deltaVersion, 0xff, 0xff, 0xff, 0xff, 0xff},
		"cut off": append([]byte{deltaVersion}, s2.Encode(nil, []byte{0, 2, 1})...),
	} {
		if _, err := decodeDelta(data); !errors.Is(err, errDelta) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecodeDelta: whatever the records are, they decode to columns of equal length in the order of time, or fail.
func FuzzDecodeDelta(f *testing.F) {
	whole, err := s2.Decode(nil, encoded(someEvents())[1:])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte{0xff, 0})
	f.Fuzz(func(t *testing.T, records []byte) {
		d, err := decodeDelta(append([]byte{deltaVersion}, s2.Encode(nil, records)...))
		if err != nil {
			if !errors.Is(err, errDelta) {
				t.Error(err)
			}
			return
		}
		n := d.batch.Len()
		for _, column := range [][]uint32{d.batch.Types.Codes, d.batch.Sources.Codes, d.batch.Sessions.Codes, d.batch.Properties.Codes, d.identifiers.Codes} {
			if len(column) != n {
				t.Errorf("%d events have %d of a column", n, len(column))
			}
		}
		for i := 1; i < n; i++ {
			if d.batch.Times[i] < d.batch.Times[i-1] {
				t.Errorf("%d is after %d", d.batch.Times[i-1], d.batch.Times[i])
			}
		}
	})
}
