package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

func TestServe(t *testing.T) {
	c := newCommand(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, errs := c.want(t, 1, "", "--port", port); !strings.Contains(errs, "in use") {
		t.Errorf("a port in use: %s", errs)
	}
	c.env["DATA_DIR"] = "/dev/null/data"
	if _, errs := c.want(t, 1, "", "serve"); !strings.Contains(errs, "data folder") {
		t.Errorf("a folder that can't be written: %s", errs)
	}
}

// TestNoKeyFromCommands: commands sign nothing, and so leave no key of development behind, least of all beside a database
// of production.
func TestNoKeyFromCommands(t *testing.T) {
	c := newCommand(t)
	keys := func() []string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(c.env["DATA_DIR"], "*key*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, args := range [][]string{{"migrate", "up"}, {"tenant", "create", "acme"}, {"user", "list", "--tenant", "acme"}, {"migrate", "status"}} {
		if _, errs := c.want(t, 0, "", args...); strings.Contains(errs, "JWT_SECRET_KEY") || len(keys()) > 0 {
			t.Errorf("%v made %q, and said %s", args, keys(), errs)
		}
	}
	c.env["ENVIRONMENT"], c.env["JWT_SECRET_KEY"] = "production", "a secret for tests, which is long enough"
	c.want(t, 0, "", "migrate", "up")
	delete(c.env, "ENVIRONMENT")
	delete(c.env, "JWT_SECRET_KEY")
	if _, errs := c.want(t, 1, "", "serve", "--port", "0"); !strings.Contains(errs, "served production") || len(keys()) > 0 {
		t.Errorf("served in development beside production: %s, with %q", errs, keys())
	}
}
