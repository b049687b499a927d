package main

import (
	"errors"
	"net"

	"github.com/spf13/cobra"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
)

func serveCommand(t terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the service (the default without a command)",
		Long: `Runs the service until it receives SIGINT or SIGTERM. At start it migrates the schema, and creates the SQLite database if it does
not exist.

Each flag below is a setting, and can also be given in the environment or in the file .env, in capitals with underscores:
--log-level is LOG_LEVEL. Secrets, such as DATABASE_URL and JWT_SECRET_KEY, have no flags; 'secure-data-api config' shows all
settings.`,
		Args: arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			app, err := open(c, t, bootstrap.Runtime{Output: t.out, Colour: isTerminal(t.out), Serving: true})
			if err != nil {
				return err
			}
			return errors.Join(app.Serve(c.Context(), func(net.Addr) {}), app.Close())
		},
	}
	addSettings(c.Flags())
	return c
}
