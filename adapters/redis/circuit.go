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
	// errOpen is why a command is not sent while the circuit is open.
	errOpen = errors.New("redis is not used")
	// errSlow is the outcome of a command whose answer came after the request had gone on without it.
	errSlow = fmt.Errorf("redis took longer than %v to answer", commandTimeout)
	// errConnecting is why a command is late, or found no connection, while connections are made. It tells nothing of the
	// commands that find them made.
	errConnecting = errors.New("redis takes long to connect to")
)

// warmUp is when Redis was last prepared for commands: a connection was made, or a script was sent.
type warmUp struct{ at atomic.Int64 }

func (p *warmUp) done() { p.at.Store(time.Now().UnixNano()) }

// inProgress reports whether more is likely to be prepared: nothing has been yet, or something was a moment ago.
func (p *warmUp) inProgress() bool {
	return time.Since(time.Unix(0, p.at.Load())) < connectTimeout || p.at.Load() == 0
}

// rejectedWrite is Redis' answer to a write that it does not take.
type rejectedWrite struct{ error }

func (e rejectedWrite) Unwrap() error { return e.error }

// circuit stands before one use of Redis. It opens where commands fail, and closes once the probe does not.
type circuit struct {
	breaker *gobreaker.CircuitBreaker[struct{}]
	// probe does what the use does, at the node of a cluster that has the tag.
	probe func(ctx context.Context, tag string) error
	// failed is the tag of the command that failed last. To ask another node of a cluster would close the circuit
	// while the commands of this one go on failing.
	failed  atomic.Pointer[string]
	warmUp  *warmUp
	running sync.WaitGroup // the commands, some of which no request waits for any more

	// Only the breaker's callbacks touch these, under its lock.
	cause     error     // of the last failure
	preparing time.Time // since when no command was done in time, and some were not for errConnecting
}

// newCircuit returns a closed circuit. instead says what is done while it is open.
func newCircuit(use, instead string, warmUp *warmUp, logger *slog.Logger, onChange func(use string, up bool), probe func(context.Context, string) error) *circuit {
	c := &circuit{warmUp: warmUp, probe: probe}
	c.failed.Store(&use)
	c.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: use, MaxRequests: 1, Timeout: probeInterval,
		IsExcluded: c.excluded, IsSuccessful: c.successful,
		// Reads that succeed stand between writes that are refused, and would hide them.
		ReadyToTrip: func(n gobreaker.Counts) bool {
			return n.ConsecutiveFailures >= maxFailures || errors.As(c.cause, new(rejectedWrite))
		},
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case from == gobreaker.StateClosed && to == gobreaker.StateOpen:
				logger.Warn("redis is not used: "+instead, "use", use, "error", c.cause.Error()) // without a stack, which some have
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

// excluded knows what tells nothing of Redis: that it is being connected to, unless that has no end, that this client is
// being closed, and that there is something else where a single count should be.
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

// do runs a command unless the circuit is open, and waits for it as long as a request may wait. What is not done by then
// goes on without the request, so that a connection that takes longer is there for the next one. The tag is what
// decides on the node of a cluster.
func do[T any](ctx context.Context, c *circuit, tag string, command func(context.Context) (T, error)) (T, error) {
	var none T
	if c.breaker.State() != gobreaker.StateClosed {
		return none, errOpen // only watch tries it
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

// run runs a command, which may have to connect first, and tells the breaker of the outcome.
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

// watch tries the circuit now and then while it is open, until the context ends.
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
			// The outcome is the breaker's to keep.
			tag := *c.failed.Load()
			_, _ = run(ctx, c, tag, func(ctx context.Context) (struct{}, error) { return struct{}{}, c.probe(ctx, tag) })
		}
	}
}
