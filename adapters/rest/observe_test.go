package rest_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// breaking knows everybody, and has an export that fails after its first event.
type breaking struct {
	waiting
	rest.Analytics
}

func (*breaking) Authenticate(context.Context, string) (session.Caller, error) {
	return session.Caller{}, nil
}

func (*breaking) Export(context.Context, access.Principal, id.Tenant) (iter.Seq2[event.Event, error], error) {
	return func(yield func(event.Event, error) bool) {
		if yield(event.Event{}, nil) {
			yield(event.Event{}, errors.New("the database went away"))
		}
	}, nil
}

// TestObserve_export_broken_off: what began as 200 and was broken off here is an error, in the log and in the figures.
func TestObserve_export_broken_off(t *testing.T) {
	b := &breaking{}
	e, err := rest.New(rest.Dependencies{
		Auth: b, Analytics: b, Database: b, Draining: func() bool { return false }, AuditLog: b, Clock: b, IDs: b, Logger: slog.New(slog.DiscardHandler),
	}, rest.Settings{RequestTimeout: time.Second, Limits: rest.Limits{Export: ports.Rate{Unlimited: true}}})
	if err != nil {
		t.Fatal(err)
	}
	const route = "/api/v1/analytics/export"
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, route, nil)
	r.Header.Set("Authorization", "Bearer token")
	func() {
		defer func() {
			if cause := recover(); cause != http.ErrAbortHandler {
				t.Errorf("the answer ended with %v", cause)
			}
		}()
		e.ServeHTTP(httptest.NewRecorder(), r)
	}()
	if len(b.lines) != 1 || b.lines[0].Status != http.StatusInternalServerError || b.lines[0].Route != route {
		t.Errorf("on the log: %+v", b.lines)
	}
}
