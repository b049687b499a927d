package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
)

func migrateCommand(t terminal) *cobra.Command {
	return group("migrate", "Migrate the schema, or show its version",
		migrateUpCommand(t), migrateStatusCommand(t), migrateDownCommand(t), migrateDistributeCommand(t))
}

func migrateUpCommand(t terminal) *cobra.Command {
	var in bootstrap.Runtime
	c := &cobra.Command{
		Use: "up [--new-events-file]", Short: "Apply all pending versions of the schema; creates the SQLite database if it does not exist",
		Args: arguments(), DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, _ []string) error {
			return withDatabase(c, t, in, func(ctx context.Context, app *bootstrap.App) error {
				applied, err := app.Migrate(ctx)
				if err == nil {
					fmt.Fprintf(t.out, "%d versions applied; the schema is up to date\n", applied)
				}
				return err
			})
		},
	}
	c.Flags().BoolVar(&in.NewEventsFile, "new-events-file", false, "if SQLite's file of events is missing, make a new one: all events are lost")
	return c
}

func migrateStatusCommand(t terminal) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "status [--json]", Short: "Show the versions of the schema: applied, pending, or newer than this program",
		Args: arguments(), DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, _ []string) error {
			return withDatabase(c, t, bootstrap.Runtime{Existing: true}, func(ctx context.Context, app *bootstrap.App) error {
				versions, err := app.SchemaStatus(ctx)
				if err != nil {
					return err
				}
				return printList(t.out, asJSON, versions,
					column[migrations.Status]{"version", func(s migrations.Status) any { return s.Version }},
					column[migrations.Status]{"name", func(s migrations.Status) any { return s.Name }},
					column[migrations.Status]{"state", func(s migrations.Status) any { return stateOf(s) }})
			})
		},
	}
	addJSON(c, &asJSON)
	return c
}

func stateOf(s migrations.Status) string {
	switch {
	case !s.Applied:
		return "pending"
	case s.Name == "":
		return "newer"
	default:
		return "applied"
	}
}

func migrateDownCommand(t terminal) *cobra.Command {
	var database string
	c := &cobra.Command{
		Use: "down --database NAME", Short: "Roll back the newest version of the schema, and delete its data",
		Args: arguments(), DisableFlagsInUseLine: true,
		Long: `Rolls back the newest version of the schema, and deletes all data in it. NAME is the name of the database, or of its
file where it is SQLite, so that it can't be another one than you mean. A database that has ever served production is
never taken back, whatever the environment of this command; nor is one without a record of that, such as one from which
the version that keeps it was taken back.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return withDatabase(c, t, bootstrap.Runtime{Existing: true}, func(ctx context.Context, app *bootstrap.App) error {
				name, err := app.MigrateDown(ctx, database)
				if err == nil {
					fmt.Fprintf(t.out, "rolled back: %s\n", cmp.Or(name, "nothing, no version was applied"))
				}
				return err
			})
		},
	}
	c.Flags().StringVar(&database, "database", "", "`name` of the database")
	require(c, "database")
	return c
}

func migrateDistributeCommand(t terminal) *cobra.Command {
	return &cobra.Command{
		Use: "distribute", Short: "Migrate the schema and distribute the tables of a Postgres over a Citus cluster, by tenant", Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			return withDatabase(c, t, bootstrap.Runtime{Existing: true}, func(ctx context.Context, app *bootstrap.App) error {
				if _, err := app.Migrate(ctx); err != nil {
					return err
				}
				if err := app.Distribute(ctx); err != nil {
					return err
				}
				fmt.Fprintln(t.out, "the tables are distributed by tenant")
				return nil
			})
		},
	}
}
