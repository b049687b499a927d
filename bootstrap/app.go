// Package bootstrap puts the service together and runs it: it alone sees the domain, the use cases and all adapters.
package bootstrap

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/auditlog"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/memory"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/password"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/redis"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/sqlite"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/system"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/telemetry"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/token"
	"github.com/muhammad-ali-dev0/secure-data-api/app/analytics"
	appaudit "github.com/muhammad-ali-dev0/secure-data-api/app/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/app/auth"
	"github.com/muhammad-ali-dev0/secure-data-api/app/erasure"
	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/app/retention"
	"github.com/muhammad-ali-dev0/secure-data-api/app/sealing"
	"github.com/muhammad-ali-dev0/secure-data-api/app/tenants"
	"github.com/muhammad-ali-dev0/secure-data-api/app/users"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

const (
	writeTimeout = 30 * time.Second
	// requestTimeout is shorter, so that a request that times out still gets a response.
	requestTimeout = 25 * time.Second
	// A batch takes up to 30 MiB while it is read and stored, and a stream up to 9 MiB, most of it the window of zstd. The limits
	// keep each kind below half of the memory that a replica has in docker-compose.yml.
	batchesAtOnce, batchesPerTenant = 12, 8
	streamsAtOnce, streamsPerTenant = 40, 16
	// batchQueue is how many more batches of a tenant wait, for batchQueueTimeout at most.
	batchQueue        = 100
	batchQueueTimeout = 10 * time.Second
	// queryQueueTimeout is how long a query waits in the queue.
	queryQueueTimeout = 5 * time.Second
)

// Runtime is the environment of the service, apart from its configuration.
type Runtime struct {
	Output  io.Writer // of the log
	Colour  bool      // whether the output is a terminal that shows colours
	Version string
	Clock   ports.Clock
	// After is time.After, or a substitute in tests. Only Serve uses it.
	After func(time.Duration) <-chan time.Time
	// Serving is whether requests will be answered, which needs a persistent signing key. Commands sign nothing, and run with
	// the privileges of the database's owner.
	Serving bool
	// Existing is whether the database must exist already: a missing SQLite file is ErrNoDatabase, and is not created; one that
	// is not a database of this service is sqlite.ErrForeign, and is not changed.
	Existing bool
	// NewEventsFile accepts that SQLite's file of events is gone, with all events, and makes a new one.
	NewEventsFile bool
}

// App is the assembled service.
type App struct {
	Audit   *appaudit.Service
	Auth    *auth.Service
	Users   *users.Service
	Tenants *tenants.Service
	Sealing *sealing.Service

	config    config.Config
	clock     ports.Clock
	after     func(time.Duration) <-chan time.Time
	condition condition
	stopping  chan struct{} // closed by stop
	stop      func()        // makes streams end
	retention *retention.Service
	hasher    *password.Hasher
	logger    *slog.Logger
	database  database
	postgres  *postgres.Database // nil if the database is SQLite
	redis     *redis.Client      // nil if Redis is not configured
	metrics   *telemetry.Metrics
	handler   http.Handler
}

// database is a store with its life cycle.
type database interface {
	ports.Store
	Migrations() (*migrations.Runner, error)
	Name(ctx context.Context) (string, error)
	RecordEnvironment(ctx context.Context, environment string, now time.Time) error
	Environments(ctx context.Context) ([]string, error)
	Pools() map[string]*sql.DB
	Close() error
}

// Open assembles the service and opens its database, without migrating it. Close must be called.
// Errors: ErrNoDatabase, sqlite.ErrForeign, and what can't be opened.
func Open(ctx context.Context, c config.Config, in Runtime) (*App, error) {
	logger, err := auditlog.New(in.Output, c.LogFormat, c.LogLevel, in.Colour)
	if err != nil {
		return nil, err
	}
	for _, warning := range c.Warnings {
		logger.WarnContext(ctx, warning)
	}
	hashesAtOnce := runtime.GOMAXPROCS(0)
	hasher, err := password.NewHasher(password.Params{
		MemoryKiB: c.ArgonMemoryKiB, Iterations: c.ArgonIterations, Parallelism: c.ArgonParallelism,
	}, hashesAtOnce, c.HashQueue)
	if err != nil {
		return nil, err
	}
	app := &App{
		config: c, clock: in.Clock, after: in.After, stopping: make(chan struct{}), hasher: hasher, logger: logger,
		metrics: telemetry.NewMetrics(in.Version),
	}
	app.stop = sync.OnceFunc(func() { close(app.stopping) })
	if err := app.openDatabase(ctx, in); err != nil {
		return nil, err
	}
	app.metrics.WatchReadiness(app.ready)
	app.metrics.WatchPools(app.database.Pools())
	if err := app.assemble(ctx, in, app.metrics.MeasureHasher(hasher, hashesAtOnce, c.HashQueue)); err != nil {
		return nil, errors.Join(err, app.Close())
	}
	return app, nil
}

// assemble makes the use cases and the API, on the open database.
func (a *App) assemble(ctx context.Context, in Runtime, passwords ports.PasswordHasher) error {
	c := a.config
	// Audit entries are written whatever the log level.
	auditLogger, err := auditlog.New(in.Output, c.LogFormat, slog.LevelInfo, in.Colour)
	if err != nil {
		return err
	}
	policy, err := user.NewPasswordPolicy(c.PasswordMinLength)
	if err != nil {
		return err
	}
	secret, err := a.secret(ctx, in.Serving)
	if err != nil {
		return err
	}
	signer, err := token.NewSigner(c.JWTAlgorithm, secret)
	if err != nil {
		return err
	}
	limiter, revocations, err := a.openShared(in.Clock)
	if err != nil {
		return err
	}
	log := measuredLog{auditlog.NewLog(auditLogger), a.metrics}
	record := recorder.New(a.database, log, in.Clock, system.IDs{})
	a.Tenants = tenants.NewService(a.database.Tenants(), record, in.Clock, system.IDs{})
	a.Sealing = sealing.NewService(a.database.Events(), record, in.Clock)
	a.metrics.WatchBacklog(a.database.Events().Backlog, in.Clock)
	a.retention = retention.NewService(a.database.Events(), in.Clock)
	a.Audit = appaudit.NewService(a.database.Audit(), a.Tenants)
	a.Users = users.NewService(a.database.Users(), a.Tenants, record, revocations, in.Clock, c.AccessLifetime)
	a.Auth = auth.NewService(auth.Dependencies{
		Store: a.database, Recorder: record, Tokens: signer, Passwords: passwords, Policy: policy,
		Revocations: revocations, Limiter: limiter, LimitHit: a.metrics.LimitHit, Clock: in.Clock, IDs: system.IDs{},
	}, auth.Settings{
		AccessLifetime: c.AccessLifetime, SessionLifetime: c.SessionLifetime, RotationGrace: c.RotationGrace,
		Join: c.Join, FounderRole: c.FounderRole, AccountRate: c.RateSignInAccount, SessionsPerUser: c.SessionsPerUser,
	})
	a.handler, err = a.api(limiter, auditLog{log, record}, event.NewKeys(secret), in.Version)
	return err
}

// measuredLog writes requests and audit entries to the log and counts them.
type measuredLog struct {
	log     *auditlog.Log
	metrics *telemetry.Metrics
}

func (m measuredLog) Request(ctx context.Context, r audit.Request) {
	m.log.Request(ctx, r)
	m.metrics.Request(r)
}

func (m measuredLog) Write(ctx context.Context, e audit.Entry) {
	m.log.Write(ctx, e)
	m.metrics.Entry(e)
}

// auditLog logs the API's requests, and acts that change nothing.
type auditLog struct {
	measuredLog
	*recorder.Recorder
}

// api assembles the REST API on the use cases.
func (a *App) api(limiter ports.RateLimiter, log auditLog, keys event.Keys, version string) (http.Handler, error) {
	c := a.config
	gate := a.metrics.MeasureGate(memory.NewGate(c.QueriesAtOnce, c.QueriesPerTenant, c.QueryQueue, queryQueueTimeout, ports.ErrTooManyQueries), c.QueriesAtOnce)
	return rest.New(rest.Dependencies{
		Auth: a.Auth, Users: a.Users,
		Analytics: analytics.NewService(analytics.Dependencies{
			Events: a.database.Events(), Tenants: a.Tenants, Recorder: log.Recorder, Keys: keys, Clock: a.clock, IDs: system.IDs{},
			Gate: gate,
		}, requestTimeout),
		Erasures: erasure.NewService(erasure.Dependencies{
			Events: a.database.Events(), Tenants: a.Tenants, Sealing: a.Sealing, Recorder: log.Recorder, Gate: gate, Clock: a.clock, IDs: system.IDs{}, After: time.After,
		}),
		Batches:  memory.NewGate(batchesAtOnce, batchesPerTenant, batchQueue, batchQueueTimeout, ports.ErrTooManyBatches),
		Streams:  memory.NewGate(streamsAtOnce, streamsPerTenant, 0, batchQueueTimeout, ports.ErrTooManyBatches),
		AuditLog: log, Database: a.database, Condition: a.condition.now, Stopping: a.stopping, Limiter: limiter, LimitHit: a.metrics.LimitHit,
		Clock: a.clock, IDs: system.IDs{}, Logger: a.logger,
	}, rest.Settings{
		Version: version, Environment: c.Environment,
		Limits: rest.Limits{
			Roles: map[access.Role]ports.Rate{
				access.Viewer: c.RateViewer, access.Analyst: c.RateAnalyst,
				access.Admin: c.RateAdmin, access.SuperAdmin: c.RateSuperAdmin,
			},
			Default: c.RateDefault, SignIn: c.RateSignIn, Register: c.RateRegister, Refresh: c.RateRefresh, Export: c.RateExport,
		},
		CORSOrigins: c.CORSOrigins, TrustedProxies: c.TrustedProxies,
		HSTS:        len(c.TLSCert) > 0 || c.Environment == config.Production,
		ReadTimeout: readTimeout, WriteTimeout: writeTimeout, RequestTimeout: requestTimeout,
	})
}

// ready reports whether the service is ready, as /health/ready does.
func (a *App) ready() bool {
	now := a.condition.now()
	return !now.Migrating && !now.Draining && a.database.Ping(context.Background()) == nil // which has a time limit of its own
}

func (a *App) openDatabase(ctx context.Context, in Runtime) error {
	if path, ok := a.config.SQLitePath(); ok {
		if in.Existing {
			if err := checkExisting(ctx, path); err != nil {
				return err
			}
		}
		db, err := sqlite.Open(ctx, sqlite.Options{Path: path, Queries: a.config.QueriesAtOnce, NewEventsFile: in.NewEventsFile})
		if err != nil {
			return err
		}
		if db.EventsLost() {
			a.logger.WarnContext(ctx, "the file of events was missing: a new one is made, and all events are lost", "database", path)
		}
		a.database = db
		return nil
	}
	db, err := postgres.Open(postgres.Options{
		URL: a.config.DatabaseURL, MigrationURL: a.config.MigrationURL, AsOwner: !in.Serving, PoolSize: a.config.DatabasePoolSize,
		Queries: a.config.QueriesAtOnce, StatementTimeout: a.config.StatementTimeout, ApplicationName: "secure-data-api",
	})
	if err != nil {
		return err
	}
	a.database, a.postgres = db, db
	return nil
}

// openShared returns the rate limiter and the revocation list: shared in Redis, or local to this process.
func (a *App) openShared(clock ports.Clock) (ports.RateLimiter, ports.RevocationList, error) {
	own := memory.NewLimiter()
	if a.config.RedisURL == "" {
		return own, memory.NewRevocations(clock), nil
	}
	client, err := redis.Open(a.config.RedisURL, a.logger, a.metrics.SetRedisUp)
	if err != nil {
		return nil, nil, err
	}
	a.redis = client
	a.metrics.WatchRedis(client)
	return redis.NewLimiter(client, own), redis.NewRevocations(client, clock), nil
}

// Handler returns the API.
func (a *App) Handler() http.Handler { return a.handler }

// Close closes the connections.
func (a *App) Close() error {
	err := a.database.Close()
	if a.redis != nil {
		err = errors.Join(err, a.redis.Close())
	}
	return err
}
