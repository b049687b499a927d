// Package postgres opens a Postgres database for package sqlstore. As a second line of defence, row level security shows a
// transaction only the rows of the tenant that it has entered.
package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/events"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

const (
	driverName = "postgres"

	connectTimeout = 5 * time.Second
	keepAlive      = 15 * time.Second
	// Connections are renewed regularly, so that a pool follows a changed host name, even while the old address still answers.
	connectionLifetime = 5 * time.Minute
	// grace is how long the client waits beyond the server's statement timeout.
	grace = 2 * time.Second

	// lockPeriod, in seconds, and lockTries are how often and how many times a replica tries to get the migration lock: for a
	// day, since another one may be carrying many events over. It waits for the lock of Authorize for authorizeTries.
	lockPeriod     = 1
	lockTries      = 24 * 60 * 60
	authorizeTries = 300

	// maxCommitters is how many groups of events are committed side by side: some travel while the database works on others.
	maxCommitters = 4
)

// Options are what the operator may choose. URLs are of the form postgres://user:password@host:port/database, with the
// TLS mode as sslmode; see CheckURL.
type Options struct {
	URL string
	// MigrationURL connects as the owner of the tables; empty if that is the same role.
	MigrationURL string
	// AsOwner makes the store work as the owner of the tables, for the operator's commands, instead of as the role of URL,
	// which is subject to row level security.
	AsOwner  bool
	PoolSize int
	// Queries is the number of connections for queries, in addition to the pool.
	Queries          int
	StatementTimeout time.Duration
	ApplicationName  string
}

// transactionTimeout limits a transaction: connecting plus a statement.
func (o Options) transactionTimeout() time.Duration {
	return connectTimeout + o.StatementTimeout + grace
}

// Database is a Postgres database.
type Database struct {
	*sqlstore.Store
	events     *events.Store
	service    *sqlx.DB        // connects as the role of URL, even with AsOwner
	superAdmin *sqlstore.Store // works as the role that may grant super_admin; see InTxAsSuperAdmin
	owner      *sql.DB
	dialect    dialect
	options    Options
}

// Open creates the pools. It connects with the first statement, not before.
func Open(o Options) (*Database, error) {
	connector, err := connect(o.URL, o, true)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	o.MigrationURL = cmp.Or(o.MigrationURL, o.URL)
	asOwner, err := connect(o.MigrationURL, o, true)
	if err != nil {
		return nil, fmt.Errorf("MIGRATION_DATABASE_URL: %w", err)
	}
	migrating, err := connect(o.MigrationURL, o, false) // without timeouts
	if err != nil {
		return nil, fmt.Errorf("MIGRATION_DATABASE_URL: %w", err)
	}
	superAdminConnector, err := connectSuperAdmin(o)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	service, superAdmin := newPool(connector, o.PoolSize), newPool(superAdminConnector, 1)
	superAdmin.SetMaxIdleConns(0) // seldom used
	worker := service
	if o.AsOwner {
		connector = asOwner
		worker = newPool(connector, o.PoolSize)
	}
	d := dialect{timeout: o.transactionTimeout()}
	store := sqlstore.New(worker, worker, newPool(connector, o.Queries), d, migrations.Newest)
	return &Database{
		Store: store, events: events.New(store, store, committersOf(o.PoolSize)),
		service: service, superAdmin: sqlstore.New(superAdmin, superAdmin, superAdmin, d, migrations.Newest), owner: sql.OpenDB(migrating), dialect: d, options: o,
	}, nil
}

func newPool(connector pgConnector, size int) *sqlx.DB {
	db := sqlx.NewDb(sql.OpenDB(connector), driverName)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxLifetime(connectionLifetime)
	return db
}

// committersOf returns how many connections of a pool may commit events at the same time: at most half of them, so that the
// others are left for signing in.
func committersOf(poolSize int) int { return min(max(poolSize/2, 1), maxCommitters) }

// Events returns the events.
func (d *Database) Events() ports.Events { return d.events }

// Pools returns the pools by name: write, which also reads, query and super_admin. That of the tables' owner does not serve.
func (d *Database) Pools() map[string]*sql.DB {
	pools := d.Store.Pools()
	pools["super_admin"] = d.superAdmin.Pools()["write"]
	return pools
}

// Close closes the pools.
func (d *Database) Close() error {
	d.events.Close()
	return errors.Join(d.Store.Close(), d.service.Close(), d.superAdmin.Close(), d.owner.Close())
}

// CloseOwner closes the connections of the owner of the tables, which only migrations and the recorded environments need.
func (d *Database) CloseOwner() error { return d.owner.Close() }

// RecordEnvironment and Environments use the owner's connection, as the migrations do, so that they refer to the same database.

// RecordEnvironment stores that the database is used in an environment.
func (d *Database) RecordEnvironment(ctx context.Context, environment string, now time.Time) error {
	return d.asOwner().RecordEnvironment(ctx, environment, now)
}

// Environments returns the environments that the database has been used in.
func (d *Database) Environments(ctx context.Context) ([]string, error) {
	return d.asOwner().Environments(ctx)
}

// asOwner returns a store on the owner's connections, which must not be closed.
func (d *Database) asOwner() *sqlstore.Store {
	db := sqlx.NewDb(d.owner, driverName)
	return sqlstore.New(db, db, db, d.dialect, migrations.Newest)
}

// Name returns the name of the database.
func (d *Database) Name(ctx context.Context) (string, error) {
	var name string
	if err := d.owner.QueryRowContext(ctx, "SELECT current_database()").Scan(&name); err != nil {
		return "", fmt.Errorf("reading the name of the database: %w", err)
	}
	return name, nil
}

// ErrEncoding: the database can't store every text that the service accepts.
var ErrEncoding = errors.New("the encoding of the database must be UTF8: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0")

// CheckEncoding checks that the database's encoding is UTF8. Errors: ErrEncoding.
func (d *Database) CheckEncoding(ctx context.Context) error {
	var encoding string
	if err := d.owner.QueryRowContext(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return fmt.Errorf("reading the encoding of the database: %w", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("%w; it is %s", ErrEncoding, encoding)
	}
	return nil
}

// Migrations returns the runner of the migrations. A lock serializes replicas that start at the same time.
func (d *Database) Migrations() (*migrations.Runner, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriod, lockTries))
	if err != nil {
		return nil, fmt.Errorf("creating the migration lock: %w", err)
	}
	return migrations.NewRunner(goose.DialectPostgres, "postgres", d.owner, migrations.Carry{Up: d.carryForward, Down: d.carryBack}, goose.WithSessionLocker(locker))
}
