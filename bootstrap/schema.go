package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/sqlite"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
)

// Migrate applies all pending migrations, records in the database which environment it is used in, and returns the number
// of applied migrations.
// Errors: postgres.ErrEncoding, postgres.ErrNotOwner, postgres.ErrDifferentDatabases, postgres.ErrOutdated,
// migrations.ErrNewer.
func (a *App) Migrate(ctx context.Context) (int, error) {
	applied, err := a.migrate(ctx)
	if err != nil {
		return applied, err
	}
	return applied, a.database.RecordEnvironment(ctx, a.config.Environment, a.clock.Now())
}

// migrate applies all pending migrations and returns their number.
func (a *App) migrate(ctx context.Context) (int, error) {
	runner, err := a.database.Migrations()
	if err != nil {
		return 0, err
	}
	runner.Report = a.reportProgress(ctx)
	if a.postgres != nil {
		return a.migratePostgres(ctx, runner)
	}
	return runner.Up(ctx)
}

// migratePostgres migrates as the owner of the schema; without the owner it only checks that nothing is pending. It verifies
// that both URLs lead to the same database before it changes anything, and again after creating the service's role.
// Errors: those of Migrate.
func (a *App) migratePostgres(ctx context.Context, runner *migrations.Runner) (int, error) {
	if err := a.postgres.CheckEncoding(ctx); err != nil {
		return 0, err
	}
	may, err := a.postgres.MayMigrate(ctx)
	if err != nil {
		return 0, err
	}
	if !may {
		pending, err := runner.Pending(ctx)
		if err == nil && pending {
			err = postgres.ErrOutdated
		}
		return 0, err
	}
	if err := a.postgres.CheckSameDatabase(ctx); err != nil {
		return 0, err
	}
	applied, err := runner.Up(ctx)
	if err != nil {
		return applied, err
	}
	if err := a.postgres.Authorize(ctx); err != nil {
		return applied, err
	}
	return applied, a.postgres.CheckSameDatabase(ctx)
}

// prepare migrates and checks the database, and records the environment once all checks have passed. It then closes the
// connections of the schema's owner, if that is another role than the service's.
// Errors: those of Migrate, postgres.ErrUnsafeRole, postgres.ErrTenantNotPropagated.
func (a *App) prepare(ctx context.Context) error {
	applied, err := a.migrate(ctx)
	if err != nil {
		return err
	}
	if applied > 0 {
		a.logger.InfoContext(ctx, "schema migrated", "versions", applied)
	}
	if a.postgres != nil {
		if err := a.checkPostgres(ctx); err != nil {
			return err
		}
	}
	if err := a.learnCosts(ctx); err != nil {
		return err
	}
	if err := a.database.RecordEnvironment(ctx, a.config.Environment, a.clock.Now()); err != nil {
		return err
	}
	if a.postgres != nil {
		if err := a.postgres.CloseOwner(); err != nil {
			return fmt.Errorf("closing the connections of the schema's owner: %w", err)
		}
	}
	return nil
}

// Errors of rolling a migration back.
var (
	// ErrForwardOnly: the database was used in production, or is too old to know.
	ErrForwardOnly = errors.New("this database has served production, or may have: its migrations can't be rolled back")
	// ErrOtherDatabase: the database does not have the given name.
	ErrOtherDatabase = errors.New("this is another database")
)

// MigrateDown rolls the newest migration back, including its data, and returns its name. Whether that is allowed depends on
// the environments recorded in the database, not only on the caller's. named must be the database's name, as a confirmation.
// Errors: ErrForwardOnly, ErrOtherDatabase.
func (a *App) MigrateDown(ctx context.Context, named string) (string, error) {
	name, err := a.database.Name(ctx)
	if err != nil {
		return "", err
	}
	if name != named {
		return "", fmt.Errorf("%w: %q, not %q", ErrOtherDatabase, name, named)
	}
	served, err := a.served(ctx)
	if err != nil {
		return "", err
	}
	if a.config.Environment == config.Production || slices.Contains(served, config.Production) || slices.Contains(served, unknown) {
		return "", ErrForwardOnly
	}
	runner, err := a.database.Migrations()
	if err != nil {
		return "", err
	}
	runner.Report = a.reportProgress(ctx)
	return runner.Down(ctx)
}

// unknown stands for any environment, of a database that did not record them yet.
const unknown = "unknown"

// served returns the recorded environments of the database, or unknown if its schema is too old to record them.
func (a *App) served(ctx context.Context) ([]string, error) {
	versions, err := a.SchemaStatus(ctx)
	if err != nil {
		return nil, err
	}
	applied := slices.DeleteFunc(versions, func(v migrations.Status) bool { return !v.Applied })
	switch {
	case len(applied) == 0:
		return nil, nil
	case applied[len(applied)-1].Version < migrations.EnvironmentsRecorded:
		return []string{unknown}, nil
	default:
		return a.database.Environments(ctx)
	}
}

// Distribute distributes the tables of a Postgres database over a Citus cluster.
func (a *App) Distribute(ctx context.Context) error {
	if a.postgres == nil {
		return errors.New("only a Postgres database with the extension citus can be distributed")
	}
	return a.postgres.Distribute(ctx)
}

// checkPostgres verifies that row level security applies to the service's role, without which it does not start in production,
// and on Citus that the tenant of a transaction reaches the workers.
func (a *App) checkPostgres(ctx context.Context) error {
	err := a.postgres.CheckRowLevelSecurity(ctx)
	if errors.Is(err, postgres.ErrUnsafeRole) && a.config.Environment != config.Production {
		a.logger.WarnContext(ctx, "row level security does not apply to the service", "reason", err)
		err = nil
	}
	if err != nil {
		return err
	}
	return a.postgres.CheckCitus(ctx)
}

// learnCosts makes every password verification take the same time, whatever the cost of the stored hash.
func (a *App) learnCosts(ctx context.Context) error {
	hashes, err := a.database.Identities().PasswordCosts(ctx)
	if err != nil {
		return err
	}
	for _, hash := range hashes {
		if err := a.hasher.AddCost(hash); err != nil { // only its own account can't sign in
			a.logger.WarnContext(ctx, "a stored password hash can't be read", "error", err)
		}
	}
	return nil
}

// Faults of a database that is not ready to work with.
var (
	// ErrNoDatabase: the SQLite file is not there.
	ErrNoDatabase = errors.New("there is no database")
	// ErrSchemaOutdated: the schema lacks versions that this program needs.
	ErrSchemaOutdated = errors.New("the schema of the database is not up to date")
)

// checkExisting verifies that a SQLite file is there and is a database of this service, without writing to it.
// Errors: ErrNoDatabase, sqlite.ErrForeign.
func checkExisting(ctx context.Context, path string) error {
	err := sqlite.Check(ctx, path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("finding the database: %w", err)
	}
	return fmt.Errorf("%w at %s: start the service or run 'secure-data-api migrate up' to create it, or set DATA_DIR or DATABASE_URL",
		ErrNoDatabase, absolute)
}

// CheckSchema makes sure that the schema is the one that this program needs. It only reads.
// Errors: ErrSchemaOutdated, migrations.ErrNewer.
func (a *App) CheckSchema(ctx context.Context) error {
	versions, err := a.SchemaStatus(ctx)
	if err != nil {
		return err
	}
	var current int64
	pending := false
	for _, v := range versions {
		pending = pending || !v.Applied
		if v.Applied {
			current = v.Version
		}
	}
	if err := migrations.CheckKnown(current); err != nil {
		return err
	}
	if pending {
		return fmt.Errorf("%w: it has version %d, and version %d is needed: run 'secure-data-api migrate up'", ErrSchemaOutdated, current, migrations.Newest)
	}
	return nil
}

// SchemaStatus returns the versions of the schema.
func (a *App) SchemaStatus(ctx context.Context) ([]migrations.Status, error) {
	runner, err := a.database.Migrations()
	if err != nil {
		return nil, err
	}
	return runner.Status(ctx)
}
