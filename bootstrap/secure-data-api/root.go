package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/system"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
)

// helpWidth is the width in columns at which the help for flags is wrapped.
const helpWidth = 110

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

Settings are read from flags, the environment and a file .env; 'secure-data-api serve --help' explains them, and
'secure-data-api config' shows their values.`,
		Args:          commandsOnly,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", helpWidth)))
	root.SetHelpCommand(helpCommand())
	serve := serveCommand(t)
	root.RunE = serve.RunE
	addSettings(root.Flags())
	hideSettings(root.Flags()) // they are listed under serve
	root.AddCommand(serve, userCommand(t), tenantCommand(t), sessionCommand(t), auditCommand(t), migrateCommand(t),
		configCommand(t), healthCommand(t), versionCommand(t))
	return root
}

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Explain a command",
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
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", strings.Join(near, `" or "`))
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

// open reads the configuration and opens the service.
func open(c *cobra.Command, t terminal, in bootstrap.Runtime) (*bootstrap.App, error) {
	settings, err := load(c, t)
	if err != nil {
		return nil, err
	}
	in.Version, in.Clock, in.After = version, system.Clock{}, time.After
	return bootstrap.Open(c.Context(), settings, in)
}

// withApp runs fn on a service with an existing database whose schema is up to date. The output of fn comes first: the log is
// written to standard error afterwards, also if fn fails.
func withApp(c *cobra.Command, t terminal, fn func(ctx context.Context, app *bootstrap.App) error) (err error) {
	log := &heldLog{}
	defer func() { err = errors.Join(err, log.release(t.err)) }()
	app, err := open(c, t, bootstrap.Runtime{Output: log, Colour: isTerminal(t.err), Existing: true})
	if err != nil {
		return err
	}
	if err = app.CheckSchema(c.Context()); err == nil {
		err = fn(c.Context(), app)
	}
	return errors.Join(err, app.Close())
}

// heldLog buffers a log until it is released.
type heldLog struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write appends to the buffer.
func (l *heldLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

// release writes the buffer to w.
func (l *heldLog) release(w io.Writer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.buffer.WriteTo(w); err != nil {
		return fmt.Errorf("writing the log: %w", err)
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	return term.IsTerminal(int(f.Fd()))
}
