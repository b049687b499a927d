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
	// A terminal that closes, or whoever means "read the settings anew", does not end the service.
	signal.Ignore(syscall.SIGHUP)
	// The first signal stops the service in an orderly way, the second one at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], terminal{
		in: os.Stdin, hidden: hiddenLines(os.Stdin), out: os.Stdout, err: os.Stderr, env: os.LookupEnv, envFile: ".env",
	})
	stop()
	os.Exit(code)
}

// terminal is what the command talks to.
type terminal struct {
	in io.Reader
	// hidden reads a line from in without showing it; nil where in is no terminal.
	hidden   func(ctx context.Context) (string, error)
	out, err io.Writer
	env      func(string) (string, bool)
	envFile  string
}

// usageError is a mistake in the command line.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// run carries out a command line and returns the exit code.
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
	fmt.Fprintln(t.err, "secure-data-api:", err)
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(t.err, "Run '%s --help' to see how to use it.\n", command.CommandPath())
		return exitUsage
	}
	return exitFailure
}
