package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

var (
	// errOpen: the command was not sent, since the circuit is open.
	errOpen = errors.New("redis is not used")
	// errSlow: the answer came after the request had stopped waiting for it.
	errSlow = fmt.Errorf("redis took longer than %v to answer", commandTimeout)
	// errConnecting: the command was late or got no connection, because connections were still being established. It does
	// not count as a failure of Redis until connectGrace has passed.
	errConnecting = errors.New("redis takes long to connect to")
)

// warmUp is when a connection was last established or a script last loaded, either of which delays commands.
type warmUp struct{ at atomic.Int64 }

func (p *warmUp) done() { p.at.Store(time.Now().UnixNano()) }

// inProgress reports whether connections are probably still being established: none has been yet, or one was just now.
func (p *warmUp) inProgress() bool {
	return time.Since(time.Unix(0, p.at.Load())) < connectTimeout || p.at.Load() == 0
}

// rejectedWrite is Redis' error answer to a write.
type rejectedWrite struct{ error }

func (e rejectedWrite) Unwrap() error { return e.error }

// circuit is the circuit breaker of one use of Redis. It opens when commands fail, and closes when the probe succeeds.
type circuit struct {
	breaker *gobreaker.CircuitBreaker[struct{}]
	// probe does the same operations as the use, on the cluster node of the tag.
	probe func(ctx context.Context, tag string) error
	// failed is the tag of the last failed command. Probing another node of a cluster would close the circuit while commands
	// to the failed node keep failing.
	failed  atomic.Pointer[string]
	warmUp  *warmUp
	running sync.WaitGroup // the commands, including those that no request waits for any more

	// Only the breaker's callbacks access these, under its lock.
	cause     error     // of the last failure
	preparing time.Time // since when commands have failed with errConnecting without a success; zero if none has
}

// newCircuit returns a closed circuit. instead describes the fallback while it is open, for the log.
func newCircuit(use, instead string, warmUp *warmUp, logger *slog.Logger, onChange func(use string, up bool), probe func(context.Context, string) error) *circuit {
	c := &circuit{warmUp: warmUp, probe: probe}
	c.failed.Store(&use)
	c.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: use, MaxRequests: 1, Timeout: probeInterval,
		IsExcluded: c.excluded, IsSuccessful: c.successful,
		// One rejected write is enough: successful reads in between would reset the count of failures.
		ReadyToTrip: func(n gobreaker.Counts) bool {
			return n.ConsecutiveFailures >= maxFailures || errors.As(c.cause, new(rejectedWrite))
		},
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case from == gobreaker.StateClosed && to == gobreaker.StateOpen:
				logger.Warn("redis is not used: "+instead, "use", use, "error", c.cause.Error()) // as a string: some errors print a stack trace
				onChange(use, false)
			case to == gobreaker.StateClosed:
				logger.Warn("redis is used again", "use", use)
				onChange(use, true)
			}
		},
	})
	onChange(use, true)
	return c
}

// excluded reports errors that count neither as success nor as failure: a connection is being established, for up to
// connectGrace; this client is being closed; or a key holds something that is not a counter.
func (c *circuit) excluded(err error) bool {
	if errors.Is(err, errConnecting) {
		if c.preparing.IsZero() {
			c.preparing = time.Now()
		}
		return time.Since(c.preparing) < connectGrace
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, redis.ErrClosed) || errors.Is(err, net.ErrClosed) || isNotCounter(err)
}

func (c *circuit) successful(err error) bool {
	c.cause = err
	if err == nil {
		c.preparing = time.Time{}
	}
	return err == nil
}

// do runs a command unless the circuit is open, and waits for it for at most commandTimeout. After that the command
// continues in the background, so that a slow connection is ready for the next request. The tag selects the cluster node.
func do[T any](ctx context.Context, c *circuit, tag string, command func(context.Context) (T, error)) (T, error) {
	var none T
	if c.breaker.State() != gobreaker.StateClosed {
		return none, errOpen // only watch probes it
	}
	type outcome struct {
		result T
		err    error
	}
	done := make(chan outcome, 1)
	c.running.Go(func() {
		result, err := run(context.WithoutCancel(ctx), c, tag, command)
		done <- outcome{result, err}
	})
	waiting, leave := context.WithTimeout(ctx, commandTimeout)
	defer leave()
	select {
	case o := <-done:
		return o.result, o.err
	case <-waiting.Done():
		return none, waiting.Err()
	}
}

// run runs a command, which may have to connect first, and reports the outcome to the breaker.
func run[T any](ctx context.Context, c *circuit, tag string, command func(context.Context) (T, error)) (result T, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	_, err = c.breaker.Execute(func() (struct{}, error) {
		began := time.Now()
		var err error
		result, err = command(ctx)
		if err == nil && time.Since(began) > commandTimeout {
			err = errSlow
		}
		if (errors.Is(err, errSlow) || errors.Is(err, redis.ErrPoolTimeout)) && c.warmUp.inProgress() {
			err = fmt.Errorf("%w: %w", errConnecting, err)
		}
		if err != nil {
			c.failed.Store(&tag)
		}
		return struct{}{}, err
	})
	return result, err
}

// watch probes the circuit every probeInterval while it is open, until the context ends.
func (c *circuit) watch(ctx context.Context) {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if c.breaker.State() == gobreaker.StateHalfOpen {
			// The breaker records the outcome.
			tag := *c.failed.Load()
			_, _ = run(ctx, c, tag, func(ctx context.Context) (struct{}, error) { return struct{}{}, c.probe(ctx, tag) })
		}
	}
}
