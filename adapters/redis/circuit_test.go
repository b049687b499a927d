package redis

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"
)

// testCircuit runs a test of a circuit and its watcher in a synctest bubble.
func testCircuit(t *testing.T, probe func(ctx context.Context, tag string) error, test func(t *testing.T, c *circuit, changes *atomic.Int32)) {
	synctest.Test(t, func(t *testing.T) {
		var changes atomic.Int32
		c := newCircuit("use", "fallback", &warmUp{}, slog.New(slog.DiscardHandler), func(string, bool) { changes.Add(1) }, probe)
		changes.Store(0) // without the initial state
		ctx, cancel := context.WithCancel(t.Context())
		go c.watch(ctx)
		test(t, c, &changes)
		cancel()
	})
}

// TestCircuit_probes_failed_node: the probe goes to the node of a cluster that failed; that another one works does not close the
// circuit.
func TestCircuit_probes_failed_node(t *testing.T) {
	errFull := errors.New("full")
	var full atomic.Bool
	node := func(_ context.Context, tag string) error {
		if tag == "on the bad node" && full.Load() {
			return errFull
		}
		return nil
	}
	testCircuit(t, node, func(t *testing.T, c *circuit, changes *atomic.Int32) {
		send := func(tag string) error {
			_, err := do(t.Context(), c, tag, func(ctx context.Context) (struct{}, error) { return struct{}{}, node(ctx, tag) })
			return err
		}
		full.Store(true)
		for range maxFailures {
			if err := send("on the bad node"); !errors.Is(err, errFull) {
				t.Errorf("a command ended with %v", err)
			}
		}
		time.Sleep(100 * probeInterval)
		if err := send("on a good node"); !errors.Is(err, errOpen) || changes.Load() != 1 {
			t.Errorf("the circuit changed %d times, and a command ended with %v", changes.Load(), err)
		}
		full.Store(false)
		time.Sleep(3 * probeInterval)
		if err := send("on the bad node"); err != nil || changes.Load() != 2 {
			t.Errorf("after the refusal the circuit changed %d times, and a command ended with %v", changes.Load(), err)
		}
	})
}

// TestCircuit_slow_connecting: requests wait for a connection no longer than commandTimeout, and do not count as failures, unless no
// connection is made within connectGrace.
func TestCircuit_slow_connecting(t *testing.T) {
	const each = 600 * time.Millisecond
	testCircuit(t, func(context.Context, string) error { return errors.New("not yet") }, func(t *testing.T, c *circuit, changes *atomic.Int32) {
		send := func(takes time.Duration) error {
			_, err := do(t.Context(), c, "tag", func(context.Context) (struct{}, error) {
				time.Sleep(takes)
				c.warmUp.done()
				return struct{}{}, nil
			})
			return err
		}
		for range 5 { // each time a connection is made in the end
			for range 10 {
				began := time.Now()
				if err := send(each); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != commandTimeout {
					t.Errorf("a request waited %v, and its command ended with %v", time.Since(began), err)
				}
				time.Sleep(each)
			}
			if err := send(0); err != nil {
				t.Fatal(err)
			}
		}
		if changes.Load() != 0 {
			t.Fatalf("the circuit changed %d times while connections were made", changes.Load())
		}
		began := time.Now()
		for c.breaker.State() == gobreaker.StateClosed {
			_ = send(each) // times out, as above
			time.Sleep(each)
			if time.Since(began) > 2*connectGrace {
				t.Fatal("the circuit never opened")
			}
		}
		if took := time.Since(began); took < connectGrace {
			t.Errorf("the circuit opened after %v", took)
		}
	})
}
