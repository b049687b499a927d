// Package redis provides the rate limiter and the revocation list that replicas share. Each of the two uses has a circuit
// breaker, which keeps a Redis that does not do what the use needs from taking time from requests. While a circuit is open,
// each process counts by itself, or asks its database about revocation.
package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/ulule/limiter/v3"
	store "github.com/ulule/limiter/v3/drivers/store/redis"
)

// The uses of Redis, as they are named to onChange and in the log.
const (
	Limits     = "limits"
	Revocation = "revocation"
)

const (
	// prefix leads all keys. What follows in braces, the tag, decides on the node of a cluster.
	prefix = "secure-data-api"

	// commandTimeout is how long a request waits for Redis, and how long Redis may be silent.
	commandTimeout = 250 * time.Millisecond
	// connectTimeout is how long a command may take that has to connect first, apart from any request: TCP, TLS and sign-in
	// are several round trips, and with sentinels or a cluster there are two servers to ask.
	connectTimeout = 3 * time.Second
	// connectGrace is how long commands may go on to be late because of that, without one that is not.
	connectGrace = 10 * time.Second
	// poolSize is how many there are at most, unless the URL says pool_size. A command holds one for a round trip.
	poolSize = 64
	// maxFailures is how many failures in a row open a circuit.
	maxFailures = 3
	// probeInterval is how often an open circuit is tried, apart from any request.
	probeInterval = 500 * time.Millisecond
	// probeTTL is how long what a probe wrote is kept.
	probeTTL = 10 * time.Second
)

// Client is Redis with a circuit for each use.
type Client struct {
	client             redis.UniversalClient
	counts             limiter.Store
	limits, revocation *circuit
}

// Open makes a client. It connects with the first command, not before. The URL is redis:// or rediss://, with master_name
// for sentinels, or addr or cluster=true for a cluster. onChange is called with each change of whether Redis is put to a
// use, and in the beginning, when it is.
func Open(raw string, logger *slog.Logger, onChange func(use string, up bool)) (*Client, error) {
	silenceLibraryLog()
	warmUp := &warmUp{}
	client, err := connect(raw, func(context.Context, *redis.Conn) error { warmUp.done(); return nil })
	if err != nil {
		return nil, err
	}
	counts, err := store.NewStoreWithOptions(&scripts{UniversalClient: client, warmUp: warmUp, logger: logger}, limiter.StoreOptions{Prefix: prefix + ":limit"})
	if err != nil {
		return nil, fmt.Errorf("making the store of counts: %w", err)
	}
	c := &Client{client: client, counts: counts}
	c.limits = newCircuit(Limits, "each process counts by itself", warmUp, logger, onChange, c.probeCounting)
	c.revocation = newCircuit(Revocation, "the database is asked", warmUp, logger, onChange, c.probeRevoking)
	return c, nil
}

// probeCounting counts, since a Redis that is full or a replica answers PING and reads as if all were well.
func (c *Client) probeCounting(ctx context.Context, tag string) error {
	_, err := c.counts.Get(ctx, "probe:{"+tag+"}", limiter.Rate{Period: probeTTL, Limit: 1})
	return err
}

// probeRevoking writes and reads. To read alone would do for requests, since the database is asked about every token that
// the list lets pass; but a list that takes nothing new is asked in vain, and whoever watches the gauge would think that
// revocations are shared.
func (c *Client) probeRevoking(ctx context.Context, tag string) error {
	key := prefix + ":revoked:{" + tag + "}:probe"
	_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, key, "1", probeTTL)
		p.Get(ctx, key)
		return nil
	})
	return err
}

// silenceLibraryLog ends the library's own log, which has a line for every failure and can't be had for one client alone.
var silenceLibraryLog = sync.OnceFunc(func() { redis.SetLogger(discard{}) })

type discard struct{}

func (discard) Printf(context.Context, string, ...any) {}

func connect(raw string, connected func(context.Context, *redis.Conn) error) (redis.UniversalClient, error) {
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
	// What one attempt does not bring, the circuit breakers deal with; notices of maintenance are for Redis' own cloud. To
	// tell the name of the library is a round trip that nobody needs, and so are connections for pipelines alone.
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch {
	case q.Has("master_name"):
		o, err := redis.ParseFailoverURL(u.String())
		if err != nil {
			return nil, refused(err)
		}
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = connectTimeout, commandTimeout, commandTimeout, commandTimeout
		o.PoolSize, o.PipelinePoolSize = cmp.Or(o.PoolSize, poolSize), -1
		o.OnConnect, o.DisableIdentity = connected, true
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true
		return redis.NewFailoverClient(o), nil
	case clustered || q.Has("addr"):
		o, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, refused(err)
		}
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = connectTimeout, commandTimeout, commandTimeout, commandTimeout
		o.PoolSize, o.PipelinePoolSize = cmp.Or(o.PoolSize, poolSize), -1
		o.OnConnect, o.DisableIdentity = connected, true
		o.DialerRetries, o.ContextTimeoutEnabled, o.MaintNotificationsConfig = 1, true, quiet
		return redis.NewClusterClient(o), nil
	default:
		o, err := redis.ParseURL(u.String())
		if err != nil {
			return nil, refused(err)
		}
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = connectTimeout, commandTimeout, commandTimeout, commandTimeout
		o.PoolSize, o.PipelinePoolSize = cmp.Or(o.PoolSize, poolSize), -1
		o.OnConnect, o.DisableIdentity = connected, true
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled, o.MaintNotificationsConfig = -1, 1, true, quiet
		return redis.NewClient(o), nil
	}
}

// Connections returns how many connections are in use, how many are idle, and how often a command found none within its time.
func (c *Client) Connections() (inUse, idle int, timeouts uint64) {
	s := c.client.PoolStats()
	return int(s.TotalConns) - int(s.IdleConns), int(s.IdleConns), uint64(s.Timeouts)
}

// Watch tries open circuits now and then, until the context ends.
func (c *Client) Watch(ctx context.Context) {
	var watching sync.WaitGroup
	watching.Go(func() { c.limits.watch(ctx) })
	watching.Go(func() { c.revocation.watch(ctx) })
	watching.Wait()
}

// Close closes the connections, which ends the commands that nobody waits for any more, and waits until they have ended.
func (c *Client) Close() error {
	err := c.client.Close()
	c.limits.running.Wait()
	c.revocation.running.Wait()
	if err != nil {
		return fmt.Errorf("closing redis: %w", err)
	}
	return nil
}
