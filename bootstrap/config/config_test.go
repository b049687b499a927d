package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

const secret = "0123456789abcdef0123456789abcdef"

func load(env map[string]string) (config.Config, error) {
	return config.Load(config.Sources{Env: func(n string) (string, bool) { v, ok := env[n]; return v, ok }})
}

func TestDefaults(t *testing.T) {
	c, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Environment != "development" || c.Host != "127.0.0.1" || c.Port != 8000 || c.Join.String() != "open" ||
		c.DatabaseURL != "sqlite://.data/secure-data.db" || c.RateViewer.Requests != 60 || c.ArgonMemoryKiB != 19*1024 {
		t.Errorf("the defaults are %+v", c)
	}
	c, err = load(map[string]string{"ENVIRONMENT": "production", "JWT_SECRET_KEY": secret})
	if err != nil || c.Host != "0.0.0.0" || c.Join.String() != "invite" {
		t.Errorf("in production: %+v, %v", c, err)
	}
}

// TestUnlimited: each rate may be without a limit.
func TestUnlimited(t *testing.T) {
	env := map[string]string{}
	for _, s := range config.Settings() {
		if strings.HasPrefix(s.Name, "RATE_LIMIT_") {
			env[s.Name] = "unlimited"
		}
	}
	c, err := load(env)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range []ports.Rate{
		c.RateViewer, c.RateAnalyst, c.RateAdmin, c.RateSuperAdmin, c.RateDefault, c.RateRegister, c.RateRefresh, c.RateExport,
		c.RateSignIn, c.RateSignInAccount,
	} {
		if !r.Unlimited {
			t.Errorf("rate %d is %+v", i, r)
		}
	}
}

// TestFaults gives each setting a bad value: the message names it and shows no secret.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		env    map[string]string
		blamed []string
	}{
		{"no secret in production", map[string]string{"ENVIRONMENT": "production"}, []string{"JWT_SECRET_KEY"}},
		{"no secret in staging", map[string]string{"ENVIRONMENT": "staging"}, []string{"JWT_SECRET_KEY"}},
		{"short secret", map[string]string{"JWT_SECRET_KEY": "hush-hush"}, []string{"JWT_SECRET_KEY"}},
		{"secret too short for the algorithm", map[string]string{"JWT_SECRET_KEY": secret, "JWT_ALGORITHM": "HS512"}, []string{"JWT_SECRET_KEY"}},
		{"algorithm none", map[string]string{"JWT_ALGORITHM": "none"}, []string{"JWT_ALGORITHM"}},
		{"all at once", map[string]string{"PORT": "x", "DEBUG": "maybe", "LOG_LEVEL": "loud", "RATE_LIMIT_LOGIN": "many", "ENVIRONMENT": "moon"},
			[]string{"PORT", "DEBUG", "LOG_LEVEL", "RATE_LIMIT_LOGIN", "ENVIRONMENT"}},
		{"port out of range", map[string]string{"PORT": "65536"}, []string{"PORT"}},
		{"rate of nothing", map[string]string{"RATE_LIMIT_VIEWER": "0/minute"}, []string{"RATE_LIMIT_VIEWER"}},
		{"unknown window", map[string]string{"RATE_LIMIT_VIEWER": "60/fortnight"}, []string{"RATE_LIMIT_VIEWER"}},
		{"weak hash", map[string]string{"ARGON2_MEMORY_KIB": "1024", "ARGON2_ITERATIONS": "1"}, []string{"ARGON2_MEMORY_KIB", "ARGON2_ITERATIONS"}},
		{"short passwords", map[string]string{"PASSWORD_MIN_LENGTH": "4"}, []string{"PASSWORD_MIN_LENGTH"}},
		{"wildcard origin", map[string]string{"CORS_ORIGINS": "*"}, []string{"CORS_ORIGINS"}},
		{"origin with a path", map[string]string{"CORS_ORIGINS": "https://a.example/x"}, []string{"CORS_ORIGINS"}},
		{"proxy", map[string]string{"TRUSTED_PROXIES": "everyone"}, []string{"TRUSTED_PROXIES"}},
		{"database", map[string]string{"DATABASE_URL": "mysql://root:hush-hush@x/y"}, []string{"DATABASE_URL"}},
		{"Postgres without a host", map[string]string{"DATABASE_URL": "postgres:///hush-hush"}, []string{"DATABASE_URL"}},
		{"owner's database", map[string]string{"MIGRATION_DATABASE_URL": "sqlite://hush-hush"}, []string{"MIGRATION_DATABASE_URL"}},
		{"redis", map[string]string{"REDIS_URL": "http://u:hush-hush@x"}, []string{"REDIS_URL"}},
		{"pool of nothing", map[string]string{"DATABASE_POOL_SIZE": "0"}, []string{"DATABASE_POOL_SIZE"}},
		{"statements without end", map[string]string{"DATABASE_STATEMENT_TIMEOUT_SECONDS": "0"}, []string{"DATABASE_STATEMENT_TIMEOUT_SECONDS"}},
		{"metrics nowhere", map[string]string{"METRICS_ADDRESS": "9090"}, []string{"METRICS_ADDRESS"}},
		{"founder", map[string]string{"REGISTRATION_FOUNDER_ROLE": "super_admin"}, []string{"REGISTRATION_FOUNDER_ROLE"}},
		{"mode", map[string]string{"REGISTRATION_MODE": "free"}, []string{"REGISTRATION_MODE"}},
		{"key without certificate", map[string]string{"TLS_KEY": "hush-hush"}, []string{"TLS_CERT"}},
		{"file that is not there", map[string]string{"JWT_SECRET_KEY_FILE": "/does/not/exist"}, []string{"JWT_SECRET_KEY_FILE"}},
		{"both", map[string]string{"JWT_SECRET_KEY": secret, "JWT_SECRET_KEY_FILE": "/x"}, []string{"JWT_SECRET_KEY"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(c.env)
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, name := range c.blamed {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("%s is not named: %v", name, err)
				}
			}
			if strings.Contains(err.Error(), "hush-hush") {
				t.Errorf("a secret shows: %v", err)
			}
		})
	}
}

func TestSources(t *testing.T) {
	dir := t.TempDir()
	envFile, secretFile := filepath.Join(dir, ".env"), filepath.Join(dir, "secret")
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secretFile, secret+"\n")
	write(envFile, "# comment\nPORT=1111\nHOST=\"192.0.2.1\"\nexport LOG_FORMAT=console\nJWT_SECRET_KEY_FILE="+secretFile+"\n")
	env := map[string]string{"PORT": "2222", "DEBUG": "true"}
	sources := config.Sources{
		Flags: map[string]string{"debug": "x", "DEBUG": "false"}, Env: func(n string) (string, bool) { v, ok := env[n]; return v, ok }, EnvFile: envFile,
	}
	c, err := config.Load(sources)
	if err != nil {
		t.Fatal(err)
	}
	if c.Debug || c.Port != 2222 || c.Host != "192.0.2.1" || c.LogFormat != "console" || string(c.JWTSecret) != secret {
		t.Errorf("loaded %+v", c)
	}
	if shown := fmt.Sprint(c.Effective); strings.Contains(shown, secret) || !strings.Contains(shown, "{PORT 2222 environment}") {
		t.Errorf("shown as %s", shown)
	}

	write(envFile, "PORT=1\nJWT_SECRET_KEY hush-hush\n")
	if _, err = config.Load(sources); err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "hush") {
		t.Errorf("a broken line: %v", err)
	}
}

// TestSecretsAreMasked: what is shown of the configuration has no password in it.
func TestSecretsAreMasked(t *testing.T) {
	c, err := load(map[string]string{
		"JWT_SECRET_KEY": secret, "DATABASE_URL": "postgres://u:hush-hush@h/d", "MIGRATION_DATABASE_URL": "postgres://o:hush-hush@h/d",
		"REDIS_URL": "rediss://u:hush-hush@h", "TLS_KEY": "hush-hush", "TLS_CERT": "public",
	})
	if err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprint(c.Effective); strings.Contains(shown, "hush-hush") || strings.Contains(shown, secret) || strings.Count(shown, "********") != 5 {
		t.Errorf("shown as %s", shown)
	}
}

// TestREADME holds the table of the README against that of the program.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range config.Settings() {
		value := s.Default.Development
		if s.Default.Elsewhere != value {
			value += " (elsewhere " + s.Default.Elsewhere + ")"
		}
		line := fmt.Sprintf("| %s | %s | %s |", s.Name, value, s.Help)
		if !strings.Contains(string(readme), line) {
			t.Errorf("the README lacks the line\n%s", line)
		}
	}
}
