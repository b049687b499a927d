package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrOutdated: migrations are pending that this role may not apply.
var ErrOutdated = errors.New("the schema is not up to date, and the role of DATABASE_URL may not change it: " +
	"run 'secure-data-api migrate up' with the owner of the tables in MIGRATION_DATABASE_URL, then start again")

// ErrNotOwner: the role that should change the schema does not own it.
var ErrNotOwner = errors.New("the role of MIGRATION_DATABASE_URL does not own the tables; have MIGRATION_DATABASE_URL and DATABASE_URL been swapped?")

// MayMigrate reports whether this process may change the schema: as the role of MIGRATION_DATABASE_URL, or if that is not set,
// as the role of DATABASE_URL if it owns the tables. Errors: ErrNotOwner; ErrOutdated, if there is no schema and this role
// may not create one.
func (d *Database) MayMigrate(ctx context.Context) (bool, error) {
	named := d.options.MigrationURL != d.options.URL
	asking := queryer(d.service)
	if named {
		asking = d.owner
	}
	var owns sql.NullBool // NULL if there are no tables
	const query = "SELECT (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('goose_db_version'))"
	if err := asking.QueryRowContext(ctx, query).Scan(&owns); err != nil {
		return false, fmt.Errorf("checking who owns the tables: %w", err)
	}
	switch {
	case named && owns.Valid && !owns.Bool:
		return false, ErrNotOwner
	case named:
		return true, nil
	case owns.Valid:
		return owns.Bool, nil
	}
	var makes bool
	if err := d.service.GetContext(ctx, &makes, "SELECT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)"); err != nil {
		return false, fmt.Errorf("checking the privilege to create tables: %w", err)
	}
	if !makes {
		return false, ErrOutdated
	}
	return true, nil
}
