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

// TestStack kills and later stops a replica behind the load balancer of docker-compose.yml under load. No read fails, events fail
// only with the outcomes in TEST_STACK_ALLOWED, and each acknowledged event is stored once. .ci/image starts the stack and sets
// the variables.
func TestStack(t *testing.T) {
	s, analyst, replica := &service{url: os.Getenv("TEST_STACK")}, &person{email: os.Getenv("TEST_STACK_ANALYST")}, os.Getenv("TEST_STACK_REPLICA")
	if s.url == "" {
		t.Skip("skipped: .ci/image runs this test, on the stack that it starts")
	}
	s.signIn(t, analyst)
	l, reads := startLoad(t, s.url, analyst.access), startReader(t, s.url, analyst.access)
	l.awaitMore(t)
	docker(t, "kill", replica)
	l.awaitMore(t)
	docker(t, "start", replica)
	porttest.Eventually(t, "the replica is healthy again", func() bool {
		return strings.TrimSpace(docker(t, "inspect", "--format", "{{.State.Health.Status}}", replica)) == "healthy"
	})
	l.awaitMore(t)
	docker(t, "stop", "--time", "40", replica)
	l.awaitMore(t)
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

// reader reads /auth/me over and over.
type reader struct {
	workers  sync.WaitGroup
	stopping chan struct{}
	stop     func()

	mu       sync.Mutex
	outcomes map[string]int
}

// startReader starts a reader. It stops at the end of the test, or by end.
func startReader(t *testing.T, url, token string) *reader {
	r := &reader{stopping: make(chan struct{}), outcomes: map[string]int{}}
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

func (r *reader) read(t *testing.T, url, token string) {
	q, err := http.NewRequest(http.MethodGet, url+api+"/auth/me", nil)
	if err != nil {
		t.Error(err)
		return
	}
	q.Header.Set("Authorization", "Bearer "+token)
	outcome := "no response"
	if response, err := client.Do(q); err == nil {
		outcome = fmt.Sprint(response.StatusCode)
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			outcome += ", aborted"
		}
		_ = response.Body.Close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[outcome]++
}

// end stops the reader, and fails if a read did not succeed.
func (r *reader) end(t *testing.T) {
	t.Helper()
	r.stop()
	t.Logf("reads: %v", r.outcomes)
	if r.outcomes["200"] == 0 || len(r.outcomes) > 1 {
		t.Errorf("reads ended with %v", r.outcomes)
	}
}
