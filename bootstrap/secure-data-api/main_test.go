package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/system"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
)

// runMain names the variable with which the program of the tests is the command itself.
const runMain = "TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// command runs a command line on a database of its own.
type command struct {
	env     map[string]string
	envFile string
}

func newCommand(t *testing.T) command {
	return command{env: map[string]string{"DATA_DIR": filepath.Join(t.TempDir(), "data")}}
}

// migrated makes the database, or brings it up to date.
func (c command) migrated(t *testing.T) command {
	t.Helper()
	c.want(t, 0, "", "migrate", "up")
	return c
}

// create makes a tenant with a user, and returns the user's id.
func (c command) create(t *testing.T, tenant, email, role string) string {
	t.Helper()
	out, _ := c.want(t, 0, "SecurePass1\n", "user", "create", "--tenant", tenant, "--email", email, "--name", "Ann Lee", "--role", role)
	return regexp.MustCompile(`[0-9a-f-]{36}`).FindString(out)
}

// signIn opens a session of a user that create made, as a running service does.
func (c command) signIn(t *testing.T, email string) {
	t.Helper()
	settings, err := config.Load(config.Sources{Env: c.lookUp})
	if err != nil {
		t.Fatal(err)
	}
	service, err := bootstrap.Open(t.Context(), settings, bootstrap.Runtime{Output: io.Discard, Clock: system.Clock{}, Serving: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.Auth.SignIn(t.Context(), email, "SecurePass1"); err != nil {
		t.Error(err)
	}
	if err := service.Close(); err != nil {
		t.Error(err)
	}
}

func (c command) lookUp(name string) (string, bool) { v, ok := c.env[name]; return v, ok }

func (c command) run(ctx context.Context, input string, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(ctx, args, terminal{
		in: strings.NewReader(input), out: &o, err: &e,
		env: c.lookUp, envFile: c.envFile,
	})
	return code, o.String(), e.String()
}

func (c command) want(t *testing.T, code int, input string, args ...string) (out, errs string) {
	t.Helper()
	got, out, errs := c.run(t.Context(), input, args...)
	if got != code {
		t.Errorf("%v: exit code %d, want %d\n%s%s", args, got, code, out, errs)
	}
	return out, errs
}

func TestUsage(t *testing.T) {
	c := newCommand(t)
	for _, args := range [][]string{
		{"fly"}, {"--fly"}, {"serve", "now"}, {"user"}, {"user", "create"}, {"migrate"}, {"migrate", "sideways"}, {"user", "set-role", "x"},
		{"session", "revoke"}, {"session", "revoke", "x"}, {"session", "revoke", "x", "--user", "x"}, {"session", "list", "--user", "x"},
		{"audit", "list"}, {"audit", "list", "--tenant", "acme", "--limit", "0"}, {"user", "reset-password"}, {"help", "fly"},
	} {
		if _, errs := c.want(t, 2, "", args...); !strings.Contains(errs, "--help") {
			t.Errorf("%v: no word of help in %s", args, errs)
		}
	}
	for _, args := range [][]string{{"--help"}, {"user", "--help"}, {"user", "create", "-h"}, {"help", "migrate"}} {
		if out, _ := c.want(t, 0, "", args...); !strings.Contains(out, "secure-data-api") {
			t.Errorf("%v printed %s", args, out)
		}
	}
}

// TestUnknownCommands: what is no command is called so, and the nearest is suggested.
func TestUnknownCommands(t *testing.T) {
	for _, c := range []struct{ args, want, hint string }{
		{"fly", `unknown command "fly"`, "secure-data-api --help"},
		{"usr", `did you mean user?`, "secure-data-api --help"},
		{"user bogus", `unknown command "bogus"`, "secure-data-api user --help"},
		{"user lst", `did you mean list?`, "secure-data-api user --help"},
		{"migrate bogus", `unknown command "bogus"`, "secure-data-api migrate --help"},
		{"session revoked", `did you mean revoke?`, "secure-data-api session --help"},
		{"help bogus", `unknown command "bogus"`, "'secure-data-api --help'"},
		{"serve now", `serve takes no arguments, and was given "now"`, "secure-data-api serve --help"},
		{"user activate", "user activate takes USER_ID", "secure-data-api user activate --help"},
	} {
		out, errs := newCommand(t).want(t, 2, "", strings.Fields(c.args)...)
		if !strings.Contains(errs, c.want) || !strings.Contains(errs, c.hint) || out != "" {
			t.Errorf("%s: %s%s", c.args, out, errs)
		}
	}
}

// TestHelp: the settings are listed where they belong, each with its type and its default.
func TestHelp(t *testing.T) {
	c := newCommand(t)
	for _, args := range [][]string{{"--help"}, {"help"}, {"user", "create", "--help"}, {"healthcheck", "--help"}} {
		if out, _ := c.want(t, 0, "", args...); strings.Contains(out, "--log-level") {
			t.Errorf("%v printed %s", args, out)
		}
	}
	for _, args := range [][]string{{"serve", "--help"}, {"help", "config"}} {
		out, _ := c.want(t, 0, "", args...)
		out = strings.Join(strings.Fields(out), " ")
		for _, text := range []string{
			"default 127.0.0.1 in development, else 0.0.0.0", "default false", "default 10/minute", "default .data",
		} {
			if !strings.Contains(out, text) {
				t.Errorf("%v lacks %q", args, text)
			}
		}
		for _, s := range config.Settings() {
			if shown := strings.Contains(out, "--"+s.Flag()+" "+s.Type()+" "); shown == s.Secret {
				t.Errorf("%v shows --%s with its type: %t", args, s.Flag(), shown)
			}
		}
		if strings.Contains(out, " string ") || strings.Contains(out, "elsewhere") {
			t.Errorf("%v printed %s", args, out)
		}
	}
	if out, _ := c.want(t, 0, "", "version"); !strings.Contains(out, version) {
		t.Errorf("version printed %s", out)
	}
}
