package main

import (
	"strings"
	"testing"
)

// TestSetRetention: a retention is for a tenant or, if that is said, for all; it takes effect, is shown and recorded.
func TestSetRetention(t *testing.T) {
	c := newCommand(t).migrated(t)
	c.create(t, "acme", "ann@acme.com", "admin")
	for _, l := range []struct {
		args string
		code int
		want string
	}{
		{"--tenant acme --days 90", 0, "events are kept 90 days, before: for ever"},
		{"--tenant acme --days 1", 0, "events are kept 1 day, before: 90 days"},
		{"--tenant acme --keep", 0, "events are kept for ever, before: 1 day"},
		{"--all --days 400", 0, "events are kept 400 days, before: for ever"},
		{"--all --keep", 0, "events are kept for ever, before: 400 days"},
		{"--tenant acme --days 30", 0, "before: for ever"},
		{"--all --days 400", 0, "before: for ever"},
		{"--tenant globex --days 30", 1, "tenant_not_found"},
		{"--tenant acme --days 0", 2, "between 1 and 3650"},
		{"--tenant acme --days 3651", 2, "between 1 and 3650"},
		{"--tenant acme --keep --days 3", 2, "keep"},
		{"--tenant acme --keep=false", 2, "between 1 and 3650"},
		{"--tenant acme", 2, "days"},
		{"--tenant acme --all --days 3", 2, "all"},
		{"--tenant= --days 3", 2, "--tenant must"},
		{"--all=false --days 3", 2, "--tenant must"},
		{"--days 3", 2, "tenant"},
	} {
		out, errs := c.want(t, l.code, "", append([]string{"tenant", "set-retention"}, strings.Fields(l.args)...)...)
		if !strings.Contains(out+errs, l.want) {
			t.Errorf("%s: %s%s", l.args, out, errs)
		}
	}
	for _, platform := range []string{"400", "0"} {
		out, _ := c.want(t, 0, "", "tenant", "list")
		lines := strings.Split(out, "\n")
		if !strings.HasSuffix(lines[0], "  RETENTION DAYS  PLATFORM RETENTION DAYS") || !strings.HasSuffix(strings.Join(strings.Fields(lines[1]), " "), " 30 "+platform) {
			t.Errorf("listed: %s", out)
		}
		c.want(t, 0, "", "tenant", "set-retention", "--all", "--keep")
	}
	if out, _ := c.want(t, 0, "", "audit", "list", "--tenant", "acme"); strings.Count(out, "tenant.retention_changed") != 4 || !strings.Contains(out, "90 days") {
		t.Errorf("recorded: %s", out)
	}
}
