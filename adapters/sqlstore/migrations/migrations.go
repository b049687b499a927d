// Package migrations holds the versions of the schema, one folder for each database, embedded in the program.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// Recorded is the version from which on a database keeps what it has served.
const Recorded = 2

// Status is one version of the schema.
type Status struct {
	Version int64
	Name    string
	Applied bool
}

// Runner brings a database to a version of the schema.
type Runner struct {
	provider *goose.Provider
}

// NewRunner returns a runner for the database, with the files of the folder named.
func NewRunner(dialect goose.Dialect, folder string, db *sql.DB, options ...goose.ProviderOption) (*Runner, error) {
	versions, err := fs.Sub(files, folder)
	if err != nil {
		return nil, fmt.Errorf("opening the migrations: %w", err)
	}
	provider, err := goose.NewProvider(dialect, db, versions, append(options, goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return &Runner{provider: provider}, nil
}

// Up applies what has not been applied yet and returns how many versions that was.
func (r *Runner) Up(ctx context.Context) (int, error) {
	results, err := r.provider.Up(ctx)
	if err != nil {
		return len(results), fmt.Errorf("migrating up: %w", err)
	}
	return len(results), nil
}

// Down takes the newest version back, with all that it holds, and returns its name; empty where there was none.
func (r *Runner) Down(ctx context.Context) (string, error) {
	result, err := r.provider.Down(ctx)
	if errors.Is(err, goose.ErrNoNextVersion) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("migrating down: %w", err)
	}
	return result.Source.Path, nil
}

// Status returns all versions in order.
func (r *Runner) Status(ctx context.Context) ([]Status, error) {
	list, err := r.provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the state of the schema: %w", err)
	}
	statuses := make([]Status, 0, len(list))
	for _, s := range list {
		statuses = append(statuses, Status{Version: s.Source.Version, Name: s.Source.Path, Applied: s.State == goose.StateApplied})
	}
	return statuses, nil
}
