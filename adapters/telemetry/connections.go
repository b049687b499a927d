package telemetry

import (
	"database/sql"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// WatchPools adds the database/sql statistics of each pool, by its name: go_sql_*{db_name="..."}.
func (m *Metrics) WatchPools(pools map[string]*sql.DB) {
	for name, db := range pools {
		m.registry.MustRegister(collectors.NewDBStatsCollector(db, name))
	}
}

// SetRedisUp sets whether Redis is in use for limits or revocation.
func (m *Metrics) SetRedisUp(use string, up bool) { m.redisUp.WithLabelValues(use).Set(oneIf(up)) }

// Redis is a client with a pool of connections.
type Redis interface {
	// Connections returns how many are in use, how many are idle, and how often waiting for one timed out.
	Connections() (inUse, idle int, timeouts uint64)
}

// WatchRedis adds the connection metrics of a client.
func (m *Metrics) WatchRedis(r Redis) {
	const name, help = "redis_connections", "Connections to Redis by state."
	m.gauge(name, help, prometheus.Labels{"state": "in_use"}, func() float64 { n, _, _ := r.Connections(); return float64(n) })
	m.gauge(name, help, prometheus.Labels{"state": "idle"}, func() float64 { _, n, _ := r.Connections(); return float64(n) })
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: namespace, Name: "redis_pool_timeouts_total", Help: "Timeouts of waiting for a connection to Redis.",
	}, func() float64 { _, _, n := r.Connections(); return float64(n) }))
}
