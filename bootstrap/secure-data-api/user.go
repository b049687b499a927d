package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

func userCommand(t terminal) *cobra.Command {
	return group("user", "Create, list and change users; works while the service is running",
		userCreateCommand(t), userListCommand(t), userSetRoleCommand(t), userResetPasswordCommand(t),
		onUser("deactivate", "Deactivate a user and revoke all of the user's sessions", t, deactivateUser),
		onUser("activate", "Reactivate a user; revoked sessions stay revoked", t, activateUser))
}

func userCreateCommand(t terminal) *cobra.Command {
	var (
		account user.Account
		role    string
		join    bool
	)
	c := &cobra.Command{
		Use:   "create --tenant SLUG --email EMAIL --name NAME --role ROLE [--join]",
		Short: "Create a user with a new tenant, or with --join in an existing tenant",
		Long: `Creates a tenant and its first user, with any role, such as the first admin or the first super_admin. To create a user in
an existing tenant, pass --join; it also lists the users of that tenant, since a stranger may have registered its slug first.

On a terminal the command prompts for the password twice. Otherwise it reads the password from the first line of standard
input. So the password shows neither in the list of processes nor in the history of the shell:

  secure-data-api user create --tenant acme --email ann@acme.com --name Ann --role admin
  secure-data-api user create --tenant acme --email ann@acme.com --name Ann --role admin <password.txt`,
		Args: arguments(), DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := access.ParseRole(role)
			if err != nil {
				return usageError{err}
			}
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				return createUser(ctx, app, t, account, r, join)
			})
		},
	}
	c.Flags().StringVar(&account.Tenant, "tenant", "", "`slug` of the tenant")
	c.Flags().StringVar(&account.Email, "email", "", "e-mail `address`")
	c.Flags().StringVar(&account.FullName, "name", "", "full `name`")
	c.Flags().StringVar(&role, "role", "", "`role`: viewer, analyst, admin or super_admin")
	c.Flags().BoolVar(&join, "join", false, "add the user to an existing tenant, and list its users")
	require(c, "tenant", "email", "name", "role")
	return c
}

func createUser(ctx context.Context, app *bootstrap.App, t terminal, account user.Account, role access.Role, join bool) error {
	if err := checkUser(ctx, app, account, join); err != nil {
		return err
	}
	if join {
		if err := printUsers(ctx, app, t, account.Tenant, false); err != nil {
			return err
		}
	}
	var err error
	if account.Password, err = choosePassword(ctx, t, account.Email); err != nil {
		return err
	}
	u, err := app.Auth.CreateUser(ctx, access.Operator(), account, role, join)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "created %s %s with id %s\n", u.Role, u.Email, u.ID)
	return nil
}

// checkUser checks the flags, before anybody is asked for a password.
func checkUser(ctx context.Context, app *bootstrap.App, account user.Account, join bool) error {
	err := app.Auth.CheckUser(ctx, access.Operator(), account, join)
	switch {
	case errors.Is(err, fault.ErrInvalid):
		return usageError{err}
	case errors.Is(err, tenant.ErrSlugTaken):
		return tenant.ErrSlugTaken.Saying(fmt.Sprintf("%s List its users with 'secure-data-api user list --tenant %s', and add a user to it with --join.",
			tenant.ErrSlugTaken.Message, account.Tenant))
	}
	return err
}

func userListCommand(t terminal) *cobra.Command {
	var (
		slug   string
		asJSON bool
	)
	c := &cobra.Command{
		Use: "list --tenant SLUG [--json]", Short: "List a tenant's users, oldest first", Args: arguments(), DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, _ []string) error {
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				return printUsers(ctx, app, t, slug, asJSON)
			})
		},
	}
	addJSON(c, &asJSON)
	addTenant(c, &slug)
	return c
}

// printUsers prints the users of a tenant.
func printUsers(ctx context.Context, app *bootstrap.App, t terminal, slug string, asJSON bool) error {
	home, err := tenantBySlug(ctx, app, slug)
	if err != nil {
		return err
	}
	var users []user.User
	for part := (page.Page{Limit: page.Users.Max}); ; part.Skip += part.Limit {
		list, total, _, err := app.Users.List(ctx, access.Operator(), home.ID, part)
		if err != nil {
			return err
		}
		users = append(users, list...)
		if len(users) >= total || len(list) == 0 {
			break
		}
	}
	return printList(t.out, asJSON, users,
		column[user.User]{"id", func(u user.User) any { return u.ID }},
		column[user.User]{"email", func(u user.User) any { return u.Email.String() }},
		column[user.User]{"full_name", func(u user.User) any { return u.FullName }},
		column[user.User]{"role", func(u user.User) any { return u.Role.String() }},
		column[user.User]{"is_active", func(u user.User) any { return u.Active }},
		column[user.User]{"created_at", func(u user.User) any { return u.CreatedAt }})
}

func userSetRoleCommand(t terminal) *cobra.Command {
	return &cobra.Command{
		Use: "set-role USER_ID ROLE", Short: "Change a user's role: viewer, analyst, admin or super_admin", Args: arguments("USER_ID", "ROLE"),
		RunE: func(c *cobra.Command, args []string) error {
			userID, err := id.Parse[id.User]("USER_ID", args[0])
			if err != nil {
				return usageError{err}
			}
			role, err := access.ParseRole(args[1])
			if err != nil {
				return usageError{err}
			}
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				u, err := app.Users.ChangeRole(ctx, access.Operator(), "", userID, role)
				if err != nil {
					return err
				}
				fmt.Fprintf(t.out, "%s is now %s\n", u.Email, u.Role)
				return nil
			})
		},
	}
}

func userResetPasswordCommand(t terminal) *cobra.Command {
	c := onUser("reset-password", "Set a user's password and revoke all of the user's sessions", t, resetPassword)
	c.Long = `Sets a user's password, by the same rules as for one chosen by the user, and revokes all of the user's sessions. On a terminal
the command prompts for the password twice; otherwise it reads it from the first line of standard input. 'user list' shows the
ids of users.`
	return c
}

// onUser returns a command with a user's id as its argument.
func onUser(name, short string, t terminal, do func(ctx context.Context, app *bootstrap.App, t terminal, userID id.User) error) *cobra.Command {
	return &cobra.Command{
		Use: name + " USER_ID", Short: short, Args: arguments("USER_ID"),
		RunE: func(c *cobra.Command, args []string) error {
			userID, err := id.Parse[id.User]("USER_ID", args[0])
			if err != nil {
				return usageError{err}
			}
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error { return do(ctx, app, t, userID) })
		},
	}
}

func deactivateUser(ctx context.Context, app *bootstrap.App, t terminal, userID id.User) error {
	if err := app.Users.Deactivate(ctx, access.Operator(), "", userID); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "deactivated %s\n", userID)
	return nil
}

func activateUser(ctx context.Context, app *bootstrap.App, t terminal, userID id.User) error {
	if err := app.Users.Activate(ctx, access.Operator(), "", userID); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "activated %s\n", userID)
	return nil
}

func resetPassword(ctx context.Context, app *bootstrap.App, t terminal, userID id.User) error {
	u, err := app.Users.Get(ctx, access.Operator(), "", userID)
	if err != nil {
		return err
	}
	chosen, err := choosePassword(ctx, t, u.Email.String())
	if err != nil {
		return err
	}
	if err := app.Auth.ResetPassword(ctx, access.Operator(), userID, chosen); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "the password of %s was set, and all sessions were revoked\n", u.Email)
	return nil
}
