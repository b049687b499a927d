package bootstrap_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// BenchmarkMe measures an authenticated request without the network: token, revocation list, database, limit, log. The baseline
// answers the same bytes on Echo with none of that.
func BenchmarkMe(b *testing.B) {
	var answer []byte
	run := func(name string, handler http.Handler, token string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, api+"/auth/me", nil)
				r.Header.Set("Authorization", "Bearer "+token)
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
				answer = w.Body.Bytes()
			}
		})
	}
	s := start(b, generous().with(onSQLite(b)))
	run("secured", s.app.Handler(), s.newPerson(b, newSlug(), access.Viewer).access)
	bare := echo.New()
	bare.GET(api+"/auth/me", func(c echo.Context) error { return c.JSONBlob(http.StatusOK, answer) })
	run("bare", bare, "")
}

// BenchmarkNoisyNeighbour measures GET /auth/me of one tenant over HTTP: alone, and while 50 clients of another tenant, which has
// 300,000 events, send expensive queries and honour Retry-After. An error of the first tenant is a failure.
func BenchmarkNoisyNeighbour(b *testing.B) {
	const clients, events, samples, pace = 50, 300_000, 2000, 5 * time.Millisecond
	all := generous().with(onSQLite(b))
	s := start(b, all)
	loud, quiet := s.newPerson(b, newSlug(), access.Analyst), s.newPerson(b, newSlug(), access.Viewer)
	fill(b, all, loud.user.TenantID, events)
	profile := request{method: http.MethodGet, path: api + "/auth/me", token: quiet.access}
	measure := func() (p50, p99 time.Duration) {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		took := make([]time.Duration, samples)
		for i := range took {
			<-tick.C
			began := time.Now()
			if status, _ := s.status(b.Context(), client, profile); status != http.StatusOK {
				b.Fatalf("the quiet tenant was answered %d", status)
			}
			took[i] = time.Since(began)
		}
		slices.Sort(took)
		return took[samples/2], took[samples*99/100]
	}
	noisy := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	queries := []request{summary(loud.access), {method: http.MethodPost, path: api + "/analytics/query", token: loud.access, body: `{"group_by":"source"}`}}
	for b.Loop() {
		p50, p99 := measure()
		var (
			clientsDone     sync.WaitGroup
			served, refused atomic.Int32
			ctx, stop       = context.WithCancel(b.Context())
		)
		for i := range clients {
			clientsDone.Go(func() {
				for n := i; ctx.Err() == nil; n++ {
					switch status, later := s.status(ctx, noisy, queries[n%len(queries)]); status {
					case http.StatusOK:
						served.Add(1)
					case http.StatusTooManyRequests:
						refused.Add(1)
						select {
						case <-time.After(later + rand.N(time.Second)): // not all at once
						case <-ctx.Done():
						}
					}
				}
			})
		}
		p50Beside, p99Beside := measure()
		stop()
		clientsDone.Wait()
		for unit, d := range map[string]time.Duration{"p50": p50, "p99": p99, "p50-beside": p50Beside, "p99-beside": p99Beside} {
			b.ReportMetric(float64(d.Microseconds())/1000, unit+"-ms")
		}
		b.ReportMetric(float64(p99Beside)/float64(p99), "p99-ratio")
		b.ReportMetric(float64(served.Load()), "served")
		b.ReportMetric(float64(refused.Load()), "refused")
	}
}

// status sends a request and returns its status, or 0 if there is no response, and Retry-After.
func (s *service) status(ctx context.Context, client *http.Client, r request) (status int, later time.Duration) {
	body, _ := r.body.(string)
	q, err := http.NewRequestWithContext(ctx, r.method, s.url+r.path, strings.NewReader(body))
	if err != nil {
		return 0, 0
	}
	q.Header.Set("Authorization", "Bearer "+r.token)
	q.Header.Set("Content-Type", "application/json")
	response, err := client.Do(q)
	if err != nil {
		return 0, 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, 0
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return response.StatusCode, time.Duration(seconds) * time.Second
}
