package porttest

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics/analyticstest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Questions asks random questions of every kind, about events some of which are sealed, some late, some deleted, some stored since
// and some in rows only, in whole scopes and in narrowed ones, and compares the answers with those of looking at one event after the
// other. operator may set a tenant's retention; s answers.
func Questions(t *testing.T, operator, s ports.Store) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newAsked(t, operator, s)
		for range rapid.IntRange(1, 4).Draw(rt, "stages") {
			h.goesOn(rt)
			h.isAsked(rt)
		}
	})
}

// asked is a tenant that is asked, and what was done with the events of a tenant.
type asked struct {
	t           *testing.T
	operator, s ports.Store
	home        tenant.Tenant
	events      analyticstest.Events
}

func newAsked(t *testing.T, operator, s ports.Store) *asked {
	h := &asked{t: t, operator: operator, s: s, home: NewTenant(t, operator)}
	other := NewTenant(t, operator)
	Ingest(t, s, NewEvent(t, other.ID, event.Draft{Type: "view", UserIdentifier: "u1", OccurredAt: &analyticstest.Start}, analyticstest.Start))
	return h
}

// goesOn stores events, and then seals some of them, all of them, makes all anew, or deletes the oldest.
func (h *asked) goesOn(rt *rapid.T) {
	var list []event.Event
	for _, d := range analyticstest.Drafts(20).Draw(rt, "events") {
		list = append(list, NewEvent(h.t, h.home.ID, d, analyticstest.Start.Add(analyticstest.Span)))
	}
	Ingest(h.t, h.s, list...)
	h.events = append(h.events, list...)
	switch rapid.IntRange(0, 11).Draw(rt, "then") % 6 {
	case 0:
		must(h.t, h.s.Events().Unseal(h.t.Context(), ScopeOf(h.t, h.home.ID)))
	case 1:
		scope, err := access.Worker().Authorize(access.SealEvents, h.home.ID)
		must(h.t, err)
		_, err = h.s.Events().Seal(h.t.Context(), scope, time.Now().AddDate(1, 0, 0))
		must(h.t, err)
	case 2:
		seal(h.t, h.s, h.home.ID)
	case 3:
		h.expires()
	case 4:
		h.erases(rt)
	}
}

// erases erases events of a user, of a type and of a window, or of some of these.
func (h *asked) erases(rt *rapid.T) {
	s := analytics.Selection{
		UserIdentifier: rapid.SampledFrom([]string{"", "u1", "u2", "nobody"}).Draw(rt, "user"),
		EventType:      rapid.SampledFrom([]string{"", "view", "buy"}).Draw(rt, "type"),
	}
	if rapid.Bool().Draw(rt, "in a window") || s.UserIdentifier == "" && s.EventType == "" {
		s.Window.Start = analyticstest.Start.AddDate(0, 0, 1)
		s.Window.End = s.Window.Start.Add(30 * time.Hour)
	}
	erased := h.events.Between(s.Window.Start, s.Window.End)
	erased = slices.DeleteFunc(erased, func(e event.Event) bool {
		return s.UserIdentifier != "" && e.UserIdentifier != s.UserIdentifier || s.EventType != "" && e.Type != s.EventType
	})
	n, err := h.s.Events().Erase(h.t.Context(), ScopeOf(h.t, h.home.ID), event.Erasure{ID: NewID[id.Erasure](), RequestedAt: time.Now()}, s)
	if err != nil || n != int64(len(erased)) {
		rt.Fatalf("%+v: erased %d, %v, want %d", s, n, err, len(erased))
	}
	h.events = slices.DeleteFunc(h.events, func(e event.Event) bool {
		return slices.ContainsFunc(erased, func(o event.Event) bool { return o.ID == e.ID })
	})
	list, _, err := h.s.Events().Export(h.t.Context(), ScopeOf(h.t, h.home.ID), analytics.Selection{}, "", 1000)
	if err != nil || len(list) != len(h.events) {
		rt.Fatalf("%d events are left, %v, want %d", len(list), err, len(h.events))
	}
}

// expires deletes the events of the first days. Those that are about as old as is kept stay out of the way of the clock.
func (h *asked) expires() {
	const margin = time.Minute
	now := time.Now()
	days := int(now.Sub(analyticstest.Start.AddDate(0, 0, 2)) / (24 * time.Hour))
	cut := now.AddDate(0, 0, -days)
	if len(h.events.Between(cut.Add(-margin), cut.Add(margin))) > 0 {
		return
	}
	_, err := h.operator.Tenants().SetRetention(h.t.Context(), manage(h.t, h.home.ID), retention(h.t, days))
	must(h.t, err)
	work, err := access.Worker().Authorize(access.ExpireEvents, access.EveryTenant)
	must(h.t, err)
	for more := true; more; {
		_, more, err = h.s.Events().Expire(h.t.Context(), work, now, 1000)
		must(h.t, err)
	}
	_, err = h.operator.Tenants().SetRetention(h.t.Context(), manage(h.t, h.home.ID), tenant.Retention{})
	must(h.t, err)
	h.events = h.events.Between(cut, time.Time{})
}

func (h *asked) isAsked(rt *rapid.T) {
	requests := analyticstest.Filters(2).Draw(rt, "scope")
	filters, err := analytics.ParseFilters("filters", requests)
	must(h.t, err)
	scope := ScopeOf(h.t, h.home.ID).Narrowed(filters)
	for range 3 {
		analyticstest.Check(rt, h.events.Selected(requests...), func(q analytics.Question) {
			if _, err := h.s.Events().Answer(h.t.Context(), scope, q); err != nil {
				rt.Fatal(err)
			}
		})
	}
}
