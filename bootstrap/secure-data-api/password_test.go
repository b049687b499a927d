package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

// TestChoosePassword: the prompts go to standard error; what is typed must be the same twice.
func TestChoosePassword(t *testing.T) {
	lost := errors.New("lost")
	for _, c := range []struct {
		name  string
		typed []string
		fails error // after what was typed
		want  string
		err   error
	}{
		{"the same twice", []string{"SecurePass1", "SecurePass1"}, nil, "SecurePass1", nil},
		{"spaces are kept", []string{" a b ", " a b "}, nil, " a b ", nil},
		{"two that differ", []string{"SecurePass1", "SecurePass2"}, nil, "", errPasswordsDiffer},
		{"nothing", nil, errNoPassword, "", errNoPassword},
		{"an interrupt", []string{"SecurePass1"}, errInterrupted, "", errInterrupted},
		{"the terminal is lost", []string{"SecurePass1"}, lost, "", lost},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			typed := c.typed
			on := terminal{out: &out, err: &errs, hidden: func(context.Context) (line string, err error) {
				if len(typed) == 0 {
					return "", c.fails
				}
				line, typed = typed[0], typed[1:]
				return line, nil
			}}
			got, err := choosePassword(t.Context(), on, "ann@acme.com")
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("%q, %v, want %q, %v", got, err, c.want, c.err)
			}
			if out.Len() > 0 || !strings.Contains(errs.String(), "ann@acme.com") || strings.Contains(errs.String(), "Secure") {
				t.Errorf("printed %q and %q", out.String(), errs.String())
			}
		})
	}
}

func TestReadPassword(t *testing.T) {
	longest := strings.Repeat("🐎", user.MaxPasswordLength)
	for _, c := range []struct{ name, in, want string }{
		{"a line", "SecurePass1\n", "SecurePass1"},
		{"without an end", "SecurePass1", "SecurePass1"},
		{"of Windows", "SecurePass1\r\n", "SecurePass1"},
		{"the first of two lines", "SecurePass1\nSecurePass2\n", "SecurePass1"},
		{"spaces", " Secure Pass ", " Secure Pass "},
		{"the longest", longest + "\r\n", longest},
		{"too long", longest + "abc", ""},
		{"nothing", "", ""},
		{"an empty line", "\nSecurePass1\n", ""},
	} {
		if got, err := readPassword(strings.NewReader(c.in)); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}
