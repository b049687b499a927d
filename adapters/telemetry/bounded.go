package telemetry

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Bounded is a resource with a limited number of slots, for which others wait.
type Bounded interface {
	// Load returns how many slots are in use, and how many callers wait.
	Load() (running, waiting int)
}

// Hasher is a password hasher with a queue.
type Hasher interface {
	ports.PasswordHasher
	Bounded
}

// MeasureHasher adds the metrics of a hasher, and returns a hasher that updates them. It runs at most atOnce hashes at once, and
// at most queue more wait.
func (m *Metrics) MeasureHasher(h Hasher, atOnce, queue int) ports.PasswordHasher {
	m.gauge("password_hashes_running", "Passwords being hashed or verified.", nil, running(h))
	m.gauge("password_hashes_running_limit", "Maximum number of passwords hashed or verified at once.", nil, constant(atOnce))
	m.gauge("password_hashes_waiting", "Passwords waiting to be hashed or verified.", nil, waiting(h))
	m.gauge("password_hashes_waiting_limit", "Maximum number of passwords waiting; one more is refused.", nil, constant(queue))
	took := prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: "password_hash_duration_seconds",
		Help:    "Time to hash or verify a password, including the wait in the queue.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25},
	})
	m.registry.MustRegister(took)
	return measuredHasher{
		PasswordHasher: h, took: took,
		refused: m.counter("password_hashes_refused_total", "Passwords refused because the queue was full; answered 503 busy."),
	}
}

type measuredHasher struct {
	ports.PasswordHasher
	took    prometheus.Observer
	refused prometheus.Counter
}

// measure observes the duration since began, or counts a refusal, whose duration is not observed.
func (h measuredHasher) measure(began time.Time, err error) {
	if errors.Is(err, ports.ErrHasherBusy) {
		h.refused.Inc()
		return
	}
	h.took.Observe(time.Since(began).Seconds())
}

func (h measuredHasher) Hash(ctx context.Context, password string) (hash user.PasswordHash, err error) {
	defer func(began time.Time) { h.measure(began, err) }(time.Now())
	return h.PasswordHasher.Hash(ctx, password)
}

func (h measuredHasher) Verify(ctx context.Context, password string, hash user.PasswordHash) (match, outdated bool, err error) {
	defer func(began time.Time) { h.measure(began, err) }(time.Now())
	return h.PasswordHasher.Verify(ctx, password, hash)
}

func (h measuredHasher) VerifyDummy(ctx context.Context, password string) (err error) {
	defer func(began time.Time) { h.measure(began, err) }(time.Now())
	return h.PasswordHasher.VerifyDummy(ctx, password)
}

// Gate is a query gate with queues.
type Gate interface {
	ports.QueryGate
	Bounded
}

// MeasureGate adds the metrics of a gate with atOnce slots, and returns a gate that updates them.
func (m *Metrics) MeasureGate(g Gate, atOnce int) ports.QueryGate {
	m.gauge("queries_running", "Queries and chunks of exports being executed.", nil, running(g))
	m.gauge("queries_running_limit", "Maximum number of queries and chunks of exports executed at once.", nil, constant(atOnce))
	m.gauge("queries_waiting", "Queries and chunks of exports waiting in a queue.", nil, waiting(g))
	return measuredGate{
		QueryGate: g,
		refused:   m.counter("queries_refused_total", "Queries refused because too many waited, or they waited too long; answered 429 too_many_queries."),
	}
}

type measuredGate struct {
	ports.QueryGate
	refused prometheus.Counter
}

func (g measuredGate) Enter(ctx context.Context, tenant id.Tenant) (leave func(), err error) {
	leave, err = g.QueryGate.Enter(ctx, tenant)
	if errors.Is(err, ports.ErrTooManyQueries) {
		g.refused.Inc()
	}
	return leave, err
}

func running(b Bounded) func() float64 {
	return func() float64 { n, _ := b.Load(); return float64(n) }
}

func waiting(b Bounded) func() float64 {
	return func() float64 { _, n := b.Load(); return float64(n) }
}

func constant(n int) func() float64 { return func() float64 { return float64(n) } }
