// Package bootstrap puts the service together and runs it: it alone sees the domain, the use cases and all adapters.
package bootstrap

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
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
	"github.com/muhammad-ali-dev0/secure-data-api/app/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/app/auth"
	"github.com/muhammad-ali-dev0/secure-data-api/app/tenants"
	"github.com/muhammad-ali-dev0/secure-data-api/app/users"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

const (
	// secretFile is where the signing key is kept in development.
	secretFile = "jwt-secret-key"
	// secretBytes is how much randomness it has: enough for every algorithm.
	secretBytes = 64

	writeTimeout = 30 * time.Second
)

// Surroundings are what the service runs in, other than its configuration.
type Surroundings struct {
	Output  io.Writer // of the log
	Colour  bool      // whether the output is a terminal that shows colours
	Version string
	Clock   ports.Clock
}

// App is the service, put together.
type App struct {
	Auth    *auth.Service
	Users   *users.Service
	Tenants *tenants.Service

	config   config.Config
	logger   *slog.Logger
	database database
	postgres *postgres.Database // nil where the database is another
	redis    *redis.Client      // nil where there is none
	metrics  *telemetry.Metrics
	handler  http.Handler
}

// database is a store with its life cycle.
type database interface {
	ports.Store
	Migrations() (*migrations.Runner, error)
	Close() error
}

// Open puts the service together and opens its database, whose schema it leaves alone. Close must be called.
func Open(ctx context.Context, c config.Config, in Surroundings) (*App, error) {
	logger, err := auditlog.New(in.Output, c.LogFormat, c.LogLevel, in.Colour)
	if err != nil {
		return nil, err
	}
	// What is audited is written whatever the level of the log.
	auditLogger, err := auditlog.New(in.Output, c.LogFormat, slog.LevelInfo, in.Colour)
	if err != nil {
		return nil, err
	}
	secret, err := signingSecret(ctx, c, logger)
	if err != nil {
		return nil, err
	}
	signer, err := token.NewSigner(c.JWTAlgorithm, secret)
	if err != nil {
		return nil, err
	}
	hasher, err := password.NewHasher(password.Params{
		MemoryKiB: c.ArgonMemoryKiB, Iterations: c.ArgonIterations, Parallelism: c.ArgonParallelism,
	}, runtime.GOMAXPROCS(0), c.HashQueue)
	if err != nil {
		return nil, err
	}
	policy, err := user.NewPasswordPolicy(c.PasswordMinLength)
	if err != nil {
		return nil, err
	}
	app := &App{config: c, logger: logger, metrics: telemetry.NewMetrics()}
	if err := app.openDatabase(ctx); err != nil {
		return nil, err
	}
	limiter, revocations, err := app.openShared(in.Clock)
	if err != nil {
		return nil, errors.Join(err, app.Close())
	}

	db, log := app.database, auditlog.NewLog(auditLogger)
	recorder := audit.NewRecorder(db, log, in.Clock, system.IDs{})
	enter := tenants.NewService(db.Tenants())
	app.Tenants = enter
	app.Users = users.NewService(db.Users(), enter, recorder, revocations, in.Clock, c.AccessLifetime)
	app.Auth = auth.NewService(auth.Needs{
		Store: db, Recorder: recorder, Tokens: signer, Passwords: hasher, Policy: policy,
		Revocations: revocations, Limiter: limiter, Clock: in.Clock, IDs: system.IDs{},
	}, auth.Settings{
		AccessLifetime: c.AccessLifetime, SessionLifetime: c.SessionLifetime, RotationGrace: c.RotationGrace,
		Join: c.Join, FounderRole: c.FounderRole, AccountRate: c.RateSignInAccount,
	})
	app.handler, err = rest.New(rest.Needs{
		Auth: app.Auth, Users: app.Users,
		Analytics: analytics.NewService(db.Events(), enter, recorder, in.Clock),
		AuditLog: struct {
			*auditlog.Log
			*audit.Recorder
		}{log, recorder},
		Database: db, Limiter: limiter, Clock: in.Clock, IDs: system.IDs{}, Logger: logger,
	}, rest.Settings{
		Version: in.Version, Environment: c.Environment,
		Limits: rest.Limits{
			Roles: map[access.Role]ports.Rate{
				access.Viewer: c.RateViewer, access.Analyst: c.RateAnalyst,
				access.Admin: c.RateAdmin, access.SuperAdmin: c.RateSuperAdmin,
			},
			Default: c.RateDefault, SignIn: c.RateSignIn, Register: c.RateRegister, Refresh: c.RateRefresh, Export: c.RateExport,
		},
		CORSOrigins: c.CORSOrigins, TrustedProxies: c.TrustedProxies,
		HSTS:         len(c.TLSCert) > 0 || c.Environment == config.Production,
		WriteTimeout: writeTimeout,
	})
	if err != nil {
		return nil, errors.Join(err, app.Close())
	}
	return app, nil
}

func (a *App) openDatabase(ctx context.Context) error {
	if path, ok := a.config.SQLitePath(); ok {
		db, err := sqlite.Open(ctx, path)
		if err != nil {
			return err
		}
		a.database = db
		return nil
	}
	db, err := postgres.Open(postgres.Options{
		URL: a.config.DatabaseURL, MigrationURL: a.config.MigrationURL, PoolSize: a.config.DatabasePoolSize,
		StatementTimeout: a.config.StatementTimeout, ApplicationName: "secure-data-api",
	})
	if err != nil {
		return err
	}
	a.database, a.postgres = db, db
	return nil
}

// openShared returns what counts requests and remembers revocations: for all replicas in Redis, or for this process.
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
	return redis.NewLimiter(client, own), redis.NewRevocations(client, clock), nil
}

// Migrate brings the schema to its newest version and returns how many versions that took.
func (a *App) Migrate(ctx context.Context) (int, error) {
	runner, err := a.database.Migrations()
	if err != nil {
		return 0, err
	}
	applied, err := runner.Up(ctx)
	if err != nil || a.postgres == nil {
		return applied, err
	}
	return applied, a.postgres.Authorize(ctx)
}

// ErrForwardOnly is the fault of taking a version back in production, which would destroy data.
var ErrForwardOnly = errors.New("in production the schema goes forward only")

// MigrateDown takes the newest version of the schema back, with all that it holds, and returns its name.
// Errors: ErrForwardOnly.
func (a *App) MigrateDown(ctx context.Context) (string, error) {
	if a.config.Environment == config.Production {
		return "", ErrForwardOnly
	}
	runner, err := a.database.Migrations()
	if err != nil {
		return "", err
	}
	return runner.Down(ctx)
}

// Distribute spreads the tables of a Postgres over a Citus cluster.
func (a *App) Distribute(ctx context.Context) error {
	if a.postgres == nil {
		return errors.New("only a Postgres database with the extension citus can be distributed")
	}
	return a.postgres.Distribute(ctx)
}

// checkRole makes sure that the second wall between tenants stands: in production the service does not start without it.
func (a *App) checkRole(ctx context.Context) error {
	if a.postgres == nil {
		return nil
	}
	err := a.postgres.CheckRole(ctx)
	if errors.Is(err, postgres.ErrUnsafeRole) && a.config.Environment != config.Production {
		a.logger.WarnContext(ctx, "row level security does not bind the service", "reason", err)
		return nil
	}
	return err
}

// SchemaStatus returns the versions of the schema.
func (a *App) SchemaStatus(ctx context.Context) ([]migrations.Status, error) {
	runner, err := a.database.Migrations()
	if err != nil {
		return nil, err
	}
	return runner.Status(ctx)
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

// signingSecret returns the configured secret, or in development one that is made once and kept.
func signingSecret(ctx context.Context, c config.Config, logger *slog.Logger) ([]byte, error) {
	if len(c.JWTSecret) > 0 {
		return c.JWTSecret, nil
	}
	path := filepath.Join(c.DataDir, secretFile)
	logger.WarnContext(ctx, "JWT_SECRET_KEY is not set: tokens are signed with a random key of this machine, which is for development only", "file", path)
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	kept, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the signing key %s can be read by others: chmod 600 it, or delete it to have a new one", path)
	}
	return kept, nil
}

func makeSecret(path string) ([]byte, error) {
	random := make([]byte, secretBytes)
	rand.Read(random) // never fails: it crashes the program instead
	secret := []byte(base64.RawURLEncoding.EncodeToString(random))
	// The key appears whole or not at all, also to another process that starts at this moment.
	f, err := os.CreateTemp(filepath.Dir(path), secretFile+"-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("making the signing key: %w", err)
	}
	_, err = f.Write(secret)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	_ = os.Remove(f.Name()) // the key has its own name now, or is of no use
	if errors.Is(err, fs.ErrExist) {
		return os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("making the signing key: %w", err)
	}
	return secret, nil
}
