// Package postgres opens a Postgres database for package sqlstore. Row level security is its second wall: a
// transaction sees the rows of the one tenant that it has entered.
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
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
)

const (
	driverName = "postgres"

	connectTimeout = 5 * time.Second
	keepAlive      = 15 * time.Second
	// A connection is renewed now and then, so that a pool finds its way where a name leads now, also while what it led to
	// before still answers.
	connectionLifetime = 5 * time.Minute
	// grace is what a statement may take on the wire beyond the time that the server gives it.
	grace = 2 * time.Second

	// lockPeriod and lockTries are how often, in seconds, and how many times a replica asks whether another one has
	// finished migrating. It waits as long for its turn to grant.
	lockPeriod = 1
	lockTries  = 300
)

// Options are what the operator may choose. URLs are of the form postgres://user:password@host:port/database, with the
// TLS mode as sslmode; see CheckURL.
type Options struct {
	URL string
	// MigrationURL connects as the owner of the tables; empty where that is the same role.
	MigrationURL string
	// AsOwner is whether the store works as the owner of the tables, as the operator's commands do, and not as the role
	// of URL, which row level security binds.
	AsOwner  bool
	PoolSize int
	// Queries is how many connections there are for questions, on top of the pool.
	Queries          int
	StatementTimeout time.Duration
	ApplicationName  string
}

// transactionTimeout is how long a transaction may take: to connect, and for a statement.
func (o Options) transactionTimeout() time.Duration {
	return connectTimeout + o.StatementTimeout + grace
}

// Database is a Postgres database.
type Database struct {
	*sqlstore.Store
	service    *sqlx.DB        // connects as the role of the URL, whoever the store works as
	superAdmin *sqlstore.Store // works as the role that may give super_admin; see InTxAsSuperAdmin
	owner      *sql.DB
	dialect    dialect
	options    Options
}

// Open makes the pools. It connects with the first statement, not before.
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
	migrating, err := connect(o.MigrationURL, o, false) // which may take as long as it needs
	if err != nil {
		return nil, fmt.Errorf("MIGRATION_DATABASE_URL: %w", err)
	}
	superAdminConnector, err := connectSuperAdmin(o)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	service, superAdmin := newPool(connector, o.PoolSize), newPool(superAdminConnector, 1)
	superAdmin.SetMaxIdleConns(0) // it is needed seldom
	worker := service
	if o.AsOwner {
		connector = asOwner
		worker = newPool(connector, o.PoolSize)
	}
	d := dialect{timeout: o.transactionTimeout()}
	return &Database{
		Store:   sqlstore.New(worker, worker, newPool(connector, o.Queries), d),
		service: service, superAdmin: sqlstore.New(superAdmin, superAdmin, superAdmin, d), owner: sql.OpenDB(migrating), dialect: d, options: o,
	}, nil
}

func newPool(connector pgConnector, size int) *sqlx.DB {
	db := sqlx.NewDb(sql.OpenDB(connector), driverName)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxLifetime(connectionLifetime)
	return db
}

// Pools returns the pools by name: write, which also reads, query and super_admin. That of the tables' owner does not serve.
func (d *Database) Pools() map[string]*sql.DB {
	pools := d.Store.Pools()
	pools["super_admin"] = d.superAdmin.Pools()["write"]
	return pools
}

// Close closes the pools.
func (d *Database) Close() error {
	return errors.Join(d.Store.Close(), d.service.Close(), d.superAdmin.Close(), d.owner.Close())
}

// CloseOwner closes the connections of the owner of the tables, which only the schema and its record need.
func (d *Database) CloseOwner() error { return d.owner.Close() }

// Serves and Served look where the migrations are made, so that they speak of the database that would be destroyed.

// RecordEnvironment keeps on record that the database serves an environment.
func (d *Database) RecordEnvironment(ctx context.Context, environment string, now time.Time) error {
	return d.asOwner().RecordEnvironment(ctx, environment, now)
}

// Environments returns the environments that the database has served.
func (d *Database) Environments(ctx context.Context) ([]string, error) {
	return d.asOwner().Environments(ctx)
}

// asOwner returns the store as the owner of the tables sees it. It shares the owner's connections and is not to be closed.
func (d *Database) asOwner() *sqlstore.Store {
	db := sqlx.NewDb(d.owner, driverName)
	return sqlstore.New(db, db, db, d.dialect)
}

// Name returns the name of the database.
func (d *Database) Name(ctx context.Context) (string, error) {
	var name string
	if err := d.owner.QueryRowContext(ctx, "SELECT current_database()").Scan(&name); err != nil {
		return "", fmt.Errorf("asking for the name of the database: %w", err)
	}
	return name, nil
}

// ErrEncoding says that the database can't hold every text that the service takes.
var ErrEncoding = errors.New("the encoding of the database must be UTF8: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0")

// CheckEncoding makes sure of the database's encoding. Errors: ErrEncoding.
func (d *Database) CheckEncoding(ctx context.Context) error {
	var encoding string
	if err := d.owner.QueryRowContext(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return fmt.Errorf("asking for the encoding of the database: %w", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("%w; it is %s", ErrEncoding, encoding)
	}
	return nil
}

// Migrations returns what brings the schema to its version. Replicas that start at once take turns.
func (d *Database) Migrations() (*migrations.Runner, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriod, lockTries))
	if err != nil {
		return nil, fmt.Errorf("making the lock of migrations: %w", err)
	}
	return migrations.NewRunner(goose.DialectPostgres, "postgres", d.owner, goose.WithSessionLocker(locker))
}
