package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
)

// Migrate brings the schema to its newest version, keeps in the database which environment it is used in, and returns how
// many versions that took.
// Errors: postgres.ErrEncoding, postgres.ErrNotOwner, postgres.ErrDifferentDatabases, postgres.ErrOutdated, migrations.ErrNewer.
func (a *App) Migrate(ctx context.Context) (int, error) {
	applied, err := a.migrate(ctx)
	if err != nil {
		return applied, err
	}
	return applied, a.database.RecordEnvironment(ctx, a.config.Environment, a.clock.Now())
}

// migrate brings the schema to its newest version and returns how many versions that took.
func (a *App) migrate(ctx context.Context) (int, error) {
	runner, err := a.database.Migrations()
	if err != nil {
		return 0, err
	}
	if a.postgres != nil {
		return a.migratePostgres(ctx, runner)
	}
	return runner.Up(ctx)
}

// migratePostgres changes the schema as its owner, and nothing where it is not known who that is. The database is the one
// that will be served: this is checked before anything is changed, and again for a role that has just been made.
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

// prepare readies the database to be served, and keeps on record that it is once nothing stands against that. From then on
// no connection has the rights of the schema's owner, where that is another role than the service's.
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

// Faults of taking a version of the schema back.
var (
	// ErrForwardOnly: the database has served production, or nobody knows that it has not.
	ErrForwardOnly = errors.New("this database has served production, or is older than its record of that: its schema goes forward only")
	// ErrOtherDatabase: the database is not the one that was named.
	ErrOtherDatabase = errors.New("this is another database")
)

// MigrateDown takes the newest version of the schema back, with all that it holds, and returns its name. What the
// database is, it says itself, whatever environment the caller is in; its name makes sure that it is the one that is meant.
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
	return runner.Down(ctx)
}

// unknown stands for what a database served before it kept a record of it.
const unknown = "unknown"

// served returns the environments that the database has served. One whose schema is older than the record may have served any.
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

// Distribute spreads the tables of a Postgres over a Citus cluster.
func (a *App) Distribute(ctx context.Context) error {
	if a.postgres == nil {
		return errors.New("only a Postgres database with the extension citus can be distributed")
	}
	return a.postgres.Distribute(ctx)
}

// checkPostgres makes sure that the second wall between tenants stands, without which the service does not start in
// production, and on Citus that it can work at all.
func (a *App) checkPostgres(ctx context.Context) error {
	err := a.postgres.CheckRowLevelSecurity(ctx)
	if errors.Is(err, postgres.ErrUnsafeRole) && a.config.Environment != config.Production {
		a.logger.WarnContext(ctx, "row level security does not bind the service", "reason", err)
		err = nil
	}
	if err != nil {
		return err
	}
	return a.postgres.CheckCitus(ctx)
}

// learnCosts has the hasher take the same time for each password, whatever its stored hash costs.
func (a *App) learnCosts(ctx context.Context) error {
	hashes, err := a.database.Identities().PasswordCosts(ctx)
	if err != nil {
		return err
	}
	for _, hash := range hashes {
		if err := a.hasher.AddCost(hash); err != nil { // its account can't sign in; all others can
			a.logger.WarnContext(ctx, "a stored password hash can't be read", "error", err)
		}
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
