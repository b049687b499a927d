// Package telemetry provides the service's metrics in the Prometheus format, and alert rules on them (alerts.yml).
// The values of labels are bounded: none is chosen by a client, and none is a tenant, user or address.
package telemetry

import (
	"math"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

const namespace = "secure_data_api"

// Metrics are the metrics of this process.
type Metrics struct {
	registry   *prometheus.Registry
	inFlight   prometheus.Gauge
	requests   *prometheus.HistogramVec
	entries    *prometheus.CounterVec
	limitHits  *prometheus.CounterVec
	redisUp    *prometheus.GaugeVec
	expired    prometheus.Counter
	monthsLeft prometheus.Gauge
}

// NewMetrics returns the metrics of this process; version is that of the program.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "http_requests_in_flight",
			Help: "Requests being answered, including health and documentation.",
		}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "http_request_duration_seconds",
			Help:    "Time to answer a request, by method, route template and status class; without health and documentation.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25}, // up to the timeout of a request
		}, []string{"method", "route", "status_class"}),
		entries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "audit_entries_total",
			Help: "Audit entries by act; auth.signed_in, auth.sign_in_failed and auth.sign_in_throttled are the outcomes of sign-ins.",
		}, []string{"act"}),
		limitHits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "rate_limit_hits_total",
			Help: "Requests and attempts refused by a rate limit, by its name.",
		}, []string{"rate"}),
		redisUp: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "redis_up",
			Help: "By use: 1 while Redis is used; 0 while this process counts on its own (limits) or queries the database (revocation).",
		}, []string{"use"}),
		expired: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "events_expired_total", Help: "Events, and keys of events, that were deleted because they are kept no longer.",
		}),
		monthsLeft: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "event_months_left", Help: "Months after this one whose events can be stored; +Inf without partitions.",
		}),
	}
	m.monthsLeft.Set(math.Inf(1))
	for _, act := range audit.Acts() {
		m.entries.WithLabelValues(string(act)) // starts at 0, so that increase() sees the first entry
	}
	m.registry.MustRegister(
		m.inFlight, m.requests, m.entries, m.limitHits, m.redisUp, m.expired, m.monthsLeft, buildInfo(version),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// buildInfo returns a gauge that is always 1, whose labels identify the build.
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
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels identify the build.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": goVersion, "revision": revision},
	}, func() float64 { return 1 })
}

// gauge adds a gauge whose value is read at each scrape.
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

// LimitHit counts a refusal by the rate limit of that name.
func (m *Metrics) LimitHit(rate string) { m.limitHits.WithLabelValues(rate).Inc() }

// Expired counts events, and keys of events, that were deleted because they are kept no longer.
func (m *Metrics) Expired(n int) { m.expired.Add(float64(n)) }

// SetMonthsLeft sets the number of months after this one that have a partition of events.
func (m *Metrics) SetMonthsLeft(n int) { m.monthsLeft.Set(float64(n)) }

// WatchReadiness adds whether the service is ready, which is checked at each scrape.
func (m *Metrics) WatchReadiness(ready func() bool) {
	m.gauge("ready", "1 while the service is ready; 0 while its database is unavailable or read-only, or it is shutting down.", nil,
		func() float64 { return oneIf(ready()) })
}

// WatchBacklog adds how many events wait to be sealed, and for how long the oldest has, which are read at each scrape.
func (m *Metrics) WatchBacklog(backlog func() (events int64, oldest time.Time), clock ports.Clock) {
	m.gauge("events_unsealed", "Events that this process has stored and that wait to be sealed.", nil, func() float64 {
		events, _ := backlog()
		return float64(events)
	})
	m.gauge("seal_lag_seconds", "How long the oldest of these has waited.", nil, func() float64 {
		_, oldest := backlog()
		if oldest.IsZero() {
			return 0
		}
		return max(0, clock.Now().Sub(oldest).Seconds())
	})
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
