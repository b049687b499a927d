package events

import (
	"slices"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// TestBacklog: a tenant is due once much waits, or for long, and when it is met with work; after a failure it is put off.
func TestBacklog(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b := newBacklog()
	due := func(at time.Time, want ...id.Tenant) {
		t.Helper()
		got := b.due(at)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("after %s %v is due, want %v", at.Sub(now), got, want)
		}
	}
	for tenant, events := range map[id.Tenant]int64{"few": 1, "many": dueEvents} {
		b.visit(tenant, now)
		b.add(tenant, events, 1, now)
	}
	due(now, "many")
	due(now.Add(dueAge+time.Second), "few", "many")
	b.visit("many", now)
	b.meet("met", &manifest{coveredFrom: 1})
	due(now, "met")
	known := b.visit("met", now)
	due(now)
	b.putOff("met", known, now)
	due(now)
	due(now.Add(dueAge), "met")
	b.visit("met", now)
	b.again("met")
	due(now, "met")
	b.visit("met", now)
	due(now.Add(quiet+time.Second), "few", "many", "met")

	s := Store{backlog: b}
	if events, oldest := s.Backlog(); events != 1 || !oldest.Equal(now) {
		t.Errorf("%d events wait since %s", events, oldest)
	}
	b.visit("few", now)
	if events, oldest := s.Backlog(); events != 0 || !oldest.IsZero() {
		t.Errorf("%d events wait since %s", events, oldest)
	}
}
