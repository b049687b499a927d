package bootstrap_test

import (
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// TestDrain: on shutdown the service is not ready, and continues to answer for SHUTDOWN_DELAY_SECONDS, so that load balancers
// notice.
func TestDrain(t *testing.T) {
	waited, over := make(chan struct{}), make(chan time.Time)
	s := startWith(t, generous().with(onSQLite(t), settings{"SHUTDOWN_DELAY_SECONDS": "7"}), porttest.NewClock(), func(d time.Duration) <-chan time.Time {
		if d != 7*time.Second { // others wait for other things
			return nil
		}
		close(waited)
		return over
	})
	elapse := sync.OnceFunc(func() { close(over) })
	t.Cleanup(elapse) // if the test fails early
	p := s.newPerson(t, newSlug(), access.Analyst)
	s.want(t, 200, request{method: "GET", path: "/health/ready"})

	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	<-waited
	for _, path := range []string{"/health/ready", "/health"} {
		if a := s.want(t, 503, request{method: "GET", path: path}); a.body["status"] != "draining" || a.body["database"] != "connected" {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
	s.want(t, 200, request{method: "GET", path: "/health/live"})
	for range 2 { // each response closes its connection
		a := s.want(t, 201, request{method: "POST", path: api + "/analytics/events", token: p.access, body: anEventDraft()})
		if !a.closed {
			t.Error("the connection is kept alive")
		}
	}
	select {
	case err := <-stopped:
		t.Fatalf("the service did not wait: %v", err)
	default:
	}

	elapse()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if response, err := client.Get(s.url + "/health/live"); err == nil {
		_ = response.Body.Close()
		t.Error("the service still accepts connections")
	}
}

// TestDrain_without_a_delay: by default there is no delay.
func TestDrain_without_a_delay(t *testing.T) {
	var stopping atomic.Bool
	s := startWith(t, generous().with(onSQLite(t)), porttest.NewClock(), func(d time.Duration) <-chan time.Time {
		if stopping.Load() && d > time.Second && d < time.Hour { // as long as these is between two runs of a worker
			t.Errorf("the service waits for %s", d)
		}
		return nil
	})
	stopping.Store(true)
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

// TestStop_at_once: a second SIGTERM stops the service at once.
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
		t.Error("the service waited for the whole delay")
	}
}
