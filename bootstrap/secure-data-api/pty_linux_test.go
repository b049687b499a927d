package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// screen is a terminal, and what has been shown on it.
type screen struct {
	keyboard, line *os.File
	mu             sync.Mutex
	shown          bytes.Buffer
}

func newScreen(t *testing.T) *screen {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("skipped: this test needs pseudo terminals: %v", err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	connection, err := keyboard.SyscallConn() // by which, other than by Fd, reading ends when the file is closed
	if err != nil {
		t.Fatal(err)
	}
	var number int
	if failed := connection.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	line, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = line.Close() })
	s := &screen{keyboard: keyboard, line: line}
	go func() {
		part := make([]byte, 1024)
		for {
			n, err := keyboard.Read(part)
			if err != nil {
				return // the terminal was closed
			}
			s.mu.Lock()
			s.shown.Write(part[:n])
			s.mu.Unlock()
		}
	}()
	return s
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

func (s *screen) echoes(t *testing.T) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(s.line.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// answer types keys once a prompt is there, and nothing that is typed would show.
func (s *screen) answer(t *testing.T, prompt, keys string) {
	t.Helper()
	porttest.Eventually(t, prompt, func() bool { return strings.Contains(s.String(), prompt) && !s.echoes(t) })
	if _, err := s.keyboard.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// start runs a command line on the terminal, with its output apart.
func (s *screen) start(t *testing.T, c command, out *bytes.Buffer, args ...string) *exec.Cmd {
	t.Helper()
	process := exec.CommandContext(t.Context(), os.Args[0], args...)
	process.Env, process.Dir = []string{runMain + "=1", "DATA_DIR=" + c.env["DATA_DIR"]}, t.TempDir()
	process.Stdin, process.Stdout, process.Stderr = s.line, out, s.line
	process.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	return process
}

// TestPasswordOnTerminal: a password is asked for twice, does not show, and leaves the terminal as it was.
func TestPasswordOnTerminal(t *testing.T) {
	const first, again = "Password for ann@acme.com: ", "Repeat password for ann@acme.com: "
	for _, c := range []struct {
		name    string
		answers [][2]string // prompts, and what is typed
		want    int
		told    string
	}{
		{"twice the same", [][2]string{{first, "SecurePass1\n"}, {again, "SecurePass1\n"}}, exitOK, "created admin"},
		{"two that differ", [][2]string{{first, "SecurePass1\n"}, {again, "SecurePass2\n"}}, exitFailure, "differ"},
		{"Ctrl-C at first", [][2]string{{first, "Secure\x03"}}, exitFailure, "interrupted"},
		{"Ctrl-C the second time", [][2]string{{first, "SecurePass1\n"}, {again, "\x03"}}, exitFailure, "interrupted"},
		{"Ctrl-\\", [][2]string{{first, "Secure\x1c"}}, exitFailure, "interrupted"},
		{"Ctrl-D", [][2]string{{first, "\x04"}}, exitFailure, "no password was given"},
		{"an empty line", [][2]string{{first, "\n"}}, exitFailure, "no password was given"},
		{"longer than any password", [][2]string{{first, strings.Repeat("Secure", 200) + "\n"}}, exitFailure, "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			database := newCommand(t).migrated(t)
			s := newScreen(t)
			var out bytes.Buffer
			process := s.start(t, database, &out, "user", "create", "--tenant", "acme", "--email", "ann@acme.com", "--name", "Ann", "--role", "admin")
			for _, a := range c.answers {
				s.answer(t, a[0], a[1])
			}
			_ = process.Wait() // which fails where the exit code is another than 0
			if got := process.ProcessState.ExitCode(); got != c.want {
				t.Errorf("exit code %d, want %d", got, c.want)
			}
			porttest.Eventually(t, c.told, func() bool { return strings.Contains(out.String()+s.String(), c.told) })
			if strings.Contains(s.String(), "Secure") || strings.Contains(out.String(), "Secure") {
				t.Errorf("a password shows in %q or %q", s, out.String())
			}
			if !s.echoes(t) {
				t.Error("the terminal shows no more what is typed")
			}
			users, _ := database.want(t, 0, "", "tenant", "list")
			if made := strings.Contains(users, "acme"); made != (c.want == exitOK) {
				t.Errorf("a tenant was made: %t", made)
			}
		})
	}
}

// TestPasswordIgnoresStop: Ctrl-Z does not stop a command that waits for a password, whose echo the shell would turn on again
// to continue it. The kernel stops no process without a shell, so the test reads whether the signal is ignored.
func TestPasswordIgnoresStop(t *testing.T) {
	database := newCommand(t).migrated(t)
	s := newScreen(t)
	var out bytes.Buffer
	process := s.start(t, database, &out, "user", "create", "--tenant", "acme", "--email", "ann@acme.com", "--name", "Ann", "--role", "admin")
	s.answer(t, "Password for ", "")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "SigIgn:")
	var ignored uint64
	if _, err := fmt.Sscanf(line, "%x", &ignored); err != nil {
		t.Fatal(err)
	}
	if ignored&(1<<(syscall.SIGTSTP-1)) == 0 {
		t.Errorf("the signals that it ignores are %x", ignored)
	}
	s.answer(t, "Password for ", "\x03")
	if err := process.Wait(); err == nil {
		t.Error("it went on")
	}
}

// TestTerminalCloses: a command that waits for a password ends with its terminal.
func TestTerminalCloses(t *testing.T) {
	database := newCommand(t).migrated(t)
	s := newScreen(t)
	var out bytes.Buffer
	process := s.start(t, database, &out, "user", "create", "--tenant", "acme", "--email", "ann@acme.com", "--name", "Ann", "--role", "admin")
	s.answer(t, "Password for ", "Secure")
	if err := s.keyboard.Close(); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err == nil || out.Len() > 0 {
		t.Errorf("it ended with %v and printed %s", err, out.String())
	}
}
