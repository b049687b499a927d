package bootstrap_test

import (
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// TestFailover: the primary dies under load and a hot standby replaces it, behind the same address or as the second of two
// hosts. Until it is promoted nothing is written and requests fail only with 503; then the service continues without a restart
// (ASVS 16.5.2, 16.5.3).
func TestFailover(t *testing.T) {
	container.Require(t, container.PostgresImage())
	for name, at := range map[string]func(t *testing.T, primary, standby *container.Container, databaseURL string) (string, func()){
		"behind one address": behindOneAddress, "as one of two hosts": asOneOfTwoHosts,
	} {
		t.Run(name, func(t *testing.T) {
			primary := container.Postgres(t)
			standby := primary.Standby(t)
			ownerURL, serviceURL := primary.Database(t)
			ownerURL, failOverOwner := at(t, primary, standby, ownerURL)
			serviceURL, failOver := at(t, primary, standby, serviceURL)
			s := start(t, generous().with(settings{"DATABASE_URL": serviceURL, "MIGRATION_DATABASE_URL": ownerURL, "DATABASE_POOL_SIZE": "4"}))
			p := s.newPerson(t, newSlug(), access.Analyst)
			l := startLoad(t, s.url, p.access)
			l.awaitMore(t)

			failOver()
			failOverOwner()
			primary.Stop(t)
			s.untilReady(t, 503)
			s.wantUnavailable(t, p)
			s.untilReady(t, 503)

			standby.Promote(t)
			s.untilReady(t, 200)
			l.awaitMore(t)
			l.compare(t, s)
			l.failedOnly(t, "503 unavailable", "503 outcome_unknown")
			if !strings.Contains(s.log.String(), "the server is read-only") {
				t.Error("the log does not say why the standby was not used")
			}
		})
	}
}

// behindOneAddress returns a URL of a proxy to the primary, and a function that switches it to the standby.
func behindOneAddress(t *testing.T, primary, standby *container.Container, databaseURL string) (string, func()) {
	t.Helper()
	to := container.NewSwitchableProxy(t, primary.Address)
	u := parse(t, databaseURL)
	u.Host = to.Address
	return u.String(), func() { to.To(standby.Address) }
}

// asOneOfTwoHosts returns a URL that names both, and a function that does nothing.
func asOneOfTwoHosts(t *testing.T, primary, standby *container.Container, databaseURL string) (string, func()) {
	t.Helper()
	u := parse(t, databaseURL)
	one, other := parse(t, "//"+primary.Address), parse(t, "//"+standby.Address)
	u.Host = ""
	q := u.Query()
	q.Set("host", one.Hostname()+","+other.Hostname())
	q.Set("port", one.Port()+","+other.Port())
	u.RawQuery = q.Encode()
	return u.String(), func() {}
}
