package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is the width in columns at which the help for flags is wrapped.
const helpWidth = 110

// settingsHint ends the help of groups and their commands, all of which work on the database.
const settingsHint = `{{if and .HasParent (or .Parent.HasParent .HasAvailableSubCommands)}}
The database is the service's: DATA_DIR or DATABASE_URL, in the environment or in the file .env.
{{end}}`

func rootCommand(t terminal) *cobra.Command {
	root := &cobra.Command{
		Use:   "secure-data-api",
		Short: "Multi-tenant analytics over REST that a team can run itself",
		Long: `Secure Data API ingests events from many tenants, answers queries about them and exports them, and no tenant ever sees
another's data. Without a command it runs the service.

Start it, and open http://localhost:8000/docs:
  secure-data-api

Create a tenant and its first admin; the command prompts for the password:
  secure-data-api user create --tenant acme --email ann@acme.com --name Ann --role admin

Settings are read from flags of serve and config, the environment and a file .env; 'secure-data-api serve --help' explains them, and
'secure-data-api config' shows their values.`,
		Args:          commandsOnly,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", helpWidth)) + settingsHint)
	root.SetHelpCommand(helpCommand())
	serve := serveCommand(t)
	root.RunE = serve.RunE
	addSettings(root.Flags())
	hideSettings(root.Flags()) // they are listed under serve
	root.AddCommand(serve, userCommand(t), tenantCommand(t), sealCommand(t), sessionCommand(t), auditCommand(t), sendCommand(t), benchCommand(t), migrateCommand(t),
		configCommand(t), healthCommand(t), versionCommand(t))
	return root
}

const helpName = "help"

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: helpName + " [COMMAND]", Short: "Explain a command",
		RunE: func(c *cobra.Command, args []string) error {
			found, rest, err := c.Root().Find(args)
			if err != nil {
				return usageError{err}
			}
			if err := commandsOnly(found, rest); err != nil {
				return err
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

func versionCommand(t terminal) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(t.out, "secure-data-api %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// group returns a command that has only subcommands.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: commandsOnly,
		RunE: func(c *cobra.Command, _ []string) error {
			return usageError{fmt.Errorf("%s needs a command", nameOf(c))}
		},
	}
	c.AddCommand(commands...)
	return c
}

// commandsOnly reports an argument of a command with subcommands as an unknown command, and suggests a similar one.
func commandsOnly(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	c.SuggestionsMinimumDistance = 2
	if similar := c.SuggestionsFor(args[0]); len(similar) > 0 {
		text += fmt.Sprintf("; did you mean %s?", strings.Join(similar, " or "))
	}
	return usageError{errors.New(text)}
}

// arguments accepts exactly the named arguments; anything else is a usage error.
func arguments(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) == len(names):
			return nil
		case len(names) == 0:
			return usageError{fmt.Errorf("%s takes no arguments, and was given %q", nameOf(c), args[0])}
		}
		return usageError{fmt.Errorf("%s takes %s, and was given %d arguments", nameOf(c), strings.Join(names, " and "), len(args))}
	}
}

// nameOf returns the name of a command without that of the program.
func nameOf(c *cobra.Command) string { return strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ") }

// require makes flags required.
func require(c *cobra.Command, flags ...string) {
	for _, f := range flags {
		if err := c.MarkFlagRequired(f); err != nil {
			panic(err) // a mistake in this package
		}
	}
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if err := c.ValidateRequiredFlags(); err != nil {
			return usageError{err}
		}
		return nil
	}
}
