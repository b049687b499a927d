package event_test

import (
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

var keys = event.NewKeys([]byte("secret"))

func entryOf(t *testing.T, tenant id.Tenant, d event.Draft, name event.Name, now time.Time) event.Entry {
	t.Helper()
	e, err := d.Entry(tenant, name, now)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestNames(t *testing.T) {
	view := event.Draft{Type: "view", UserIdentifier: "u"}
	timed, named, both := view, view, view
	timed.OccurredAt, named.EventID = new(now), new("n")
	both.OccurredAt, both.EventID = new(now), new("n")
	client, issued := keys.Name("t", "n"), keys.Name("t", keys.Issue("t", now, "n"))
	for _, c := range []struct {
		name       string
		draft      event.Draft
		by         event.Name
		remembered bool
		at         time.Time
	}{
		{"client's key", view, client, true, now.Add(time.Hour)},
		{"client's key with a time", timed, client, true, now},
		{"issued key", view, issued, false, now},
		{"issued key with its time", timed, issued, false, now},
		{"event_id", named, event.Unnamed("x"), true, now.Add(time.Hour)},
		{"event_id with a time", both, event.Unnamed("x"), false, now},
		{"none", view, event.Unnamed("x"), false, now.Add(time.Hour)},
		{"item of a client's batch", timed, client.Item(3), true, now},
		{"item of a batch with an issued key", view, issued.Item(3), false, now},
		{"such an item with another time", view, issued.Item(3), false, now},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := entryOf(t, "t", c.draft, c.by, now.Add(time.Hour))
			if (e.Key != nil) != c.remembered || !e.Event.OccurredAt.Equal(c.at.Truncate(time.Microsecond)) {
				t.Errorf("remembered %t, at %v", e.Key != nil, e.Event.OccurredAt)
			}
			if again := entryOf(t, "t", c.draft, c.by, now.Add(time.Hour)); again.Event.ID != e.Event.ID {
				t.Errorf("ids %s and %s", e.Event.ID, again.Event.ID)
			}
			if other := entryOf(t, "t2", c.draft, c.by, now.Add(time.Hour)); other.Event.ID == e.Event.ID {
				t.Error("the event of another tenant has the same id")
			}
		})
	}
	if entryOf(t, "t", timed, client, now).Event.ID == entryOf(t, "t", both, client, now).Event.ID {
		t.Error("a key and an event_id with the same text are the same name")
	}
}

func TestIssuedKeys(t *testing.T) {
	key := keys.Issue("t", now, "random")
	var c fault.Check
	event.CheckKey(&c, key)
	if err := c.Err(); err != nil {
		t.Fatal(err)
	}
	other := event.Draft{Type: "view", UserIdentifier: "u", OccurredAt: new(now.Add(-time.Hour))}
	if _, err := other.Entry("t", keys.Name("t", key), now); err != event.ErrKeyReused {
		t.Errorf("the key for an event at another time: %v", err)
	}
	first := entryOf(t, "t", other, keys.Name("t", key).Item(0), now)
	other.OccurredAt = new(now.Add(-time.Minute))
	if entryOf(t, "t", other, keys.Name("t", key).Item(0), now).Event.ID == first.Event.ID {
		t.Error("under the key of a batch, an event at another time is the same event")
	}
	for name, forged := range map[string]event.Name{
		"other tenant's": keys.Name("t2", key),
		"other secret's": event.NewKeys([]byte("another")).Name("t", key),
		"changed":        keys.Name("t", "0"+key),
		"cut":            keys.Name("t", key[:len(key)-1]),
		"without a MAC":  keys.Name("t", key[:strings.LastIndexByte(key, '.')+1]),
		"empty":          keys.Name("t", "."),
	} {
		if e := entryOf(t, "t", event.Draft{Type: "view", UserIdentifier: "u"}, forged, now); e.Key == nil {
			t.Errorf("the %s key is taken for an issued one", name)
		}
	}
}

func TestIdentity(t *testing.T) {
	at := time.Date(2026, 1, 31, 23, 59, 59, 999_999_000, time.UTC)
	last := entryOf(t, "t", event.Draft{Type: "v", UserIdentifier: "u"}, event.Unnamed("x"), at).Event.ID
	next := event.Bound(at.Add(time.Microsecond))
	if !(event.Bound(at) <= last && last < next) || event.Bound(at.Add(1)) != next {
		t.Errorf("%s is not from %s to %s", last, event.Bound(at), next)
	}
	if last[:24] != "019c167f-cbff-83e7-"+last[19:24] {
		t.Errorf("the id is %s", last)
	}
	if !strings.Contains("89ab", string(last[19])) {
		t.Errorf("%s is not of the variant of RFC 9562", last)
	}
	if far, farther := event.Bound(time.Unix(-1, 0)), event.Bound(at.AddDate(100_000, 0, 0)); far != event.Bound(time.Unix(0, 0)) || farther < next {
		t.Errorf("bounds of times that no event can have: %s, %s", far, farther)
	}
	moved, err := event.Redate("0190a5e4-7b1c-4c3e-9a54-3f1d2c4b5a69", at)
	if err != nil || moved != last[:19]+"9a54-3f1d2c4b5a69" {
		t.Errorf("redated: %s, %v", moved, err)
	}
}
