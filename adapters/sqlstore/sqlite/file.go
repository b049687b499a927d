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

	"github.com/jmoiron/sqlx"
)

// pragmas: readers do not wait for the writer (WAL); committed data survives a power loss (FULL); a lock of another process is waited
// for (5 s); a WAL that has grown larger than 4 MiB shrinks again; what is deleted is overwritten with zeros, as erasures promise.
const pragmas = "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=journal_size_limit(4194304)&_pragma=secure_delete(1)"

// file is one file of the database.
type file struct {
	writer, reader *sqlx.DB
	queries        *sqlx.DB // reader, if there are none
	// migrating is for the runner of the migrations, which needs more than one connection.
	migrating *sql.DB
	path      string      // empty in memory
	opened    os.FileInfo // nil in memory
}

// openFile opens a file, or creates it, readable by its owner only.
func openFile(ctx context.Context, path string, queries int) (*file, error) {
	path, opened, err := prepare(path)
	if err != nil {
		return nil, err
	}
	f, err := connect(ctx, source(path)+pragmas, queries)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	f.path, f.opened = path, opened
	return f, nil
}

// source returns the name of a file as the driver reads it, for parameters to follow.
func source(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" }

func connect(ctx context.Context, source string, queries int) (_ *file, err error) {
	f := &file{} // not the result, which is nil with an error
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.writer, err = sqlx.ConnectContext(ctx, driver, source+"&_txlock=immediate"); err != nil {
		return nil, err
	}
	f.writer.SetMaxOpenConns(1)
	if f.reader, err = openReaders(ctx, source, max(4, runtime.GOMAXPROCS(0))); err != nil {
		return nil, err
	}
	f.queries = f.reader
	if queries > 0 {
		if f.queries, err = openReaders(ctx, source, queries); err != nil {
			return nil, err
		}
	}
	if f.migrating, err = sql.Open(driver, source+"&_txlock=immediate"); err != nil { // connects when it is used
		return nil, err
	}
	f.migrating.SetMaxIdleConns(0)
	return f, nil
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

// close closes the pools that were opened.
func (f *file) close() error {
	var all error
	for _, pool := range []*sqlx.DB{f.queries, f.reader, f.writer} { // closing one twice is harmless
		if pool != nil {
			all = errors.Join(all, pool.Close())
		}
	}
	if f.migrating != nil {
		all = errors.Join(all, f.migrating.Close())
	}
	return all
}

// checkPlace finds out whether the file still stands where it was opened.
func (f *file) checkPlace() error {
	if f.opened == nil {
		return nil
	}
	now, err := os.Stat(f.path)
	if err == nil && !os.SameFile(now, f.opened) {
		err = fmt.Errorf("the database file %s has been replaced since it was opened", f.path)
	}
	return err
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
