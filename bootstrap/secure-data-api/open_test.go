package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOutputFirst: the log follows what a command prints, and is there also if the command fails.
func TestOutputFirst(t *testing.T) {
	c := newCommand(t).migrated(t)
	c.envFile = filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(c.envFile, []byte("PROT=80\n"), 0o600); err != nil { // which is logged as a warning
		t.Fatal(err)
	}
	create := []string{"user", "create", "--tenant", "acme", "--email", "ann@acme.com", "--name", "Ann", "--role", "admin"}
	for _, r := range []struct {
		name string
		code int
		want []string // in this order
	}{
		{"it succeeds", exitOK, []string{"created admin", "sets PROT", `"event":"user.created"`}},
		{"it fails", exitFailure, []string{"sets PROT", "[tenant_slug_taken]"}}, // the tenant is there now
	} {
		var screen bytes.Buffer // standard output and standard error, in the order of writing
		code := run(t.Context(), create, terminal{in: strings.NewReader("SecurePass1"), out: &screen, err: &screen, env: c.lookUp, envFile: c.envFile})
		if code != r.code {
			t.Errorf("%s: exit code %d", r.name, code)
		}
		rest, found := screen.String(), true
		for _, part := range r.want {
			if _, rest, found = strings.Cut(rest, part); !found {
				t.Errorf("%s: %q is not in its place: %s", r.name, part, screen.String())
			}
		}
	}
}
