package main

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

func TestUsers(t *testing.T) {
	c := newCommand(t).migrated(t)
	create := func(code int, email, role, password string, more ...string) (string, string) {
		t.Helper()
		args := []string{"user", "create", "--tenant", "acme", "--email", email, "--name", "Ann Lee", "--role", role}
		return c.want(t, code, password, append(args, more...)...)
	}
	if _, errs := create(1, "ann@acme.com", "admin", "SecurePass1", "--join"); !strings.Contains(errs, "tenant_not_found") {
		t.Errorf("a tenant that does not exist was joined: %s", errs)
	}
	create(0, "ann@acme.com", "admin", "SecurePass1\n")
	if _, errs := create(1, "bob@acme.com", "viewer", "SecurePass1"); !strings.Contains(errs, "tenant_slug_taken") || !strings.Contains(errs, "--join") {
		t.Errorf("a stranger's tenant: %s", errs)
	}
	out, _ := create(0, "Bob@acme.com", "viewer", "SecurePass1\r\n", "--join")
	if !strings.Contains(out, "ann@acme.com") {
		t.Errorf("who is in the tenant is not shown: %s", out)
	}
	out = out[strings.Index(out, "created"):]
	id := regexp.MustCompile(`[0-9a-f-]{36}`).FindString(out)
	if id == "" || !strings.Contains(out, "viewer bob@acme.com") {
		t.Fatalf("printed %q", out)
	}
	if _, errs := create(1, "ann@acme.com", "admin", "SecurePass1", "--join"); !strings.Contains(errs, "email_taken") {
		t.Errorf("the address again: %s", errs)
	}
	if _, errs := create(1, "cid@acme.com", "admin", "password123", "--join"); !strings.Contains(errs, "password") || strings.Contains(errs, "password123") {
		t.Errorf("a common password: %s", errs)
	}
	create(1, "cid@acme.com", "admin", strings.Repeat("x", user.MaxPasswordLength*5))
	create(2, "cid@acme.com", "root", "SecurePass1")

	c.want(t, 0, "", "user", "set-role", id, "analyst")
	c.want(t, 2, "", "user", "set-role", id, "root")
	c.want(t, 2, "", "user", "set-role", "bob", "viewer")
	c.want(t, 1, "", "user", "set-role", "01a208ed-8be7-7806-a395-750258b9cdd5", "viewer")
	out, _ = c.want(t, 0, "", "user", "list", "--tenant", "acme")
	if !regexp.MustCompile(id + ` +bob@acme.com +Ann Lee +analyst +true`).MatchString(out) {
		t.Errorf("listed %s", out)
	}
	c.want(t, 0, "", "user", "deactivate", id)
	out, _ = c.want(t, 0, "", "user", "list", "--tenant", "acme")
	if !regexp.MustCompile(id + ` .* false`).MatchString(out) {
		t.Errorf("listed %s", out)
	}
	c.want(t, 1, "", "user", "list", "--tenant", "nobody")
	c.want(t, 0, "", "tenant", "create", "globex")
	c.want(t, 1, "", "tenant", "create", "Globex")
	c.want(t, 2, "", "tenant", "create", "not a slug")
	if out, _ = c.want(t, 0, "SecurePass1", "user", "create", "--tenant", "globex", "--email", "gus@globex.com", "--name", "Gus", "--role", "admin", "--join"); !strings.Contains(out, "admin gus@globex.com") {
		t.Errorf("into the empty tenant: %s", out)
	}
	c.want(t, 0, "", "user", "list", "--tenant", "ACME")
	c.want(t, 2, "", "user", "list", "--tenant", "ac\u212ae")
	out, _ = c.want(t, 0, "", "tenant", "list")
	if !regexp.MustCompile(`(?m)^[0-9a-f-]{36} +acme `).MatchString(out) {
		t.Errorf("tenants are %s", out)
	}
}

// TestPasswordLast: nobody is asked for a password of a user that can't be created anyway.
func TestPasswordLast(t *testing.T) {
	c := newCommand(t).migrated(t)
	c.create(t, "acme", "ann@acme.com", "admin")
	for _, r := range []struct {
		name, tenant, email, fullName string
		join                          bool
		code                          int
		want                          string
	}{
		{"an e-mail address and a name", "globex", "gus", " ", false, exitUsage, "secure-data-api: --email must be"},
		{"a name", "globex", "gus@globex.com", " ", false, exitUsage, "secure-data-api: --name "},
		{"a slug", "not a slug", "gus@globex.com", "Gus", true, exitUsage, "secure-data-api: --tenant "},
		{"a taken slug", "acme", "gus@globex.com", "Gus", false, exitFailure, "user list --tenant acme', and add a user to it with --join. [tenant_slug_taken]"},
		{"an absent tenant", "globex", "gus@globex.com", "Gus", true, exitFailure, "There is no such tenant. [tenant_not_found]"},
		{"a taken address", "acme", "Ann@acme.com", "Ann", true, exitFailure, "[email_taken]"},
	} {
		var out, errs bytes.Buffer
		args := []string{"user", "create", "--tenant", r.tenant, "--email", r.email, "--name", r.fullName, "--role", "admin", fmt.Sprintf("--join=%t", r.join)}
		code := run(t.Context(), args, terminal{out: &out, err: &errs, env: c.lookUp, hidden: func(context.Context) (string, error) {
			t.Errorf("%s: a password was asked for", r.name)
			return "SecurePass1", nil
		}})
		if code != r.code || !strings.Contains(errs.String(), r.want) || strings.Contains(errs.String(), "invalid_request") || out.Len() > 0 {
			t.Errorf("%s: exit code %d: %s%s", r.name, code, out.String(), errs.String())
		}
	}
}

// TestResetPassword: the rules for passwords hold, with what is known about the user.
func TestResetPassword(t *testing.T) {
	const nobody = "01a208ed-8be7-7806-a395-750258b9cdd5"
	c := newCommand(t).migrated(t)
	ann := c.create(t, "acme", "ann.lee@acme.com", "admin")
	for _, r := range []struct {
		name, userID, input string
		code                int
		want                string
	}{
		{"a good one", ann, "CorrectHorse9\n", 0, "the password of ann.lee@acme.com was set"},
		{"common", ann, "password123\n", 1, "most common"},
		{"made of the tenant and the name", ann, "acme-lee-ann\n", 1, "must not be made of"},
		{"nothing", ann, "", 1, "no password"},
		{"of nobody", nobody, "CorrectHorse9\n", 1, "user_not_found"},
		{"no id", "ann", "CorrectHorse9\n", 2, "USER_ID must be a UUID"},
	} {
		out, errs := c.want(t, r.code, r.input, "user", "reset-password", r.userID)
		if !strings.Contains(out+errs, r.want) || r.input != "" && strings.Contains(out+errs, strings.TrimSpace(r.input)) {
			t.Errorf("%s: %s%s", r.name, out, errs)
		}
	}
	c.want(t, 1, "", "user", "activate", nobody)
}
