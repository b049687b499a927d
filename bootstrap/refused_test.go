package bootstrap_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/lib/pq"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// testStartErrors: the service does not start on a database that it can't use, and the error names the reason.
func testStartErrors(t *testing.T, server *container.Container) {
	ownerURL, serviceURL := server.Database(t)
	known := settings{"DATABASE_URL": serviceURL, "MIGRATION_DATABASE_URL": ownerURL}
	if err := start(t, generous().with(known)).stop(); err != nil {
		t.Fatal(err)
	}
	newOwnerURL, newServiceURL := server.Database(t)
	newer := settings{"DATABASE_URL": newServiceURL, "MIGRATION_DATABASE_URL": newOwnerURL}
	if err := start(t, generous().with(newer)).stop(); err != nil {
		t.Fatal(err)
	}
	asOwner(t, newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)")
	wrong := parse(t, serviceURL)
	wrong.User = url.UserPassword(wrong.User.Username(), "hush-hush")
	nowhere := parse(t, ownerURL)
	nowhere.Path = "/nowhere"
	for name, c := range map[string]struct {
		settings settings
		message  []string
	}{
		"the encoding":                 {settings{"DATABASE_URL": server.EncodedDatabase(t, "LATIN1")}, []string{"LATIN1", "UTF8"}},
		"a newer schema":               {newer, []string{"version 99", "newer"}},
		"the password":                 {known.with(settings{"DATABASE_URL": wrong.String()}), []string{"password authentication failed", "28P01"}},
		"a database that is not there": {settings{"DATABASE_URL": nowhere.String()}, []string{`"nowhere" does not exist`, "3D000"}},
	} {
		err := refusal(t, generous().with(c.settings))
		for _, part := range c.message {
			if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "hush-hush") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// testPasswordChanged: while the password of the service's role is wrong, the service answers 503 and logs the cause; it continues
// when the password is right again (ASVS 16.5.2).
func testPasswordChanged(t *testing.T, on backend) {
	all := generous().with(on(t))
	s := start(t, all)
	p := s.newPerson(t, newSlug(), access.Analyst)
	service := parse(t, all["DATABASE_URL"])
	right, _ := service.User.Password()
	setPassword := func(to string) {
		t.Helper()
		asOwner(t, all, "ALTER ROLE "+pq.QuoteIdentifier(service.User.Username())+" PASSWORD "+pq.QuoteLiteral(to))
	}
	setPassword("another one")
	asOwner(t, all, "GRANT "+pq.QuoteIdentifier(service.User.Username())+" TO CURRENT_USER") // so that the owner may terminate its connections
	asOwner(t, all, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "+pq.QuoteLiteral(service.User.Username()))
	s.untilReady(t, 503)
	s.wantUnavailable(t, p)
	if !strings.Contains(s.log.String(), "28P01") {
		t.Error("the log does not have the cause")
	}
	setPassword(right)
	s.worksAgain(t, p)
}
