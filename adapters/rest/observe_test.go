package rest_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// failingExport accepts every token, and has an export that fails after its first event.
type failingExport struct{ waiting }

func (*failingExport) Authenticate(context.Context, string) (session.Caller, error) {
	return session.Caller{}, nil
}

func (*failingExport) Export(context.Context, access.Principal, id.Tenant, analytics.Selection) (iter.Seq2[event.Event, error], error) {
	return func(yield func(event.Event, error) bool) {
		if yield(event.Event{}, nil) {
			yield(event.Event{}, errors.New("the database is gone"))
		}
	}, nil
}

// TestObserve_export_aborted: a response that was aborted after its status 200 is logged as 500.
func TestObserve_export_aborted(t *testing.T) {
	b := &failingExport{}
	e, err := rest.New(dependencies(b), rest.Settings{RequestTimeout: time.Second, Limits: rest.Limits{Export: ports.Rate{Unlimited: true}}})
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
	if len(b.requests) != 1 || b.requests[0].Status != http.StatusInternalServerError || b.requests[0].Route != route {
		t.Errorf("logged: %+v", b.requests)
	}
}
