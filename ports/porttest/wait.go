package porttest

import (
	"testing"
	"time"
)

// eventuallyTimeout is how long Eventually waits.
const eventuallyTimeout = 60 * time.Second

// Eventually waits until a condition holds, and fails the test after 60 s.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(eventuallyTimeout)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("timed out: %s", what)
		}
	}
}
