package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// TestSendAsksOnTerminal: the password is read from the terminal also when the events come from standard input, and the progress is
// shown there.
func TestSendAsksOnTerminal(t *testing.T) {
	url, events := receiver(t)
	s := newScreen(t)
	var out bytes.Buffer
	process := exec.CommandContext(t.Context(), os.Args[0], "send", "-", "--url", url, "--email", "ann@acme.com")
	process.Env, process.Dir = []string{runMain + "=1"}, t.TempDir()
	process.Stdin, process.Stdout, process.Stderr = strings.NewReader(strings.Repeat(`{"event_type":"click"}`+"\n", 20_000)), &out, s.line
	process.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2} // standard error
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	s.answer(t, "Password for ann@acme.com: ", "SecurePass1\n")
	if err := process.Wait(); err != nil {
		t.Errorf("%v: %s", err, s)
	}
	if !strings.HasPrefix(out.String(), "20000 stored") || events.Load() != 20_000 {
		t.Errorf("printed %q after %d events", out.String(), events.Load())
	}
	porttest.Eventually(t, "the progress", func() bool { return strings.Contains(s.String(), "20000 events, ") })
	if strings.Contains(s.String()+out.String(), "Secure") || !s.echoes(t) {
		t.Errorf("shown: %q, and what is typed shows: %t", s, s.echoes(t))
	}
}
