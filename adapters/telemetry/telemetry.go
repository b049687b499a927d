// Package telemetry provides the service's metrics in the format of Prometheus, and the alert rules on them (alerts.yml).
// No label has a value that a client can choose, nor one for each tenant, user or address.
package telemetry

import (
	"net/http"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
)

const namespace = "secure_data_api"

// Metrics are what is measured in this process.
type Metrics struct {
	registry  *prometheus.Registry
	inFlight  prometheus.Gauge
	requests  *prometheus.HistogramVec
	entries   *prometheus.CounterVec
	limitHits *prometheus.CounterVec
	redisUp   *prometheus.GaugeVec
}

// NewMetrics returns the metrics of this process, which has the version.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "http_requests_in_flight",
			Help: "Requests that are being answered, health and documentation included.",
		}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "http_request_duration_seconds",
			Help:    "Time to answer a request, by method, template of the route and class of the status; health and documentation are left out.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25}, // to the time that a request may take
		}, []string{"method", "route", "status_class"}),
		entries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "audit_entries_total",
			Help: "Entries of the audit log by act; auth.signed_in, auth.sign_in_failed and auth.sign_in_throttled are the outcomes of sign-ins.",
		}, []string{"act"}),
		limitHits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "rate_limit_hits_total",
			Help: "Requests and attempts that were refused because a rate limit was reached, by the name of the rate.",
		}, []string{"rate"}),
		redisUp: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "redis_up",
			Help: "By use: 1 while Redis is used for it, 0 while this process counts by itself (limits) or asks the database (revocation).",
		}, []string{"use"}),
	}
	for _, act := range audit.Acts() {
		m.entries.WithLabelValues(string(act)) // from 0, so that the first entry is an increase
	}
	m.registry.MustRegister(
		m.inFlight, m.requests, m.entries, m.limitHits, m.redisUp, buildInfo(version),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// buildInfo returns a gauge that is always 1, whose labels say what runs.
func buildInfo(version string) prometheus.Collector {
	goVersion, revision := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": goVersion, "revision": revision},
	}, func() float64 { return 1 })
}

// gauge adds a gauge that is read when it is asked for.
func (m *Metrics) gauge(name, help string, labels prometheus.Labels, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: labels}, read))
}

// counter adds a counter.
func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

// Entry counts an entry of the audit log.
func (m *Metrics) Entry(e audit.Entry) { m.entries.WithLabelValues(string(e.Act)).Inc() }

// LimitHit counts a refusal by the name of the rate.
func (m *Metrics) LimitHit(rate string) { m.limitHits.WithLabelValues(rate).Inc() }

// WatchReadiness adds whether the service is ready, which is asked anew each time that the metrics are read.
func (m *Metrics) WatchReadiness(ready func() bool) {
	m.gauge("ready", "1 while the service is ready, 0 while its database does not answer or can't be written, or it is stopping.", nil,
		func() float64 { return oneIf(ready()) })
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Handler returns the metrics as a page.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
