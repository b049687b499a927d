package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestOutputFirst: the log follows what a command prints, and is there also where the command fails.
func TestOutputFirst(t *testing.T) {
	c := newCommand(t).migrated(t)
	both := func(want int, input string, args ...string) string {
		t.Helper()
		var screen bytes.Buffer // standard output and standard error, as they come
		if code := run(t.Context(), args, terminal{in: strings.NewReader(input), out: &screen, err: &screen, env: c.lookUp}); code != want {
			t.Errorf("%v: exit code %d: %s", args, code, screen.String())
		}
		return screen.String()
	}
	create := []string{"user", "create", "--tenant", "acme", "--email", "ann@acme.com", "--name", "Ann", "--role", "admin"}
	shown := both(0, "SecurePass1", create...)
	if created, logged := strings.Index(shown, "created admin"), strings.Index(shown, `"event":"user.created"`); created != 0 || logged < created {
		t.Errorf("printed %s", shown)
	}
	c.env["LOG_LEVEL"], c.env["REDIS_URL"] = "debug", "redis://127.0.0.1:1"
	shown = both(1, "SecurePass1", "tenant", "create", "acme")
	if !strings.HasPrefix(shown, "secure-data-api: tenant_slug_taken") && !strings.Contains(shown, "\nsecure-data-api: tenant_slug_taken") {
		t.Errorf("printed %s", shown)
	}
}
