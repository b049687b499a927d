package telemetry

import (
	"database/sql"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// WatchPools adds the statistics of database/sql of each pool, by its name: go_sql_*{db_name="..."}.
func (m *Metrics) WatchPools(pools map[string]*sql.DB) {
	for name, db := range pools {
		m.registry.MustRegister(collectors.NewDBStatsCollector(db, name))
	}
}

// SetRedisUp notes whether Redis is put to a use.
func (m *Metrics) SetRedisUp(use string, up bool) { m.redisUp.WithLabelValues(use).Set(oneIf(up)) }

// Redis is a client with a pool of connections.
type Redis interface {
	// Connections returns how many are in use, how many are idle, and how often somebody has waited for one in vain.
	Connections() (inUse, idle int, timeouts uint64)
}

// WatchRedis adds the connections of a client.
func (m *Metrics) WatchRedis(r Redis) {
	const name, help = "redis_connections", "Connections to Redis by state."
	m.gauge(name, help, prometheus.Labels{"state": "in_use"}, func() float64 { n, _, _ := r.Connections(); return float64(n) })
	m.gauge(name, help, prometheus.Labels{"state": "idle"}, func() float64 { _, n, _ := r.Connections(); return float64(n) })
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: namespace, Name: "redis_pool_timeouts_total", Help: "How often none of the connections to Redis became free in time.",
	}, func() float64 { _, _, n := r.Connections(); return float64(n) }))
}
