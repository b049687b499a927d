// Package telemetry provides the service's metrics in the format of Prometheus.
package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what is measured.
type Metrics struct {
	registry *prometheus.Registry
	redisUp  *prometheus.GaugeVec
}

// NewMetrics returns metrics of this process.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		redisUp: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "secure_data_api_redis_up",
			Help: "By use: 1 while Redis is used for it, 0 while this process counts by itself (limits) or asks the database (revocation).",
		}, []string{"use"}),
	}
	m.registry.MustRegister(m.redisUp, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// SetRedisUp notes whether Redis is put to a use.
func (m *Metrics) SetRedisUp(use string, up bool) {
	value := 0.0
	if up {
		value = 1
	}
	m.redisUp.WithLabelValues(use).Set(value)
}

// Handler returns the metrics as a page.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
