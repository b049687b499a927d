package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/ulule/limiter/v3"

	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Limiter counts requests in fixed windows across all replicas, with one round trip per request.
type Limiter struct {
	client   *Client
	fallback ports.RateLimiter
}

// NewLimiter returns a limiter that uses fallback while Redis fails.
func NewLimiter(c *Client, fallback ports.RateLimiter) *Limiter {
	return &Limiter{client: c, fallback: fallback}
}

// Take counts one request under the key and returns the remaining allowance.
func (l *Limiter) Take(ctx context.Context, key string, rate ports.Rate) (ports.Allowance, error) {
	if rate.Unlimited {
		return ports.Allowance{}, nil
	}
	tag := rate.Key(key)
	state, err := do(ctx, l.client.limits, tag, func(ctx context.Context) (limiter.Context, error) {
		return l.client.counts.Get(ctx, "{"+tag+"}", storeRate(rate))
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
		// The store rounds the end down to whole seconds; a client must not retry too early.
		Reset: min(max(time.Until(time.Unix(state.Reset+1, 0)), 0), rate.Window),
	}, nil
}

// GiveBack undoes a Take in the same window. If nothing was taken, the correction takes a second round trip, during which
// one extra request may be allowed.
func (l *Limiter) GiveBack(ctx context.Context, key string, rate ports.Rate) error {
	if rate.Unlimited {
		return nil
	}
	tag := rate.Key(key)
	_, err := do(ctx, l.client.limits, tag, func(ctx context.Context) (limiter.Context, error) {
		state, err := l.client.counts.Increment(ctx, "{"+tag+"}", -1, storeRate(rate))
		if err == nil && state.Remaining > state.Limit {
			state, err = l.client.counts.Increment(ctx, "{"+tag+"}", 1, storeRate(rate))
		}
		return state, err
	})
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("giving back a request: %w", ctx.Err())
		}
		return l.fallback.GiveBack(ctx, key, rate)
	}
	return nil
}

// storeRate converts a rate to the store's type.
func storeRate(rate ports.Rate) limiter.Rate {
	return limiter.Rate{Period: rate.Window, Limit: int64(rate.Requests)}
}
