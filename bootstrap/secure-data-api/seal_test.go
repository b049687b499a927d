package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestSeal: the status is shown for one tenant or all, and throwing blocks away is recorded.
func TestSeal(t *testing.T) {
	c := newCommand(t).migrated(t)
	c.create(t, "acme", "ann@acme.com", "admin")
	c.create(t, "globex", "bob@globex.com", "admin")
	out, _ := c.want(t, 0, "", "seal", "status")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 3 || strings.Join(strings.Fields(lines[1]), " ") != "acme 0 0 0 0 - false" {
		t.Errorf("the status is %s", out)
	}
	out, _ = c.want(t, 0, "", "seal", "status", "--tenant", "globex", "--json")
	var list []map[string]any
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 || list[0]["tenant"] != "globex" || list[0]["oldest_waiting"] != nil {
		t.Errorf("as JSON it is %s: %v", out, err)
	}
	if out, _ := c.want(t, 0, "", "seal", "rebuild", "--tenant", "acme"); !strings.Contains(out, "the blocks of acme are gone") {
		t.Errorf("rebuilding says %s", out)
	}
	if out, _ := c.want(t, 0, "", "audit", "list", "--tenant", "acme"); strings.Count(out, "tenant.blocks_rebuilt") != 1 {
		t.Errorf("recorded: %s", out)
	}
	for _, l := range []struct {
		args string
		code int
		want string
	}{
		{"seal rebuild", 2, "tenant"},
		{"seal rebuild --tenant initech", 1, "tenant_not_found"},
		{"seal status --tenant initech", 1, "tenant_not_found"},
		{"seal status --tenant =", 2, "--tenant"},
		{"seal status now", 2, "takes no arguments"},
	} {
		out, errs := c.want(t, l.code, "", strings.Fields(l.args)...)
		if !strings.Contains(out+errs, l.want) {
			t.Errorf("%s: %s%s", l.args, out, errs)
		}
	}
}
