package analytics_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
)

// stored returns how many events a tenant has.
func stored(t *testing.T, a *apptest.App, p access.Principal) int {
	t.Helper()
	list, _, err := a.Analytics.Events(t.Context(), p, "", analytics.Selection{}, "", page.Page{Limit: 1000})
	apptest.Must(t, err)
	return len(list)
}

func TestIngest(t *testing.T) {
	click := event.Draft{Type: "click", UserIdentifier: "u"}
	t.Run("the same key and event is stored once", func(t *testing.T) {
		a := apptest.New(t)
		p := newPrincipal(t, a, access.Analyst)
		first, err := a.Analytics.Ingest(t.Context(), p, "", view(), "order 66")
		apptest.Must(t, err)
		a.Clock.Advance(time.Minute)
		again, err := a.Analytics.Ingest(t.Context(), p, "", view(), "order 66")
		apptest.Must(t, err)
		if again.Event != first.Event || !first.New || again.New || first.Key != "order 66" || stored(t, a, p) != 1 {
			t.Errorf("first %+v, and then %+v", first, again)
		}
	})
	t.Run("a key for another event is refused", func(t *testing.T) {
		a := apptest.New(t)
		p := newPrincipal(t, a, access.Analyst)
		_, err := a.Analytics.Ingest(t.Context(), p, "", view(), "k")
		apptest.Must(t, err)
		_, err = a.Analytics.Ingest(t.Context(), p, "", click, "k")
		apptest.WantErr(t, err, event.ErrKeyReused)
	})
	t.Run("an issued key needs no memory", func(t *testing.T) {
		a := apptest.New(t)
		p := newPrincipal(t, a, access.Analyst)
		first, err := a.Analytics.Ingest(t.Context(), p, "", view(), "")
		apptest.Must(t, err)
		a.Clock.Advance(30 * 24 * time.Hour)
		again, err := a.Analytics.Ingest(t.Context(), p, "", view(), first.Key)
		apptest.Must(t, err)
		if again.Event != first.Event || again.New || stored(t, a, p) != 1 {
			t.Errorf("first %+v, and then %+v", first, again)
		}
		_, err = a.Analytics.Ingest(t.Context(), p, "", click, first.Key)
		apptest.WantErr(t, err, event.ErrKeyReused)
		later := view()
		later.OccurredAt = new(a.Clock.Now())
		_, err = a.Analytics.Ingest(t.Context(), p, "", later, first.Key)
		apptest.WantErr(t, err, event.ErrKeyReused)
	})
	t.Run("an issued key carries the time that the event was given", func(t *testing.T) {
		a := apptest.New(t)
		p := newPrincipal(t, a, access.Analyst)
		d := view()
		d.OccurredAt = new(a.Clock.Now().Add(-time.Hour))
		first, err := a.Analytics.Ingest(t.Context(), p, "", d, "")
		apptest.Must(t, err)
		again, err := a.Analytics.Ingest(t.Context(), p, "", d, first.Key)
		if err != nil || again.Event != first.Event || again.New {
			t.Errorf("first %+v, and then %+v, %v", first, again, err)
		}
	})
	t.Run("an event_id names the event", func(t *testing.T) {
		a := apptest.New(t)
		p := newPrincipal(t, a, access.Analyst)
		d := view()
		d.EventID = new("e")
		first, err := a.Analytics.Ingest(t.Context(), p, "", d, "")
		apptest.Must(t, err)
		a.Clock.Advance(time.Minute)
		again, err := a.Analytics.Ingest(t.Context(), p, "", d, "")
		if err != nil || again.Event != first.Event || again.New || first.Key != "" {
			t.Errorf("first %+v, and then %+v, %v", first, again, err)
		}
		d.Type = "click"
		_, err = a.Analytics.Ingest(t.Context(), p, "", d, "")
		apptest.WantErr(t, err, event.ErrEventIDReused)
		d.UserIdentifier = ""
		_, err = a.Analytics.Ingest(t.Context(), p, "", d, "k")
		wantFields(t, err, "user_identifier", "event_id")
	})
	t.Run("a key is a tenant's own", func(t *testing.T) {
		a := apptest.New(t)
		one, other := newPrincipal(t, a, access.Analyst), newPrincipal(t, a, access.Analyst)
		for _, key := range []string{"k", ""} {
			first, err := a.Analytics.Ingest(t.Context(), one, "", view(), key)
			apptest.Must(t, err)
			second, err := a.Analytics.Ingest(t.Context(), other, "", click, first.Key)
			apptest.Must(t, err)
			if first.Event.ID == second.Event.ID || first.Event.TenantID != one.Tenant() || second.Event.TenantID != other.Tenant() {
				t.Errorf("%+v and %+v", first, second)
			}
		}
	})
	t.Run("what is wrong is told by field", func(t *testing.T) {
		a := apptest.New(t)
		got, err := a.Analytics.Ingest(t.Context(), newPrincipal(t, a, access.Analyst), "", event.Draft{Type: "view"}, "")
		wantFields(t, err, "user_identifier")
		if got.Key != "" {
			t.Errorf("an invalid event was given the key %q", got.Key)
		}
	})
	t.Run("who only ingests needs no place at the gate", func(t *testing.T) {
		a := apptest.New(t)
		a.Gate.SetFull(true)
		_, err := a.Analytics.Ingest(t.Context(), newPrincipal(t, a, access.Analyst), "", view(), "k")
		apptest.Must(t, err)
	})
}

func wantFields(t *testing.T, err error, fields ...string) {
	t.Helper()
	var (
		f     *fault.Error
		names []string
	)
	if errors.As(err, &f) {
		for _, field := range f.Fields {
			names = append(names, field.Name)
		}
	}
	if !slices.Equal(names, fields) {
		t.Errorf("refused with %v, want %q to be blamed", err, fields)
	}
}

func TestBatch(t *testing.T) {
	items := func(drafts ...event.Draft) (list []event.Item) {
		for i, d := range drafts {
			list = append(list, event.Item{Index: i, Draft: d})
		}
		return list
	}
	bad := event.Draft{Type: "view"}
	a := apptest.New(t)
	p := newPrincipal(t, a, access.Analyst)
	send := func(key string, atomic bool, drafts ...event.Draft) (event.Counts, string) {
		t.Helper()
		if key == "" {
			var err error
			key, err = a.Analytics.IssueKey(t.Context(), p, "")
			apptest.Must(t, err)
		}
		counts, err := a.Analytics.IngestBatch(t.Context(), p, "", key, items(drafts...), atomic)
		apptest.Must(t, err)
		return counts, key
	}
	named := view()
	named.EventID = new("e")
	other := named
	other.Type = "click"

	counts, issued := send("", false, view(), bad, view(), named)
	if counts.Accepted != 3 || len(counts.Rejected) != 1 || counts.Rejected[0].Index != 1 {
		t.Errorf("a batch with a bad event: %+v", counts)
	}
	a.Clock.Advance(48 * time.Hour)
	if counts, key := send(issued, false, view(), bad, view()); counts.Duplicates != 2 || counts.Accepted != 0 || key != issued {
		t.Errorf("the batch again: %+v", counts)
	}
	if counts, _ := send("k", false, named, other); counts.Accepted != 1 || len(counts.Rejected) != 1 ||
		!errors.Is(counts.Rejected[0].Fault, event.ErrEventIDReused) {
		t.Errorf("an event_id with two contents: %+v", counts)
	}
	before := stored(t, a, p)
	for _, atomic := range [][]event.Draft{{view(), bad}, {view(), other}} {
		if counts, _ := send("atomic", true, atomic...); counts.Accepted != 0 || len(counts.Rejected) != 1 || stored(t, a, p) != before {
			t.Errorf("an atomic batch with one rejected: %+v", counts)
		}
	}
	if counts, _ := send("atomic", true, view(), view()); counts.Accepted != 2 {
		t.Errorf("an atomic batch of good ones: %+v", counts)
	}
}
