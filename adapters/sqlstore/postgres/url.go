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

// Faults of a URL. They do not show it.
var (
	errURL     = errors.New("must be postgres://USER:PASSWORD@HOST:PORT/NAME")
	errOptions = errors.New("must be postgres://USER:PASSWORD@HOST:PORT/NAME, with options that the driver knows")
	errHosts   = errors.New("must name several hosts as postgres://USER:PASSWORD@/NAME?host=HOST,HOST&port=PORT,PORT")
)

// CheckURL reports what is wrong with a URL, without showing it, and asks no server.
func CheckURL(raw string) error {
	_, err := connect(raw, Options{}, false)
	return err
}

// connect returns what makes connections to a URL. The error does not show the URL.
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

// configure returns what the driver makes of a URL and of the environment (PGUSER, PGPASSWORD). The error does not show the
// URL.
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
	// There is this patience with each host. One that is dead leaves time for the others.
	setDefault("connect_timeout", strconv.Itoa(max(1, int(connectTimeout/time.Second)/hosts)))
	// A server that can't be written, as a standby is, is none for this service.
	setDefault("target_session_attrs", string(pq.TargetSessionAttrsReadWrite))
	// A query with arguments takes one round trip and leaves no named statement behind, which a pooler that hands
	// connections on after each transaction would lose.
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

// parseURL returns a URL and how many hosts it names.
func parseURL(raw string) (u *url.URL, hosts int, err error) {
	_, rest, _ := strings.Cut(raw, "://")
	authority, _, _ := strings.Cut(rest, "/")
	named := authority[strings.LastIndexByte(authority, '@')+1:]
	if strings.Contains(named, ",") && strings.Contains(named, ":") { // no URL; and of one port the driver thinks otherwise than psql
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
	case u.Host != "" && apart != "": // of which the driver takes any
		return nil, 0, errHosts
	}
	return u, strings.Count(u.Host+apart, ",") + 1, nil
}
