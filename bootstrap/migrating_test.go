package bootstrap_test

import (
	"bufio"
	"context"
	"database/sql"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// oldEvents are more than one step of carrying them over.
const oldEvents = 12_000

// testMigrating starts the service on a schema that is older by a version that carries events over: meanwhile it is alive, not ready
// and refuses what needs the database. Stopped and started again, it continues, and loses no event.
func testMigrating(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	rollBack(t, s, "00004_events")
	addOldEvents(t, s.settings, p.user.TenantID, oldEvents)

	output := &gatedLog{log: s.log, at: `"event":"carrying events over"`, reached: make(chan struct{}), open: make(chan struct{})}
	pass := sync.OnceFunc(func() { close(output.open) })
	t.Cleanup(pass)
	host, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	at := make(chan time.Time) // whatever is waited for has come
	close(at)
	app := open(t, s.settings.with(settings{"HOST": host, "PORT": port}), bootstrap.Runtime{
		Output: output, Version: "test", Clock: s.clock, After: func(time.Duration) <-chan time.Time { return at }, Serving: true,
	})
	s.url = "http://" + net.JoinHostPort(host, port)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- app.Serve(ctx, func(net.Addr) { t.Error("it claims to be ready") }) }()
	select {
	case <-output.reached:
	case err := <-served:
		t.Fatal(err)
	}
	s.want(t, 200, request{method: "GET", path: "/health/live"})
	s.want(t, 200, request{method: "GET", path: "/"})
	for _, path := range []string{"/health/ready", "/health"} {
		a := s.want(t, 503, request{method: "GET", path: path})
		if a.body["status"] != "migrating" || a.body["detail"] != "carrying events over: 0 of 12,000" {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
	for _, r := range []request{
		{method: "GET", path: api + "/auth/me", token: p.access},
		{method: "POST", path: api + "/auth/login", body: credentials(p.email, password)},
		{method: "POST", path: api + "/analytics/events", token: p.access, body: anEventDraft()},
	} {
		if a := s.want(t, 503, r); a.body["code"] != "migrating" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %v %s", r.path, a.header, a.raw)
		}
	}

	cancel() // it stops after the step that it is in
	pass()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := app.Close(); err != nil {
		t.Error(err)
	}
	again := startAt(t, s.settings, s.clock)
	a := again.want(t, 200, request{method: "POST", path: api + "/analytics/query", token: p.access, body: map[string]string{"group_by": "event_type"}})
	if !strings.Contains(a.raw, `"count":`+strconv.Itoa(oldEvents)) || a.body["row_count"] != 1.0 {
		t.Errorf("of %d events there are: %s", oldEvents, a.raw)
	}
}

// gatedLog is a log that waits when a line is written for the first time.
type gatedLog struct {
	*log
	at            string
	once          sync.Once
	reached, open chan struct{}
}

func (g *gatedLog) Write(line []byte) (int, error) {
	if strings.Contains(string(line), g.at) {
		g.once.Do(func() {
			close(g.reached)
			<-g.open
		})
	}
	return g.log.Write(line)
}

// rollBack rolls the schema of a stopped service back until the version whose name begins so is gone.
func rollBack(t *testing.T, s *service, version string) {
	t.Helper()
	database := "data.db"
	if migrating := s.settings["MIGRATION_DATABASE_URL"]; migrating != "" {
		_, database = roleIn(t, migrating)
	}
	app := s.operator()
	for name := ""; !strings.HasPrefix(name, version); {
		var err error
		if name, err = app.MigrateDown(t.Context(), database); err != nil || name == "" {
			t.Fatalf("rolled back: %q, %v", name, err)
		}
	}
}

// addOldEvents stores events of a tenant as schema 3 does.
func addOldEvents(t *testing.T, s settings, tenant id.Tenant, count int) {
	t.Helper()
	if s["MIGRATION_DATABASE_URL"] != "" {
		asOwner(t, s, `ALTER TABLE events NO FORCE ROW LEVEL SECURITY;
			INSERT INTO events (tenant_id, id, event_type, user_identifier, occurred_at)
				SELECT '`+string(tenant)+`', gen_random_uuid(), 'old', 'u', '2024-01-01Z'::timestamptz + n * interval '1 minute'
				FROM generate_series(1, `+strconv.Itoa(count)+`) AS n;
			ALTER TABLE events FORCE ROW LEVEL SECURITY`)
		return
	}
	db, err := sql.Open("sqlite", strings.TrimPrefix(s["DATABASE_URL"], "sqlite://"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
		INSERT INTO events (tenant_id, id, event_type, user_identifier, occurred_at)
		SELECT ?, printf('00000000-0000-7000-8000-%012x', n), 'old', 'u', strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2024-01-01', n || ' minutes') FROM numbers`,
		count, tenant)
	if err != nil {
		t.Fatal(err)
	}
}

// TestKill_migrating kills 'migrate up' again and again while it carries events over, at another point each time, and then finds
// every event.
func TestKill_migrating(t *testing.T) {
	s := start(t, generous().with(onSQLite(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	const count = 60_000
	rollBack(t, s, "00004_events")
	addOldEvents(t, s.settings, p.user.TenantID, count)
	built := newProgram(t, s.settings)
	killed := 0
	for running := true; running; {
		migrating := built.command(t, "migrate", "up")
		output, err := migrating.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := migrating.Start(); err != nil {
			t.Fatal(err)
		}
		reader := bufio.NewReader(output)
		if _, err := reader.ReadString('\n'); err == nil && killed < 5 { // it has begun
			killed++
			<-time.After(time.Duration(killed*killed) * 11 * time.Millisecond)
			if err := migrating.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		rest, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := migrating.Wait(); err == nil {
			running = false
		} else if !strings.Contains(err.Error(), "killed") {
			t.Fatalf("%v: %s", err, rest)
		}
	}
	if killed < 2 {
		t.Errorf("it was killed %d times only", killed)
	}
	again := startAt(t, s.settings, s.clock)
	a := again.want(t, 200, request{method: "POST", path: api + "/analytics/query", token: p.access, body: map[string]string{"group_by": "event_type"}})
	if !strings.Contains(a.raw, `"count":`+strconv.Itoa(count)) {
		t.Errorf("of %d events there are: %s", count, a.raw)
	}
}
