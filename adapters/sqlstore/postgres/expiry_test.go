package postgres_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
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
	p.dropWhileLateEventsCome(t, tenant)
}

// dropWhileLateEventsCome drops while there is always an event again in a partition that was emptied.
func (p partitioned) dropWhileLateEventsCome(t *testing.T, tenant string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var adding sync.WaitGroup
	defer adding.Wait()
	done := make(chan struct{})
	defer close(done)
	added := make(chan struct{}, 1)
	adding.Go(func() {
		for {
			addEvent(t, p.admin, tenant, monthStart(-60))
			select {
			case added <- struct{}{}:
			case <-done:
				return
			default:
			}
		}
	})
	<-added
	if n, err := p.DropExpired(ctx); err != nil || n > 62 {
		t.Errorf("with late events: %d partitions, %v", n, err)
	}
}

// expiry is the result of a call of expire_events.
type expiry struct {
	deleted, failed int
	more            bool
}

// expire calls expire_events in a transaction of the service, after it has run the given statements there.
func (p partitioned) expire(t *testing.T, most int, before ...string) (e expiry) {
	t.Helper()
	tx := begin(t, p.service)
	for _, statement := range before {
		exec(t, tx, statement)
	}
	if err := tx.QueryRowContext(t.Context(), "SELECT deleted, failed, more FROM expire_events($1)", most).Scan(&e.deleted, &e.failed, &e.more); err != nil {
		t.Fatal(err)
	}
	if entered := scalar[string](t, tx, "SELECT COALESCE(current_setting('app.tenant_id', true), '')"); entered != "" {
		t.Errorf("afterwards it has entered %q", entered)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return e
}

// expireAll deletes until nothing is left, and returns how many rows the calls deleted, apart from those that deleted none.
func (p partitioned) expireAll(t *testing.T, most int) (deleted []int) {
	t.Helper()
	for more := true; more; {
		e := p.expire(t, most)
		if e.failed != 0 {
			t.Errorf("%d failures", e.failed)
		}
		if e.deleted > 0 {
			deleted = append(deleted, e.deleted)
		}
		more = e.more
	}
	return deleted
}

// testTenantRetention: of a tenant's retention and the platform's the shorter one holds, also across partitions, and other tenants
// keep their events.
func testTenantRetention(t *testing.T, p partitioned) {
	const day = 24 * time.Hour
	tenants := map[string]struct{ days, left, leftWithPlatform int }{
		"short": {30, 2, 2}, "long": {3650, 4, 3}, "without": {0, 5, 5},
	}
	ids := map[string]string{}
	for name, kept := range tenants {
		ids[name] = p.addTenant(t, kept.days)
		for _, age := range []time.Duration{0, 30*day - time.Hour, 30*day + time.Hour, 400 * day, 4000 * day} {
			addEvent(t, p.admin, ids[name], time.Now().Add(-age))
		}
	}
	if got, want := p.expireAll(t, 3), []int{3, 1}; !slices.Equal(got, want) {
		t.Errorf("the calls deleted %d rows, want %d", got, want)
	}
	for name, kept := range tenants {
		if n := p.eventsOf(t, ids[name]); n != kept.left {
			t.Errorf("%s: %d events, want %d", name, n, kept.left)
		}
	}
	exec(t, p.owner, "UPDATE retention SET days = 100")
	if got, want := p.expireAll(t, 3), []int{1}; !slices.Equal(got, want) {
		t.Errorf("with the platform's retention the calls deleted %d rows, want %d", got, want)
	}
	for name, kept := range tenants {
		if n := p.eventsOf(t, ids[name]); n != kept.leftWithPlatform {
			t.Errorf("%s, with the platform's retention: %d events, want %d", name, n, kept.leftWithPlatform)
		}
	}
	for _, change := range []string{"UPDATE retention SET days = $1", "UPDATE tenants SET retention_days = $1"} {
		exec(t, p.owner, change, tenant.MaxRetention)
		if _, err := p.owner.ExecContext(t.Context(), change, tenant.MaxRetention+1); !hasCode(err, checkViolation) {
			t.Errorf("%s with more than the longest: %v", change, err)
		}
	}
	for _, most := range []string{"0", "-1", "NULL", "-2147483648"} {
		if got := scalar[string](t, p.service, "SELECT expire_events("+most+")"); got != "(0,0,f)" {
			t.Errorf("%s: %s", most, got)
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
	if got, want := p.expireAll(t, 3), []int{3, 1}; !slices.Equal(got, want) {
		t.Errorf("the calls deleted %d rows, want %d", got, want)
	}
	if n := scalar[int](t, p.admin, "SELECT COUNT(*) FROM event_keys"); n != 4 {
		t.Errorf("%d keys are left", n)
	}
}

// testOneWorker: while one replica deletes, another does nothing and does not wait.
func testOneWorker(t *testing.T, p partitioned) {
	tenant := p.addTenant(t, 1)
	for i := range 2 {
		addEvent(t, p.admin, tenant, monthStart(-5).Add(time.Duration(i)*time.Hour))
	}
	exec(t, p.owner, "UPDATE retention SET days = 3650")
	working := begin(t, p.service)
	if got := scalar[string](t, working, "SELECT expire_events(1)"); got != "(1,0,t)" {
		t.Errorf("it returned %s", got)
	}
	if got := p.expire(t, 1); got != (expiry{}) {
		t.Errorf("another returned %+v", got)
	}
	if n, err := p.DropExpired(t.Context()); n != 0 || err != nil {
		t.Errorf("another dropped %d partitions, %v", n, err)
	}
}

// testFailedExpiry: a tenant or a key that can't be deleted does not keep what comes after it, and is deleted later. It is the same if
// the statement times out meanwhile.
func testFailedExpiry(t *testing.T, p partitioned) {
	tenants := []string{p.addTenant(t, 1), p.addTenant(t, 1), p.addTenant(t, 1)}
	slices.Sort(tenants)
	for _, tenant := range tenants {
		addEvent(t, p.admin, tenant, monthStart(-5))
	}
	exec(t, p.admin, "INSERT INTO event_keys SELECT $1, decode(repeat('00', 16), 'hex'), gen_random_uuid(), 0", tenants[0])
	locking := begin(t, p.admin)
	exec(t, locking, "SELECT FROM event_keys FOR UPDATE")
	exec(t, locking, "SELECT FROM events WHERE tenant_id = $1 FOR UPDATE", tenants[1])
	left := func(want ...int) {
		t.Helper()
		for i, tenant := range tenants {
			if n := p.eventsOf(t, tenant); n != want[i] {
				t.Errorf("tenant %d has %d events, want %d", i, n, want[i])
			}
		}
	}

	if got, want := p.expire(t, 1), (expiry{1, 1, true}); got != want {
		t.Errorf("without the key: %+v, want %+v", got, want)
	}
	left(0, 1, 1)
	if got, want := p.expire(t, 10, "SET LOCAL statement_timeout = '1500ms'"), (expiry{0, 2, true}); got != want {
		t.Errorf("timed out: %+v, want %+v", got, want)
	}
	left(0, 1, 1)
	if got, want := p.expire(t, 10), (expiry{1, 2, true}); got != want {
		t.Errorf("the tenant after it: %+v, want %+v", got, want)
	}
	left(0, 1, 0)
	if got, want := p.expire(t, 10), (expiry{0, 2, false}); got != want {
		t.Errorf("a whole round: %+v, want %+v", got, want)
	}
	if err := locking.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got, want := p.expireAll(t, 10), []int{2}; !slices.Equal(got, want) {
		t.Errorf("later the calls deleted %d rows, want %d", got, want)
	}
	left(0, 0, 0)
}

// testManyTenants: a call ends after half of the statement timeout, says that there is more, and the next one goes on with the other
// tenants.
func testManyTenants(t *testing.T, p partitioned) {
	const tenants, last = 50, "ffffffff-ffff-4fff-8fff-ffffffffffff"
	exec(t, p.admin, "INSERT INTO tenants (id, slug, created_at, retention_days) SELECT gen_random_uuid(), 'x' || i, now(), 1 FROM generate_series(1, $1) AS i", tenants)
	exec(t, p.admin, "INSERT INTO tenants (id, slug, created_at, retention_days) VALUES ($1, 'last', now(), 1)", last)
	addEvent(t, p.admin, last, monthStart(-5))
	var calls, empty, deleted int
	for more := true; more && calls <= 3*tenants; calls++ {
		tx := begin(t, p.service)
		var n int
		// Set within the statement, the timeout does not apply to this one.
		err := tx.QueryRowContext(t.Context(), "SELECT e.deleted, e.more FROM set_config('statement_timeout', '2', true), expire_events(10) AS e").Scan(&n, &more)
		if err == nil {
			err = tx.Commit()
		}
		if hasCode(err, "57014") { // the timeout applies to COMMIT
			more, n = true, 0
		} else if err != nil {
			t.Fatal(err)
		}
		if deleted == 0 && n == 0 {
			empty++
		}
		deleted += n
	}
	if n := p.eventsOf(t, last); n != 0 || empty == 0 || calls > 3*tenants {
		t.Errorf("after %d calls, the first %d of which deleted nothing, the last tenant has %d events", calls, empty, n)
	}
}
