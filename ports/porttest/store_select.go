package porttest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// someDays are events of several days, each of which has a type, a source and a user that no other one has.
func someDays(t *testing.T, home id.Tenant, from, days int) (list []event.Event) {
	t.Helper()
	for day := from; day < from+days; day++ {
		for i := range 6 {
			d := event.Draft{Type: []string{"view", fmt.Sprint("type-", day)}[i%2], UserIdentifier: []string{"u", fmt.Sprint("user-", day)}[i/3]}
			if i > 1 {
				d.Source = new([]string{"web", fmt.Sprint("source-", day)}[i%2])
			}
			if i > 2 {
				d.SessionID = new(fmt.Sprint("session-", day%2))
			}
			list = append(list, NewEvent(t, home, d, t0.AddDate(0, 0, day).Add(time.Duration(i/2)*time.Hour)))
		}
	}
	return list
}

// testSelections lists and exports selections of events that are in rows, blocks and deltas.
func testSelections(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	all := someDays(t, home.ID, 0, 3)
	Ingest(t, s, all...)
	check := func(state string) {
		t.Helper()
		for _, selection := range selections() {
			want := selectedOf(all, selection)
			name := fmt.Sprintf("%s: %+v", state, selection)
			equal(t, name+", exported", exported(t, s, scope, selection), want)
			slices.Reverse(want)
			equal(t, name+", listed", listed(t, s, scope, selection), want)
			part, err := s.Events().List(t.Context(), scope, selection, "", page.Page{Skip: 1, Limit: 2})
			must(t, err)
			rest := want[min(1, len(want)):]
			equal(t, name+", after the first", part, append([]event.Event{}, rest[:min(2, len(rest))]...))
		}
	}
	check("in rows")
	seal(t, s, home.ID)
	check("sealed")
	late := someDays(t, home.ID, 2, 3) // a day of which is sealed
	Ingest(t, s, late...)
	all = append(all, late...)
	check("with deltas")
}

// selections are some of all kinds.
func selections() []analytics.Selection {
	day := func(n int) time.Time { return t0.AddDate(0, 0, n) }
	return []analytics.Selection{
		{}, {EventType: "view"}, {EventType: "type-1"}, {EventType: "type-4"}, {EventType: "' OR '1'='1"}, {EventType: "none"},
		{Source: "web"}, {Source: "source-2"}, {UserIdentifier: "u"}, {UserIdentifier: "user-0"}, {UserIdentifier: "user-3"}, {UserIdentifier: "none"},
		{SessionID: "session-1"}, {EventType: "view", Source: "source-1"}, {EventType: "type-1", Source: "source-1", UserIdentifier: "user-1", SessionID: "session-1"},
		{Window: analytics.Window{Start: day(1)}}, {Window: analytics.Window{End: day(1)}}, {EventType: "view", Window: analytics.Window{Start: day(1), End: day(2)}},
		{UserIdentifier: "user-1", Window: analytics.Window{Start: day(1).Add(time.Hour + time.Microsecond)}},
	}
}

// selectedOf returns the events of a selection, oldest first.
func selectedOf(all []event.Event, s analytics.Selection) []event.Event {
	list := []event.Event{}
	is := func(wanted string, text *string) bool { return wanted == "" || text != nil && *text == wanted }
	for _, e := range all {
		if is(s.EventType, &e.Type) && is(s.Source, e.Source) && is(s.UserIdentifier, &e.UserIdentifier) && is(s.SessionID, e.SessionID) &&
			!e.OccurredAt.Before(s.Window.Start) && (s.Window.End.IsZero() || e.OccurredAt.Before(s.Window.End)) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b event.Event) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// exported returns the events of a selection, read a few at a time.
func exported(t *testing.T, s ports.Store, scope access.Scope, selection analytics.Selection) []event.Event {
	t.Helper()
	list, last := []event.Event{}, id.Event("")
	for more := true; more; {
		part, goesOn, err := s.Events().Export(t.Context(), scope, selection, last, 4)
		must(t, err)
		if more = goesOn && len(part) > 0; more {
			last = part[len(part)-1].ID
		}
		list = append(list, part...)
	}
	return list
}

// listed returns the events of a selection, page by page.
func listed(t *testing.T, s ports.Store, scope access.Scope, selection analytics.Selection) []event.Event {
	t.Helper()
	list, last := []event.Event{}, id.Event("")
	for {
		part, err := s.Events().List(t.Context(), scope, selection, last, page.Page{Limit: 4})
		must(t, err)
		if list = append(list, part...); len(part) < 4 {
			return list
		}
		last = part[len(part)-1].ID
	}
}

// testPages: events that come in while pages are read change none of the pages that follow, unless they belong there.
func testPages(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	scope := ScopeOf(t, home.ID)
	all := someDays(t, home.ID, 0, 2)
	Ingest(t, s, all...)
	want := selectedOf(all, analytics.Selection{})
	slices.Reverse(want)
	first, err := s.Events().List(t.Context(), scope, analytics.Selection{}, "", page.Page{Limit: 5})
	must(t, err)
	Ingest(t, s, someDays(t, home.ID, 5, 1)...)
	seal(t, s, home.ID)
	second, err := s.Events().List(t.Context(), scope, analytics.Selection{}, first[4].ID, everything)
	must(t, err)
	equal(t, "the pages", append(first, second...), want)
}

// testLargeEvents: an export reads fewer events at a time if they are large.
func testLargeEvents(t *testing.T, s ports.Store) {
	home := NewTenant(t, s)
	var all []event.Event
	properties := []byte(`{"a":"` + strings.Repeat("x", 8000) + `"}`)
	for i := range 600 {
		all = append(all, NewEvent(t, home.ID, event.Draft{Type: "view", UserIdentifier: "u", Properties: properties}, t0.Add(time.Duration(i)*time.Second)))
	}
	Ingest(t, s, all...)
	for n, last := 0, id.Event(""); ; {
		part, more, err := s.Events().Export(t.Context(), ScopeOf(t, home.ID), analytics.Selection{}, last, 1000)
		must(t, err)
		if len(part) > 500 {
			t.Errorf("%d events at once", len(part))
		}
		if n += len(part); !more {
			equal(t, "the events", n, len(all))
			return
		}
		last = part[len(part)-1].ID
	}
}
