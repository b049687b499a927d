package bootstrap_test

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// TestKill kills the service, as the kernel does when memory runs out.
func TestKill(t *testing.T) { testKill(t, onSQLite) }

// build builds the service.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secure-data-api")
	if output, err := exec.Command("go", "build", "-o", path, "./secure-data-api").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return path
}

// program is the built service with its environment.
type program struct {
	path        string
	environment []string
	address     string
}

func newProgram(t *testing.T, s settings) program {
	t.Helper()
	p := program{path: build(t), address: freeAddress(t)}
	host, port, err := net.SplitHostPort(p.address)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range generous().with(s, settings{"HOST": host, "PORT": port, "DATA_DIR": t.TempDir()}) {
		p.environment = append(p.environment, name+"="+value)
	}
	return p
}

func (p program) command(t *testing.T, args ...string) *exec.Cmd {
	c := exec.CommandContext(context.Background(), p.path, args...)
	c.Env, c.Dir = p.environment, t.TempDir()
	return c
}

func (p program) healthy(t *testing.T) bool { return p.command(t, "healthcheck").Run() == nil }

// serve starts the service and waits until it answers.
func (p program) serve(t *testing.T) *exec.Cmd {
	t.Helper()
	c := p.command(t, "serve")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() }) // if the test fails early
	porttest.Eventually(t, "health", func() bool { return p.healthy(t) })
	return c
}

// stop sends SIGTERM and expects a clean exit.
func stop(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("after SIGTERM the service exited with %v", err)
	}
}

// TestHangUp: the service ignores SIGHUP, so that it survives its terminal.
func TestHangUp(t *testing.T) {
	p := newProgram(t, onSQLite(t))
	process := p.serve(t)
	if err := process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if !p.healthy(t) {
		t.Error("the service does not answer any more")
	}
	stop(t, process)
}

// testKill kills the service with SIGKILL under load, several times, and compares the stored events with the acknowledged ones. After
// SIGTERM it exits cleanly.
func testKill(t *testing.T, on backend) {
	built := newProgram(t, on(t))
	s := &service{url: "http://" + built.address}
	p := person{email: "ann@example.com"}
	if output, err := built.command(t, "migrate", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	create := built.command(t, "user", "create", "--tenant", newSlug(), "--email", p.email, "--name", "Ann", "--role", "analyst")
	create.Stdin = strings.NewReader(password)
	if output, err := create.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	process := built.serve(t)
	s.signIn(t, &p)
	l := startLoad(t, s.url, p.access)
	for range 3 {
		l.awaitMore(t)
		if err := process.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := process.Wait(); err == nil {
			t.Fatal("a killed service exited with 0")
		}
		process = built.serve(t)
	}
	l.awaitMore(t)
	l.compare(t, s)
	l.failedOnly(t, "no response", "503 outcome_unknown", "503 unavailable")
	stop(t, process)
}
