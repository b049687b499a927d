package main

import (
	"strings"
	"testing"
)

// TestSessionsOfNobody: what is not there is said, and to end nothing is no fault. What ending does to a service that runs
// is tested over HTTP.
func TestSessionsOfNobody(t *testing.T) {
	const nobody = "01a208ed-8be7-7806-a395-750258b9cdd5"
	c := newCommand(t).migrated(t)
	ann := c.create(t, "acme", "ann@acme.com", "admin")
	for _, l := range []struct {
		args string
		code int
		want string
	}{
		{"list --user " + ann, 0, "LAST USED AT"},
		{"list --user " + ann + " --json", 0, "["},
		{"list --user " + nobody, 1, "user_not_found"},
		{"revoke --user " + ann, 0, "revoked: 0"},
		{"revoke --user " + nobody, 1, "user_not_found"},
		{"revoke " + nobody, 1, "session_not_found"},
	} {
		out, errs := c.want(t, l.code, "", append([]string{"session"}, strings.Fields(l.args)...)...)
		if !strings.Contains(out+errs, l.want) {
			t.Errorf("%s: %s%s", l.args, out, errs)
		}
	}
	if out, _ := c.want(t, 0, "", "audit", "list", "--tenant", "acme"); strings.Contains(out, "sessions_revoked") {
		t.Errorf("the audit log has %s", out)
	}
}
