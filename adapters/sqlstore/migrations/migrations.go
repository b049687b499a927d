// Package migrations embeds the versions of the schema, in one folder per database file.
package migrations

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

//go:embed sqlite/*.sql sqlite-events/*.sql postgres/*.sql
var files embed.FS

// Versions of the schema that code refers to.
const (
	// EnvironmentsRecorded is the first version that stores the environments a database is used in.
	EnvironmentsRecorded = 2
	// EventsCarried is the version that carries the events of schema 3 over.
	EventsCarried = 5
	// Newest is the newest version that this program knows, and NewestOfEvents the newest that changes SQLite's file of events.
	Newest         = 8
	NewestOfEvents = 8
)

// ErrNewer: a newer program has migrated the database to a schema that this one does not know.
var ErrNewer = errors.New("the schema of the database is newer than this program")

// Status is one version of the schema.
type Status struct {
	Version int64
	Name    string // empty if this program does not know the version
	Applied bool
}

// Runner migrates the schema of a database.
type Runner struct {
	Report Report // never nil; does nothing unless it is replaced

	provider *goose.Provider
	db       *sql.DB
	dialect  goose.Dialect
	applied  database.Store // goose's version table
	beside   *Beside        // nil if there is one file
}

// Beside is another file with a part of the schema. Versions are numbered across both files, and some change only one of them.
type Beside struct {
	Runner *Runner
	// Join is called before the versions of the first file, when the other one has its own.
	Join func(ctx context.Context) error
}

// With returns a runner that migrates both files.
func (r *Runner) With(beside Beside) *Runner {
	r.beside = &beside
	return r
}

// Carry are the two directions of version EventsCarried, which is no SQL. They run outside a transaction, and may be interrupted
// at any point: until the version is recorded, they run again.
type Carry struct {
	Up, Down func(ctx context.Context, report Report) error
}

// Report is called with the progress of carrying events: how many of all were carried.
type Report func(carried, total int64)

// migration returns version EventsCarried for goose, which wants the name of a file.
func (r *Runner) migration(c Carry) *goose.Migration {
	run := func(carry func(context.Context, Report) error) *goose.GoFunc {
		return &goose.GoFunc{Mode: goose.TransactionDisabled, RunDB: func(ctx context.Context, _ *sql.DB) error {
			return carry(ctx, r.Report)
		}}
	}
	m := goose.NewGoMigration(EventsCarried, run(c.Up), run(c.Down))
	m.Source = fmt.Sprintf("%05d_carry_events.go", EventsCarried)
	return m
}

// NewRunner returns a runner for the database with the migrations of the given folder. The pool must have room for more than
// one connection: goose holds one while version EventsCarried runs. Without a carry, that version is left out.
func NewRunner(dialect goose.Dialect, folder string, db *sql.DB, carry Carry, options ...goose.ProviderOption) (*Runner, error) {
	versions, err := fs.Sub(files, folder)
	if err != nil {
		return nil, fmt.Errorf("opening the migrations: %w", err)
	}
	r := &Runner{Report: func(int64, int64) {}, db: db, dialect: dialect}
	options = append(options, goose.WithDisableGlobalRegistry(true))
	if carry.Up != nil {
		options = append(options, goose.WithGoMigrations(r.migration(carry)))
	}
	provider, err := goose.NewProvider(dialect, db, versions, options...)
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	applied, err := database.NewStore(dialect, goose.DefaultTablename)
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	r.provider, r.applied = provider, applied
	return r, nil
}

// Up applies all pending versions and returns their number. Errors: ErrNewer.
func (r *Runner) Up(ctx context.Context) (int, error) {
	if err := r.refuseNewer(ctx); err != nil {
		return 0, err
	}
	before := 0
	if r.beside != nil {
		n, err := r.beside.Runner.Up(ctx)
		if err == nil {
			err = r.beside.Join(ctx)
		}
		if err != nil {
			return n, err
		}
		before = n
	}
	results, err := r.provider.Up(ctx)
	applied := max(before, len(results))
	if err != nil {
		return applied, fmt.Errorf("migrating up: %w", err)
	}
	return applied, r.refuseNewer(ctx) // a newer program may have migrated while this one waited for the lock
}

// refuseNewer checks that this program knows the version of the schema. Errors: ErrNewer.
func (r *Runner) refuseNewer(ctx context.Context) error {
	current, err := r.version(ctx)
	if err != nil {
		return err
	}
	if err := CheckKnown(current); err != nil || r.beside == nil {
		return err
	}
	return r.beside.Runner.refuseNewer(ctx)
}

// version returns the newest version that is applied to the file.
func (r *Runner) version(ctx context.Context) (int64, error) {
	current, _, err := r.provider.GetVersions(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the version of the schema: %w", err)
	}
	return current, nil
}

// CheckKnown checks that this program knows a version of the schema. Errors: ErrNewer.
func CheckKnown(version int64) error {
	if version > Newest {
		return fmt.Errorf("%w: it has version %d, and this program knows versions up to %d", ErrNewer, version, Newest)
	}
	return nil
}

// Pending reports whether there are pending versions. It takes no lock and needs read access only.
// Errors: ErrNewer.
func (r *Runner) Pending(ctx context.Context) (bool, error) {
	if err := r.refuseNewer(ctx); err != nil {
		return false, err
	}
	pending, err := r.provider.HasPending(ctx)
	if err != nil {
		return false, fmt.Errorf("checking for pending migrations: %w", err)
	}
	if pending || r.beside == nil {
		return pending, nil
	}
	return r.beside.Runner.Pending(ctx)
}

// Down rolls the newest version back, including its data, and returns its name; empty if there was none.
// Errors: ErrNewer.
func (r *Runner) Down(ctx context.Context) (string, error) {
	if err := r.refuseNewer(ctx); err != nil {
		return "", err
	}
	if r.beside == nil {
		return r.down(ctx)
	}
	first, err := r.version(ctx)
	if err != nil {
		return "", err
	}
	second, err := r.beside.Runner.version(ctx)
	if err != nil {
		return "", err
	}
	name := ""
	if first >= second {
		if name, err = r.down(ctx); err != nil {
			return "", err
		}
	}
	if second >= first {
		return r.beside.Runner.down(ctx)
	}
	return name, nil
}

func (r *Runner) down(ctx context.Context) (string, error) {
	result, err := r.provider.Down(ctx)
	if errors.Is(err, goose.ErrNoNextVersion) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("migrating down: %w", err)
	}
	return result.Source.Path, nil
}

// Status returns all versions in order: those that this program knows and those applied to the database. It only reads, and
// finds nothing applied in a database without a schema.
func (r *Runner) Status(ctx context.Context) ([]Status, error) {
	statuses, err := r.status(ctx)
	if err != nil {
		return nil, err
	}
	if r.beside != nil {
		others, err := r.beside.Runner.status(ctx)
		if err != nil {
			return nil, err
		}
		for version, other := range others {
			if here, both := statuses[version]; both {
				other.Applied = other.Applied && here.Applied
			}
			statuses[version] = other
		}
	}
	return slices.SortedFunc(maps.Values(statuses), func(a, b Status) int { return cmp.Compare(a.Version, b.Version) }), nil
}

// status returns the versions of the file by their numbers.
func (r *Runner) status(ctx context.Context) (map[int64]Status, error) {
	applied, err := r.listApplied(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the state of the schema: %w", err)
	}
	statuses := map[int64]Status{}
	for _, source := range r.provider.ListSources() {
		_, isApplied := applied[source.Version]
		statuses[source.Version] = Status{Version: source.Version, Name: source.Path, Applied: isApplied}
	}
	for version := range applied { // also by a newer program
		if _, known := statuses[version]; !known {
			statuses[version] = Status{Version: version, Applied: true}
		}
	}
	return statuses, nil
}

// Known reports whether a database has goose's version table, which stays also when all versions are rolled back. It only
// reads.
func Known(ctx context.Context, dialect goose.Dialect, db *sql.DB) (known bool, err error) {
	query := "SELECT to_regclass('" + goose.DefaultTablename + "') IS NOT NULL"
	if dialect == goose.DialectSQLite3 {
		query = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '" + goose.DefaultTablename + "')"
	}
	err = db.QueryRowContext(ctx, query).Scan(&known)
	return known, err
}

// listApplied returns the versions applied to the database. Unlike goose's provider it creates no version table.
func (r *Runner) listApplied(ctx context.Context) (map[int64]struct{}, error) {
	versions := map[int64]struct{}{}
	if known, err := Known(ctx, r.dialect, r.db); err != nil || !known {
		return versions, err
	}
	applied, err := r.applied.ListMigrations(ctx, r.db)
	for _, a := range applied {
		if a.Version > 0 { // 0 stands for an empty database
			versions[a.Version] = struct{}{}
		}
	}
	return versions, err
}
