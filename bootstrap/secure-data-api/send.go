package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/send"
)

const (
	tokenVariable = "SECURE_DATA_API_TOKEN"
	fromInput     = "-" // the name of a file that means standard input
)

// sending is the command line of send.
type sending struct {
	file, url, format, rejected string
	email, passwordFile         string
	anyHTTP                     bool
}

func sendCommand(t terminal) *cobra.Command {
	var s sending
	c := &cobra.Command{
		Use:   "send FILE [--url URL] [--email EMAIL] [--format FORMAT] [--rejected FILE]",
		Short: "Send a file of events, NDJSON or CSV, to a running service", DisableFlagsInUseLine: true,
		Args: arguments("FILE"),
		Long: `Sends events from a file, or with - from standard input, to a running service, here or elsewhere. It needs no database and none of
the service's settings.

NDJSON has a JSON object on each line. CSV, which is assumed if the file's name ends in .csv, names the fields of events in its first
line, in any order, with properties.NAME for properties, which are texts; each further line is an event, and an empty cell is a
field that is not given. A line break within quotes is not supported.

Sending a file again stores no event twice: an event without event_id gets one that is made of its line. For events without
occurred_at that holds for 24 hours. The service's answers are waited for, and requests repeated, for minutes if need be. Lines
that are rejected never stop the others; they are written to a file as they are, and beside it the reasons.

It signs in with --email, and asks for the password on the terminal or reads it from the first line of --password-file. It renews
the session as needed, and signs out at the end. Without --email it uses the access token in ` + tokenVariable + `.`,
		Example: `  secure-data-api send events.csv --email ann@acme.com
  zcat events.ndjson.gz | secure-data-api send - --url https://analytics.example.com --email ann@acme.com --password-file password.txt`,
		RunE: func(c *cobra.Command, args []string) error {
			s.file = args[0]
			return s.run(c.Context(), t)
		},
	}
	c.Flags().StringVar(&s.url, "url", "http://localhost:8000", "`URL` of the service; https, except on this machine")
	c.Flags().StringVar(&s.email, "email", "", "e-mail `address` to sign in with, of an analyst or above")
	c.Flags().StringVar(&s.passwordFile, "password-file", "", "`file` with the password in its first line")
	c.Flags().StringVar(&s.format, "format", "", "`format` of the input: ndjson or csv; default by the file's name")
	c.Flags().StringVar(&s.rejected, "rejected", "", "`file` for rejected lines; default is FILE with .rejected before its extension")
	c.Flags().BoolVar(&s.anyHTTP, "allow-http", false, "send over http to another machine too, where others may read along")
	return c
}

// run sends the file. Standard output gets the summary; standard error the progress, what went wrong on the way, and the reasons
// for rejections.
func (s sending) run(ctx context.Context, t terminal) error {
	if err := s.check(); err != nil {
		return usageError{err}
	}
	in, size, err := s.open(t)
	if err != nil {
		return err
	}
	defer in.Close() // which was only read
	password, token, err := s.credentials(ctx, t)
	if err != nil {
		return err
	}
	shown := newProgress(t.err, size)
	total, err := send.Send(ctx, in, send.Options{
		URL: s.url, Agent: "secure-data-api/" + version + " send", Format: send.Format(s.format),
		Email: s.email, Password: password, Token: token, Rejected: s.rejected,
		Progress: shown.update, Notice: shown.notice, Wait: wait,
	})
	shown.clear()
	fmt.Fprintf(t.out, "%d stored, %d stored before, %d rejected, in %s\n", total.Stored, total.Duplicates, total.Rejected, shown.elapsed())
	if total.Undated > 0 {
		fmt.Fprintf(t.err, "secure-data-api: warning: %d of them have no occurred_at: sent again after 24 hours, they are stored once more\n", total.Undated)
	}
	switch {
	case errors.Is(err, send.ErrRejected):
		return fmt.Errorf("%d lines were rejected: they are in %s, and the reasons in %s", total.Rejected, s.rejected, send.ReasonsPath(s.rejected))
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted: send the file again for the rest; what is stored is not stored twice")
	}
	return err
}

// check validates the command line, and sets what follows from the file's name.
func (s *sending) check() error {
	extension := filepath.Ext(s.file)
	if s.format == "" {
		s.format = string(send.NDJSON)
		if strings.EqualFold(extension, ".csv") {
			s.format = string(send.CSV)
		}
	}
	if s.format != string(send.NDJSON) && s.format != string(send.CSV) {
		return errors.New("--format must be ndjson or csv")
	}
	name := strings.TrimSuffix(s.file, extension)
	if s.file == fromInput {
		name = "stdin"
	}
	s.rejected = cmp.Or(s.rejected, name+".rejected."+s.format)
	if s.passwordFile != "" && s.email == "" {
		return errors.New("--password-file needs --email")
	}
	if err := send.CheckURL(s.url, s.anyHTTP); err != nil {
		return fmt.Errorf("--url %w", err)
	}
	return nil
}

// open opens the input, and returns its size in bytes, or 0 if that is not known.
func (s sending) open(t terminal) (io.ReadCloser, int64, error) {
	if s.file == fromInput {
		return io.NopCloser(t.in), 0, nil
	}
	f, err := os.Open(s.file)
	if err != nil {
		return nil, 0, fmt.Errorf("opening the input: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("opening the input: %w", err), f.Close())
	}
	if info.IsDir() {
		return nil, 0, errors.Join(fmt.Errorf("%s is a folder", s.file), f.Close())
	}
	return f, info.Size(), nil
}

// credentials returns the password for the address, or without one the token of the environment.
func (s sending) credentials(ctx context.Context, t terminal) (password, token string, err error) {
	switch {
	case s.email == "":
		if token, _ = t.env(tokenVariable); token == "" {
			return "", "", usageError{errors.New("needs --email, or an access token in " + tokenVariable)}
		}
		return "", token, nil
	case s.passwordFile != "":
		f, err := os.Open(s.passwordFile)
		if err != nil {
			return "", "", fmt.Errorf("reading the password: %w", err)
		}
		password, err = readPassword(io.LimitReader(f, maxPasswordInput+1))
		return password, "", errors.Join(err, f.Close())
	}
	fmt.Fprintf(t.err, "Password for %s: ", s.email)
	defer fmt.Fprintln(t.err) // the line end was not echoed
	password, err = t.keyboard(ctx)
	return password, "", err
}

// wait waits, or returns the error of the context if it ends first.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
