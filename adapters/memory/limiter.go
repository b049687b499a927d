// Package memory provides the rate limiter, the revocation list and the query gate of a single process.
package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"

	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

const cleanUpInterval = time.Minute

// NewLimiter returns a rate limiter that counts in this process.
func NewLimiter() *Limiter {
	return WithStore(memory.NewStoreWithOptions(limiter.StoreOptions{Prefix: "limit", CleanUpInterval: cleanUpInterval}))
}

// WithStore returns a rate limiter that counts in a store.
func WithStore(store limiter.Store) *Limiter { return &Limiter{store: store} }

// Limiter counts requests in fixed windows.
type Limiter struct {
	store limiter.Store
}

// Take counts one request under the key and returns the remaining allowance.
func (l *Limiter) Take(ctx context.Context, key string, rate ports.Rate) (ports.Allowance, error) {
	if rate.Unlimited {
		return ports.Allowance{}, nil
	}
	state, err := l.store.Get(ctx, rate.Key(key), limiter.Rate{Period: rate.Window, Limit: int64(rate.Requests)})
	if err != nil {
		return ports.Allowance{}, fmt.Errorf("counting a request: %w", err)
	}
	return ports.Allowance{
		Exceeded:  state.Reached,
		Remaining: int(state.Remaining),
		// The store rounds the end down to whole seconds; a client must not retry too early.
		Reset: min(max(time.Until(time.Unix(state.Reset+1, 0)), 0), rate.Window),
	}, nil
}

// GiveBack undoes a Take in the same window.
func (l *Limiter) GiveBack(ctx context.Context, key string, rate ports.Rate) error {
	if rate.Unlimited {
		return nil
	}
	counted := limiter.Rate{Period: rate.Window, Limit: int64(rate.Requests)}
	state, err := l.store.Peek(ctx, rate.Key(key), counted)
	if err == nil && state.Remaining < counted.Limit {
		_, err = l.store.Increment(ctx, rate.Key(key), -1, counted)
	}
	if err != nil {
		return fmt.Errorf("giving back a request: %w", err)
	}
	return nil
}
