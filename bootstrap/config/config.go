// Package config reads the service's configuration: one struct, read once from flags, the environment, files and a
// .env file, and validated as a whole, so that all errors are reported at once.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-envparse"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/token"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// The environments.
const (
	Development = "development"
	Staging     = "staging"
	Production  = "production"
)

// Config is the configuration of the service.
type Config struct {
	Environment string
	Debug       bool
	Host        string
	OnNetwork   bool // whether Host may be other than loopback in development
	Port        int
	DataDir     string
	// ShutdownDelay is how long the service keeps answering after the signal to stop.
	ShutdownDelay time.Duration

	DatabaseURL      string
	MigrationURL     string // empty: DatabaseURL
	DatabasePoolSize int
	StatementTimeout time.Duration
	RedisURL         string // empty: limits and revocation are kept in this process
	MetricsAddress   string // empty: no metrics are served

	QueriesAtOnce    int
	QueriesPerTenant int
	QueryQueue       int // of each tenant

	JWTSecret       []byte // empty: generated, in development
	JWTAlgorithm    string
	AccessLifetime  time.Duration
	SessionLifetime time.Duration
	RotationGrace   time.Duration
	SessionsPerUser int

	Join        tenant.JoinPolicy
	FounderRole access.Role

	PasswordMinLength int
	ArgonMemoryKiB    uint32
	ArgonIterations   uint32
	ArgonParallelism  uint8
	HashQueue         int

	RateViewer, RateAnalyst, RateAdmin, RateSuperAdmin ports.Rate
	RateDefault, RateRegister, RateRefresh, RateExport ports.Rate
	RateSignIn, RateSignInAccount                      ports.Rate

	CORSOrigins    []string
	TrustedProxies []netip.Prefix
	TLSCert        []byte
	TLSKey         []byte

	LogLevel  slog.Level
	LogFormat string

	// Effective holds each setting with its given or default value, secrets masked, in the order of Settings.
	Effective []Effective
	// Warnings are probable mistakes that are not errors, each a sentence without a secret.
	Warnings []string
}

// Effective is a setting and where its value came from.
type Effective struct {
	Name, Value, Source string
}

// Sources are where settings come from, in order of precedence: Flags, Env, the .env file, the default. In Env and .env,
// NAME_FILE may name a file with the value of NAME.
type Sources struct {
	Flags   map[string]string
	Env     func(string) (string, bool)
	EnvFile string // path of the .env file, which need not exist
}

// Load reads and validates the configuration. The error lists all faults, one per line, and never contains a secret.
func Load(sources Sources) (Config, error) {
	file, err := readEnvFile(sources.EnvFile)
	if err != nil {
		return Config{}, err
	}
	var (
		c      Config
		faults []error
	)
	environment, _, err := find(sources, file, "ENVIRONMENT")
	if err != nil || environment == "" {
		environment = Development
	}
	for _, s := range Settings() {
		value, source, err := find(sources, file, s.Name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if value == "" {
			value, source = s.Default.in(environment), "default"
		}
		if err := s.parser.parse(&c, value); err != nil {
			faults = append(faults, fmt.Errorf("%s %w", s.Name, err))
			continue
		}
		c.Effective = append(c.Effective, Effective{Name: s.Name, Value: s.show(value), Source: source})
	}
	if len(faults) == 0 {
		faults = c.check()
	}
	c.Warnings = misspelt(sources.EnvFile, file)
	if len(faults) > 0 {
		for _, warning := range c.Warnings { // probably the cause
			faults = append(faults, errors.New(warning))
		}
		return Config{}, fmt.Errorf("the configuration is not valid:\n%w", errors.Join(faults...))
	}
	if c.DatabaseURL == "" {
		c.DatabaseURL = schemeSQLite + filepath.ToSlash(filepath.Join(c.DataDir, "secure-data.db"))
	}
	if c.QueriesAtOnce == 0 {
		c.QueriesAtOnce = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if c.QueriesPerTenant == 0 {
		c.QueriesPerTenant = max(1, c.QueriesAtOnce-1)
	}
	if c.Debug {
		c.LogLevel = slog.LevelDebug
	}
	return c, nil
}

// find returns the value of a setting and its source; both are empty if it is not set.
func find(sources Sources, file map[string]string, name string) (value, source string, err error) {
	if v, given := sources.Flags[name]; given {
		return v, "flag", nil
	}
	for _, from := range []struct {
		source string
		lookUp func(string) (string, bool)
	}{
		{"environment", sources.Env},
		{sources.EnvFile, func(n string) (string, bool) { v, found := file[n]; return v, found }},
	} {
		v, _ := from.lookUp(name)
		path, _ := from.lookUp(name + "_FILE")
		switch {
		case v != "" && path != "":
			return "", "", fmt.Errorf("%s and %s_FILE are both set; only one may be", name, name)
		case v != "":
			return v, from.source, nil
		case path != "":
			content, err := os.ReadFile(path)
			if err != nil {
				return "", "", fmt.Errorf("%s_FILE can't be read: %w", name, err)
			}
			return strings.TrimRight(string(content), "\r\n"), path, nil
		}
	}
	return "", "", nil
}

func readEnvFile(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the settings: %w", err)
	}
	values, err := envparse.Parse(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err) // gives the line's number, not its content
	}
	return values, nil
}

// check validates combinations of settings.
func (c *Config) check() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	shortest := token.Algorithms()[c.JWTAlgorithm]
	switch {
	case len(c.JWTSecret) == 0 && c.Environment != Development:
		fault("JWT_SECRET_KEY is required in %s: %d random bytes or more, such as openssl rand -hex %d prints", c.Environment, shortest, shortest)
	case len(c.JWTSecret) > 0 && len(c.JWTSecret) < shortest:
		fault("JWT_SECRET_KEY must have at least %d bytes for %s, and has %d", shortest, c.JWTAlgorithm, len(c.JWTSecret))
	case c.Environment == Production && isRepetition(c.JWTSecret):
		fault("JWT_SECRET_KEY can be guessed, since it repeats a few characters: use random bytes, such as openssl rand -hex %d prints", shortest)
	}
	if c.Environment == Development && !c.OnNetwork && !isLoopback(c.Host) {
		fault("HOST must be an address of this machine alone in development, such as 127.0.0.1: set ENVIRONMENT=production, or DEVELOPMENT_ON_NETWORK=true to let others in all the same")
	}
	if host, _, err := net.SplitHostPort(c.MetricsAddress); err == nil && c.Environment == Development && !c.OnNetwork && !isLoopback(host) {
		fault("METRICS_ADDRESS must be of this machine alone in development, such as 127.0.0.1:9090, or DEVELOPMENT_ON_NETWORK=true")
	}
	for _, network := range c.TrustedProxies {
		if c.Environment == Production && coversInternet(network) {
			fault("TRUSTED_PROXIES must be the networks of your own proxies in production, and %s is the internet: anybody could claim any address", network)
		}
	}
	if c.QueriesAtOnce > 0 && c.QueriesPerTenant > c.QueriesAtOnce {
		fault("QUERIES_PER_TENANT must not be more than QUERIES_AT_ONCE")
	}
	if c.SessionLifetime <= c.AccessLifetime {
		fault("REFRESH_TOKEN_EXPIRE_DAYS must be longer than ACCESS_TOKEN_EXPIRE_MINUTES")
	}
	if (len(c.TLSCert) == 0) != (len(c.TLSKey) == 0) {
		fault("TLS_CERT and TLS_KEY must be set both or not at all")
	}
	return faults
}

// isRepetition reports whether a secret has too few different bytes to be random.
func isRepetition(secret []byte) bool {
	return len(slices.Compact(slices.Sorted(slices.Values(secret)))) < 5
}

// isLoopback reports whether an address to listen on can be reached from this machine only. Of host names, only localhost
// guarantees that (RFC 6761 6.3).
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || strings.EqualFold(host, "localhost")
}

// coversInternet reports whether a network is too wide to be private. The widest private networks are 10.0.0.0/8 (RFC 1918)
// and fc00::/7 (RFC 4193); 2000::/3 is all of IPv6 that is allocated (RFC 4291 2.4).
func coversInternet(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits() < 8
	}
	return p.Bits() < 7 && p.Overlaps(netip.MustParsePrefix("2000::/3"))
}

// SQLitePath returns the path of the SQLite file, or false if the database is Postgres.
func (c Config) SQLitePath() (string, bool) {
	return strings.CutPrefix(c.DatabaseURL, schemeSQLite)
}
