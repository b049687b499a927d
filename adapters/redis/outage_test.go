package redis_test

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// connect returns a second client, besides the one that is tested.
func connect(t *testing.T, url string) *goredis.Client {
	t.Helper()
	options, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	direct := goredis.NewClient(options)
	t.Cleanup(func() {
		if err := direct.Close(); err != nil {
			t.Error(err)
		}
	})
	return direct
}

// calls returns how many scripts Redis has run; each probe of the limits is one.
func calls(t *testing.T, direct *goredis.Client) (n int) {
	t.Helper()
	stats, err := direct.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(stats) {
		if rest, found := strings.CutPrefix(line, "cmdstat_evalsha:calls="); found {
			number, _, _ := strings.Cut(rest, ",")
			if n, err = strconv.Atoi(number); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n
}

// refused is a client whose Redis is made to refuse writes, with what tests of it need.
type refused struct {
	watched
	direct   *goredis.Client
	fallback *counting
	limiter  *redis.Limiter
	list     *redis.Revocations
	clock    *porttest.Clock
}

func newRefused(t *testing.T, server *container.Container) *refused {
	t.Helper()
	url, clock, fallback := server.RedisURL(), porttest.NewClock(), &counting{}
	client := open(t, url)
	return &refused{client, connect(t, url), fallback, redis.NewLimiter(client.Client, fallback), redis.NewRevocations(client.Client, clock), clock}
}

func (r *refused) take(t *testing.T) {
	t.Helper()
	if _, err := r.limiter.Take(t.Context(), "key", ports.Rate{Requests: 10_000, Window: time.Hour}); err != nil {
		t.Fatal(err)
	}
}

// revoke revokes a new token.
func (r *refused) revoke(t *testing.T) session.Claims {
	t.Helper()
	c := session.Claims{User: porttest.NewID[id.User](), Session: porttest.NewID[id.Session](), Token: porttest.NewID[id.Token](), IssuedAt: r.clock.Now()}
	if err := r.list.Revoke(t.Context(), session.Revocation{User: c.User, Token: c.Token, Until: r.clock.Now().Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (r *refused) revoked(t *testing.T, c session.Claims, want bool) {
	t.Helper()
	if got, err := r.list.Revoked(t.Context(), c); err != nil || got != want {
		t.Errorf("revoked %t, %v, want %t", got, err, want)
	}
}

// makeRequests makes requests during six probes. Each checks whether the token is revoked.
func (r *refused) makeRequests(t *testing.T, c session.Claims, revoked bool) {
	t.Helper()
	const probes = 6
	for end := calls(t, r.direct) + probes; calls(t, r.direct) < end; {
		r.take(t)
		r.revoked(t, c, revoked)
	}
}

// wantProbe expects a probe with the tag.
func (r *refused) wantProbe(t *testing.T, tag string) {
	t.Helper()
	keys, err := r.direct.Keys(t.Context(), "*{"+tag+"}*").Result()
	if err != nil || !slices.ContainsFunc(keys, func(key string) bool { return strings.Contains(key, "probe") }) {
		t.Errorf("no probe is among %v, %v", keys, err)
	}
}

// testRefusedWrites: Redis can be read but refuses writes. Requests are counted in the process, and Redis is used for revocation
// until a write fails. Each use logs that once, with the cause, however many probes fail, and uses Redis again once it accepts
// writes.
func testRefusedWrites(t *testing.T, server *container.Container, cause string, begin, end []any) {
	r := newRefused(t, server)
	r.take(t)
	before := r.revoke(t)
	if err := r.direct.Do(t.Context(), begin...).Err(); err != nil {
		t.Fatal(err)
	}
	defer r.direct.Do(t.Context(), end...) // if the test fails early
	for range 3 {
		r.take(t)
	}
	r.expect(t, false, redis.Limits)
	r.makeRequests(t, before, true)
	r.expectLines(t, 1)
	meanwhile := r.revoke(t)
	r.expect(t, false, redis.Revocation)
	r.makeRequests(t, before, false) // left to the database
	r.expectLines(t, 2)
	for line := range strings.Lines(r.log.String()) {
		if !strings.Contains(line, cause) {
			t.Errorf("the cause is not %s: %s", cause, line)
		}
	}

	if err := r.direct.Do(t.Context(), end...).Err(); err != nil {
		t.Fatal(err)
	}
	r.expect(t, true, uses...)
	counted := r.fallback.taken.Load()
	r.take(t)
	if r.fallback.taken.Load() != counted {
		t.Error("a request was counted in the process after redis accepted writes again")
	}
	r.revoked(t, before, true)
	r.revoked(t, r.revoke(t), true)
	r.expectLines(t, 4)
	r.wantProbe(t, "key/1h0m0s")
	r.wantProbe(t, string(meanwhile.User))
}

// delayedURL returns the URL of a new database behind a proxy with latency.
func delayedURL(t *testing.T, server *container.Container, eachWay time.Duration) string {
	t.Helper()
	u, err := url.Parse(server.RedisURL())
	if err != nil {
		t.Fatal(err)
	}
	u.Host = container.WithLatency(t, u.Host, eachWay)
	return u.String()
}

// testHighLatency: replicas share a Redis that answers after 140 ms, though connecting takes three times as long and requests do
// not wait for that; see TestCircuit_slow_connecting.
func testHighLatency(t *testing.T, server *container.Container) {
	url := delayedURL(t, server, 70*time.Millisecond)
	one, other, clock := open(t, url), open(t, url), porttest.NewClock()
	here, there := redis.NewLimiter(one.Client, refusing{}), redis.NewLimiter(other.Client, refusing{})
	rate := ports.Rate{Requests: 2, Window: time.Hour}
	for _, l := range []ports.RateLimiter{here, there} {
		porttest.Eventually(t, "there is a connection", func() bool {
			_, err := l.Take(t.Context(), "warm", rate)
			return err == nil
		})
	}
	for i, l := range []ports.RateLimiter{here, there, here, there} {
		left, err := l.Take(t.Context(), "key", rate)
		if err != nil || left.Exceeded != (i >= rate.Requests) {
			t.Errorf("request %d: %+v, %v", i+1, left, err)
		}
	}
	if err := here.GiveBack(t.Context(), "key", rate); err != nil {
		t.Error(err)
	}

	c := session.Claims{User: porttest.NewID[id.User](), Session: porttest.NewID[id.Session](), Token: porttest.NewID[id.Token](), IssuedAt: clock.Now()}
	if err := redis.NewRevocations(one.Client, clock).Revoke(t.Context(), session.Revocation{User: c.User, Token: c.Token, Until: clock.Now().Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if revoked, err := redis.NewRevocations(other.Client, clock).Revoked(t.Context(), c); err != nil || !revoked {
		t.Errorf("what one replica revoked, the other finds revoked: %t, %v", revoked, err)
	}
	one.expectLines(t, 0)
	other.expectLines(t, 0)
}

// testHighLatencyBurst: many requests at once without a connection do not count as failures of Redis.
func testHighLatencyBurst(t *testing.T, server *container.Container) {
	client, fallback := open(t, delayedURL(t, server, 50*time.Millisecond)), &counting{}
	limiter := redis.NewLimiter(client.Client, fallback)
	burst := func() {
		var many sync.WaitGroup
		for range 50 {
			many.Go(func() {
				if _, err := limiter.Take(t.Context(), "key", ports.Rate{Requests: 10_000, Window: time.Hour}); err != nil {
					t.Error(err)
				}
			})
		}
		many.Wait()
	}
	porttest.Eventually(t, "a burst is counted in redis", func() bool {
		before := fallback.taken.Load()
		burst()
		return fallback.taken.Load() == before
	})
	client.expectLines(t, 0)
}

// testExpiries: a count whose expiry is longer than its window gets the window's.
func testExpiries(t *testing.T, server *container.Container) {
	url := server.RedisURL()
	direct, client := connect(t, url), open(t, url)
	limiter := redis.NewLimiter(client.Client, refusing{})
	rate := ports.Rate{Requests: 1, Window: 2 * time.Second}
	take := func() (exceeded bool) {
		t.Helper()
		left, err := limiter.Take(t.Context(), "key", rate)
		if err != nil {
			t.Fatal(err)
		}
		if left.Reset <= 0 || left.Reset > rate.Window {
			t.Errorf("the window ends in %v", left.Reset)
		}
		return left.Exceeded
	}
	take()
	keys, err := direct.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("the keys are %v, %v", keys, err)
	}
	const aDay = 24 * time.Hour
	for name, outlive := range map[string]func() error{
		"without expiry": func() error { return direct.Set(t.Context(), keys[0], 5, 0).Err() },
		"of a day":       func() error { return direct.Set(t.Context(), keys[0], 5, aDay).Err() },
	} {
		for what, do := range map[string]func(){
			"the next request": func() {
				if !take() {
					t.Error("it is not exceeded")
				}
			},
			"giving back": func() {
				if err := limiter.GiveBack(t.Context(), "key", rate); err != nil {
					t.Error(err)
				}
			},
		} {
			if err := outlive(); err != nil {
				t.Fatal(err)
			}
			do()
			if life, err := direct.PTTL(t.Context(), keys[0]).Result(); err != nil || life <= 0 || life > rate.Window {
				t.Errorf("after %s the expiry of a count %s is %v, %v", what, name, life, err)
			}
		}
	}
	porttest.Eventually(t, "the window ends", func() bool { return !take() })
}

// testInvalidCounts: a value that is not a count neither opens the circuit nor refuses requests. It is deleted, counting starts
// anew, and that is logged once.
func testInvalidCounts(t *testing.T, server *container.Container) {
	url := server.RedisURL()
	direct, client := connect(t, url), open(t, url)
	limiter := redis.NewLimiter(client.Client, refusing{})
	rate := ports.Rate{Requests: 2, Window: time.Hour}
	key := takenKey(t, direct, limiter, rate)
	for name, write := range invalidCounts(t, direct, key) {
		write()
		for i := range 4 {
			left, err := limiter.Take(t.Context(), "key", rate)
			if err != nil || left.Exceeded != (i >= rate.Requests) {
				t.Errorf("%s: request %d: %+v, %v", name, i+1, left, err)
			}
		}
		write()
		if err := limiter.GiveBack(t.Context(), "key", rate); err != nil {
			t.Errorf("%s: giving back: %v", name, err)
		}
		if left, err := limiter.Take(t.Context(), "key", rate); err != nil || left.Remaining != rate.Requests-1 {
			t.Errorf("%s: after giving back: %+v, %v", name, left, err)
		}
	}
	if err := direct.Set(t.Context(), key, math.MaxInt64, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if left, err := limiter.Take(t.Context(), "key", rate); err != nil || left.Remaining != rate.Requests-1 {
		t.Errorf("after the largest count: %+v, %v", left, err)
	}
	client.expectLines(t, 1)
	if log := client.log.String(); !strings.Contains(log, "it is deleted") {
		t.Errorf("the log does not say that it is deleted: %s", log)
	}
}

// testUndeletableCounts: if a value that is not a count can't be deleted, the process counts that key on its own, and all others in
// Redis.
func testUndeletableCounts(t *testing.T, server *container.Container) {
	url := server.RedisURL()
	direct, client, fallback := connect(t, url), open(t, url), &counting{}
	limiter := redis.NewLimiter(client.Client, fallback)
	rate := ports.Rate{Requests: 1000, Window: time.Hour}
	key := takenKey(t, direct, limiter, rate)
	if err := direct.Do(t.Context(), "ACL", "SETUSER", "default", "-del").Err(); err != nil {
		t.Fatal(err)
	}
	defer direct.Do(t.Context(), "ACL", "SETUSER", "default", "+del")
	var counted int64
	for name, write := range invalidCounts(t, direct, key) {
		write()
		for range 5 {
			if _, err := limiter.Take(t.Context(), "key", rate); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			counted++
			if _, err := limiter.Take(t.Context(), "other", rate); err != nil {
				t.Errorf("%s: the other key: %v", name, err)
			}
		}
		if n := fallback.taken.Load(); n != counted {
			t.Errorf("%s: the process counted %d requests, not %d", name, n, counted)
		}
	}
	client.expectLines(t, 1)
}

// takenKey takes one request, and returns its key in Redis.
func takenKey(t *testing.T, direct *goredis.Client, limiter *redis.Limiter, rate ports.Rate) string {
	t.Helper()
	if _, err := limiter.Take(t.Context(), "key", rate); err != nil {
		t.Fatal(err)
	}
	keys, err := direct.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("the keys are %v, %v", keys, err)
	}
	return keys[0]
}

// invalidCounts returns functions that write a value that is not a count.
func invalidCounts(t *testing.T, direct *goredis.Client, key string) map[string]func() {
	set := func(value string) func() {
		return func() {
			t.Helper()
			if err := direct.Set(t.Context(), key, value, time.Hour).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return map[string]func(){
		"a text":         set("many"),
		"a large number": set("9223372036854775808"),
		"a list": func() {
			t.Helper()
			_, err := direct.Pipelined(t.Context(), func(p goredis.Pipeliner) error {
				p.Unlink(t.Context(), key)
				p.RPush(t.Context(), key, "1")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		},
	}
}
