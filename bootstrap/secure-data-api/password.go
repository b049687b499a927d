package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

// maxPasswordInput limits the bytes read for a password: 128 characters of at most 4 bytes, and a line end.
const maxPasswordInput = user.MaxPasswordLength*4 + 2

var (
	errPasswordsDiffer = errors.New("the two passwords differ; nothing was changed")
	errInterrupted     = errors.New("interrupted; nothing was changed")
	errNoTerminal      = errors.New("there is no terminal to ask for the password on; use --password-file")
	errNoPassword      = errors.New("no password was given; enter it on a terminal, or pass it as the first line of standard input")
)

// choosePassword prompts for a new password twice on a terminal, or reads it from the first line of the input.
func choosePassword(ctx context.Context, t terminal, email string) (string, error) {
	if t.hidden == nil {
		return readPassword(io.LimitReader(t.in, maxPasswordInput+1))
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprintf(t.err, "%s for %s: ", prompt, email)
		defer fmt.Fprintln(t.err) // the line end was not echoed either
		return t.hidden(ctx)
	}
	chosen, err := ask("Password")
	if err != nil {
		return "", err
	}
	again, err := ask("Repeat password")
	if err != nil {
		return "", err
	}
	if chosen != again {
		return "", errPasswordsDiffer
	}
	return chosen, nil
}

// readPassword reads the first line of the input, without the line end. Errors: errNoPassword.
func readPassword(in io.Reader) (string, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	if len(line) > maxPasswordInput {
		return "", errors.New("the password is too long")
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if line == "" {
		return "", errNoPassword
	}
	return line, nil
}

// readKeyboard reads a password from the terminal that the process belongs to, also if standard input is something else.
// Errors: errNoTerminal, and those of hiddenLines.
func readKeyboard(ctx context.Context) (_ string, err error) {
	f, err := os.OpenFile(controllingTerminal, os.O_RDWR, 0)
	if err != nil {
		return "", errNoTerminal
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	read := hiddenLines(f)
	if read == nil {
		return "", errNoTerminal
	}
	return read(ctx)
}

// hiddenLines returns a function that reads a password from a terminal without echo, or nil if f is not a terminal. If the
// context ends, Ctrl-\ is pressed or the terminal is closed first, it returns errInterrupted. It always leaves the terminal as it
// was: the goroutine that may still read, until the program ends, does not change it.
// Errors: errInterrupted, errNoPassword.
func hiddenLines(f *os.File) func(ctx context.Context) (string, error) {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return nil
	}
	return func(ctx context.Context) (_ string, err error) {
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGQUIT) // the terminal was closed; Ctrl-\
		defer stop()
		before, err := term.GetState(fd)
		if err != nil {
			return "", fmt.Errorf("reading the state of the terminal: %w", err)
		}
		defer func() { err = errors.Join(err, term.Restore(fd, before)) }()
		if err := hideInput(fd); err != nil {
			return "", fmt.Errorf("turning the echo of the terminal off: %w", err)
		}
		type result struct {
			line string
			err  error
		}
		read := make(chan result, 1)
		go func() {
			line, err := readPassword(f) // whose buffer holds the longest line of a terminal, and no part of the next
			read <- result{line, err}
		}()
		select {
		case r := <-read:
			return r.line, r.err
		case <-ctx.Done():
			return "", errInterrupted
		}
	}
}
