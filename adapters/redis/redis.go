// Package redis provides the rate limiter and the revocation list that replicas share. Each of the two uses has a circuit
// breaker, so that a failing Redis does not slow down requests. While a circuit is open, each process counts requests
// itself, or checks revocation in the database alone.
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

// The uses of Redis, as named in onChange and in the log.
const (
	Limits     = "limits"
	Revocation = "revocation"
)

const (
	// prefix starts all keys. The hash tag, in braces, selects the cluster node.
	prefix = "secure-data-api"

	// commandTimeout is how long a request waits for Redis, and the read and write timeout of a connection.
	commandTimeout = 250 * time.Millisecond
	// connectTimeout limits a command that has to connect first, independent of any request: TCP, TLS and authentication
	// take several round trips, and with sentinels or a cluster two servers are involved.
	connectTimeout = 3 * time.Second
	// connectGrace is how long commands may be late because of connecting, without one success, before that counts as failure.
	connectGrace = 10 * time.Second
	// poolSize is the maximum number of connections, unless the URL sets pool_size. A command uses one for a round trip.
	poolSize = 64
	// maxFailures is the number of consecutive failures that opens a circuit.
	maxFailures = 3
	// probeInterval is how often an open circuit is probed, independent of any request.
	probeInterval = 500 * time.Millisecond
	// probeTTL is how long a key written by a probe lives.
	probeTTL = 10 * time.Second
)

// Client is Redis with a circuit for each use.
type Client struct {
	client             redis.UniversalClient
	counts             limiter.Store
	limits, revocation *circuit
}

// Open returns a client. It connects with the first command, not before. The URL is redis:// or rediss://, with master_name
// for sentinels, or addr or cluster=true for a cluster. onChange is called for each use, initially with true, and then
// whenever its circuit opens or closes.
func Open(raw string, logger *slog.Logger, onChange func(use string, up bool)) (*Client, error) {
	silenceLibraryLog()
	warmUp := &warmUp{}
	client, err := connect(raw, func(context.Context, *redis.Conn) error { warmUp.done(); return nil })
	if err != nil {
		return nil, err
	}
	counts, err := store.NewStoreWithOptions(&scripts{UniversalClient: client, warmUp: warmUp, logger: logger}, limiter.StoreOptions{Prefix: prefix + ":limit"})
	if err != nil {
		return nil, fmt.Errorf("creating the limiter's store: %w", err)
	}
	c := &Client{client: client, counts: counts}
	c.limits = newCircuit(Limits, "each process counts requests itself", warmUp, logger, onChange, c.probeCounting)
	c.revocation = newCircuit(Revocation, "revocation is checked in the database alone", warmUp, logger, onChange, c.probeRevoking)
	return c, nil
}

// probeCounting counts a request: a Redis that is out of memory or read-only still answers PING and reads.
func (c *Client) probeCounting(ctx context.Context, tag string) error {
	_, err := c.counts.Get(ctx, "probe:{"+tag+"}", limiter.Rate{Period: probeTTL, Limit: 1})
	return err
}

// probeRevoking writes and reads. Reading would suffice for requests, since the database checks every token that the list
// does not reject. But a list that accepts no new revocations is useless, and the gauge redis_up would claim otherwise.
func (c *Client) probeRevoking(ctx context.Context, tag string) error {
	key := prefix + ":revoked:{" + tag + "}:probe"
	_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, key, "1", probeTTL)
		p.Get(ctx, key)
		return nil
	})
	return err
}

// silenceLibraryLog turns off the library's own log, which has a line per failure and can't be configured per client.
var silenceLibraryLog = sync.OnceFunc(func() { redis.SetLogger(discard{}) })

type discard struct{}

func (discard) Printf(context.Context, string, ...any) {}

func connect(raw string, connected func(context.Context, *redis.Conn) error) (redis.UniversalClient, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("REDIS_URL is not a valid URL")
	}
	refused := func(error) error { // the cause may contain the password
		return errors.New("REDIS_URL must be redis:// or rediss://user:password@host:port, with master_name=NAME for sentinels or addr=HOST:PORT for more nodes of a cluster")
	}
	q := u.Query()
	clustered := q.Get("cluster") == "true"
	q.Del("cluster")
	u.RawQuery = q.Encode()
	// No retries, since the circuit breakers handle failures; no maintenance notifications, which only Redis Cloud sends; no
	// CLIENT SETINFO, which costs a round trip; no separate connections for pipelines.
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

// Watch probes open circuits until the context ends.
func (c *Client) Watch(ctx context.Context) {
	var watching sync.WaitGroup
	watching.Go(func() { c.limits.watch(ctx) })
	watching.Go(func() { c.revocation.watch(ctx) })
	watching.Wait()
}

// Close closes the connections, which aborts commands still running in the background, and waits for those to end.
func (c *Client) Close() error {
	err := c.client.Close()
	c.limits.running.Wait()
	c.revocation.running.Wait()
	if err != nil {
		return fmt.Errorf("closing redis: %w", err)
	}
	return nil
}
