package rest_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// waiting is a fake of the dependencies that blocks until the request's context ends, and keeps the requests that are logged.
type waiting struct {
	rest.Auth
	rest.Users
	rest.Analytics
	ports.RateLimiter
	requests []audit.Request
}

// everything is what the API needs, in one.
type everything interface {
	rest.Auth
	rest.Users
	rest.Analytics
	rest.AuditLog
	rest.Database
	ports.RateLimiter
	ports.Clock
	ports.IDs
}

// unbounded is a gate that is always open.
type unbounded struct{}

func (unbounded) Enter(context.Context, id.Tenant) (func(), error) { return func() {}, nil }

// dependencies returns what the API works with, all of it one thing.
func dependencies(on everything) rest.Dependencies {
	return rest.Dependencies{
		Auth: on, Users: on, Analytics: on, Erasures: noErasures{}, AuditLog: on, Database: on, Condition: func() rest.Condition { return rest.Condition{} },
		Stopping: make(chan struct{}), Batches: unbounded{}, Streams: unbounded{}, Limiter: on, LimitHit: func(string) {}, Clock: on, IDs: on, Logger: slog.New(slog.DiscardHandler),
	}
}

func (*waiting) Authenticate(ctx context.Context, _ string) (session.Caller, error) {
	<-ctx.Done()
	return session.Caller{}, ctx.Err()
}

func (*waiting) Ping(ctx context.Context) error {
	<-ctx.Done()
	return ports.ErrUnavailable.Because(ctx.Err())
}

func (*waiting) Now() time.Time                               { return time.Now() }
func (*waiting) New() string                                  { return "id" }
func (*waiting) Note(context.Context, audit.Entry)            {}
func (w *waiting) Request(_ context.Context, r audit.Request) { w.requests = append(w.requests, r) }

// TestRequestTimeout: a request that takes too long is answered, and one whose client has gone is logged as 499.
func TestRequestTimeout(t *testing.T) {
	const timeout = 25 * time.Second
	for name, c := range map[string]struct {
		path   string
		leaves time.Duration // 0: never
		status int
		code   string
		after  time.Duration
	}{
		"too long":         {"/api/v1/auth/me", 0, 503, "timeout", timeout},
		"too long to ping": {"/health/ready", 0, 503, "", timeout},
		"client gone":      {"/api/v1/auth/me", time.Second, 499, "", time.Second},
		"an export":        {"/api/v1/analytics/export", time.Hour, 499, "", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &waiting{}
				e, err := rest.New(dependencies(w), rest.Settings{RequestTimeout: timeout})
				if err != nil {
					t.Fatal(err)
				}
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if c.leaves > 0 {
					time.AfterFunc(c.leaves, leave)
				}
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, c.path, nil)
				r.Header.Set("Authorization", "Bearer token")
				answer, began := httptest.NewRecorder(), time.Now()
				e.ServeHTTP(answer, r)
				if took := time.Since(began); answer.Code != c.status || took != c.after {
					t.Errorf("it was answered %d after %s, want %d after %s: %s", answer.Code, took, c.status, c.after, answer.Body)
				}
				var problem struct{ Code string }
				if c.code != "" {
					if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil || answer.Header().Get("Retry-After") == "" {
						t.Errorf("%v %s %v", answer.Header(), answer.Body, err)
					}
				}
				for _, line := range w.requests {
					if line.Status != c.status {
						t.Errorf("it is logged as %d", line.Status)
					}
				}
				if problem.Code != c.code {
					t.Errorf("the code is %q, want %q", problem.Code, c.code)
				}
			})
		})
	}
}

// noErasures is for tests that erase nothing.
type noErasures struct{ rest.Erasures }
