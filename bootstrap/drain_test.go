package bootstrap_test

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// TestDrain: told to stop, the service says that it is not ready, and goes on answering until balancers have seen it.
func TestDrain(t *testing.T) {
	asked, over := make(chan time.Duration, 1), make(chan time.Time)
	s := startIn(t, generous().with(onSQLite(t), settings{"SHUTDOWN_DELAY_SECONDS": "7"}), porttest.NewClock(), func(d time.Duration) <-chan time.Time {
		asked <- d
		return over
	})
	pass := sync.OnceFunc(func() { close(over) })
	t.Cleanup(pass) // where the test does not come to its end
	p := s.newPerson(t, newSlug(), access.Analyst)
	s.want(t, 200, request{method: "GET", path: "/health/ready"})

	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	if wait := <-asked; wait != 7*time.Second {
		t.Errorf("the service waits for %s", wait)
	}
	for _, path := range []string{"/health/ready", "/health"} {
		if a := s.want(t, 503, request{method: "GET", path: path}); a.body["status"] != "draining" || a.body["database"] != "connected" {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
	s.want(t, 200, request{method: "GET", path: "/health/live"})
	for range 2 { // on connections of their own, since each answer ends the one that it came over
		a := s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: p.access, body: anEventDraft()})
		if !a.closed {
			t.Error("the connection is kept, and its next request may meet its end")
		}
	}
	select {
	case err := <-stopped:
		t.Fatalf("the service did not wait: %v", err)
	default:
	}

	pass()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if response, err := client.Get(s.url + "/health/live"); err == nil {
		_ = response.Body.Close()
		t.Error("the service still accepts connections")
	}
}

// TestDrain_without_a_delay: nothing waits where nobody asked for it.
func TestDrain_without_a_delay(t *testing.T) {
	s := startIn(t, generous().with(onSQLite(t)), porttest.NewClock(), func(time.Duration) <-chan time.Time {
		t.Error("the service waits")
		return nil
	})
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

// TestStop_at_once: who is told twice to stop does not wait.
func TestStop_at_once(t *testing.T) {
	p := newProgram(t, onSQLite(t).with(settings{"SHUTDOWN_DELAY_SECONDS": "60"}))
	process := p.serve(t)
	terminate := func() {
		if err := process.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	terminate()
	porttest.Eventually(t, "a service that is not ready", func() bool { return !p.healthy(t) })
	terminate()
	if err := process.Wait(); err == nil {
		t.Error("the service waited to the end")
	}
}
