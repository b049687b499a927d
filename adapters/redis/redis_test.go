package redis_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/redis"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// watched is a client whose Watch runs until the test ends.
type watched struct {
	*redis.Client
	log     *buffer
	changes map[string]chan bool // by use
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *buffer) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(line)
}

func (r *buffer) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

var uses = []string{redis.Limits, redis.Revocation}

func open(t *testing.T, url string) watched {
	t.Helper()
	w := watched{log: &buffer{}, changes: map[string]chan bool{redis.Limits: make(chan bool, 100), redis.Revocation: make(chan bool, 100)}}
	client, err := redis.Open(url, slog.New(slog.NewTextHandler(w.log, nil)), func(use string, up bool) { w.changes[use] <- up })
	if err != nil {
		t.Fatal(err)
	}
	w.Client = client
	ctx, cancel := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { client.Watch(ctx) })
	t.Cleanup(func() {
		cancel()
		watch.Wait()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	w.expect(t, true, uses...) // the initial state
	return w
}

// expect waits for the next change of each use.
func (w watched) expect(t *testing.T, up bool, uses ...string) {
	t.Helper()
	for _, use := range uses {
		select {
		case got := <-w.changes[use]:
			if got != up {
				t.Fatalf("redis is used for %s: %t, want %t", use, got, up)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("timed out: redis is used for %s: %t", use, up)
		}
	}
}

// expectLines expects so many warnings in the log, and no further changes.
func (w watched) expectLines(t *testing.T, lines int) {
	t.Helper()
	if n := strings.Count(w.log.String(), "level=WARN"); n != lines || len(w.changes[redis.Limits])+len(w.changes[redis.Revocation]) > 0 {
		t.Errorf("%d warnings for %d changes:\n%s", n, lines, w.log)
	}
}

// refusing is a fallback that must not be called.
type refusing struct{}

func (refusing) Take(context.Context, string, ports.Rate) (ports.Allowance, error) {
	return ports.Allowance{}, errors.New("redis was not used")
}

func (refusing) GiveBack(context.Context, string, ports.Rate) error {
	return errors.New("redis was not used")
}

// counting is a fallback that counts all requests together, without a window.
type counting struct{ taken atomic.Int64 }

func (c *counting) Take(_ context.Context, _ string, rate ports.Rate) (ports.Allowance, error) {
	left := rate.Requests - int(c.taken.Add(1))
	return ports.Allowance{Exceeded: left < 0, Remaining: max(left, 0), Reset: rate.Window}, nil
}

func (c *counting) GiveBack(context.Context, string, ports.Rate) error {
	c.taken.Add(-1)
	return nil
}

// testPorts runs the contract tests of both ports. direct is another client of the same Redis.
func testPorts(t *testing.T, url string, direct goredis.UniversalClient) {
	client := open(t, url)
	t.Cleanup(func() {
		if err := direct.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("limiter", func(t *testing.T) { porttest.RateLimiter(t, redis.NewLimiter(client.Client, refusing{})) })
	t.Run("revocations", func(t *testing.T) {
		clock := porttest.NewClock()
		// The list's clock is that of Redis: shortening the expiry of each key moves it forward.
		advance := func(d time.Duration) {
			clock.Advance(d)
			keys, err := direct.Keys(t.Context(), "*revoked*").Result()
			if err != nil || len(keys) == 0 {
				t.Fatalf("the keys are %v, %v", keys, err)
			}
			for _, key := range keys {
				rest, err := direct.PTTL(t.Context(), key).Result()
				if err != nil || rest <= 0 {
					t.Fatalf("the key %s expires in %v, %v", key, rest, err)
				}
				if err := direct.PExpire(t.Context(), key, rest-d).Err(); err != nil {
					t.Fatal(err)
				}
			}
		}
		porttest.RevocationList(t, redis.NewRevocations(client.Client, clock), clock.Now, advance)
	})
	client.expectLines(t, 0)
}

func TestOnContainer(t *testing.T) {
	server := container.Redis(t)
	t.Run("single", func(t *testing.T) {
		url := server.RedisURL()
		options, err := goredis.ParseURL(url)
		if err != nil {
			t.Fatal(err)
		}
		testPorts(t, url, goredis.NewClient(options))
	})
	t.Run("cluster", func(t *testing.T) {
		url := container.RedisCluster(t)
		options, err := goredis.ParseClusterURL(strings.TrimSuffix(url, "?cluster=true"))
		if err != nil {
			t.Fatal(err)
		}
		testPorts(t, url, goredis.NewClusterClient(options))
	})
	t.Run("sentinel", func(t *testing.T) {
		url := container.RedisSentinel(t)
		options, err := goredis.ParseFailoverURL(url)
		if err != nil {
			t.Fatal(err)
		}
		testPorts(t, url, goredis.NewFailoverClient(options))
	})
	t.Run("replicas share", func(t *testing.T) { testShared(t, server) })
	t.Run("high latency", func(t *testing.T) { testHighLatency(t, server) })
	t.Run("high latency, burst", func(t *testing.T) { testHighLatencyBurst(t, server) })
	t.Run("expiries", func(t *testing.T) { testExpiries(t, server) })
	t.Run("invalid counts", func(t *testing.T) { testInvalidCounts(t, server) })
	t.Run("undeletable counts", func(t *testing.T) { testUndeletableCounts(t, server) })
	t.Run("full", func(t *testing.T) {
		testRefusedWrites(t, server, "OOM", []any{"CONFIG", "SET", "maxmemory", "1"}, []any{"CONFIG", "SET", "maxmemory", "0"})
	})
	t.Run("read-only", func(t *testing.T) {
		testRefusedWrites(t, server, "READONLY", []any{"REPLICAOF", "127.0.0.1", "1"}, []any{"REPLICAOF", "NO", "ONE"})
	})
	for name, outage := range map[string]struct{ begin, end func(testing.TB) }{
		"stopped": {server.Stop, server.Start},
		"paused":  {server.Pause, server.Unpause},
	} {
		t.Run(name, func(t *testing.T) { testOutage(t, server, outage.begin, outage.end) })
	}
	t.Run("down at the start", func(t *testing.T) { testDownAtStart(t, server) })
}

func testShared(t *testing.T, server *container.Container) {
	url, clock := server.RedisURL(), porttest.NewClock()
	one, other := open(t, url), open(t, url)
	rate := ports.Rate{Requests: 2, Window: time.Hour}
	here, there := redis.NewLimiter(one.Client, refusing{}), redis.NewLimiter(other.Client, refusing{})
	for i, l := range []ports.RateLimiter{here, there, here, there} {
		left, err := l.Take(t.Context(), "key", rate)
		if err != nil || left.Exceeded != (i >= rate.Requests) {
			t.Errorf("request %d: %+v, %v", i+1, left, err)
		}
	}
	claims := session.Claims{User: porttest.NewID[id.User](), Session: porttest.NewID[id.Session](), Token: porttest.NewID[id.Token](), IssuedAt: clock.Now()}
	revocation := session.Revocation{User: claims.User, Session: claims.Session, Until: clock.Now().Add(time.Minute)}
	if err := redis.NewRevocations(one.Client, clock).Revoke(t.Context(), revocation); err != nil {
		t.Fatal(err)
	}
	if revoked, err := redis.NewRevocations(other.Client, clock).Revoked(t.Context(), claims); err != nil || !revoked {
		t.Errorf("what one replica revoked, the other finds revoked: %t, %v", revoked, err)
	}
}

// testOutage: while Redis is down, limits are counted in the process, revocation is left to the database, requests are not slower,
// and each change is logged once. Afterwards Redis is used again.
func testOutage(t *testing.T, server *container.Container, begin, end func(testing.TB)) {
	client, clock := open(t, server.RedisURL()), porttest.NewClock()
	limiter := redis.NewLimiter(client.Client, &counting{})
	list := redis.NewRevocations(client.Client, clock)
	rate := ports.Rate{Requests: 10_000, Window: time.Hour}
	claims := session.Claims{User: porttest.NewID[id.User](), Session: porttest.NewID[id.Session](), Token: porttest.NewID[id.Token](), IssuedAt: clock.Now()}
	send := func() (remaining int) {
		t.Helper()
		left, err := limiter.Take(t.Context(), "key", rate)
		if err != nil {
			t.Fatal(err)
		}
		if revoked, err := list.Revoked(t.Context(), claims); err != nil || revoked {
			t.Fatalf("revoked: %t, %v", revoked, err)
		}
		if err := list.Revoke(t.Context(), session.Revocation{User: porttest.NewID[id.User](), NotBefore: clock.Now(), Until: clock.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		return left.Remaining
	}
	before := send()
	begin(t)

	var many sync.WaitGroup
	for range 20 {
		many.Go(func() { send() })
	}
	many.Wait()
	client.expect(t, false, uses...)
	const sent = 1000
	began := time.Now()
	for range sent {
		send()
	}
	if each := time.Since(began) / sent; each > time.Millisecond {
		t.Errorf("a dead redis adds %v to a request", each)
	} else {
		t.Logf("a dead redis adds %v to a request", each)
	}
	if own := send(); own >= rate.Requests-sent {
		t.Errorf("limits are not counted in the process: %d are left", own)
	}

	end(t)
	client.expect(t, true, uses...)
	if after := send(); after < before-100 {
		t.Errorf("%d are left in redis, before the outage %d", after, before)
	}
	client.expectLines(t, 4)
}

// testDownAtStart: the service starts without Redis, and uses it once it answers.
func testDownAtStart(t *testing.T, server *container.Container) {
	server.Pause(t)
	client := open(t, server.RedisURL())
	limiter := redis.NewLimiter(client.Client, &counting{})
	take := func(l ports.RateLimiter) {
		if _, err := l.Take(t.Context(), "key", ports.Rate{Requests: 1000, Window: time.Hour}); err != nil {
			t.Error(err)
		}
	}
	began := time.Now()
	var many sync.WaitGroup
	for range 100 {
		many.Go(func() { take(limiter) })
	}
	many.Wait()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("requests waited %v for a redis that is down", took)
	}
	client.expect(t, false, redis.Limits)
	server.Unpause(t)
	client.expect(t, true, redis.Limits)
	take(redis.NewLimiter(client.Client, refusing{}))
}

func TestOpen_shows_no_password(t *testing.T) {
	for _, url := range []string{
		"redis://u:hush-hush@h:port", "redis://u:hush-hush@h/notanumber", "http://u:hush-hush@h", "redis://u:hush-hush@h:6379?nonsense=1",
		"redis://u:hush-hush@h:6379?master_name=m&db=x", "redis://u:hush-hush@h:6379?cluster=true&read_timeout=x", "redis://u:hush-hush%zz@h",
	} {
		client, err := redis.Open(url, slog.New(slog.DiscardHandler), func(string, bool) {})
		if err == nil {
			t.Errorf("%s was accepted", url)
			err = client.Close()
		}
		if err != nil && strings.Contains(err.Error(), "hush-hush") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// TestOpen_TLS: rediss:// uses TLS 1.2 or newer, and sends the server's name.
func TestOpen_TLS(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hellos := make(chan *tls.ClientHelloInfo, 1)
	refuse := &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		hellos <- h
		return nil, errors.New("refused for the test")
	}}
	var served sync.WaitGroup
	served.Go(func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		_ = tls.Server(c, refuse).Handshake() // fails on purpose
		_ = c.Close()
	})
	client, err := redis.Open(fmt.Sprintf("rediss://localhost:%d", listener.Addr().(*net.TCPAddr).Port), slog.New(slog.DiscardHandler), func(string, bool) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := redis.NewLimiter(client, &counting{}).Take(t.Context(), "key", ports.Rate{Requests: 1, Window: time.Minute}); err != nil {
		t.Error(err)
	}
	if err := errors.Join(listener.Close(), client.Close()); err != nil {
		t.Error(err)
	}
	served.Wait()
	hello := <-hellos
	for _, v := range hello.SupportedVersions {
		if v < tls.VersionTLS12 {
			t.Errorf("the client offers %s", tls.VersionName(v))
		}
	}
	if hello.ServerName != "localhost" {
		t.Errorf("the server name is %q", hello.ServerName)
	}
}
