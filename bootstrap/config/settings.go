package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/auditlog"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/password"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

const (
	schemeSQLite = "sqlite://"
	mask         = "********"
)

// Setting describes a setting: its name in the environment, its purpose, and how it is parsed.
type Setting struct {
	Name    string
	Help    string
	Default Default
	// Secret settings are masked and have no flag, since flags are visible in the list of processes.
	Secret bool

	parser parser
}

// parser parses a value into the configuration.
type parser struct {
	// kind is what a value is, in a word, such as number or URL.
	kind  string
	parse func(*Config, string) error
}

// Default is the default of a setting, in development and elsewhere.
type Default struct {
	Development, Elsewhere string
}

// String returns the default in development and, if different, elsewhere.
func (d Default) String() string {
	if d.Development == d.Elsewhere {
		return d.Development
	}
	return d.Development + " (elsewhere " + d.Elsewhere + ")"
}

func (d Default) in(environment string) string {
	if environment == Development {
		return d.Development
	}
	return d.Elsewhere
}

func same(value string) Default { return Default{value, value} }

// Flag returns the name of the setting's flag.
func (s Setting) Flag() string { return strings.ToLower(strings.ReplaceAll(s.Name, "_", "-")) }

// Type returns the type of a value in a word, such as number or URL.
func (s Setting) Type() string { return s.parser.kind }

// show returns a value, masked if the setting is secret.
func (s Setting) show(value string) string {
	if value == "" || !s.Secret || strings.HasPrefix(value, schemeSQLite) {
		return value
	}
	return mask
}

// Settings returns all settings, in the order of the documentation.
func Settings() []Setting {
	return []Setting{
		{Name: "ENVIRONMENT", Default: same(Development), Help: "development, staging or production",
			parser: oneOf(func(c *Config) *string { return &c.Environment }, Development, Staging, Production)},
		{Name: "DEBUG", Default: same("false"), Help: "true logs in more detail, whatever LOG_LEVEL says",
			parser: boolean(func(c *Config) *bool { return &c.Debug })},
		{Name: "HOST", Default: Default{"127.0.0.1", "0.0.0.0"}, Help: "address to listen on",
			parser: text("address", func(c *Config) *string { return &c.Host })},
		{Name: "DEVELOPMENT_ON_NETWORK", Default: same("false"), Help: "true allows a service in development to listen on addresses other than loopback",
			parser: boolean(func(c *Config) *bool { return &c.OnNetwork })},
		{Name: "PORT", Default: same("8000"), Help: "port to listen on, 1 to 65535; 0 takes any that is free",
			parser: integer(func(c *Config) *int { return &c.Port }, 0, 65535)},
		{Name: "SHUTDOWN_DELAY_SECONDS", Default: Default{"0", "5"}, Help: "how long the service, when shutting down, reports not ready but still answers, so that load balancers stop sending to it before it refuses connections, 0 to 60",
			parser: duration(func(c *Config) *time.Duration { return &c.ShutdownDelay }, time.Second, 0, 60)},
		{Name: "DATA_DIR", Default: same(".data"), Help: "folder for the SQLite database and, in development, the signing key",
			parser: text("folder", func(c *Config) *string { return &c.DataDir })},
		{Name: "DATABASE_URL", Secret: true, Help: "sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=MODE; empty is a SQLite database in DATA_DIR", parser: parser{"URL", databaseURL}},
		{Name: "MIGRATION_DATABASE_URL", Secret: true, Help: "the same Postgres as the owner of its tables, for migrations and commands; not through a pooler",
			parser: parser{"URL", migrationURL}},
		{Name: "DATABASE_POOL_SIZE", Default: same("20"), Help: "maximum connections to Postgres besides those for queries, 1 to 1000",
			parser: integer(func(c *Config) *int { return &c.DatabasePoolSize }, 1, 1000)},
		{Name: "DATABASE_STATEMENT_TIMEOUT_SECONDS", Default: same("10"), Help: "maximum duration of a statement in Postgres, 1 to 20",
			parser: duration(func(c *Config) *time.Duration { return &c.StatementTimeout }, time.Second, 1, 20)},
		{Name: "QUERIES_AT_ONCE", Default: same("0"), Help: "maximum concurrent queries and chunks of exports, 1 to 1000; 0 means the number of processors minus one. They have that many connections to Postgres in addition to DATABASE_POOL_SIZE",
			parser: integer(func(c *Config) *int { return &c.QueriesAtOnce }, 0, 1000)},
		{Name: "QUERIES_PER_TENANT", Default: same("0"), Help: "maximum of these per tenant, 1 to 1000; 0 means QUERIES_AT_ONCE minus one, at least 1",
			parser: integer(func(c *Config) *int { return &c.QueriesPerTenant }, 0, 1000)},
		{Name: "QUERY_QUEUE", Default: same("8"), Help: "maximum waiting queries per tenant, each for at most 5 s, before more are refused, 0 to 10000",
			parser: integer(func(c *Config) *int { return &c.QueryQueue }, 0, 10_000)},
		{Name: "REDIS_URL", Secret: true, Help: "redis:// or rediss://USER:PASSWORD@HOST:PORT, to share rate limits and revocation between replicas; master_name=NAME for sentinels, cluster=true for a cluster",
			parser: parser{"URL", redisURL}},

		{Name: "JWT_SECRET_KEY", Secret: true, Help: "secret that signs tokens and the keys of events, 32 bytes or more; required except in development, where it is generated and stored in DATA_DIR",
			parser: parser{"text", func(c *Config, s string) error { c.JWTSecret = []byte(s); return nil }}},
		{Name: "JWT_ALGORITHM", Default: same("HS256"), Help: "HS256, HS384 or HS512",
			parser: oneOf(func(c *Config) *string { return &c.JWTAlgorithm }, "HS256", "HS384", "HS512")},
		{Name: "ACCESS_TOKEN_EXPIRE_MINUTES", Default: same("15"), Help: "lifetime of an access token, 1 to 60",
			parser: duration(func(c *Config) *time.Duration { return &c.AccessLifetime }, time.Minute, 1, 60)},
		{Name: "REFRESH_TOKEN_EXPIRE_DAYS", Default: same("7"), Help: "lifetime of a session from sign-in, however often it is refreshed, 1 to 90",
			parser: duration(func(c *Config) *time.Duration { return &c.SessionLifetime }, 24*time.Hour, 1, 90)},
		{Name: "REFRESH_TOKEN_GRACE_SECONDS", Default: same("10"), Help: "how long reuse of the last refresh token by the same device and network is only refused, instead of revoking the session, 0 to 60",
			parser: duration(func(c *Config) *time.Duration { return &c.RotationGrace }, time.Second, 0, 60)},
		{Name: "SESSIONS_PER_USER", Default: same("100"), Help: "maximum live sessions per user, 1 to 10000; one more revokes the oldest",
			parser: integer(func(c *Config) *int { return &c.SessionsPerUser }, 1, 10_000)},

		{Name: "REGISTRATION_MODE", Default: Default{"open", "invite"}, Help: "open: anyone can create a tenant or join one; invite: anyone can create a tenant; closed: no registration",
			parser: parser{"mode", func(c *Config, s string) (err error) { c.Join, err = tenant.ParseJoinPolicy(s); return err }}},
		{Name: "REGISTRATION_FOUNDER_ROLE", Default: same("viewer"), Help: "role of the first user of a tenant created by registration: viewer or admin",
			parser: parser{"role", founderRole}},
		{Name: "PASSWORD_MIN_LENGTH", Default: same("8"), Help: "minimum length of a password in characters, 8 to 128",
			parser: integer(func(c *Config) *int { return &c.PasswordMinLength }, user.MinPasswordLength, user.MaxPasswordLength)},
		{Name: "ARGON2_MEMORY_KIB", Default: same("19456"), Help: "memory per password hash in KiB, 19456 to 1048576",
			parser: unsigned(func(c *Config) *uint32 { return &c.ArgonMemoryKiB }, password.MinMemoryKiB, password.MaxMemoryKiB)},
		{Name: "ARGON2_ITERATIONS", Default: same("2"), Help: "iterations per password hash, 2 to 32",
			parser: unsigned(func(c *Config) *uint32 { return &c.ArgonIterations }, password.MinIterations, password.MaxIterations)},
		{Name: "ARGON2_PARALLELISM", Default: same("1"), Help: "parallelism of a password hash, 1 to 16",
			parser: unsigned(func(c *Config) *uint8 { return &c.ArgonParallelism }, password.MinParallelism, password.MaxParallelism)},
		{Name: "ARGON2_QUEUE", Default: same("64"), Help: "maximum sign-ins waiting to hash a password before more are refused, 0 to 10000",
			parser: integer(func(c *Config) *int { return &c.HashQueue }, 0, 10_000)},

		rateSetting("RATE_LIMIT_VIEWER", "60/minute", "requests of a viewer", func(c *Config) *ports.Rate { return &c.RateViewer }),
		rateSetting("RATE_LIMIT_ANALYST", "200/minute", "requests of an analyst", func(c *Config) *ports.Rate { return &c.RateAnalyst }),
		rateSetting("RATE_LIMIT_ADMIN", "500/minute", "requests of an admin", func(c *Config) *ports.Rate { return &c.RateAdmin }),
		rateSetting("RATE_LIMIT_SUPER_ADMIN", "10000/minute", "requests of a super_admin", func(c *Config) *ports.Rate { return &c.RateSuperAdmin }),
		rateSetting("RATE_LIMIT_DEFAULT", "30/minute", "requests of an address without a valid token, or to unknown paths", func(c *Config) *ports.Rate { return &c.RateDefault }),
		rateSetting("RATE_LIMIT_LOGIN", "10/minute", "sign-ins from an address", func(c *Config) *ports.Rate { return &c.RateSignIn }),
		rateSetting("RATE_LIMIT_LOGIN_ACCOUNT", "20/minute", "wrong passwords for one account, over all addresses; addresses that it signed in from before, and password changes, are counted separately", func(c *Config) *ports.Rate { return &c.RateSignInAccount }),
		rateSetting("RATE_LIMIT_REGISTER", "5/minute", "registrations from an address", func(c *Config) *ports.Rate { return &c.RateRegister }),
		rateSetting("RATE_LIMIT_REFRESH", "20/minute", "refreshes from an address", func(c *Config) *ports.Rate { return &c.RateRefresh }),
		rateSetting("RATE_LIMIT_EXPORT", "10/minute", "exports of a user, counted separately", func(c *Config) *ports.Rate { return &c.RateExport }),

		{Name: "CORS_ORIGINS", Help: "origins whose pages may call the API, separated by commas, such as https://app.example.com", parser: parser{"list", corsOrigins}},
		{Name: "TRUSTED_PROXIES", Help: "networks of proxies whose X-Forwarded-For is trusted, separated by commas, such as 10.0.0.0/8", parser: parser{"list", trustedProxies}},
		{Name: "TLS_CERT", Help: "certificate chain in PEM, to serve HTTPS (TLS_CERT_FILE names a file)",
			parser: parser{"PEM", func(c *Config, s string) error { c.TLSCert = []byte(s); return nil }}},
		{Name: "TLS_KEY", Secret: true, Help: "private key of the certificate in PEM (TLS_KEY_FILE names a file)",
			parser: parser{"PEM", func(c *Config, s string) error { c.TLSKey = []byte(s); return nil }}},
		{Name: "METRICS_ADDRESS", Help: "HOST:PORT to serve metrics for Prometheus on, separate from the API; empty disables it", parser: parser{"address", metricsAddress}},
		{Name: "LOG_LEVEL", Default: same("info"), Help: "debug, info, warn or error; the audit log is always written", parser: parser{"level", logLevel}},
		{Name: "LOG_FORMAT", Default: same("json"), Help: "json, or console for people",
			parser: oneOf(func(c *Config) *string { return &c.LogFormat }, auditlog.Formats()...)},
	}
}

func text(kind string, field func(*Config) *string) parser {
	return parser{kind, func(c *Config, s string) error { *field(c) = s; return nil }}
}

func oneOf(field func(*Config) *string, allowed ...string) parser {
	return parser{"text", func(c *Config, s string) error {
		if !slices.Contains(allowed, s) {
			return fmt.Errorf("must be one of %s", strings.Join(allowed, ", "))
		}
		*field(c) = s
		return nil
	}}
}

func boolean(field func(*Config) *bool) parser {
	return parser{"boolean", func(c *Config, s string) error {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return errors.New("must be true or false")
		}
		*field(c) = b
		return nil
	}}
}

func number(s string, low, high int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("must be a whole number from %d to %d", low, high)
	}
	return n, nil
}

func integer(field func(*Config) *int, low, high int) parser {
	return parser{"number", func(c *Config, s string) (err error) {
		*field(c), err = number(s, low, high)
		return err
	}}
}

func unsigned[T uint8 | uint32](field func(*Config) *T, low, high int) parser {
	return parser{"number", func(c *Config, s string) error {
		n, err := number(s, low, high)
		*field(c) = T(n)
		return err
	}}
}

func duration(field func(*Config) *time.Duration, unit time.Duration, low, high int) parser {
	kind := map[time.Duration]string{time.Second: "seconds", time.Minute: "minutes", 24 * time.Hour: "days"}[unit]
	return parser{kind, func(c *Config, s string) error {
		n, err := number(s, low, high)
		*field(c) = time.Duration(n) * unit
		return err
	}}
}

func rateSetting(name, value, help string, field func(*Config) *ports.Rate) Setting {
	return Setting{Name: name, Default: same(value), Help: help + "; NUMBER/second, minute, hour or day, or unlimited",
		parser: parser{"rate", func(c *Config, s string) (err error) { *field(c), err = parseRate(s); return err }}}
}

func parseRate(s string) (ports.Rate, error) {
	if s == "unlimited" {
		return ports.Rate{Unlimited: true}, nil
	}
	windows := map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
	count, unit, _ := strings.Cut(s, "/")
	n, err := number(count, 1, 1_000_000)
	window, known := windows[unit]
	if err != nil || !known {
		return ports.Rate{}, errors.New("must be unlimited, or a rate such as 60/minute: 1 to 1000000 each second, minute, hour or day")
	}
	return ports.Rate{Requests: n, Window: window}, nil
}

func databaseURL(c *Config, s string) error {
	c.DatabaseURL = s
	if path, found := strings.CutPrefix(s, schemeSQLite); s == "" || found && path != "" {
		return nil
	}
	if strings.HasPrefix(s, "postgres") {
		return postgres.CheckURL(s)
	}
	return errors.New("must be sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/NAME")
}

func migrationURL(c *Config, s string) error {
	c.MigrationURL = s
	if s == "" {
		return nil
	}
	return postgres.CheckURL(s)
}

func redisURL(c *Config, s string) error {
	c.RedisURL = s
	if s == "" || isURL(s, "redis", "rediss") {
		return nil
	}
	return errors.New("must be redis://USER:PASSWORD@HOST:PORT or rediss://USER:PASSWORD@HOST:PORT")
}

// isURL reports whether s is a URL with one of the schemes and a host.
func isURL(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && slices.Contains(schemes, u.Scheme)
}

func metricsAddress(c *Config, s string) error {
	c.MetricsAddress = s
	if _, _, err := net.SplitHostPort(s); s != "" && err != nil {
		return errors.New("must be HOST:PORT, such as 127.0.0.1:9090")
	}
	return nil
}

func founderRole(c *Config, s string) error {
	role, err := access.ParseRole(s)
	if err != nil || role != access.Viewer && role != access.Admin {
		return errors.New("must be viewer or admin")
	}
	c.FounderRole = role
	return nil
}

// list splits a text at commas and spaces.
func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func corsOrigins(c *Config, s string) error {
	for _, origin := range list(s) {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || strings.Contains(u.Host, "*") || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			return errors.New("must be origins such as https://app.example.com; a wildcard is not allowed")
		}
		c.CORSOrigins = append(c.CORSOrigins, origin)
	}
	return nil
}

func trustedProxies(c *Config, s string) error {
	for _, network := range list(s) {
		p, err := netip.ParsePrefix(network)
		if err != nil {
			a, err := netip.ParseAddr(network)
			if err != nil {
				return errors.New("must be networks or addresses such as 10.0.0.0/8 or 192.0.2.1")
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if v4 := p.Bits() - 96; p.Addr().Is4In6() && v4 >= 0 {
			p = netip.PrefixFrom(p.Addr().Unmap(), v4) // as addresses are compared
		}
		c.TrustedProxies = append(c.TrustedProxies, p)
	}
	return nil
}

func logLevel(c *Config, s string) error {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, known := levels[strings.ToLower(s)]
	if !known {
		return errors.New("must be debug, info, warn or error")
	}
	c.LogLevel = level
	return nil
}
