// Package sqlite opens a SQLite database for package sqlstore: two files, each with one writer and many readers.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/events"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

const (
	driver  = "sqlite"
	timeout = 15 * time.Second
)

// Database is an open SQLite database.
type Database struct {
	*sqlstore.Store // of identities: tenants, users, sessions, audit entries
	events          *events.Store
	identities      *file
	eventFile       *file
	eventsLost      bool
}

// Options are what the operator may choose.
type Options struct {
	Path    string
	Queries int // the number of concurrent queries
	// NewEventsFile accepts that the file of events is gone, with all events, and makes a new one.
	NewEventsFile bool
}

// Open opens the two files, or creates them, readable by their owner only.
// Errors: ErrPair.
func Open(ctx context.Context, o Options) (*Database, error) {
	identities, err := openFile(ctx, o.Path, 0)
	if err != nil {
		return nil, err
	}
	lost, err := identities.checkOther(ctx, eventsPath(identities.path), o.NewEventsFile)
	if err != nil {
		return nil, errors.Join(err, identities.close())
	}
	ofEvents, err := openFile(ctx, eventsPath(identities.path), o.Queries)
	if err != nil {
		return nil, errors.Join(err, identities.close())
	}
	d := newDatabase(identities, ofEvents)
	d.eventsLost = lost
	if err := d.checkPair(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func newDatabase(identities, ofEvents *file) *Database {
	store := sqlstore.New(identities.writer, identities.reader, identities.reader, dialect{}, migrations.Newest)
	eventStore := sqlstore.New(ofEvents.writer, ofEvents.reader, ofEvents.queries, dialect{}, migrations.NewestOfEvents)
	return &Database{Store: store, events: events.New(eventStore, store, 1), identities: identities, eventFile: ofEvents}
}

// ErrForeign: the file is not a database of this service.
var ErrForeign = errors.New("it is not a database of this service")

// Check verifies that the file is a database of this service, of any version. It leaves another file as it is, which Open would
// not: it turns any SQLite database, and an empty file, into one in WAL mode. Errors: fs.ErrNotExist, ErrForeign.
func Check(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("checking the database file: %w", err)
	}
	if err := checkRegular(path); err != nil {
		return err
	}
	known, err := isMigrated(ctx, path)
	if err != nil {
		return fmt.Errorf("checking the database file %s: %w", path, err)
	}
	if !known {
		return fmt.Errorf("checking the database file %s: %w", path, ErrForeign)
	}
	return nil
}

// isMigrated reports whether the file has ever been migrated. It opens the file read-only.
func isMigrated(ctx context.Context, path string) (known bool, err error) {
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return false, err
	}
	db, err := sql.Open(driver, source(path)+"mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return migrations.Known(ctx, goose.DialectSQLite3, db)
}

// OpenInMemory opens an empty database that no other connection sees and that is gone once it is closed, for tests. In
// place of a WAL there are locks: a reader waits while somebody writes.
func OpenInMemory(ctx context.Context, queries int) (*Database, error) {
	var files [2]*file
	for i := range files {
		var err error
		if files[i], err = connect(ctx, "file:/"+uuid.NewString()+"?vfs=memdb&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)", queries*i); err != nil {
			return nil, fmt.Errorf("opening a database in memory: %w", err)
		}
	}
	return newDatabase(files[0], files[1]), nil
}

// Close closes the pools.
func (d *Database) Close() error {
	d.events.Close()
	return errors.Join(d.eventFile.close(), d.identities.close())
}

// EventsLost reports whether the file of events was missing, and was replaced by a new one, as Options.NewEventsFile accepts.
func (d *Database) EventsLost() bool { return d.eventsLost }

// Events returns the events.
func (d *Database) Events() ports.Events { return d.events }

// Pools returns the pools by name: those of the file of events begin with events_.
func (d *Database) Pools() map[string]*sql.DB {
	pools := d.Store.Pools()
	for name, pool := range d.events.Pools() {
		pools["events_"+name] = pool
	}
	return pools
}

// Name returns the name of the file of identities, without its folder.
func (d *Database) Name(context.Context) (string, error) {
	return filepath.Base(d.identities.path), nil
}

// Ping reports whether the database accepts writes, and whether its files are still those that were opened: writes to a deleted
// file are lost when this process ends. It writes to the file of events only. Errors: ports.ErrUnavailable.
func (d *Database) Ping(ctx context.Context) error {
	if err := errors.Join(d.identities.checkPlace(), d.eventFile.checkPlace()); err != nil {
		return ports.ErrUnavailable.Because(err)
	}
	if err := d.Probe(ctx); err != nil {
		return err
	}
	return d.events.Ping(ctx)
}

type dialect struct{}

func (dialect) Rebind(query string) string { return query }

// ForUpdate is empty: write transactions begin as IMMEDIATE, and only one runs at a time.
func (dialect) ForUpdate() string { return "" }

func (dialect) Day(column string) string {
	return "strftime('%Y-%m-%d', " + column + " / 1000000, 'unixepoch')"
}

// ID returns the 16 bytes of a UUID.
func (dialect) ID(text string) (any, error) {
	raw, err := uuid.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a UUID: %w", text, err)
	}
	return raw[:], nil
}

// Rows returns the values as they are.
func (dialect) Rows(columns []sqlstore.ColumnType, values []any) (query string, args []any) {
	one := ",(" + strings.Repeat(",?", len(columns))[1:] + ")"
	return "VALUES " + strings.Repeat(one, len(values)/len(columns))[1:], values
}

// InsertSize is where longer statements gain nothing.
func (dialect) InsertSize(rows int) int { return min(rows, 250) }

// AfterErasing returns the statement that empties the log of changes, which has pages as they were before.
func (dialect) AfterErasing() string { return "PRAGMA wal_checkpoint(TRUNCATE)" }

func (dialect) InsertsByWith() bool { return false }

func (dialect) RowLevelSecurity() bool { return false }

func (dialect) EnterTenant(context.Context, *sqlx.Tx, id.Tenant) error { return nil }

func (dialect) Duplicate(err error, table, column string) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE &&
		strings.Contains(e.Error(), table+"."+column)
}

func (dialect) KeyExists(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

func (dialect) Unsupported(error) bool { return false }

func (dialect) Unavailable(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff { // the primary result code
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_CORRUPT,
		sqlite3.SQLITE_NOTADB:
		return true
	}
	return false
}

// Retryable is false: write transactions are serialized from their beginning.
func (dialect) Retryable(error) bool { return false }

// RolledBack: only a constraint violation guarantees that a COMMIT was rolled back.
func (dialect) RolledBack(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

// Denied is false: SQLite has no privileges beyond access to the file.
func (dialect) Denied(error) bool { return false }

func (dialect) Clock() string { return "" }

// TimedOut: only a context's end interrupts a statement.
func (dialect) TimedOut(err error) bool {
	var e *sqlite.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &e) && e.Code() == sqlite3.SQLITE_INTERRUPT
}

// Timeout is longer than the busy timeout, since it includes the wait for the single writer.
func (dialect) Timeout() time.Duration { return timeout }
