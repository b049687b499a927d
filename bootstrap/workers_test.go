package bootstrap_test

import (
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// ticks returns a replacement of time.After that lets a worker, which waits for that long, begin its next run for each tick.
func ticks(interval time.Duration) (tick chan time.Time, after func(time.Duration) <-chan time.Time) {
	tick = make(chan time.Time)
	return tick, func(d time.Duration) <-chan time.Time {
		if d != interval {
			return nil
		}
		return tick
	}
}

// testRetention: events older than their tenant's retention, or than that of all, are deleted by the running service within the hour.
func testRetention(t *testing.T, on backend) {
	hour, after := ticks(time.Hour)
	clock := porttest.NewClock()
	clock.Advance(time.Until(clock.Now())) // a database may delete by its own clock
	s := startWith(t, generous().with(on(t), settings{"METRICS_ADDRESS": freeAddress(t)}), clock, after)
	p, other := s.newPerson(t, newSlug(), access.Analyst), s.newPerson(t, newSlug(), access.Analyst)
	ingest := func(who person, age int) {
		at := time.Now().AddDate(0, 0, -age).UTC().Format(time.RFC3339)
		draft := map[string]any{"event_type": "view", "user_identifier": "u", "occurred_at": at}
		s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: who.access, body: draft})
	}
	for _, age := range []int{40, 31, 29} {
		ingest(p, age)
		ingest(other, age)
	}
	ingest(other, 400)
	days := func(n int) tenant.Retention {
		r, err := tenant.NewRetention(n)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if _, err := s.operator().Tenants.SetRetention(t.Context(), access.Operator(), p.user.TenantID, days(30)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.operator().Tenants.SetPlatformRetention(t.Context(), access.Operator(), days(300)); err != nil {
		t.Fatal(err)
	}
	hour <- time.Time{}
	left := func(who person) int {
		return strings.Count(s.want(t, 200, request{method: "GET", path: api + "/analytics/events", token: who.access}).raw, "occurred_at")
	}
	porttest.Eventually(t, "the old events are gone", func() bool { return left(p) == 1 })
	porttest.Eventually(t, "of another tenant, what nobody keeps is gone", func() bool { return left(other) == 3 })
	counted := 3.0
	if s.settings["MIGRATION_DATABASE_URL"] != "" {
		counted = 2 // the month of the other tenant's was emptied as a whole
	}
	porttest.Eventually(t, "they are counted", func() bool {
		found := s.metrics(t).of("secure_data_api_events_expired_total")
		return len(found) == 1 && found[0].value == counted
	})
}

// testPartitions: a service on Postgres has partitions for 24 months; when they run out, the health check says so, and the service is
// ready all the same.
func testPartitions(t *testing.T, on backend) {
	hour, after := ticks(time.Hour)
	s := startWith(t, generous().with(on(t), settings{"METRICS_ADDRESS": freeAddress(t)}), porttest.NewClock(), after)
	monthsLeft := func(want float64) {
		t.Helper()
		porttest.Eventually(t, "months left", func() bool {
			found := s.metrics(t).of("secure_data_api_event_months_left")
			return len(found) == 1 && found[0].value == want
		})
	}
	monthsLeft(24)
	service, _ := roleIn(t, s.settings["DATABASE_URL"])
	asOwner(t, s.settings, `DO $$ DECLARE late text; BEGIN
			FOR late IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^events_\d{4}_\d\d$' ORDER BY relname DESC LIMIT 22 LOOP
				EXECUTE format('DROP TABLE %I', late);
			END LOOP;
		END $$; REVOKE EXECUTE ON FUNCTION add_event_partitions() FROM "`+service+`"`)
	hour <- time.Time{}
	monthsLeft(2)
	a := s.want(t, 200, request{method: "GET", path: "/health/ready"})
	if detail, _ := a.body["detail"].(string); a.body["status"] != "ready" || !strings.Contains(detail, "2 months") {
		t.Errorf("/health/ready: %s", a.raw)
	}
	asOwner(t, s.settings, `GRANT EXECUTE ON FUNCTION add_event_partitions() TO "`+service+`"`)
	hour <- time.Time{}
	monthsLeft(24)
	if a := s.want(t, 200, request{method: "GET", path: "/health/ready"}); a.body["detail"] != nil {
		t.Errorf("/health/ready: %s", a.raw)
	}
}
