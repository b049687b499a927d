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
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/sqlite"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/system"
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
	db, err := openDatabase(ctx, c)
	if err != nil {
		return nil, err
	}

	limiter, revocations := memory.NewLimiter(), memory.NewRevocations(in.Clock)
	log := auditlog.NewLog(auditLogger)
	recorder := audit.NewRecorder(db, log, in.Clock, system.IDs{})
	enter := tenants.NewService(db.Tenants())
	app := &App{
		Tenants: enter,
		Users:   users.NewService(db.Users(), enter, recorder, revocations, in.Clock, c.AccessLifetime),
		Auth: auth.NewService(auth.Needs{
			Store: db, Recorder: recorder, Tokens: signer, Passwords: hasher, Policy: policy,
			Revocations: revocations, Limiter: limiter, Clock: in.Clock, IDs: system.IDs{},
		}, auth.Settings{
			AccessLifetime: c.AccessLifetime, SessionLifetime: c.SessionLifetime, RotationGrace: c.RotationGrace,
			Join: c.Join, FounderRole: c.FounderRole, AccountRate: c.RateSignInAccount,
		}),
		config: c, logger: logger, database: db,
	}
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
		return nil, errors.Join(err, db.Close())
	}
	return app, nil
}

func openDatabase(ctx context.Context, c config.Config) (database, error) {
	path, ok := c.SQLitePath()
	if !ok {
		return nil, errors.New("DATABASE_URL names no database that this program knows")
	}
	return sqlite.Open(ctx, path)
}

// Migrate brings the schema to its newest version and returns how many versions that took.
func (a *App) Migrate(ctx context.Context) (int, error) {
	runner, err := a.database.Migrations()
	if err != nil {
		return 0, err
	}
	return runner.Up(ctx)
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

// Close closes the database.
func (a *App) Close() error { return a.database.Close() }

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
