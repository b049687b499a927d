package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestAudit: what commands do is on record, newest first, a page at a time.
func TestAudit(t *testing.T) {
	c := newCommand(t).migrated(t)
	ann := c.create(t, "acme", "ann@acme.com", "viewer")
	c.create(t, "globex", "gus@globex.com", "viewer")
	c.want(t, 0, "", "user", "deactivate", ann)
	c.want(t, 0, "", "user", "activate", ann)
	c.want(t, 0, "", "user", "activate", ann) // which changes nothing
	c.want(t, 0, "CorrectHorse9\n", "user", "reset-password", ann)
	acts := func(args ...string) (acts []string) {
		t.Helper()
		out, _ := c.want(t, 0, "", append([]string{"audit", "list", "--tenant", "acme"}, args...)...)
		for line := range strings.Lines(out) {
			acts = append(acts, strings.Fields(line)[2])
		}
		return acts[1:]
	}
	want := "user.password_reset user.activated user.deactivated user.created tenant.created"
	if got := strings.Join(acts(), " "); got != want {
		t.Errorf("on record is %s", got)
	}
	if got := strings.Join(acts("--skip", "1", "--limit", "2"), " "); got != "user.activated user.deactivated" {
		t.Errorf("the page is %s", got)
	}
	out, _ := c.want(t, 0, "", "audit", "list", "--tenant", "acme")
	if !strings.Contains(out, ann) || strings.Contains(out, "CorrectHorse9") || strings.Contains(out, "argon2") {
		t.Errorf("listed %s", out)
	}
	if _, errs := c.want(t, 1, "", "audit", "list", "--tenant", "nobody"); !strings.Contains(errs, "tenant_not_found") {
		t.Errorf("of no tenant: %s", errs)
	}
}

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
