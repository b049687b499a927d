package main

import (
	"strings"
	"testing"
)

// TestAudit: what commands do is recorded, newest first, a page at a time.
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
		t.Errorf("recorded: %s", got)
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
