package bootstrap_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
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
	wantEvents(t, s, p, oldEvents)
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

// migrating is a process of 'migrate up'.
type migrating struct {
	*exec.Cmd
	output *bufio.Reader // of standard error
}

// migrateUp starts 'migrate up'.
func (p program) migrateUp(t *testing.T) *migrating {
	t.Helper()
	m := &migrating{Cmd: p.command(t, "migrate", "up")}
	output, err := m.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Process.Kill() }) // if the test fails early
	m.output = bufio.NewReader(output)
	return m
}

// begins waits until the process carries events over, and reports whether it does; otherwise it has ended.
func (m *migrating) begins(t *testing.T) bool {
	t.Helper()
	line, err := m.output.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return strings.Contains(line, "carrying events over")
}

// killed waits for the end of the process and reports whether it was killed. Any other failure fails the test.
func (m *migrating) killed(t *testing.T) bool {
	t.Helper()
	rest, err := io.ReadAll(m.output)
	if err != nil {
		t.Fatal(err)
	}
	err = m.Wait()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		t.Fatalf("%v: %s", err, rest)
	}
	return err != nil
}

// kill kills the process, unless it has ended.
func (m *migrating) kill(t *testing.T) {
	t.Helper()
	if err := m.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// wantEvents starts the service, and checks that it has so many events of a type.
func wantEvents(t *testing.T, s *service, p person, count int) {
	t.Helper()
	again := startAt(t, s.settings, s.clock)
	a := again.want(t, 200, request{method: "POST", path: api + "/analytics/query", token: p.access, body: map[string]string{"group_by": "event_type"}})
	if !strings.Contains(a.raw, `"count":`+strconv.Itoa(count)) || a.body["row_count"] != 1.0 {
		t.Errorf("of %d events there are: %s", count, a.raw)
	}
}

// TestKill_migrating kills 'migrate up' again and again while it carries events over, each time after more steps, and then finds
// every event.
func TestKill_migrating(t *testing.T) {
	s := start(t, generous().with(onSQLite(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	const count, step = 60_000, 5000
	rollBack(t, s, "00004_events")
	addOldEvents(t, s.settings, p.user.TenantID, count)
	file := strings.TrimSuffix(strings.TrimPrefix(s.settings["DATABASE_URL"], "sqlite://"), ".db") + "-events.db"
	events, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	carried := func() (n int) {
		if err := events.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM events").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	built := newProgram(t, s.settings)
	for steps := range 4 {
		m := built.migrateUp(t)
		if !m.begins(t) {
			t.Fatalf("nothing is left to carry over after it was killed %d times", steps)
		}
		until := carried() + steps*step
		porttest.Eventually(t, "steps", func() bool { return carried() >= until })
		m.kill(t)
		if !m.killed(t) {
			t.Fatalf("it had ended before it was killed after %d steps", steps)
		}
	}
	if m := built.migrateUp(t); !m.begins(t) || m.killed(t) {
		t.Error("it did not continue")
	}
	wantEvents(t, s, p, count)
}

// testMigratingAtOnce kills one of several processes that migrate the same database: another one takes over, one alone carries the
// events that are left, and all succeed.
func testMigratingAtOnce(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	const count = 60_000
	rollBack(t, s, "00004_events")
	addOldEvents(t, s.settings, p.user.TenantID, count)
	built := newProgram(t, s.settings)
	first := built.migrateUp(t)
	if !first.begins(t) {
		t.Fatal("the first one carries nothing over")
	}
	others := []*migrating{built.migrateUp(t), built.migrateUp(t)}
	first.kill(t)
	if !first.killed(t) {
		t.Error("the first one had ended before it was killed")
	}
	carrying := 0
	for _, m := range others {
		if m.begins(t) {
			carrying++
		}
		if m.killed(t) {
			t.Error("another one was killed")
		}
	}
	if carrying != 1 {
		t.Errorf("%d processes have carried the rest over, want 1", carrying)
	}
	wantEvents(t, s, p, count)
}
