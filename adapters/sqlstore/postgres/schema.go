package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrOutdated says that the schema lacks versions which this role may not add.
var ErrOutdated = errors.New("the schema is not up to date, and the role of DATABASE_URL may not change it: " +
	"run 'secure-data-api migrate up' with the owner of the tables in MIGRATION_DATABASE_URL, then start again")

// ErrNotOwner says that who is to change the schema can't.
var ErrNotOwner = errors.New("the role of MIGRATION_DATABASE_URL does not own the tables; have MIGRATION_DATABASE_URL and DATABASE_URL been swapped?")

// MayMigrate reports whether the schema is to be changed from here: by whom MIGRATION_DATABASE_URL names, or where it names
// nobody, by a role of DATABASE_URL that owns the tables. Errors: ErrNotOwner, and ErrOutdated, where there is no schema
// and none can be made.
func (d *Database) MayMigrate(ctx context.Context) (bool, error) {
	named := d.options.MigrationURL != d.options.URL
	asking := queryer(d.service)
	if named {
		asking = d.owner
	}
	var owns sql.NullBool // neither where there are no tables
	const query = "SELECT (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('goose_db_version'))"
	if err := asking.QueryRowContext(ctx, query).Scan(&owns); err != nil {
		return false, fmt.Errorf("asking who owns the tables: %w", err)
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
		return false, fmt.Errorf("asking who may make tables: %w", err)
	}
	if !makes {
		return false, ErrOutdated
	}
	return true, nil
}
