package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
)

func sessionCommand(t terminal) *cobra.Command {
	return group("session", "List and revoke sessions; works while the service is running",
		sessionListCommand(t), sessionRevokeCommand(t))
}

func sessionListCommand(t terminal) *cobra.Command {
	var owner string
	var asJSON bool
	c := &cobra.Command{
		Use: "list --user USER_ID [--json]", Short: "List a user's live sessions, newest first", Args: arguments(), DisableFlagsInUseLine: true,
		Long: `Lists a user's live sessions, newest first. A session is a sign-in with all its refreshes. Device and address are those of
the last sign-in or refresh. 'user list' shows the ids of users.`,
		RunE: func(c *cobra.Command, _ []string) error {
			userID, err := id.Parse[id.User]("--user", owner)
			if err != nil {
				return usageError{err}
			}
			return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
				list, err := app.Auth.Sessions(ctx, access.Operator(), userID)
				if err != nil {
					return err
				}
				return printList(t.out, asJSON, list,
					column[session.Session]{"id", func(s session.Session) any { return s.ID }},
					column[session.Session]{"created_at", func(s session.Session) any { return s.CreatedAt }},
					column[session.Session]{"last_used_at", func(s session.Session) any { return s.LastUsedAt }},
					column[session.Session]{"expires_at", func(s session.Session) any { return s.ExpiresAt }},
					column[session.Session]{"address", func(s session.Session) any { return s.Client.Address }},
					column[session.Session]{"device", func(s session.Session) any { return s.Client.Device }})
			})
		},
	}
	c.Flags().StringVar(&owner, "user", "", "`id` of the user")
	addJSON(c, &asJSON)
	require(c, "user")
	return c
}

func sessionRevokeCommand(t terminal) *cobra.Command {
	var owner string
	c := &cobra.Command{
		Use: "revoke {SESSION_ID | --user USER_ID}", Short: "Revoke a session, or all sessions of a user", DisableFlagsInUseLine: true,
		Long: `Revokes a session, or all sessions of a user. A running service refuses its tokens from the next request on.
'session list' shows the ids of a user's sessions, and 'audit list' those that were part of an incident.`,
		Args: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("user") == (len(args) > 0) || len(args) > 1 {
				return usageError{errors.New("session revoke takes either a SESSION_ID or --user USER_ID")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return revokeSession(c, t, args[0])
			}
			return revokeSessions(c, t, owner)
		},
	}
	c.Flags().StringVar(&owner, "user", "", "`id` of the user whose sessions are revoked")
	return c
}

func revokeSession(c *cobra.Command, t terminal, named string) error {
	sessionID, err := id.Parse[id.Session]("SESSION_ID", named)
	if err != nil {
		return usageError{err}
	}
	return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
		if err := app.Auth.RevokeSession(ctx, access.Operator(), sessionID); err != nil {
			return err
		}
		fmt.Fprintf(t.out, "revoked session %s\n", sessionID)
		return nil
	})
}

func revokeSessions(c *cobra.Command, t terminal, owner string) error {
	userID, err := id.Parse[id.User]("--user", owner)
	if err != nil {
		return usageError{err}
	}
	return withApp(c, t, func(ctx context.Context, app *bootstrap.App) error {
		ended, err := app.Auth.RevokeSessions(ctx, access.Operator(), userID)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.out, "sessions of %s revoked: %d\n", userID, ended)
		return nil
	})
}
