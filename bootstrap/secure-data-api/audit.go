package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
)

func auditCommand(t terminal) *cobra.Command {
	return group("audit", "Read the audit log", auditListCommand(t))
}

func auditListCommand(t terminal) *cobra.Command {
	var (
		slug        string
		skip, limit int
		asJSON      bool
	)
	c := &cobra.Command{
		Use: "list --tenant SLUG [--limit N] [--skip N] [--json]", Short: "List the audit entries of a tenant, newest first",
		Args: arguments(), DisableFlagsInUseLine: true,
		Long: `Lists the audit entries of a tenant, newest first. The actor is the id of the acting user, and empty for the operator; the
subject is the id of the affected user. 'user list' shows the ids of users. --json also has the ids of entries and requests,
and the user agent.`,
		RunE: func(c *cobra.Command, _ []string) error {
			part, err := page.Audit.Page(&skip, &limit)
			if err != nil {
				return usageError{err}
			}
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				home, err := tenantBySlug(ctx, app, slug)
				if err != nil {
					return err
				}
				entries, err := app.Audit.List(ctx, access.Operator(), home.ID, part)
				if err != nil {
					return err
				}
				return printList(t.out, asJSON, entries, entryColumns(asJSON)...)
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", page.Audit.Default, "maximum `number` of entries, 1 to 1000")
	c.Flags().IntVar(&skip, "skip", 0, "`number` of newest entries to skip, 0 to 1000000")
	addJSON(c, &asJSON)
	addTenant(c, &slug)
	return c
}

// entryColumns are the columns of the table; all is for JSON, which has every field.
func entryColumns(all bool) []column[audit.Entry] {
	columns := []column[audit.Entry]{
		{"at", func(e audit.Entry) any { return e.At }},
		{"severity", func(e audit.Entry) any { return e.Severity }},
		{"act", func(e audit.Entry) any { return e.Act }},
		{"actor", func(e audit.Entry) any { return e.Actor }},
		{"subject", func(e audit.Entry) any { return e.Subject }},
		{"address", func(e audit.Entry) any { return e.Origin.Address }},
		{"detail", func(e audit.Entry) any { return e.Detail }},
	}
	if all {
		columns = append(columns,
			column[audit.Entry]{"id", func(e audit.Entry) any { return e.ID }},
			column[audit.Entry]{"request_id", func(e audit.Entry) any { return e.Origin.RequestID }},
			column[audit.Entry]{"user_agent", func(e audit.Entry) any { return e.Origin.UserAgent }})
	}
	return columns
}
