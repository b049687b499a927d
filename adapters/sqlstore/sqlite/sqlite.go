// Package sqlite opens a SQLite database for package sqlstore: one file, one writer, many readers.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
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
	driver = "sqlite"
	// pragmas: readers do not wait for the writer (WAL); committed data survives a power loss (FULL); a lock of another
	// process is waited for (5 s).
	pragmas = "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"

	timeout = 15 * time.Second
)

// Database is an open SQLite database.
type Database struct {
	*sqlstore.Store
	events *events.Store
	writer *sqlx.DB
	// migrating is for the runner of the migrations, which needs more than one connection.
	migrating *sql.DB
	path      string      // empty in memory
	opened    os.FileInfo // the file; nil in memory
}

// Open opens the file, or creates it, readable by its owner only. queries is the number of concurrent queries.
func Open(ctx context.Context, path string, queries int) (*Database, error) {
	path, opened, err := prepare(path)
	if err != nil {
		return nil, err
	}
	db, err := connect(ctx, source(path)+pragmas, queries)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	db.path, db.opened = path, opened
	return db, nil
}

// source returns the name of a file as the driver reads it, for parameters to follow.
func source(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" }

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
	db, err := connect(ctx, "file:/"+uuid.NewString()+"?vfs=memdb&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)", queries)
	if err != nil {
		return nil, fmt.Errorf("opening a database in memory: %w", err)
	}
	return db, nil
}

func connect(ctx context.Context, source string, queries int) (*Database, error) {
	writer, err := sqlx.ConnectContext(ctx, driver, source+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	reader, err := openReaders(ctx, source, max(4, runtime.GOMAXPROCS(0)))
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	querier, err := openReaders(ctx, source, queries)
	if err != nil {
		return nil, errors.Join(err, writer.Close(), reader.Close())
	}
	migrating, err := sql.Open(driver, source+"&_txlock=immediate") // connects when it is used
	if err != nil {
		return nil, errors.Join(err, writer.Close(), reader.Close(), querier.Close())
	}
	migrating.SetMaxIdleConns(0)
	store := sqlstore.New(writer, reader, querier, dialect{})
	return &Database{Store: store, events: events.New(store, store, 1), writer: writer, migrating: migrating}, nil
}

func openReaders(ctx context.Context, source string, size int) (*sqlx.DB, error) {
	db, err := sqlx.ConnectContext(ctx, driver, source+"&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// prepare creates the file and its folder if needed, and checks that the file is writable and can't be read by other users,
// since it holds every tenant's data. It returns the path without symbolic links, where SQLite keeps its other files.
func prepare(path string) (string, os.FileInfo, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", nil, fmt.Errorf("creating the data folder: %w", err)
	}
	if err := checkRegular(path); err != nil {
		return "", nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", nil, fmt.Errorf("opening the database file: %w", err)
	}
	opened, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return "", nil, fmt.Errorf("opening the database file: %w", err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", nil, fmt.Errorf("resolving symbolic links to the database file: %w", err)
	}
	for _, file := range []string{path, path + "-wal", path + "-journal"} { // the others hold recent writes
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, fmt.Errorf("checking the database file: %w", err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			return "", nil, fmt.Errorf("the database file %s can be read by others: chmod 600 it", file)
		}
	}
	return path, opened, nil
}

// checkRegular makes sure that what is at the path, if anything is, is a regular file.
func checkRegular(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() {
		return nil // whatever is wrong shows when it is opened
	}
	kind := "a device"
	switch info.Mode().Type() {
	case fs.ModeDir:
		kind = "a directory"
	case fs.ModeNamedPipe:
		kind = "a named pipe"
	case fs.ModeSocket:
		kind = "a socket"
	}
	return fmt.Errorf("the database file %s is %s, not a regular file", path, kind)
}

// Close closes the pools.
func (d *Database) Close() error {
	d.events.Close()
	return errors.Join(d.Store.Close(), d.migrating.Close())
}

// Events returns the events.
func (d *Database) Events() ports.Events { return d.events }

// Name returns the name of the file, without its folder.
func (d *Database) Name(context.Context) (string, error) { return filepath.Base(d.path), nil }

// Ping reports whether the database accepts writes, and whether the file at its path is still the one that was opened: writes
// to a deleted file are lost when this process ends. Errors: ports.ErrUnavailable.
func (d *Database) Ping(ctx context.Context) error {
	if err := d.checkFile(); err != nil {
		return ports.ErrUnavailable.Because(err)
	}
	return d.Store.Ping(ctx)
}

// checkFile finds out whether the file still stands where it was opened.
func (d *Database) checkFile() error {
	if d.opened == nil {
		return nil
	}
	now, err := os.Stat(d.path)
	if err == nil && !os.SameFile(now, d.opened) {
		err = errors.New("the database file has been replaced since it was opened")
	}
	return err
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
func (dialect) InsertSize() int { return 100 }

func (dialect) RowLevelSecurity() bool { return false }

func (dialect) EnterTenant(context.Context, *sqlx.Tx, id.Tenant) error { return nil }

func (dialect) Duplicate(err error, table, column string) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE &&
		strings.Contains(e.Error(), table+"."+column)
}

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
