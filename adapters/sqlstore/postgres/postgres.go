// Package postgres opens a Postgres database for package sqlstore. Row level security is its second wall: a
// transaction sees the rows of the one tenant that it has entered.
package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// SQLSTATEs that must be told apart.
const (
	uniqueViolation       = "23505"
	insufficientPrivilege = "42501"
	serializationFailure  = "40001"
	deadlockDetected      = "40P01"
	idleInTransaction     = "25P03"
	featureNotSupported   = "0A000"
	readOnlyTransaction   = "25006"
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
	// finished migrating.
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
	// Questions is how many connections there are for questions, on top of the pool.
	Questions        int
	StatementTimeout time.Duration
	ApplicationName  string
}

// patience is how long a transaction may take: to connect, and for a statement.
func (o Options) patience() time.Duration { return connectTimeout + o.StatementTimeout + grace }

// Database is a Postgres database.
type Database struct {
	*sqlstore.Store
	service *sqlx.DB // connects as the role of the URL, whoever the store works as
	owner   *sql.DB
	dialect dialect
	options Options
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
	service := newPool(connector, o.PoolSize)
	worker := service
	if o.AsOwner {
		connector = asOwner
		worker = newPool(connector, o.PoolSize)
	}
	d := dialect{patience: o.patience()}
	return &Database{
		Store:   sqlstore.New(worker, worker, newPool(connector, o.Questions), d),
		service: service, owner: sql.OpenDB(migrating), dialect: d, options: o,
	}, nil
}

func newPool(connector attentive, size int) *sqlx.DB {
	db := sqlx.NewDb(sql.OpenDB(connector), driverName)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxLifetime(connectionLifetime)
	return db
}

// dialer makes connections that do not wait forever for a server that has fallen silent.
type dialer struct {
	net.Dialer
	patience time.Duration // 0: forever
}

// DialTimeout connects within a time.
func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// Dial connects.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialTimeout(network, address, connectTimeout)
}

// DialContext connects until the context ends.
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil || d.patience == 0 {
		return c, err
	}
	watched := &impatient{Conn: c, patience: d.patience}
	if w, ok := ctx.Value(wireKey{}).(*wire); ok {
		w.Store(watched)
	}
	return watched, nil
}

// impatient is a connection whose every read and write has a deadline.
type impatient struct {
	net.Conn
	patience time.Duration
	until    atomic.Int64 // when all waiting ends, in nanoseconds since 1970; 0: by the patience alone
	deadline atomic.Int64 // the same, as the driver sets it while it connects
}

// SetDeadline ends all waiting by a time, or where that is zero by the patience alone.
func (c *impatient) SetDeadline(t time.Time) error {
	if t.IsZero() {
		c.deadline.Store(0)
	} else {
		c.deadline.Store(t.UnixNano())
	}
	return c.Conn.SetDeadline(t)
}

// end returns when a wait that begins now ends.
func (c *impatient) end() time.Time {
	end := time.Now().Add(c.patience)
	if deadline := time.Unix(0, c.deadline.Load()); deadline.UnixNano() != 0 && deadline.Before(end) {
		return deadline
	}
	return end
}

// endBy ends all waiting by a time, also that which is under way.
func (c *impatient) endBy(end time.Time) {
	c.until.Store(end.UnixNano())
	_ = c.SetReadDeadline(end) // fails where it is closed, and nobody waits
}

// Read reads within the patience.
func (c *impatient) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(c.end()); err != nil {
		return 0, err
	}
	if until := c.until.Load(); until != 0 { // set before now, or while the deadline above was
		if err := c.SetReadDeadline(time.Unix(0, until)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// Write writes within the patience.
func (c *impatient) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(c.end()); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close closes the pools.
func (d *Database) Close() error {
	return errors.Join(d.Store.Close(), d.service.Close(), d.owner.Close())
}

// CloseOwner closes the connections of the owner of the tables, which only the schema and its record need.
func (d *Database) CloseOwner() error { return d.owner.Close() }

// Serves and Served look where the migrations are made, so that they speak of the database that would be destroyed.

// Serves keeps on record that the database serves an environment.
func (d *Database) Serves(ctx context.Context, environment string, now time.Time) error {
	return d.asOwner().Serves(ctx, environment, now)
}

// Served returns the environments that the database has served.
func (d *Database) Served(ctx context.Context) ([]string, error) { return d.asOwner().Served(ctx) }

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

type dialect struct {
	patience time.Duration
}

// Patience leaves time to connect and for a statement.
func (d dialect) Patience() time.Duration { return d.patience }

func (dialect) Rebind(query string) string { return sqlx.Rebind(sqlx.DOLLAR, query) }

// ForUpdate does not conflict with the locks that foreign keys take.
func (dialect) ForUpdate() string { return " FOR NO KEY UPDATE" }

func (dialect) Day(column string) string {
	return "to_char(" + column + " AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
}

func (dialect) GuardsTenants() bool { return true }

// EnterTenant is a statement of its own and no call of set_config, since Citus passes nothing else on to its workers.
// SET takes no parameter, so that what is written into it must be a UUID.
func (dialect) EnterTenant(ctx context.Context, tx *sqlx.Tx, tenant id.Tenant) error {
	parsed, err := id.Parse[id.Tenant]("tenant_id", string(tenant))
	if err != nil {
		return fmt.Errorf("%q is not the id of a tenant", tenant)
	}
	_, err = tx.ExecContext(ctx, "SET LOCAL app.tenant_id = "+pq.QuoteLiteral(string(parsed)))
	return err
}

// Duplicate also knows how Citus reports the constraint of a shard (users_email_key_102009), and that what a worker
// reports has no field for the constraint, only a message.
func (dialect) Duplicate(err error, table, column string) bool {
	var e *pq.Error
	if !errors.As(err, &e) || e.Code != uniqueViolation {
		return false
	}
	// The message puts quotes around the name, of the kind that the server's language has.
	return regexp.MustCompile(`\b` + table + `_` + column + `_key(_\d+)?\b`).MatchString(cmp.Or(e.Constraint, e.Message))
}

// GaveWay knows deadlocks and failures to serialize. The rest of class 40 does not say that nothing was changed.
func (dialect) GaveWay(err error) bool {
	var e *pq.Error
	return errors.As(err, &e) && (e.Code == serializationFailure || e.Code == deadlockDetected)
}

// RolledBack knows the answers to COMMIT that leave no doubt: a constraint was found broken (class 23), and another
// transaction went first. All else, such as a node of a cluster that was lost (XX000), may come after a part was committed.
func (d dialect) RolledBack(err error) bool {
	var e *pq.Error
	return d.GaveWay(err) || errors.As(err, &e) && e.Code.Class() == "23"
}

// Lost knows the ways in which a connection does not come to stand or goes, and those in which a server says that it can't
// now: connection failures (08), lack of resources (53), intervention by an operator (57), conflicts that may be repeated
// (40), and a transaction that it has given up (25P03). A standby is known to attentiveConn.
func (dialect) Lost(err error) bool {
	if errors.Is(err, errConnecting) || errors.Is(err, driver.ErrBadConn) {
		return true
	}
	var e *pq.Error
	if errors.As(err, &e) {
		switch class := string(e.Code); {
		case strings.HasPrefix(class, "08"), strings.HasPrefix(class, "53"), strings.HasPrefix(class, "57"), strings.HasPrefix(class, "40"), class == idleInTransaction:
			return true
		}
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// Denied knows what row level security and the lack of a right answer.
func (dialect) Denied(err error) bool {
	var e *pq.Error
	return errors.As(err, &e) && e.Code == insufficientPrivilege
}

func (dialect) Clock() string { return "clock_timestamp()" }

// TimedOut knows a statement that was cancelled (57014), which its own timeout does and a context that ends.
func (dialect) TimedOut(err error) bool {
	var e *pq.Error
	return errors.As(err, &e) && e.Code == "57014"
}
