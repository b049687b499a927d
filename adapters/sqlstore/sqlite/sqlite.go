// Package sqlite opens a SQLite database for package sqlstore: one file, one writer, many readers.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

const (
	driver = "sqlite"
	// pragmas: readers do not wait for the writer (WAL); what was committed survives a loss of power (FULL); another
	// process at the file is waited for (5 s).
	pragmas = "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"

	timeout = 15 * time.Second
)

// Database is an open SQLite file.
type Database struct {
	*sqlstore.Store
	writer *sqlx.DB
	path   string
	opened os.FileInfo
}

// Open opens the file and creates it where it is not there, for its owner's eyes only. So many questions run at once.
func Open(ctx context.Context, path string, queries int) (*Database, error) {
	path, opened, err := prepare(path)
	if err != nil {
		return nil, err
	}
	source := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas
	writer, err := sqlx.ConnectContext(ctx, driver, source+"&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	writer.SetMaxOpenConns(1)
	reader, err := openReaders(ctx, source, max(4, runtime.GOMAXPROCS(0)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), writer.Close())
	}
	querier, err := openReaders(ctx, source, queries)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), writer.Close(), reader.Close())
	}
	return &Database{Store: sqlstore.New(writer, reader, querier, dialect{}), writer: writer, path: path, opened: opened}, nil
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

// prepare makes sure that the file and its folder are there, can be written, and can't be read by others, whom it would
// show every tenant's data. It returns the path without links, beside which SQLite keeps its other files.
func prepare(path string) (string, os.FileInfo, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", nil, fmt.Errorf("making the data folder: %w", err)
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
		return "", nil, fmt.Errorf("following links to the database file: %w", err)
	}
	for _, file := range []string{path, path + "-wal", path + "-journal"} { // the others hold what was written last
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, fmt.Errorf("looking at the database file: %w", err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			return "", nil, fmt.Errorf("the database file %s can be read by others: chmod 600 it", file)
		}
	}
	return path, opened, nil
}

// Name returns the name of the file, without its folder.
func (d *Database) Name(context.Context) (string, error) { return filepath.Base(d.path), nil }

// Ping reports whether the database can be written, and still stands where it was opened: what is written to a file that
// was removed is lost with this process. Errors: ports.ErrUnavailable.
func (d *Database) Ping(ctx context.Context) error {
	now, err := os.Stat(d.path)
	if err == nil && !os.SameFile(now, d.opened) {
		err = errors.New("the database file is another one than was opened")
	}
	if err != nil {
		return ports.ErrUnavailable.Because(err)
	}
	return d.Store.Ping(ctx)
}

// Migrations returns what brings the schema to its version.
func (d *Database) Migrations() (*migrations.Runner, error) {
	return migrations.NewRunner(goose.DialectSQLite3, "sqlite", d.writer.DB)
}

type dialect struct{}

func (dialect) Rebind(query string) string { return query }

// ForUpdate is empty: a write transaction is begun as IMMEDIATE, and there is one at a time.
func (dialect) ForUpdate() string { return "" }

func (dialect) Day(column string) string { return "substr(" + column + ", 1, 10)" }

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
	switch e.Code() & 0xff { // the primary code; the rest says more
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_CORRUPT,
		sqlite3.SQLITE_NOTADB:
		return true
	}
	return false
}

// Retryable: write transactions take turns from their beginning.
func (dialect) Retryable(error) bool { return false }

// RolledBack: of what COMMIT can answer, a broken constraint alone leaves no doubt.
func (dialect) RolledBack(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

// Denied: whoever may open the file may do all.
func (dialect) Denied(error) bool { return false }

func (dialect) Clock() string { return "" }

// TimedOut: nothing but the end of a context ends a statement.
func (dialect) TimedOut(err error) bool {
	var e *sqlite.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &e) && e.Code() == sqlite3.SQLITE_INTERRUPT
}

// Timeout is longer than the busy timeout: it is the wait for the one writer.
func (dialect) Timeout() time.Duration { return timeout }
