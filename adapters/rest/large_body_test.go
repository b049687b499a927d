package rest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// unlogged is a fake of the dependencies for concurrent requests.
type unlogged struct{ waiting }

func (*unlogged) Request(context.Context, audit.Request) {}

// TestLargeBodies: while as many large bodies are being read as may be, another one is refused, and requests with a small body,
// or with one that is discarded, are answered at once.
func TestLargeBodies(t *testing.T) {
	const small, atOnce, wait = 24 << 10, 64, time.Second
	synctest.Test(t, func(t *testing.T) {
		settings := rest.Settings{RequestTimeout: 25 * time.Second}
		settings.Limits.SignIn = ports.Rate{Unlimited: true}
		e, err := rest.New(dependencies(&unlogged{}), settings)
		if err != nil {
			t.Fatal(err)
		}
		send := func(method, path string, body io.Reader, length int64) (*httptest.ResponseRecorder, time.Duration) {
			r := httptest.NewRequestWithContext(t.Context(), method, path, body)
			r.ContentLength = length
			answer, began := httptest.NewRecorder(), time.Now()
			e.ServeHTTP(answer, r)
			return answer, time.Since(began)
		}
		signIn := func(length int64) (*httptest.ResponseRecorder, time.Duration) {
			return send(http.MethodPost, "/api/v1/auth/login", strings.NewReader(`{}`), length)
		}

		body, slow := io.Pipe()
		for range atOnce {
			go send(http.MethodPost, "/api/v1/auth/login", body, rest.MaxBody)
		}
		synctest.Wait()
		for name, c := range map[string]struct {
			length int64
			status int
			code   string
			after  time.Duration
		}{
			"small":          {small, 422, "invalid_request", 0},
			"larger":         {small + 1, 503, "busy", wait},
			"unknown length": {-1, 503, "busy", wait},
			"too large":      {rest.MaxBody + 1, 413, "body_too_large", 0},
		} {
			answer, took := signIn(c.length)
			var problem struct{ Code string }
			if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil || problem.Code != c.code || answer.Code != c.status || took != c.after {
				t.Errorf("%s: it was answered %d after %s, want %d %s after %s: %s", name, answer.Code, took, c.status, c.code, c.after, answer.Body)
			}
			if retry := answer.Header().Get("Retry-After"); (retry != "") != (c.status == 503) {
				t.Errorf("%s: Retry-After is %q", name, retry)
			}
		}
		if answer, took := send(http.MethodGet, "/health/live", strings.NewReader(strings.Repeat(" ", small+1)), small+1); answer.Code != 200 || took != 0 {
			t.Errorf("a body that is discarded: %d after %s", answer.Code, took)
		}

		if err := slow.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if answer, took := signIn(small + 1); answer.Code != 422 || took != 0 {
			t.Errorf("after the others: %d after %s: %s", answer.Code, took, answer.Body)
		}
	})
}
