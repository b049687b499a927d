// Package redis provides the rate limiter and the revocation list that replicas share. While Redis does not answer, each
// process counts by itself and asks its database about revocation; a circuit breaker keeps a dead Redis from taking time
// from requests.
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/sony/gobreaker/v2"
)

const (
	// prefix leads all keys. What follows in braces decides on the node of a cluster.
	prefix = "secure-data-api"

	// patience is how long one command may take, or a connection.
	patience = 250 * time.Millisecond
	// tolerance is how many failures in a row open the circuit.
	tolerance = 3
	// probeEvery is how often an open circuit is tried, apart from any request.
	probeEvery = 500 * time.Millisecond
)

// errOpen is why a command is not sent while the circuit is open.
var errOpen = errors.New("redis does not answer")

// Client is a connection to Redis with its circuit breaker.
type Client struct {
	client  redis.UniversalClient
	breaker *gobreaker.CircuitBreaker[struct{}]
}

// Open makes a client. It connects with the first command, not before. The URL is redis:// or rediss://, with master_name
// for sentinels, or addr or cluster=true for a cluster. onChange is called with each change of whether Redis answers.
func Open(raw string, logger *slog.Logger, onChange func(up bool)) (*Client, error) {
	silence()
	client, err := connect(raw)
	if err != nil {
		return nil, err
	}
	onChange(true)
	return &Client{client: client, breaker: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: "redis", MaxRequests: 1, Timeout: probeEvery,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tolerance },
		IsExcluded:  func(err error) bool { return errors.Is(err, context.Canceled) }, // the client of the request went
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case from == gobreaker.StateClosed && to == gobreaker.StateOpen:
				logger.Warn("redis does not answer: limits are counted in this process, revocation is read from the database")
				onChange(false)
			case to == gobreaker.StateClosed:
				logger.Warn("redis answers again: limits and revocation are shared")
				onChange(true)
			}
		},
	})}, nil
}

// silence ends the library's own log, which has a line for every failure and can't be had for one client alone.
var silence = sync.OnceFunc(func() { redis.SetLogger(discard{}) })

type discard struct{}

func (discard) Printf(context.Context, string, ...any) {}

func connect(raw string) (redis.UniversalClient, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("REDIS_URL can't be read")
	}
	refused := func(error) error { // the cause may show the password
		return errors.New("REDIS_URL must be redis:// or rediss://user:password@host:port, with master_name=NAME for sentinels or addr=HOST:PORT for more nodes of a cluster")
	}
	q := u.Query()
	clustered := q.Get("cluster") == "true"
	q.Del("cluster")
	u.RawQuery = q.Encode()
	// What one attempt does not bring, the circuit breaker deals with; notices of maintenance are for Redis' own cloud.
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch {
	case q.Has("master_name"):
		o, err := redis.ParseFailoverURL(u.String())
		if err != nil {
			return nil, refused(err)
		}
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = patience, patience, patience, patience
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true
		return redis.NewFailoverClient(o), nil
	case clustered || q.Has("addr"):
		o, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, refused(err)
		}
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = patience, patience, patience, patience
		o.DialerRetries, o.ContextTimeoutEnabled, o.MaintNotificationsConfig = 1, true, quiet
		return redis.NewClusterClient(o), nil
	default:
		o, err := redis.ParseURL(u.String())
		if err != nil {
			return nil, refused(err)
		}
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = patience, patience, patience, patience
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled, o.MaintNotificationsConfig = -1, 1, true, quiet
		return redis.NewClient(o), nil
	}
}

// do runs a command unless the circuit is open. Only Watch tries an open one.
func (c *Client) do(ctx context.Context, command func(context.Context) error) error {
	if c.breaker.State() != gobreaker.StateClosed {
		return errOpen
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := c.breaker.Execute(func() (struct{}, error) { return struct{}{}, command(ctx) })
	return err
}

// Watch tries an open circuit now and then, until the context ends.
func (c *Client) Watch(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if c.breaker.State() == gobreaker.StateHalfOpen {
			// The outcome is the breaker's to keep.
			_, _ = c.breaker.Execute(func() (struct{}, error) {
				ctx, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				return struct{}{}, c.client.Ping(ctx).Err()
			})
		}
	}
}

// Close closes the connections.
func (c *Client) Close() error {
	if err := c.client.Close(); err != nil {
		return fmt.Errorf("closing redis: %w", err)
	}
	return nil
}
