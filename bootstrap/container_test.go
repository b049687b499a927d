package bootstrap_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// TestOnContainers runs the service on Postgres and Redis.
func TestOnContainers(t *testing.T) {
	postgres, redis := container.Postgres(t), container.Redis(t)
	on := func(t testing.TB) settings {
		ownerURL, serviceURL := postgres.Database(t)
		return settings{
			"DATABASE_URL": serviceURL, "MIGRATION_DATABASE_URL": ownerURL, "DATABASE_POOL_SIZE": "4", "REDIS_URL": redis.RedisURL(),
		}
	}
	pooled := func(t testing.TB) settings {
		s := on(t)
		s["DATABASE_URL"], s["DATABASE_POOL_SIZE"] = postgres.PgBouncer(t, s["DATABASE_URL"]), "20"
		return s
	}
	t.Run("end to end", func(t *testing.T) { endToEnd(t, on) })
	t.Run("partitions", func(t *testing.T) { testPartitions(t, on) })
	t.Run("replicas", func(t *testing.T) { testReplicas(t, on) })
	t.Run("migrating at once", func(t *testing.T) { testMigratingAtOnce(t, on) })
	t.Run("clock skew", func(t *testing.T) { testClockSkew(t, on) })
	t.Run("behind pgbouncer", func(t *testing.T) {
		container.Require(t, container.PgBouncerImage())
		for name, test := range map[string]func(*testing.T, backend){
			"registration": testRegistration, "rotation": testRotation, "matrix": testMatrix, "events": testEvents,
			"concurrent refreshes": testConcurrentRefresh, "export": testExport,
		} {
			t.Run(name, func(t *testing.T) { t.Parallel(); test(t, pooled) })
		}
	})
	t.Run("database errors at start", func(t *testing.T) { testStartErrors(t, postgres) })
	t.Run("wrong password while running", func(t *testing.T) { testPasswordChanged(t, on) })
	t.Run("changed rates and roles", func(t *testing.T) { testRatesChange(t, on) })
	t.Run("outcome unknown", func(t *testing.T) { testOutcomeUnknown(t, on) })
	t.Run("changes without an audit entry", func(t *testing.T) { testAuditFailure(t, on) })
	t.Run("backup", func(t *testing.T) { testBackup(t, on, postgres) })
	t.Run("service killed", func(t *testing.T) { testKill(t, on) })
	t.Run("pools", func(t *testing.T) { testPools(t, on, "query", "super_admin", "write") })
	t.Run("redis stopped", func(t *testing.T) { testRedisOutage(t, on, redis.Stop, redis.Start) })
	t.Run("redis paused", func(t *testing.T) { testRedisOutage(t, on, redis.Pause, redis.Unpause) })
	t.Run("postgres stopped", func(t *testing.T) { testPostgresOutage(t, on, postgres.Stop, postgres.Start) })
	t.Run("postgres paused", func(t *testing.T) { testPostgresOutage(t, on, postgres.Pause, postgres.Unpause) })
}

// testReplicas: two replicas share limits, sign-outs and refreshes.
func testReplicas(t *testing.T, on backend) {
	all := generous().with(on(t), settings{"RATE_LIMIT_VIEWER": "3/minute"})
	one := start(t, all)
	other := startAt(t, all, one.clock)
	slug := newSlug()
	p := one.newPerson(t, slug, access.Viewer)
	one.me(t, 200, p.access)
	other.me(t, 200, p.access)
	one.me(t, 200, p.access)
	other.me(t, 429, p.access)

	q := one.newPerson(t, slug, access.Analyst)
	other.me(t, 200, q.access)
	one.want(t, 204, request{method: "POST", path: api + "/auth/logout", token: q.access})
	other.me(t, 401, q.access)
	other.refresh(t, 401, q.refresh)

	r := one.newPerson(t, slug, access.Analyst)
	var (
		both sync.WaitGroup
		won  atomic.Int32
	)
	for i := range 8 {
		replica := []*service{one, other}[i%2]
		both.Go(func() {
			if replica.send(t, request{method: "POST", path: api + "/auth/refresh", body: map[string]string{"refresh_token": r.refresh}}).status == 200 {
				won.Add(1)
			}
		})
	}
	both.Wait()
	if won.Load() != 1 {
		t.Errorf("%d refreshes won over both replicas", won.Load())
	}
}

// testClockSkew: the grace period of a refresh token goes by the database's clock, also on a replica whose own clock is ahead.
func testClockSkew(t *testing.T, on backend) {
	all := generous().with(on(t), settings{"REFRESH_TOKEN_GRACE_SECONDS": "10"})
	one := start(t, all)
	clock := porttest.NewClock()
	clock.Advance(20 * time.Second)
	ahead := startAt(t, all, clock)
	p := one.newPerson(t, newSlug(), access.Viewer)
	next := one.refresh(t, 200, p.refresh)
	ahead.refresh(t, 401, p.refresh)
	one.me(t, 200, next.text(t, "access_token"))
	one.advance(t, 10*time.Second)
	ahead.refresh(t, 401, p.refresh) // which ends the session
	one.me(t, 401, next.text(t, "access_token"))
}

// testRatesChange: counting starts anew after the operator has changed a rate, and after a user's role has changed.
func testRatesChange(t *testing.T, on backend) {
	daily := generous().with(on(t), settings{"RATE_LIMIT_VIEWER": "3/day", "RATE_LIMIT_ANALYST": "3/day"})
	s := start(t, daily)
	slug := newSlug()
	p, promoted := s.newPerson(t, slug, access.Viewer), s.newPerson(t, slug, access.Viewer)
	for _, token := range []string{p.access, promoted.access} {
		for _, want := range []int{200, 200, 200, 429} {
			s.me(t, want, token)
		}
	}
	admin := s.newPerson(t, slug, access.Admin)
	s.want(t, 200, request{method: "PUT", path: api + "/users/" + string(promoted.user.ID) + "/role", token: admin.access, body: map[string]string{"role": "analyst"}})
	s.signIn(t, &promoted)
	s.me(t, 200, promoted.access)

	s = startAt(t, daily.with(settings{"RATE_LIMIT_VIEWER": "6/minute"}), s.clock)
	if a := s.me(t, 200, p.access); a.header.Get("X-RateLimit-Remaining") != "5" {
		t.Errorf("after the change %s requests are left", a.header.Get("X-RateLimit-Remaining"))
	}
}

// testAuditFailure: if the audit entry of a change can't be written, the change is rolled back (ASVS 16.2.1).
func testAuditFailure(t *testing.T, on backend) {
	all := generous().with(on(t))
	s := start(t, all)
	slug := newSlug()
	admin, p := s.newPerson(t, slug, access.Admin), s.newPerson(t, slug, access.Viewer)
	service, _ := roleIn(t, all["DATABASE_URL"])
	asOwner(t, all, `REVOKE INSERT ON audit_entries FROM "`+service+`"`)
	for _, r := range []request{
		{method: "PUT", path: api + "/users/" + string(p.user.ID) + "/role", token: admin.access, body: map[string]string{"role": "analyst"}},
		{method: "DELETE", path: api + "/users/" + string(p.user.ID), token: admin.access},
		{method: "POST", path: api + "/auth/password", token: p.access, body: map[string]string{"current_password": password, "new_password": "another Pass 2"}},
	} {
		if a := s.want(t, 500, r); strings.Contains(a.raw, "audit") {
			t.Errorf("the response shows internals: %s", a.raw)
		}
	}
	if a := s.me(t, 200, p.access); a.body["role"] != "viewer" || a.body["is_active"] != true {
		t.Errorf("a change was made without an audit entry: %s", a.raw)
	}
	s.signIn(t, &p) // with the old password; a sign-in is only logged
}

// load ingests events, each with its own key, and retries failures with the same key until they are acknowledged.
type load struct {
	url, token string
	workers    sync.WaitGroup
	stopping   chan struct{}
	end        func()

	mu           sync.Mutex
	acknowledged map[string]string // the id of the event by its key
	failures     map[string]int    // by status and code
}

// startLoad starts a load. It stops at the end of the test, or by end.
func startLoad(t *testing.T, url, token string) *load {
	l := &load{url: url, token: token, stopping: make(chan struct{}), acknowledged: map[string]string{}, failures: map[string]int{}}
	l.end = sync.OnceFunc(func() { close(l.stopping); l.workers.Wait() })
	for worker := range 8 {
		l.workers.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("%d-%d", worker, n)
				for !l.ingest(t, key) {
					select {
					case <-l.stopping:
						return
					case <-time.After(5 * time.Millisecond): // as a client waits before it retries
					}
				}
				select {
				case <-l.stopping:
					return
				default:
				}
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

// ingest sends one event and reports whether it was acknowledged.
func (l *load) ingest(t *testing.T, key string) bool {
	body := fmt.Sprintf(`{"event_type":"load","user_identifier":%q}`, key)
	q, err := http.NewRequest(http.MethodPost, l.url+api+"/analytics/events", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return false
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+l.token)
	q.Header.Set("Idempotency-Key", key)
	outcome := "no response"
	var answer struct{ ID, Code string }
	if response, err := client.Do(q); err == nil {
		err = json.NewDecoder(response.Body).Decode(&answer)
		_, _ = io.Copy(io.Discard, response.Body) // so that the connection can be used again
		_ = response.Body.Close()
		switch {
		case err == nil:
			outcome = fmt.Sprint(response.StatusCode, " ", answer.Code)
		case response.StatusCode == http.StatusBadGateway: // the load balancer's, which has no body
			outcome = "502"
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if outcome != "201 " && outcome != "200 " { // stored now, or by a request that was not answered
		l.failures[outcome]++
		return false
	}
	l.acknowledged[key] = answer.ID
	return true
}

// snapshot returns the events acknowledged so far.
func (l *load) snapshot() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.acknowledged)
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acknowledged)
}

// awaitMore waits until 200 more events have been acknowledged.
func (l *load) awaitMore(t *testing.T) {
	t.Helper()
	enough := l.count() + 200
	porttest.Eventually(t, "more acknowledged events", func() bool { return l.count() >= enough })
}

// failedOnly fails the test if a request failed with an outcome that is not allowed.
func (l *load) failedOnly(t *testing.T, allowed ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("%d acknowledged, failed %v", len(l.acknowledged), l.failures)
	for outcome, n := range l.failures {
		ok := false
		for _, a := range allowed {
			ok = ok || outcome == a
		}
		if !ok {
			t.Errorf("%d requests failed with %q", n, outcome)
		}
	}
}

// compare stops the load and compares the stored events with the acknowledged ones: none is lost and none is stored twice.
func (l *load) compare(t *testing.T, s *service) {
	t.Helper()
	l.end()
	export := s.want(t, 200, request{method: "GET", path: api + "/analytics/export", token: l.token})
	stored := map[string]string{}
	for line := range strings.Lines(export.raw) {
		var e struct {
			ID  string
			Key string `json:"user_identifier"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if _, twice := stored[e.Key]; twice {
			t.Errorf("the event %s is stored twice", e.Key)
		}
		stored[e.Key] = e.ID
	}
	lost := 0
	for key, id := range l.acknowledged {
		if stored[key] != id {
			lost++
		}
	}
	if lost > 0 || len(l.acknowledged) == 0 {
		t.Errorf("%d of %d acknowledged events are lost", lost, len(l.acknowledged))
	}
	t.Logf("%d acknowledged, %d stored", len(l.acknowledged), len(stored))
}

// testPostgresOutage: ASVS 16.5.2, 16.5.3.
func testPostgresOutage(t *testing.T, on backend, begin, end func(testing.TB)) {
	s := start(t, generous().with(on(t), settings{"DATABASE_STATEMENT_TIMEOUT_SECONDS": "1"}))
	p := s.newPerson(t, newSlug(), access.Analyst)
	l := startLoad(t, s.url, p.access)
	l.awaitMore(t)

	begin(t)
	s.untilReady(t, 503)
	s.wantUnavailable(t, p)
	s.want(t, 200, request{method: "GET", path: "/health/live"})
	s.me(t, 401, "garbage")

	end(t)
	s.untilReady(t, 200)
	l.awaitMore(t)
	l.compare(t, s)
	l.failedOnly(t, "503 unavailable", "503 outcome_unknown")
}

// testRedisOutage: no request fails, revoked tokens stay revoked, and the gauge and the log show each change once.
func testRedisOutage(t *testing.T, on backend, begin, end func(testing.TB)) {
	s := start(t, generous().with(on(t), settings{"METRICS_ADDRESS": freeAddress(t), "RATE_LIMIT_VIEWER": "5/minute"}))
	slug := newSlug()
	p, out, viewer := s.newPerson(t, slug, access.Analyst), s.newPerson(t, slug, access.Analyst), s.newPerson(t, slug, access.Viewer)
	gauge := func(want float64) {
		t.Helper()
		porttest.Eventually(t, fmt.Sprint("redis_up ", want), func() bool {
			m := s.metrics(t)
			for _, use := range []string{"limits", "revocation"} {
				if up := m.of("secure_data_api_redis_up", "use", use); len(up) != 1 || up[0].value != want {
					return false
				}
			}
			return true
		})
	}
	gauge(1)
	if c := s.metrics(t).of("secure_data_api_redis_connections"); len(c) != 2 || c[0].value+c[1].value == 0 {
		t.Errorf("connections to redis: %v", c)
	}
	l := startLoad(t, s.url, p.access)
	l.awaitMore(t)
	s.want(t, 204, request{method: "POST", path: api + "/auth/logout", token: out.access})

	begin(t)
	gauge(0)
	l.awaitMore(t)
	s.me(t, 401, out.access)
	s.signIn(t, &out)
	s.want(t, 204, request{method: "POST", path: api + "/auth/logout", token: out.access})
	s.me(t, 401, out.access)
	for range 5 {
		s.me(t, 200, viewer.access)
	}
	s.me(t, 429, viewer.access) // limits still apply

	end(t)
	gauge(1)
	l.awaitMore(t)
	s.me(t, 401, out.access)
	l.compare(t, s)
	l.failedOnly(t)
	for _, use := range []string{"limits", "revocation"} {
		if lines := strings.Count(s.log.String(), `"use":"`+use+`"`); lines != 2 {
			t.Errorf("redis for %s: %d log lines, want 2", use, lines)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// cutter is a proxy between the service and Postgres that can cut or silence connections.
type cutter struct {
	address  string
	atCommit atomic.Int32 // the verdict on the next COMMIT; Drop silences the proxy
	silent   atomic.Bool  // whether data from the service is dropped
	dropped  atomic.Int32 // number of dropped chunks
}

// newCutter starts a cutter to a server until the test ends.
func newCutter(t *testing.T, server string) *cutter {
	t.Helper()
	c := &cutter{}
	c.address = container.Proxy(t, server, func(chunk []byte) container.Verdict {
		verdict := container.Pass
		if bytes.Contains(chunk, []byte("COMMIT\x00")) {
			verdict = container.Verdict(c.atCommit.Swap(int32(container.Pass)))
		}
		if verdict == container.Drop {
			c.silent.Store(true)
		}
		if c.silent.Load() {
			c.dropped.Add(1)
			return container.Drop
		}
		return verdict
	}, func() {})
	return c
}

// testOutcomeUnknown cuts the connection to Postgres at a commit. The service answers 503 outcome_unknown, and after a retry with
// the same key the event is stored once.
func testOutcomeUnknown(t *testing.T, on backend) {
	all := generous().with(on(t))
	u := parse(t, all["DATABASE_URL"])
	cut := newCutter(t, u.Host)
	u.Host = cut.address
	s := start(t, all.with(settings{"DATABASE_URL": u.String()}))
	p := s.newPerson(t, newSlug(), access.Analyst)
	for name, at := range map[string]container.Verdict{"before": container.Cut, "after": container.CutOnAnswer} {
		r := request{method: "POST", path: api + "/analytics/events", token: p.access, body: map[string]any{"event_type": name, "user_identifier": "u"}}
		cut.atCommit.Store(int32(at))
		a := s.want(t, 503, r)
		key := a.header.Get("Idempotency-Key")
		if a.body["code"] != "outcome_unknown" || a.header.Get("Retry-After") == "" || key == "" {
			t.Fatalf("cut %s the commit: %v %s", name, a.header, a.raw)
		}
		list := request{method: "GET", path: api + "/analytics/events" + query("event_type", name), token: p.access}
		stored := strings.Count(s.want(t, 200, list).raw, `"id"`)
		if want := map[container.Verdict]int{container.Cut: 0, container.CutOnAnswer: 1}[at]; stored != want {
			t.Errorf("cut %s the commit, %d events are stored, want %d", name, stored, want)
		}
		r.header = map[string]string{"Idempotency-Key": key}
		s.want(t, map[container.Verdict]int{container.Cut: 201, container.CutOnAnswer: 200}[at], r)
		if n := strings.Count(s.want(t, 200, list).raw, `"id"`); n != 1 {
			t.Errorf("cut %s the commit and retried, %d events are stored", name, n)
		}
	}
}
