package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
)

const (
	// noRoute stands for the method and the route of requests that no route takes: both are the client's choice.
	noRoute = "other"
	// statusClientGone is a class of its own: neither did the client ask for what it may not, nor did the service fail.
	statusClientGone = 499
)

// InFlight counts the requests that a handler is answering.
func (m *Metrics) InFlight(handler http.Handler) http.Handler {
	return promhttp.InstrumentHandlerInFlight(m.inFlight, handler)
}

// Request measures a request that was answered.
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
