package postgres_test

import (
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// testDeletedMeanwhile: an event that is sent again, and deleted before the statement that found it has ended, is stored anew.
func testDeletedMeanwhile(t *testing.T, p partitioned) {
	home := id.Tenant(p.addTenant(t, 0))
	now := time.Now().UTC().Truncate(time.Microsecond)
	again := event.Event{ID: id.Event(addEvent(t, p.admin, string(home), now)), TenantID: home, Type: "view", UserIdentifier: "u", OccurredAt: now}
	other := again
	other.ID = id.Event(boundOf(now.Add(time.Minute))) // after the first, in the order of ids

	adding := begin(t, p.admin)
	exec(t, adding, "INSERT INTO events (tenant_id, id, occurred_at, event_type, user_identifier) VALUES ($1, $2, $3, 'view', 'u')",
		home, other.ID, other.OccurredAt.UnixMicro())
	type result struct {
		outcomes []event.Outcome
		err      error
	}
	ingested := make(chan result, 1)
	go func() {
		outcomes, err := p.Events().Ingest(t.Context(), porttest.ScopeOf(t, home), event.Batch{Entries: []event.Entry{{Event: again}, {Event: other}}, At: now})
		ingested <- result{outcomes, err}
	}()
	porttest.Eventually(t, "the second event waits for its key", func() bool {
		return scalar[bool](t, p.admin, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO events%')")
	})
	exec(t, p.admin, "DELETE FROM events WHERE tenant_id = $1 AND id = $2", home, again.ID)
	if err := adding.Commit(); err != nil {
		t.Fatal(err)
	}
	r := <-ingested
	if r.err != nil {
		t.Fatal(r.err)
	}
	if first, second := r.outcomes[0].Status, r.outcomes[1].Status; first != event.Stored || second != event.Duplicate {
		t.Errorf("the event that was deleted is %d, and the other %d", first, second)
	}
	if n := p.eventsOf(t, string(home)); n != 2 {
		t.Errorf("%d events are stored", n)
	}
}

// testOlderReplica: a replica of a version before 7, which stores no deltas, can read events but not store any.
func testOlderReplica(t *testing.T, p partitioned) {
	home := p.addTenant(t, 0)
	addEvent(t, p.admin, home, time.Now())
	for entered, want := range map[string]bool{home: false, "{" + home + "}": true} {
		tx := begin(t, p.service)
		exec(t, tx, "SET LOCAL app.tenant_id = '"+entered+"'")
		if n := scalar[int](t, tx, "SELECT COUNT(*) FROM events"); n != 1 {
			t.Errorf("entered as %s, it sees %d events", entered, n)
		}
		_, err := tx.ExecContext(t.Context(), "INSERT INTO events (tenant_id, id, occurred_at, event_type, user_identifier) VALUES ($1, $2, 0, 'x', 'u')",
			home, boundOf(time.Now()))
		if want && err != nil || !want && !hasCode(err, "42501") {
			t.Errorf("entered as %s, storing an event: %v", entered, err)
		}
		_ = tx.Rollback()
	}
}
