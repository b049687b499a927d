package bootstrap_test

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestKill kills the service itself, as the kernel does when memory runs out.
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

// testKill kills the service with SIGKILL under load, several times, and holds what is stored against what was
// acknowledged. Told to stop, it stops in an orderly way.
func testKill(t *testing.T, on backend) {
	path := build(t)
	address := freeAddress(t)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	environment := []string{}
	for name, value := range generous().with(on(t), settings{"HOST": host, "PORT": port, "DATA_DIR": t.TempDir()}) {
		environment = append(environment, name+"="+value)
	}
	command := func(args ...string) *exec.Cmd {
		c := exec.CommandContext(context.Background(), path, args...)
		c.Env, c.Dir = environment, t.TempDir()
		return c
	}
	s := &service{url: "http://" + address}
	run := func() *exec.Cmd {
		t.Helper()
		c := command("serve")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "health", func() bool { return command("healthcheck").Run() == nil })
		return c
	}

	p := person{email: "ann@example.com"}
	create := command("user", "create", "--tenant", newSlug(), "--email", p.email, "--name", "Ann", "--role", "analyst", "--password-stdin")
	create.Stdin = strings.NewReader(password)
	if output, err := create.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	process := run()
	s.signIn(t, &p)
	l := underLoad(t, s.url, p.access)
	for range 3 {
		l.goesOn(t)
		if err := process.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := process.Wait(); err == nil {
			t.Fatal("a killed service ended well")
		}
		process = run()
	}
	l.goesOn(t)
	l.compare(t, s)
	l.failedOnly(t, "no answer", "503 outcome_unknown", "503 unavailable")
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err != nil {
		t.Errorf("told to stop, the service ended with %v", err)
	}
}
