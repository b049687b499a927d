package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

func sealCommand(t terminal) *cobra.Command {
	return group("seal", "Show what is sealed of the events of tenants, and have it made anew", sealStatusCommand(t), sealRebuildCommand(t))
}

// sealed is what is sealed of a tenant's events.
type sealed struct {
	tenant string
	ports.SealStatus
}

func sealStatusCommand(t terminal) *cobra.Command {
	var (
		slug   string
		asJSON bool
	)
	c := &cobra.Command{
		Use: "status [--tenant SLUG] [--json]", Short: "Show what is sealed of the events of each tenant", Args: arguments(), DisableFlagsInUseLine: true,
		Long: `Shows what is sealed of the events of each tenant, or of one: BLOCKS, of how many EVENTS and BYTES; how many events are WAITING and
since when the OLDEST WAITING one is; and whether no event is read from rows any more (COMPLETE). Events that are deleted because they
are kept no longer are counted until their block is written anew.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				list, err := sealedOf(ctx, app, slug)
				if err != nil {
					return err
				}
				return printList(t.out, asJSON, list,
					column[sealed]{"tenant", func(s sealed) any { return s.tenant }},
					column[sealed]{"blocks", func(s sealed) any { return s.Blocks }},
					column[sealed]{"events", func(s sealed) any { return s.Events }},
					column[sealed]{"bytes", func(s sealed) any { return s.Bytes }},
					column[sealed]{"waiting", func(s sealed) any { return s.Waiting }},
					column[sealed]{"oldest_waiting", func(s sealed) any { return s.Oldest }},
					column[sealed]{"complete", func(s sealed) any { return s.Complete }})
			})
		},
	}
	c.Flags().StringVar(&slug, "tenant", "", "`slug` of the tenant; default is all")
	addJSON(c, &asJSON)
	return c
}

// sealedOf returns what is sealed of the events of the tenant with a slug, or of all tenants.
func sealedOf(ctx context.Context, app *bootstrap.App, slug string) ([]sealed, error) {
	var tenants []tenant.Tenant
	if slug != "" {
		found, err := tenantBySlug(ctx, app, slug)
		if err != nil {
			return nil, err
		}
		tenants = append(tenants, found)
	} else {
		var err error
		if tenants, err = app.Tenants.List(ctx, access.Operator()); err != nil {
			return nil, err
		}
	}
	var list []sealed
	for _, found := range tenants {
		status, err := app.Sealing.Status(ctx, access.Operator(), found.ID)
		if err != nil {
			return nil, err
		}
		list = append(list, sealed{found.Slug.String(), status})
	}
	return list, nil
}

func sealRebuildCommand(t terminal) *cobra.Command {
	var slug string
	c := &cobra.Command{
		Use: "rebuild --tenant SLUG", Short: "Throw the sealed events of a tenant away, to be made anew from the events", Args: arguments(),
		DisableFlagsInUseLine: true,
		Long: `Throws away the blocks of a tenant. With the next question or event of the tenant, and else within the hour, the running service
begins to make them anew from the events, usually more than 60,000 a second. Until then questions read the events themselves, which takes
longer. No event is lost, and no answer changes. It is recorded as tenant.blocks_rebuilt.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				found, err := tenantBySlug(ctx, app, slug)
				if err != nil {
					return err
				}
				if err := app.Sealing.Rebuild(ctx, access.Operator(), found.ID); err != nil {
					return err
				}
				fmt.Fprintf(t.out, "the blocks of %s are gone, and will be made anew\n", found.Slug)
				return nil
			})
		},
	}
	addTenant(c, &slug)
	return c
}
