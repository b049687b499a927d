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
	return group("tenant", "Create and list tenants", tenantCreateCommand(t), tenantListCommand(t))
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
		RunE: func(c *cobra.Command, _ []string) error {
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				list, err := app.Tenants.List(ctx, access.Operator())
				if err != nil {
					return err
				}
				return printList(t.out, asJSON, list,
					column[tenant.Tenant]{"id", func(t tenant.Tenant) any { return t.ID }},
					column[tenant.Tenant]{"slug", func(t tenant.Tenant) any { return t.Slug.String() }},
					column[tenant.Tenant]{"created_at", func(t tenant.Tenant) any { return t.CreatedAt }})
			})
		},
	}
	addJSON(c, &asJSON)
	return c
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
