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
	redisUp  prometheus.Gauge
}

// NewMetrics returns metrics of this process.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		redisUp: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "secure_data_api_redis_up",
			Help: "1 while Redis answers, 0 while limits are counted in this process and revocation is read from the database.",
		}),
	}
	m.registry.MustRegister(m.redisUp, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// SetRedisUp notes whether Redis answers.
func (m *Metrics) SetRedisUp(up bool) {
	if up {
		m.redisUp.Set(1)
	} else {
		m.redisUp.Set(0)
	}
}

// Handler returns the metrics as a page.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
