package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ulule/limiter/v3"
	store "github.com/ulule/limiter/v3/drivers/store/redis"

	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Limiter counts requests in fixed windows, over all replicas, in one round trip for a request.
type Limiter struct {
	client   *Client
	fallback ports.RateLimiter

	mu    sync.Mutex
	store limiter.Store // nil until Redis has once been given the script
}

// NewLimiter returns a limiter that counts with fallback while Redis does not answer.
func NewLimiter(c *Client, fallback ports.RateLimiter) *Limiter {
	return &Limiter{client: c, fallback: fallback}
}

// Take counts one request under the key, and says what is left.
func (l *Limiter) Take(ctx context.Context, key string, rate ports.Rate) (ports.Allowance, error) {
	if rate.Unlimited {
		return ports.Allowance{}, nil
	}
	var state limiter.Context
	err := l.client.do(ctx, func(ctx context.Context) error {
		s, err := l.open(ctx)
		if err != nil {
			return err
		}
		state, err = s.Get(ctx, "{"+rate.Key(key)+"}", limiter.Rate{Period: rate.Window, Limit: int64(rate.Requests)})
		return err
	})
	if err != nil {
		if ctx.Err() != nil {
			return ports.Allowance{}, fmt.Errorf("counting a request: %w", ctx.Err())
		}
		return l.fallback.Take(ctx, key, rate)
	}
	return ports.Allowance{
		Exceeded:  state.Reached,
		Remaining: int(state.Remaining),
		// The store tells the end in whole seconds, rounded down; a client that waits must not come too early.
		Reset: min(max(time.Until(time.Unix(state.Reset+1, 0)), 0), rate.Window),
	}, nil
}

// GiveBack undoes a Take in the same window. Between the look and the change the window may end; then one request more is
// allowed in the next.
func (l *Limiter) GiveBack(ctx context.Context, key string, rate ports.Rate) error {
	if rate.Unlimited {
		return nil
	}
	err := l.client.do(ctx, func(ctx context.Context) error {
		s, err := l.open(ctx)
		if err != nil {
			return err
		}
		counted := limiter.Rate{Period: rate.Window, Limit: int64(rate.Requests)}
		state, err := s.Peek(ctx, "{"+rate.Key(key)+"}", counted)
		if err == nil && state.Remaining < counted.Limit {
			_, err = s.Increment(ctx, "{"+rate.Key(key)+"}", -1, counted)
		}
		return err
	})
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("giving back a request: %w", ctx.Err())
		}
		return l.fallback.GiveBack(ctx, key, rate)
	}
	return nil
}

// open makes the store, which needs Redis.
func (l *Limiter) open(ctx context.Context) (limiter.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store != nil {
		return l.store, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err // others have tried meanwhile
	}
	s, err := store.NewStoreWithOptions(l.client.client, limiter.StoreOptions{Prefix: prefix + ":limit"})
	if err != nil {
		return nil, fmt.Errorf("giving redis the script that counts: %w", err)
	}
	l.store = s
	return s, nil
}
