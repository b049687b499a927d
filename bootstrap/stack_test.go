package bootstrap_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// TestStack ends a replica behind the balancer of docker-compose.yml under load: it is killed, and later told to stop. No read
// fails, no event but as TEST_STACK_ALLOWED says, and each acknowledged event is stored once. It is .ci/image that starts the
// stack, and names here what is in it.
func TestStack(t *testing.T) {
	s, analyst, replica := &service{url: os.Getenv("TEST_STACK")}, &person{email: os.Getenv("TEST_STACK_ANALYST")}, os.Getenv("TEST_STACK_REPLICA")
	if s.url == "" {
		t.Skip("skipped: .ci/image runs this test, on the stack that it starts")
	}
	s.signIn(t, analyst)
	l, reads := underLoad(t, s.url, analyst.access), readAlong(t, s.url, analyst.access)
	l.goesOn(t)
	docker(t, "kill", replica)
	l.goesOn(t)
	docker(t, "start", replica)
	porttest.Eventually(t, "a replica that is back", func() bool {
		return strings.TrimSpace(docker(t, "inspect", "--format", "{{.State.Health.Status}}", replica)) == "healthy"
	})
	l.goesOn(t)
	docker(t, "stop", "--time", "40", replica)
	l.goesOn(t)
	reads.end(t)
	l.compare(t, s)
	l.failedOnly(t, strings.Fields(os.Getenv("TEST_STACK_ALLOWED"))...)
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

// reading asks who one is, over and over.
type reading struct {
	workers  sync.WaitGroup
	stopping chan struct{}
	stop     func()

	mu       sync.Mutex
	outcomes map[string]int
}

// readAlong starts to read. It ends with the test, or by end.
func readAlong(t *testing.T, url, token string) *reading {
	r := &reading{stopping: make(chan struct{}), outcomes: map[string]int{}}
	r.stop = sync.OnceFunc(func() { close(r.stopping); r.workers.Wait() })
	for range 4 {
		r.workers.Go(func() {
			for {
				select {
				case <-r.stopping:
					return
				default:
					r.read(t, url, token)
				}
			}
		})
	}
	t.Cleanup(r.stop)
	return r
}

func (r *reading) read(t *testing.T, url, token string) {
	q, err := http.NewRequest(http.MethodGet, url+api+"/auth/me", nil)
	if err != nil {
		t.Error(err)
		return
	}
	q.Header.Set("Authorization", "Bearer "+token)
	outcome := "no answer"
	if response, err := client.Do(q); err == nil {
		outcome = fmt.Sprint(response.StatusCode)
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			outcome += ", broken off"
		}
		_ = response.Body.Close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[outcome]++
}

// end ends the reading, and fails where one was not answered well.
func (r *reading) end(t *testing.T) {
	t.Helper()
	r.stop()
	t.Logf("reads: %v", r.outcomes)
	if r.outcomes["200"] == 0 || len(r.outcomes) > 1 {
		t.Errorf("reads ended with %v", r.outcomes)
	}
}
