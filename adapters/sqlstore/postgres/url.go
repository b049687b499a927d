package postgres

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// Errors about a URL. They do not contain it.
var (
	errURL     = errors.New("must be postgres://USER:PASSWORD@HOST:PORT/NAME")
	errOptions = errors.New("must be postgres://USER:PASSWORD@HOST:PORT/NAME, with options that the driver knows")
	errHosts   = errors.New("must name several hosts as postgres://USER:PASSWORD@/NAME?host=HOST,HOST&port=PORT,PORT")
)

// CheckURL validates a URL without connecting. The error does not contain the URL.
func CheckURL(raw string) error {
	_, err := connect(raw, Options{}, false)
	return err
}

// connect returns a connector for a URL; limited applies the timeouts. The error does not contain the URL.
func connect(raw string, o Options, limited bool) (pgConnector, error) {
	config, err := configure(raw, o, limited)
	if err != nil {
		return pgConnector{}, err
	}
	d := dialer{Dialer: net.Dialer{KeepAlive: keepAlive}}
	if limited {
		d.timeout = o.StatementTimeout + grace
	}
	return newConnector(config, d)
}

// configure returns the driver's configuration from a URL and the environment (PGUSER, PGPASSWORD). The error does not contain
// the URL.
func configure(raw string, o Options, limited bool) (pq.Config, error) {
	u, hosts, err := parseURL(raw)
	if err != nil {
		return pq.Config{}, err
	}
	q := u.Query()
	setDefault := func(name, value string) {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	setDefault("application_name", o.ApplicationName)
	// The timeout is per host, so that a dead one leaves time for the others.
	setDefault("connect_timeout", strconv.Itoa(max(1, int(connectTimeout/time.Second)/hosts)))
	// The service needs a server that accepts writes, not a standby.
	setDefault("target_session_attrs", string(pq.TargetSessionAttrsReadWrite))
	// A query with arguments then takes one round trip and creates no named statement, which would be lost with a pooler in
	// transaction mode.
	setDefault("binary_parameters", "yes")
	if limited {
		for _, s := range o.session() {
			setDefault(s.name, s.value)
		}
	}
	u.RawQuery = q.Encode()
	config, err := pq.NewConfig(u.String())
	if err != nil {
		return pq.Config{}, errOptions
	}
	return config, nil
}

// parseURL parses a URL and returns the number of its hosts.
func parseURL(raw string) (u *url.URL, hosts int, err error) {
	_, rest, _ := strings.Cut(raw, "://")
	authority, _, _ := strings.Cut(rest, "/")
	named := authority[strings.LastIndexByte(authority, '@')+1:]
	if strings.Contains(named, ",") && strings.Contains(named, ":") { // not a valid URL; and the driver treats a single port differently from psql
		return nil, 0, errHosts
	}
	u, err = url.Parse(raw)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, 0, errURL
	}
	apart := cmp.Or(u.Query().Get("host"), u.Query().Get("hostaddr"))
	switch {
	case u.Host == "" && apart == "":
		return nil, 0, errURL
	case u.Host != "" && apart != "": // ambiguous: the driver takes either
		return nil, 0, errHosts
	}
	return u, strings.Count(u.Host+apart, ",") + 1, nil
}
