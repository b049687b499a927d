package redis_test

import (
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

// connect returns a client of a Redis of the test's own, besides the one that is tested.
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

// calls returns how many scripts Redis has run, of which each probe of the limits is one.
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

// testRefusedWrites: Redis can be read and refuses writes. Requests are counted in the process, and what was revoked is
// found until something new can't be added. Each use says so once, with the cause, however often it is tried, and all is
// well again once the refusal ends.
func testRefusedWrites(t *testing.T, server *container.Container, cause string, begin, end []any) {
	const probes = 6
	url, clock := server.RedisURL(), porttest.NewClock()
	client, direct, fallback := open(t, url), connect(t, url), &counting{}
	limiter, list := redis.NewLimiter(client.Client, fallback), redis.NewRevocations(client.Client, clock)
	take := func() {
		t.Helper()
		if _, err := limiter.Take(t.Context(), "key", ports.Rate{Requests: 10_000, Window: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	newClaims := func() session.Claims {
		return session.Claims{User: porttest.NewID[id.User](), Session: porttest.NewID[id.Session](), Token: porttest.NewID[id.Token](), IssuedAt: clock.Now()}
	}
	revoke := func(c session.Claims) {
		t.Helper()
		if err := list.Revoke(t.Context(), session.Revocation{User: c.User, Token: c.Token, Until: clock.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	revoked := func(c session.Claims, want bool) {
		t.Helper()
		if got, err := list.Revoked(t.Context(), c); err != nil || got != want {
			t.Errorf("revoked %t, %v, want %t", got, err, want)
		}
	}
	before, meanwhile, after := newClaims(), newClaims(), newClaims()
	take()
	revoke(before)
	if err := direct.Do(t.Context(), begin...).Err(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { direct.Do(t.Context(), end...) }) // where the test ended early

	for range 3 {
		take()
	}
	client.expect(t, false, redis.Limits)
	for tried := calls(t, direct) + probes; calls(t, direct) < tried; {
		take() // while it is tried
		revoked(before, true)
	}
	client.expectLines(t, 1)
	revoke(meanwhile)
	client.expect(t, false, redis.Revocation)
	for tried := calls(t, direct) + probes; calls(t, direct) < tried; {
		take()
		revoked(before, false) // the database knows
	}
	client.expectLines(t, 2)
	for line := range strings.Lines(client.log.String()) {
		if !strings.Contains(line, cause) {
			t.Errorf("the cause is not %s: %s", cause, line)
		}
	}

	if err := direct.Do(t.Context(), end...).Err(); err != nil {
		t.Fatal(err)
	}
	client.expect(t, true, uses...)
	counted := fallback.taken.Load()
	take()
	if fallback.taken.Load() != counted {
		t.Error("a request was counted in the process after redis took counts again")
	}
	revoked(before, true)
	revoke(after)
	revoked(after, true)
	client.expectLines(t, 4)
	for _, tried := range []string{"key/1h0m0s", string(meanwhile.User)} { // at the node of what failed
		keys, err := direct.Keys(t.Context(), "*{"+tried+"}*").Result()
		if err != nil || !slices.ContainsFunc(keys, func(key string) bool { return strings.Contains(key, "probe") }) {
			t.Errorf("no probe is among %v, %v", keys, err)
		}
	}
}

// farURL returns the URL of a database of the test's own that is so far away.
func farURL(t *testing.T, server *container.Container, eachWay time.Duration) string {
	t.Helper()
	u, err := url.Parse(server.RedisURL())
	if err != nil {
		t.Fatal(err)
	}
	u.Host = container.Far(t, u.Host, eachWay)
	return u.String()
}

// testFar: a Redis that answers after 140 ms is shared all the same. To connect takes longer than a request waits, which
// then goes on without it.
func testFar(t *testing.T, server *container.Container) {
	far := farURL(t, server, 70*time.Millisecond)
	one, other, clock := open(t, far), open(t, far), porttest.NewClock()
	here, there := redis.NewLimiter(one.Client, refusing{}), redis.NewLimiter(other.Client, refusing{})
	const waits = 400 * time.Millisecond // it is 250 on a machine that is not busy, and to connect is 420
	rate := ports.Rate{Requests: 2, Window: time.Hour}
	for _, l := range []ports.RateLimiter{here, there} {
		porttest.Eventually(t, "there is a connection", func() bool {
			began := time.Now()
			_, err := l.Take(t.Context(), "warm", rate)
			if took := time.Since(began); took > waits {
				t.Errorf("a request waited %v for redis", took)
			}
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

// testFarCrowd: many requests at once, none of which finds a connection, are not taken for a Redis that is not there.
func testFarCrowd(t *testing.T, server *container.Container) {
	client, fallback := open(t, farURL(t, server, 50*time.Millisecond)), &counting{}
	limiter := redis.NewLimiter(client.Client, fallback)
	crowd := func() {
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
	porttest.Eventually(t, "a crowd is counted in redis", func() bool {
		before := fallback.taken.Load()
		crowd()
		return fallback.taken.Load() == before
	})
	client.expectLines(t, 0)
}

// testExpiries: a count that would outlive its window, whoever gave it that life, is given the window's.
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
		"without an end": func() error { return direct.Set(t.Context(), keys[0], 5, 0).Err() },
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
				t.Errorf("after %s a life %s is %v, %v", what, name, life, err)
			}
		}
	}
	porttest.Eventually(t, "the window ends", func() bool { return !take() })
}
