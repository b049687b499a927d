package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
)

const (
	// noRoute is the label value of method and route for requests that match no route, since the client chooses both.
	noRoute = "other"
	// statusClientGone has its own class: the client closed the connection, which is an error of neither side.
	statusClientGone = 499
)

// InFlight counts the requests that a handler is answering.
func (m *Metrics) InFlight(handler http.Handler) http.Handler {
	return promhttp.InstrumentHandlerInFlight(m.inFlight, handler)
}

// Request observes the duration of a request, after its response.
func (m *Metrics) Request(r audit.Request) {
	method, route := r.Method, r.Route
	if route == "" {
		method, route = noRoute, noRoute
	}
	m.requests.WithLabelValues(method, route, statusClass(r.Status)).Observe(r.Duration.Seconds())
}

func statusClass(status int) string {
	switch {
	case status >= 500:
		return "5xx"
	case status == statusClientGone:
		return "499"
	case status >= 400:
		return "4xx"
	case status >= 300:
		return "3xx"
	default:
		return "2xx"
	}
}
