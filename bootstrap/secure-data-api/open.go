package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/system"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
)

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

// withDatabase runs fn on a service with any schema. The log is written live, to standard error, so that the output of the
// command can be piped.
func withDatabase(c *cobra.Command, t terminal, in bootstrap.Runtime, fn func(ctx context.Context, app *bootstrap.App) error) error {
	in.Output, in.Colour = t.err, isTerminal(t.err)
	app, err := open(c, t, in)
	if err != nil {
		return err
	}
	return errors.Join(fn(c.Context(), app), app.Close())
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
