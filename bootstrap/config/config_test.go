package config_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

const secret = "0123456789abcdef0123456789abcdef"

// lookUp returns how to look into an environment.
func lookUp(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, found := env[name]; return v, found }
}

func load(env map[string]string) (config.Config, error) {
	return config.Load(config.Sources{Env: lookUp(env)})
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

// TestFaults reads what is wrong: the message names the settings to blame and shows no secret.
func TestFaults(t *testing.T) {
	fails := func(t *testing.T, sources config.Sources, blamed ...string) {
		t.Helper()
		_, err := config.Load(sources)
		if err == nil {
			t.Fatal("it was taken")
		}
		for _, name := range blamed {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%s is not named: %v", name, err)
			}
		}
		if strings.Contains(err.Error(), "hush-hush") {
			t.Errorf("a secret shows: %v", err)
		}
	}
	for file, blamed := range porttest.BrokenConfigurations(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			fails(t, config.Sources{Env: lookUp(nil), EnvFile: file}, blamed...)
		})
	}
	for _, c := range []struct {
		name       string
		flags, env map[string]string
		blamed     []string
	}{
		{"a flag", map[string]string{"PORT": "x"}, nil, []string{"PORT"}},
		{"the environment", nil, map[string]string{"PORT": "x", "JWT_SECRET_KEY": "hush-hush"}, []string{"PORT"}},
		{"both in the environment", nil, map[string]string{"JWT_SECRET_KEY": secret, "JWT_SECRET_KEY_FILE": "/x"}, []string{"JWT_SECRET_KEY"}},
	} {
		t.Run(c.name, func(t *testing.T) { fails(t, config.Sources{Flags: c.flags, Env: lookUp(c.env)}, c.blamed...) })
	}
}

// TestMisspelt: a name in the file that is nearly a setting's is warned about, and no other.
func TestMisspelt(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	for name, want := range map[string]string{
		"ENVIROMENT": "ENVIRONMENT", "enviroment": "ENVIRONMENT", "ENVIRONMENTS": "ENVIRONMENT", "JWT_SECRETKEY": "JWT_SECRET_KEY",
		"JWT_SECRET_KEY_FLIE": "JWT_SECRET_KEY_FILE", "JWT_SECRET": "JWT_SECRET_KEY", "TRUSTED_PROXY": "TRUSTED_PROXIES", "DATABASEURL": "DATABASE_URL", "R_A_T_E_LIMITLOGIN": "RATE_LIMIT_LOGIN",
		"port": "PORT", "PROT": "PORT",
		"PORT": "", "LOG_LEVEL_FILE": "", // as they should be
		"LISTEN": "", "VERSION": "", "SECRETS": "", "COMPOSE_FILE": "", "BUILD_IMAGE": "", "POSTGRES_IMAGE": "", "PATH": "", // of others
	} {
		value := "hush-hush"
		if name == "PORT" {
			value = "80"
		}
		if name == "LOG_LEVEL_FILE" {
			value = ""
		}
		if err := os.WriteFile(file, []byte(name+"="+value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		// What the environment has is not the service's own.
		c, err := config.Load(config.Sources{Env: lookUp(map[string]string{"ENVIRONMENTT": "production"}), EnvFile: file})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case want == "":
			if len(c.Warnings) > 0 {
				t.Errorf("%s is warned about: %s", name, c.Warnings)
			}
		case len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], " "+name+",") || !strings.Contains(c.Warnings[0], " "+want+"?") || strings.Contains(c.Warnings[0], "hush"):
			t.Errorf("%s is warned about with %q, want %s", name, c.Warnings, want)
		}
	}
}

// TestDevelopmentStaysAtHome: in development, where anybody may register, only this machine is listened to.
func TestDevelopmentStaysAtHome(t *testing.T) {
	for host, want := range map[string]bool{
		"": true, "localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.8.9.10": true, "::1": true, "::ffff:127.0.0.1": true,
		"0.0.0.0": false, "::": false, "192.0.2.1": false, "127.example.com": false, "db": false,
	} {
		env := map[string]string{"HOST": host}
		if _, err := load(env); (err == nil) != want {
			t.Errorf("HOST=%s in development: %v", host, err)
		}
		env["DEVELOPMENT_ON_NETWORK"] = "true"
		if _, err := load(env); err != nil {
			t.Errorf("HOST=%s on the network: %v", host, err)
		}
		for _, environment := range []string{"staging", "production"} {
			if _, err := load(map[string]string{"HOST": host, "ENVIRONMENT": environment, "JWT_SECRET_KEY": secret}); err != nil {
				t.Errorf("HOST=%s in %s: %v", host, environment, err)
			}
		}
	}
}

// TestImage: a container that is told nothing is in production, and does not start without a secret.
func TestImage(t *testing.T) {
	dockerfile, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(dockerfile)) {
		if pairs, found := strings.CutPrefix(line, "ENV "); found {
			for _, pair := range strings.Fields(pairs) {
				name, value, _ := strings.Cut(pair, "=")
				env[name] = value
			}
		}
	}
	if _, err := load(env); err == nil || !strings.Contains(err.Error(), "JWT_SECRET_KEY is required in production") {
		t.Errorf("without a secret: %v", err)
	}
	env["JWT_SECRET_KEY"] = secret
	if c, err := load(env); err != nil || c.Environment != "production" || c.Host != "0.0.0.0" || c.Join.String() != "invite" {
		t.Errorf("with a secret: %+v, %v", c, err)
	}
	env["ENVIRONMENT"] = "development"
	if _, err := load(env); err == nil || !strings.Contains(err.Error(), "DEVELOPMENT_ON_NETWORK") {
		t.Errorf("in development: %v", err)
	}
}

// TestTrustedProxies: networks of one's own may be trusted, also in production, and anything outside of it.
func TestTrustedProxies(t *testing.T) {
	const own = "10.0.0.0/8, 192.0.2.1,100.64.0.0/10,fc00::/7,fe80::/10,2001:db8::/32,::ffff:10.0.0.0/104"
	c, err := load(map[string]string{"ENVIRONMENT": "production", "JWT_SECRET_KEY": secret, "TRUSTED_PROXIES": own})
	if err != nil || len(c.TrustedProxies) != 7 || c.TrustedProxies[6] != netip.MustParsePrefix("10.0.0.0/8") {
		t.Errorf("%v are trusted: %v", c.TrustedProxies, err)
	}
	for _, environment := range []string{"development", "staging"} {
		if _, err := load(map[string]string{"ENVIRONMENT": environment, "JWT_SECRET_KEY": secret, "TRUSTED_PROXIES": "0.0.0.0/0,::/0"}); err != nil {
			t.Errorf("in %s: %v", environment, err)
		}
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
	write(envFile, "# comment\nPORT=1111\nHOST=\"192.0.2.1\"\nDEVELOPMENT_ON_NETWORK=true\nexport LOG_FORMAT=console\nJWT_SECRET_KEY_FILE="+secretFile+"\n")
	env := map[string]string{"PORT": "2222", "DEBUG": "true"}
	sources := config.Sources{
		Flags: map[string]string{"debug": "x", "DEBUG": "false"}, Env: lookUp(env), EnvFile: envFile,
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
		line := fmt.Sprintf("| %s | %s | %s |", s.Name, s.Default, s.Help)
		if !strings.Contains(string(readme), line) {
			t.Errorf("the README lacks the line\n%s", line)
		}
	}
}
