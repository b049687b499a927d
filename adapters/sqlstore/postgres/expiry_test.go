package postgres_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

// testPlatformRetention: partitions are emptied when all their events are too old, and dropped when no event can come any more.
func testPlatformRetention(t *testing.T, p partitioned) {
	tenant := p.addTenant(t, 0)
	exec(t, p.owner, "DROP TABLE events_older")
	closed := monthStart(-62)
	exec(t, p.owner, "SELECT add_event_partition($1, quote_literal($2::text), $3)", partitionOf(closed), boundOf(closed), boundOf(monthStart(-61)))
	for _, at := range []time.Time{closed, monthStart(-61), monthStart(-5), monthStart(-4).Add(-time.Millisecond), monthStart(-1), time.Now()} {
		addEvent(t, p.admin, tenant, at)
	}
	drop := func(want, left int) {
		t.Helper()
		if n, err := p.DropExpired(t.Context()); err != nil || n != want {
			t.Errorf("%d partitions, want %d, %v", n, want, err)
		}
		if n := p.eventsOf(t, tenant); n != left {
			t.Errorf("%d events are left, want %d", n, left)
		}
	}
	drop(0, 6)
	exec(t, p.owner, "UPDATE retention SET days = ceil(extract(epoch FROM now() - $1) / 86400) - 1", monthStart(-5).AddDate(0, 0, 20))
	drop(2, 4) // the last partition with old events has newer ones, too
	if scalar[bool](t, p.admin, "SELECT to_regclass($1) IS NOT NULL", partitionOf(closed)) {
		t.Error("the partition of a month that is over is still there")
	}
	exec(t, p.owner, "UPDATE retention SET days = ceil(extract(epoch FROM now() - $1) / 86400) - 1", monthStart(-4))
	drop(1, 2)
	drop(0, 2)
	addEvent(t, p.admin, tenant, monthStart(-60)) // a late one
	drop(1, 2)
}

// expire deletes until nothing is left, and returns how many rows each call deleted.
func (p partitioned) expire(t *testing.T, most int) (deleted []int) {
	t.Helper()
	for {
		tx := begin(t, p.service)
		n := scalar[int](t, tx, "SELECT expire_events($1)", most)
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return deleted
		}
		deleted = append(deleted, n)
	}
}

// testTenantRetention: of a tenant's retention and the platform's the shorter one holds, also across partitions, and other tenants
// keep their events.
func testTenantRetention(t *testing.T, p partitioned) {
	const day = 24 * time.Hour
	tenants := map[string]struct{ days, left, leftWithPlatform int }{
		"short": {30, 2, 2}, "long": {3650, 4, 3}, "without": {0, 5, 5},
	}
	ids := map[string]string{}
	for name, tenant := range tenants {
		ids[name] = p.addTenant(t, tenant.days)
		for _, age := range []time.Duration{0, 30*day - time.Hour, 30*day + time.Hour, 400 * day, 4000 * day} {
			addEvent(t, p.admin, ids[name], time.Now().Add(-age))
		}
	}
	if got, want := p.expire(t, 3), []int{3, 1}; !slices.Equal(got, want) {
		t.Errorf("the calls deleted %d rows, want %d", got, want)
	}
	for name, tenant := range tenants {
		if n := p.eventsOf(t, ids[name]); n != tenant.left {
			t.Errorf("%s: %d events, want %d", name, n, tenant.left)
		}
	}
	exec(t, p.owner, "UPDATE retention SET days = 100")
	if got, want := p.expire(t, 3), []int{1}; !slices.Equal(got, want) {
		t.Errorf("with the platform's retention the calls deleted %d rows, want %d", got, want)
	}
	for name, tenant := range tenants {
		if n := p.eventsOf(t, ids[name]); n != tenant.leftWithPlatform {
			t.Errorf("%s, with the platform's retention: %d events, want %d", name, n, tenant.leftWithPlatform)
		}
	}
	for _, most := range []string{"0", "-1", "NULL", "-2147483648"} {
		if n := scalar[int](t, p.service, "SELECT expire_events("+most+")"); n != 0 {
			t.Errorf("%s: %d rows", most, n)
		}
	}
}

// testExpiredKeys: keys are deleted after they have expired, whatever the tenant's retention.
func testExpiredKeys(t *testing.T, p partitioned) {
	for _, days := range []int{0, 30} {
		tenant := p.addTenant(t, days)
		for _, age := range []time.Duration{0, 24 * time.Hour, 26 * time.Hour, 1000 * time.Hour} {
			key := uuid.New()
			exec(t, p.admin, "INSERT INTO event_keys VALUES ($1, $2, gen_random_uuid(), $3)", tenant, key[:], time.Now().Add(-age).UnixMicro())
		}
	}
	if got, want := p.expire(t, 3), []int{3, 1}; !slices.Equal(got, want) {
		t.Errorf("the calls deleted %d rows, want %d", got, want)
	}
	if n := scalar[int](t, p.admin, "SELECT COUNT(*) FROM event_keys"); n != 4 {
		t.Errorf("%d keys are left", n)
	}
}

// testOneWorker: while one replica deletes, another does nothing and does not wait.
func testOneWorker(t *testing.T, p partitioned) {
	tenant := p.addTenant(t, 1)
	for range 2 {
		addEvent(t, p.admin, tenant, monthStart(-5))
	}
	exec(t, p.owner, "UPDATE retention SET days = 3650")
	working := begin(t, p.service)
	if n := scalar[int](t, working, "SELECT expire_events(1)"); n != 1 {
		t.Errorf("it deleted %d rows", n)
	}
	if n := scalar[int](t, p.service, "SELECT expire_events(1)"); n != 0 {
		t.Errorf("another deleted %d rows", n)
	}
	if n, err := p.DropExpired(t.Context()); n != 0 || err != nil {
		t.Errorf("another dropped %d partitions, %v", n, err)
	}
}

// testFailedExpiry: after a call that was cut off no tenant is entered but the caller's, and after one that was not, none.
func testFailedExpiry(t *testing.T, p partitioned) {
	tenant, other := p.addTenant(t, 1), p.addTenant(t, 0)
	expired := addEvent(t, p.admin, tenant, monthStart(-5))
	locking := begin(t, p.admin)
	exec(t, locking, "SELECT FROM events WHERE id = '"+expired+"' FOR UPDATE")
	calling := begin(t, p.service)
	exec(t, calling, "SET LOCAL lock_timeout = '10ms'")
	exec(t, calling, "SET LOCAL app.tenant_id = '"+other+"'")
	exec(t, calling, "SAVEPOINT before")
	if _, err := calling.ExecContext(t.Context(), "SELECT expire_events(10)"); !hasCode(err, lockNotAvailable) {
		t.Errorf("while the row is locked: %v", err)
	}
	exec(t, calling, "ROLLBACK TO before")
	if entered := scalar[string](t, calling, "SHOW app.tenant_id"); entered != other {
		t.Errorf("after an error it has entered %q", entered)
	}
	if err := locking.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n := scalar[int](t, calling, "SELECT expire_events(10)"); n != 1 {
		t.Errorf("it deleted %d rows", n)
	}
	if entered := scalar[string](t, calling, "SHOW app.tenant_id"); entered != "" {
		t.Errorf("afterwards it has entered %q", entered)
	}
}

// testManyTenants: a call ends after half of the statement timeout, and the next one goes on with the other tenants.
func testManyTenants(t *testing.T, p partitioned) {
	const tenants, last = 50, "ffffffff-ffff-4fff-8fff-ffffffffffff"
	exec(t, p.admin, "INSERT INTO tenants (id, slug, created_at, retention_days) SELECT gen_random_uuid(), 'x' || i, now(), 1 FROM generate_series(1, $1) AS i", tenants)
	exec(t, p.admin, "INSERT INTO tenants (id, slug, created_at, retention_days) VALUES ($1, 'last', now(), 1)", last)
	addEvent(t, p.admin, last, monthStart(-5))
	calls := 0
	for deleted := 0; deleted == 0 && calls <= tenants; calls++ {
		tx := begin(t, p.service)
		// Set within the statement, it does not apply to this one.
		deleted = scalar[int](t, tx, "SELECT expire_events(10) FROM set_config('statement_timeout', '2', true)")
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.eventsOf(t, last); n != 0 || calls < 2 {
		t.Errorf("after %d calls the last tenant has %d events", calls, n)
	}
}
