package bootstrap_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

func TestNoisyNeighbour(t *testing.T) { testNoisyNeighbour(t, onSQLite) }

// TestNoisyNeighbourOnContainer is the same on Postgres, with tests of how statements are cancelled there.
func TestNoisyNeighbourOnContainer(t *testing.T) {
	postgres := container.Postgres(t)
	on := func(t testing.TB) settings {
		ownerURL, serviceURL := postgres.Database(t)
		return settings{"DATABASE_URL": serviceURL, "MIGRATION_DATABASE_URL": ownerURL, "DATABASE_POOL_SIZE": "4"}
	}
	t.Run("noisy neighbour", func(t *testing.T) { testNoisyNeighbour(t, on) })
	t.Run("client disconnects", func(t *testing.T) { testDisconnectPostgres(t, on) })
	t.Run("query too expensive", func(t *testing.T) { testTooExpensivePostgres(t, on) })
	t.Run("client disconnects while the database is silent", func(t *testing.T) { testDisconnectSilent(t, on) })
	t.Run("client disconnects while the database is silent at a commit", func(t *testing.T) { testDisconnectSilentCommit(t, on) })
}

// openDatabase opens the database of a service as the owner of the tables.
func openDatabase(t testing.TB, s settings) (db *sql.DB, sqlite bool) {
	t.Helper()
	path, sqlite := strings.CutPrefix(s["DATABASE_URL"], "sqlite://")
	driver, source := "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	if !sqlite {
		driver, source = "postgres", s["MIGRATION_DATABASE_URL"]
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, sqlite
}

// openEvents opens the database that has the events.
func openEvents(t testing.TB, s settings) (db *sql.DB, sqlite bool) {
	t.Helper()
	if url := s["DATABASE_URL"]; strings.HasPrefix(url, "sqlite:") {
		s = s.with(settings{"DATABASE_URL": eventsFileOf(url)})
	}
	return openDatabase(t, s)
}

// eventsFileOf returns the path of the file of events beside that of identities.
func eventsFileOf(path string) string { return strings.TrimSuffix(path, ".db") + "-events.db" }

// fill adds events of the last 90 days to a tenant, directly in the database.
func fill(t testing.TB, s settings, tenant id.Tenant, events int) {
	t.Helper()
	db, sqlite := openEvents(t, s)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	const into = "INSERT INTO events (tenant_id, id, event_type, user_identifier, value, source, occurred_at) "
	const values = "'type-' || (i % 20), 'user-' || (i * 7919 % 5000), i % 100, 'source-' || (i % 4), at * 1000 "
	insert := into + `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2),
		e(i, at) AS (SELECT i, (unixepoch() - i * 7919 % 7700000) * 1000 FROM n)
		SELECT unhex($1, '-'), unhex(printf('%012x80008000%012x', at, i)), ` + values + `FROM e`
	if !sqlite {
		if _, err := tx.ExecContext(t.Context(), "SELECT set_config('app.tenant_id', $1, true)", "{"+tenant+"}"); err != nil {
			t.Fatal(err)
		}
		insert = into + `SELECT $1::uuid, (lpad(to_hex(at), 12, '0') || '80008000' || lpad(to_hex(i), 12, '0'))::uuid, ` + values + `
			FROM (SELECT i, (extract(epoch FROM now())::bigint - i * 7919 % 7700000) * 1000 AS at FROM generate_series(1, $2::bigint) AS i) AS e`
	}
	if _, err := tx.ExecContext(t.Context(), insert, string(tenant), events); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func summary(token string) request {
	return request{method: "GET", path: api + "/analytics/metrics/summary" + query("period", "90d"), token: token}
}

// testNoisyNeighbour: while one tenant sends more queries than the service can execute, some of these are refused with 429, and
// other tenants are not affected.
func testNoisyNeighbour(t *testing.T, on backend) {
	all := generous().with(on(t), settings{"QUERIES_AT_ONCE": "1", "QUERY_QUEUE": "1"})
	s := start(t, all)
	a, b := s.newPerson(t, newSlug(), access.Viewer), s.newPerson(t, newSlug(), access.Analyst)
	fill(t, all, a.user.TenantID, 10_000)
	var (
		clients         sync.WaitGroup
		served, refused atomic.Int32
		stop            atomic.Bool
	)
	defer clients.Wait()
	defer stop.Store(true)
	for range 4 {
		clients.Go(func() {
			for !stop.Load() {
				switch answer := s.send(t, summary(a.access)); {
				case answer.status == 200:
					served.Add(1)
				case answer.status == 429 && answer.body["code"] == "too_many_queries" && answer.header.Get("Retry-After") != "":
					refused.Add(1)
				default:
					t.Errorf("a query was answered %d %v %s", answer.status, answer.header, answer.raw)
				}
			}
		})
	}
	porttest.Eventually(t, "one query is served and another refused", func() bool { return served.Load() > 0 && refused.Load() > 0 })
	for range 3 {
		s.signIn(t, &b)
		s.me(t, 200, b.access)
		s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: b.access, body: anEventDraft()})
		s.want(t, 200, request{method: "GET", path: "/health/ready"})
	}
	s.want(t, 200, summary(b.access)) // tenants take turns: it does not wait for all of the other's
}

// begin sends a request, and returns a channel for its status, which is closed without one if the context ends.
func (s *service) begin(ctx context.Context, t *testing.T, r request) <-chan int {
	t.Helper()
	var body bytes.Buffer
	if r.body != nil {
		if err := json.NewEncoder(&body).Encode(r.body); err != nil {
			t.Fatal(err)
		}
	}
	q, err := http.NewRequestWithContext(ctx, r.method, s.url+r.path, &body)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+r.token)
	q.Header.Set("Content-Type", "application/json")
	status := make(chan int, 1)
	go func() {
		defer close(status)
		if response, err := client.Do(q); err == nil {
			_ = response.Body.Close()
			status <- response.StatusCode
		}
	}()
	return status
}

// disconnect sends a request and closes the connection before the response, once the request has arrived.
func (s *service) disconnect(t *testing.T, r request, arrived func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answer := s.begin(ctx, t, r)
	porttest.Eventually(t, "the request arrives", arrived)
	cancel()
	wantStatus(t, <-answer, 0)
}

func wantStatus(t *testing.T, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("it was answered %d, want %d", got, want)
	}
}

// wantGone expects that a request whose client has gone ends within a time, is logged as 499, and logs no error.
func (s *service) wantGone(t *testing.T, within time.Duration) {
	t.Helper()
	began := time.Now()
	porttest.Eventually(t, "the request ends", func() bool {
		for _, line := range s.log.lines(t, "http.request") {
			if line["status_code"] == 499.0 {
				return true
			}
		}
		return false
	})
	if took := time.Since(began); took > within {
		t.Errorf("it ended after %s", took)
	}
	for _, event := range []string{"unexpected error", "dependency unavailable"} {
		if lines := s.log.lines(t, event); len(lines) > 0 {
			t.Errorf("the log has %v", lines)
		}
	}
}

// endlessEvents replaces events by a view with endless rows of a tenant, until the returned function is called.
func endlessEvents(t *testing.T, s settings, tenant id.Tenant) (end func()) {
	t.Helper()
	db, _ := openEvents(t, s)
	run := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	run("ALTER TABLE events RENAME TO stored", `CREATE VIEW events AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
		SELECT unhex('`+string(tenant)+`', '-') AS tenant_id, unhex(printf('%012x80008000%012x', unixepoch('now', '-1 day') * 1000, i)) AS id,
			't' AS event_type, 'u' AS user_identifier, NULL AS session_id, 1.0 AS value, 's' AS source, NULL AS properties,
			unixepoch('now', '-1 day') * 1000000 AS occurred_at FROM n`)
	return func() { run("DROP VIEW events", "ALTER TABLE stored RENAME TO events") }
}

// TestEndlessQueries: while endless queries, more than there are connections, are running, other users can sign in and are
// authenticated, and the service is ready.
func TestEndlessQueries(t *testing.T) {
	all := generous().with(onSQLite(t))
	s := start(t, all)
	a, b := s.newPerson(t, newSlug(), access.Viewer), s.newPerson(t, newSlug(), access.Viewer)
	defer endlessEvents(t, all, a.user.TenantID)()
	ctx, cancel := context.WithCancel(t.Context())
	var answers []<-chan int
	for range 20 {
		answers = append(answers, s.begin(ctx, t, summary(a.access)))
	}
	for range 5 {
		s.signIn(t, &b)
		s.me(t, 200, b.access)
		s.want(t, 200, request{method: "GET", path: "/health/ready"})
	}
	cancel()
	for _, answer := range answers {
		if status := <-answer; status != 0 && status != 429 {
			t.Errorf("an endless query was answered %d", status)
		}
	}
}

// TestDisconnect: an endless query is cancelled when its client disconnects, which frees its slot.
func TestDisconnect(t *testing.T) {
	all := generous().with(onSQLite(t), settings{"QUERIES_AT_ONCE": "1", "QUERY_QUEUE": "0"})
	s := start(t, all)
	p := s.newPerson(t, newSlug(), access.Analyst)
	end := endlessEvents(t, all, p.user.TenantID)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	withBody := summary(p.access)
	withBody.body = map[string]any{} // which the handler does not read
	one, other := s.begin(ctx, t, withBody), s.begin(ctx, t, withBody)
	select { // there is one slot
	case status := <-one:
		one = other
		wantStatus(t, status, 429)
	case status := <-other:
		wantStatus(t, status, 429)
	}
	for _, path := range []string{"/analytics/events", "/analytics/export"} {
		if a := s.want(t, 429, request{method: "GET", path: api + path, token: p.access}); a.body["code"] != "too_many_queries" {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
	if lines := s.log.lines(t, "analytics.exported"); len(lines) > 0 {
		t.Errorf("a refused export is recorded: %v", lines)
	}
	cancel()
	wantStatus(t, <-one, 0)
	s.wantGone(t, 3*time.Second)
	end()
	s.want(t, 200, summary(p.access))
}

// TestExportReleasesSlot: an export whose client does not read holds no slot.
func TestExportReleasesSlot(t *testing.T) {
	all := generous().with(onSQLite(t), settings{"QUERIES_AT_ONCE": "1", "QUERY_QUEUE": "1"})
	s := start(t, all)
	p := s.newPerson(t, newSlug(), access.Analyst)
	const many = 20_000 // more than fit into the buffers of the connection
	slow := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return c, c.(*net.TCPConn).SetReadBuffer(64 << 10)
	}}}
	defer slow.CloseIdleConnections()
	fill(t, all, p.user.TenantID, many)
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+api+"/analytics/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+p.access)
	response, err := slow.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	s.want(t, 200, summary(p.access))
	lines := 0
	for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
		lines++
	}
	if lines != many {
		t.Errorf("%d lines, want %d", lines, many)
	}
}

// lockEvents locks the table events until the test ends, so that statements on it wait.
func lockEvents(t *testing.T, s settings) *sql.DB {
	t.Helper()
	db, _ := openDatabase(t, s)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE events IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	return db
}

func testDisconnectPostgres(t *testing.T, on backend) {
	all := generous().with(on(t))
	s := start(t, all)
	p := s.newPerson(t, newSlug(), access.Analyst)
	db := lockEvents(t, all)
	active := func() (n int) {
		t.Helper()
		const ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'secure-data-api' AND state = 'active'"
		if err := db.QueryRowContext(t.Context(), ours).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	s.disconnect(t, summary(p.access), func() bool { return active() == 1 })
	began := time.Now()
	porttest.Eventually(t, "the statement is cancelled", func() bool { return active() == 0 })
	if took := time.Since(began); took > 3*time.Second { // a few milliseconds on an idle machine
		t.Errorf("the statement was cancelled after %s", took)
	}
	s.wantGone(t, 3*time.Second)
}

// testTooExpensivePostgres: a query that times out is 422, since a retry would not help; an export is 503.
func testTooExpensivePostgres(t *testing.T, on backend) {
	all := generous().with(on(t), settings{"DATABASE_STATEMENT_TIMEOUT_SECONDS": "1"})
	s := start(t, all)
	p := s.newPerson(t, newSlug(), access.Analyst)
	lockEvents(t, all)
	for _, r := range []request{
		summary(p.access), {method: "POST", path: api + "/analytics/query", token: p.access, body: map[string]any{}},
		{method: "GET", path: api + "/analytics/events", token: p.access},
	} {
		a := s.want(t, 422, r)
		if _, again := a.header["Retry-After"]; a.body["code"] != "query_too_expensive" || again {
			t.Errorf("%s: %v %s", r.path, a.header, a.raw)
		}
	}
	a := s.want(t, 503, request{method: "GET", path: api + "/analytics/export", token: p.access})
	if a.body["code"] != "unavailable" || a.header.Get("Retry-After") == "" {
		t.Errorf("an export: %v %s", a.header, a.raw)
	}
	if lines := s.log.lines(t, "analytics.exported"); len(lines) > 0 {
		t.Errorf("an export that did not begin is recorded: %v", lines)
	}
}

// testDisconnectSilent: a request ends when its client disconnects, also while the database is silent.
func testDisconnectSilent(t *testing.T, on backend) {
	s, cut := startBehindCutter(t, on)
	p := s.newPerson(t, newSlug(), access.Viewer)
	cut.silent.Store(true)
	s.disconnect(t, request{method: "GET", path: api + "/auth/me", token: p.access}, func() bool { return cut.dropped.Load() > 0 })
	s.wantGone(t, 5*time.Second) // less than the statement timeout
	cut.silent.Store(false)
	s.worksAgain(t, p)
}

// testDisconnectSilentCommit: so does a request that waits for a commit.
func testDisconnectSilentCommit(t *testing.T, on backend) {
	s, cut := startBehindCutter(t, on)
	p := s.newPerson(t, newSlug(), access.Analyst)
	cut.atCommit.Store(int32(container.Drop))
	s.disconnect(t, request{method: "POST", path: api + "/analytics/events", token: p.access, body: anEventDraft()},
		func() bool { return cut.dropped.Load() > 0 })
	began := time.Now()
	porttest.Eventually(t, "the request ends", func() bool {
		lines := s.log.lines(t, "http.request")
		return lines[len(lines)-1]["path"] == api+"/analytics/events"
	})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it ended after %s", took)
	}
	cut.silent.Store(false)
	s.worksAgain(t, p)
}

// startBehindCutter runs a service behind a proxy that can silence its database, with a statement timeout of 6 s.
func startBehindCutter(t *testing.T, on backend) (*service, *cutter) {
	t.Helper()
	all := generous().with(on(t), settings{"DATABASE_STATEMENT_TIMEOUT_SECONDS": "6"})
	u := parse(t, all["DATABASE_URL"])
	cut := newCutter(t, u.Host)
	u.Host = cut.address
	return start(t, all.with(settings{"DATABASE_URL": u.String()})), cut
}

// worksAgain waits until the service is ready, and authenticates a user.
func (s *service) worksAgain(t *testing.T, p person) {
	t.Helper()
	s.untilReady(t, 200)
	s.me(t, 200, p.access)
}
