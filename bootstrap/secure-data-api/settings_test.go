package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

func TestConfig(t *testing.T) {
	c := newCommand(t)
	c.env["JWT_SECRET_KEY"] = "a secret that must not be shown to anybody"
	if out, _ := c.want(t, 0, "", "config", "--port", "9999"); strings.Contains(out, "must not") || !regexp.MustCompile(`PORT +9999 +flag`).MatchString(out) {
		t.Errorf("config printed %s", out)
	}
	if _, errs := c.want(t, 1, "", "config", "--port", "x"); !strings.Contains(errs, "PORT must be") {
		t.Errorf("a bad port: %s", errs)
	}
}

// TestBrokenConfiguration: whatever the command, it says which settings are to blame, shows no secret and does nothing.
func TestBrokenConfiguration(t *testing.T) {
	for file, blamed := range porttest.BrokenConfigurations(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c := newCommand(t)
			c.envFile = file
			for _, args := range [][]string{{"serve"}, {"config"}, {"tenant", "list"}} {
				out, errs := c.want(t, 1, "", args...)
				for _, name := range blamed {
					if !strings.Contains(errs, name) {
						t.Errorf("%v: %s is not named: %s", args, name, errs)
					}
				}
				if out != "" || strings.Contains(errs, "hush-hush") {
					t.Errorf("%v: printed %q and %q", args, out, errs)
				}
			}
			if _, err := os.Stat(c.env["DATA_DIR"]); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a data folder was made: %v", err)
			}
		})
	}
}

// TestWarnings: a misspelt name in the .env file is warned about at the start, where what the command prints is not in
// the way.
func TestWarnings(t *testing.T) {
	c := newCommand(t)
	c.envFile = filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(c.envFile, []byte("JWT_SECRETKEY=hush-hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.want(t, 0, "", "migrate", "up")
	for _, args := range [][]string{{"config"}, {"tenant", "list"}, {"migrate", "status"}} {
		out, errs := c.want(t, 0, "", args...)
		if !strings.Contains(errs, "JWT_SECRETKEY") || !strings.Contains(strings.ToLower(errs), "warning") || strings.Contains(out, "JWT_SECRETKEY") || strings.Contains(errs, "hush-hush") {
			t.Errorf("%v: printed %q and %q", args, out, errs)
		}
	}
	c.env["DATA_DIR"] = "/dev/null/data" // so that it ends
	if out, _ := c.want(t, 1, "", "serve"); !strings.Contains(out, `"severity":"WARNING","event":"`+c.envFile+" sets JWT_SECRETKEY") {
		t.Errorf("serve logged %s", out)
	}
}
