// Command secure-data-api is the Secure Data API: a multi-tenant analytics service with its database inside.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the time zones of time series, where the system has no database of them: a distroless image, Windows
)

// version is set by the linker: -ldflags "-X main.version=1.2.3".
var version = "dev"

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// SIGHUP, sent by a closing terminal or to reload settings, does not stop the service.
	signal.Ignore(syscall.SIGHUP)
	// The first signal shuts the service down gracefully, the second one at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], terminal{
		in: os.Stdin, hidden: hiddenLines(os.Stdin), keyboard: readKeyboard, out: os.Stdout, err: os.Stderr, env: os.LookupEnv, envFile: ".env",
	})
	stop()
	os.Exit(code)
}

// terminal is the input, the output and the environment of the command.
type terminal struct {
	in io.Reader
	// hidden reads a line from in without echo; nil if in is not a terminal.
	hidden func(ctx context.Context) (string, error)
	// keyboard reads a line without echo from the terminal that the process belongs to, whatever in is.
	keyboard func(ctx context.Context) (string, error)
	out, err io.Writer
	env      func(string) (string, bool)
	envFile  string
}

// usageError is a mistake in the command line.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, t terminal) int {
	root := rootCommand(t)
	root.SetArgs(args)
	root.SetIn(t.in)
	root.SetOut(t.out)
	root.SetErr(t.err)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(t.err, "secure-data-api:", explain(command, err))
	var usage usageError
	if errors.As(err, &usage) {
		if command.Name() == helpName { // asked about a command that does not exist
			command = command.Root()
		}
		fmt.Fprintf(t.err, "Run '%s --help' to see how to use it.\n", command.CommandPath())
		return exitUsage
	}
	return exitFailure
}
