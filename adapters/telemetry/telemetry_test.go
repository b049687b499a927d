package telemetry_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/telemetry"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// value returns the value of a series on the metrics page, or "" if it is not there.
func value(m *telemetry.Metrics, series string) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(w.Body.String())
	if found == nil {
		return ""
	}
	return found[1]
}

func want(t *testing.T, m *telemetry.Metrics, expected map[string]string) {
	t.Helper()
	for series, v := range expected {
		if got := value(m, series); got != v {
			t.Errorf("%s is %q, want %q", series, got, v)
		}
	}
}

// bounded has 2 slots in use and 3 callers waiting. Each of its methods returns err.
type bounded struct{ err error }

func (bounded) Load() (running, waiting int) { return 2, 3 }

func (b bounded) Enter(context.Context, id.Tenant) (func(), error)        { return func() {}, b.err }
func (b bounded) Reenter(context.Context, id.Tenant) (func(), error)      { return func() {}, b.err }
func (b bounded) Hash(context.Context, string) (user.PasswordHash, error) { return "", b.err }
func (b bounded) VerifyDummy(context.Context, string) error               { return b.err }
func (b bounded) Verify(context.Context, string, user.PasswordHash) (bool, bool, error) {
	return true, true, b.err
}

// TestMeasureGate: refused queries are counted, admitted and cancelled ones are not.
func TestMeasureGate(t *testing.T) {
	for _, c := range []struct {
		err     error
		refused string
	}{{nil, "0"}, {context.Canceled, "0"}, {ports.ErrTooManyQueries.Because(errors.New("why")), "1"}} {
		m := telemetry.NewMetrics("1")
		gate := m.MeasureGate(bounded{c.err}, 4)
		if _, err := gate.Enter(t.Context(), "t"); !errors.Is(err, c.err) {
			t.Errorf("Enter returned %v, want %v", err, c.err)
		}
		want(t, m, map[string]string{
			"secure_data_api_queries_refused_total": c.refused,
			"secure_data_api_queries_running":       "2", "secure_data_api_queries_waiting": "3", "secure_data_api_queries_running_limit": "4",
		})
	}
}

// TestMeasureHasher: each method is measured once; a refusal is counted and its duration is not observed.
func TestMeasureHasher(t *testing.T) {
	for _, c := range []struct {
		err           error
		took, refused string
	}{{nil, "3", "0"}, {context.Canceled, "3", "0"}, {ports.ErrHasherBusy, "0", "3"}} {
		m := telemetry.NewMetrics("1")
		h := m.MeasureHasher(bounded{c.err}, 4, 5)
		_, hashed := h.Hash(t.Context(), "x")
		match, outdated, verified := h.Verify(t.Context(), "x", "y")
		for _, err := range []error{hashed, verified, h.VerifyDummy(t.Context(), "x")} {
			if !errors.Is(err, c.err) || !match || !outdated {
				t.Errorf("it returned %v, %t, %t", err, match, outdated)
			}
		}
		want(t, m, map[string]string{
			"secure_data_api_password_hash_duration_seconds_count": c.took, "secure_data_api_password_hashes_refused_total": c.refused,
			"secure_data_api_password_hashes_running": "2", "secure_data_api_password_hashes_running_limit": "4",
			"secure_data_api_password_hashes_waiting": "3", "secure_data_api_password_hashes_waiting_limit": "5",
		})
	}
}

// TestRequest: a status is counted in its class, and 499 in its own.
func TestRequest(t *testing.T) {
	m := telemetry.NewMetrics("1")
	for _, status := range []int{200, 204, 302, 400, 404, 429, 499, 500, 503} {
		m.Request(audit.Request{Method: "GET", Route: "/x", Path: "/path", Status: status})
	}
	for class, n := range map[string]string{"2xx": "2", "3xx": "1", "4xx": "3", "499": "1", "5xx": "2"} {
		want(t, m, map[string]string{`secure_data_api_http_request_duration_seconds_count{method="GET",route="/x",status_class="` + class + `"}`: n})
	}
}

func BenchmarkRequest(b *testing.B) {
	m := telemetry.NewMetrics("1")
	r := audit.Request{Method: "GET", Route: "/api/v1/auth/me", Status: 200}
	b.ReportAllocs()
	for b.Loop() {
		m.Request(r)
	}
}
