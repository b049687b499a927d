package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
)

func tenantCommand(t terminal) *cobra.Command {
	return group("tenant", "Create and list tenants, and set how long events are kept", tenantCreateCommand(t), tenantListCommand(t), tenantSetRetentionCommand(t))
}

func tenantCreateCommand(t terminal) *cobra.Command {
	return &cobra.Command{
		Use: "create SLUG", Short: "Create a tenant without users; add them with 'user create --join'", Args: arguments("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			slug, err := tenant.ParseSlug(args[0])
			if err != nil {
				return usageError{err}
			}
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				created, err := app.Tenants.Create(ctx, access.Operator(), slug)
				if err != nil {
					return err
				}
				fmt.Fprintf(t.out, "created tenant %s with id %s\n", created.Slug, created.ID)
				return nil
			})
		},
	}
}

func tenantListCommand(t terminal) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list [--json]", Short: "List all tenants", Args: arguments(), DisableFlagsInUseLine: true,
		Long: `Lists all tenants. RETENTION DAYS is how many days the tenant's events are kept, and PLATFORM RETENTION DAYS how many those of
every tenant are; 0 is no limit. Where there are both, the shorter applies.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				list, err := app.Tenants.List(ctx, access.Operator())
				if err != nil {
					return err
				}
				platform, err := app.Tenants.PlatformRetention(ctx, access.Operator())
				if err != nil {
					return err
				}
				return printList(t.out, asJSON, list,
					column[tenant.Tenant]{"id", func(t tenant.Tenant) any { return t.ID }},
					column[tenant.Tenant]{"slug", func(t tenant.Tenant) any { return t.Slug.String() }},
					column[tenant.Tenant]{"created_at", func(t tenant.Tenant) any { return t.CreatedAt }},
					column[tenant.Tenant]{"retention_days", func(t tenant.Tenant) any { return t.Retention.Days() }},
					column[tenant.Tenant]{"platform_retention_days", func(tenant.Tenant) any { return platform.Days() }})
			})
		},
	}
	addJSON(c, &asJSON)
	return c
}

func tenantSetRetentionCommand(t terminal) *cobra.Command {
	var (
		slug      string
		all, keep bool
		days      int
	)
	c := &cobra.Command{
		Use: "set-retention (--tenant SLUG | --all) (--days N | --keep)", Short: "Set how long events are kept",
		Args: arguments(), DisableFlagsInUseLine: true,
		Long: `Sets how many days after they occurred the events of a tenant are kept, or with --all those of every tenant. Where both are set,
the shorter one applies. The service deletes older events within the hour, for good. With --keep there is no limit; at first there is none.`,
		RunE: func(c *cobra.Command, _ []string) error {
			var retention tenant.Retention
			if !keep {
				var err error
				if retention, err = tenant.NewRetention(days); err != nil {
					return usageError{err}
				}
			}
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				before, err := setRetention(ctx, app, all, slug, retention)
				if err == nil {
					fmt.Fprintf(t.out, "events are kept %s, before: %s\n", retention, before)
				}
				return err
			})
		},
	}
	c.Flags().StringVar(&slug, "tenant", "", "`slug` of the tenant")
	c.Flags().BoolVar(&all, "all", false, "for all tenants")
	c.Flags().IntVar(&days, "days", 0, fmt.Sprintf("`number` of days, 1 to %d", tenant.MaxRetention))
	c.Flags().BoolVar(&keep, "keep", false, "keep events for ever")
	c.MarkFlagsOneRequired("tenant", "all")
	c.MarkFlagsMutuallyExclusive("tenant", "all")
	c.MarkFlagsOneRequired("days", "keep")
	c.MarkFlagsMutuallyExclusive("days", "keep")
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if err := c.ValidateFlagGroups(); err != nil {
			return usageError{err}
		}
		return nil
	}
	return c
}

// setRetention sets the retention of all tenants, or of the tenant with a slug.
func setRetention(ctx context.Context, app *bootstrap.App, all bool, slug string, r tenant.Retention) (before tenant.Retention, err error) {
	if all {
		return app.Tenants.SetPlatformRetention(ctx, access.Operator(), r)
	}
	found, err := tenantBySlug(ctx, app, slug)
	if err != nil {
		return tenant.Retention{}, err
	}
	return app.Tenants.SetRetention(ctx, access.Operator(), found.ID, r)
}

// addTenant adds the flag that names a tenant.
func addTenant(c *cobra.Command, slug *string) {
	c.Flags().StringVar(slug, "tenant", "", "`slug` of the tenant")
	require(c, "tenant")
}

// tenantBySlug returns the tenant with the slug of the flag.
func tenantBySlug(ctx context.Context, app *bootstrap.App, slug string) (tenant.Tenant, error) {
	parsed, err := tenant.ParseSlug(slug)
	if err != nil {
		return tenant.Tenant{}, usageError{err}
	}
	return app.Tenants.BySlug(ctx, access.Operator(), parsed)
}
