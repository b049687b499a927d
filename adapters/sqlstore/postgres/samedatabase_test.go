package postgres_test

import (
	"errors"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// TestCheckSameDatabase: what counts is the database that a URL leads to, not how it is written.
func TestCheckSameDatabase(t *testing.T) {
	server := container.Postgres(t)
	ownerURL, serviceURL := server.Database(t)
	if err := open(t, options(ownerURL, serviceURL)).CheckSameDatabase(t.Context()); err != nil {
		t.Errorf("before the role is made nothing can be told: %v", err)
	}
	migrated(t, options(ownerURL, serviceURL))
	otherOwnerURL, otherServiceURL := server.Database(t)
	migrated(t, options(otherOwnerURL, otherServiceURL))
	for name, c := range map[string]struct {
		owner, service string
		want           error
	}{
		"one":                         {ownerURL, serviceURL, nil},
		"one through a pooler":        {ownerURL, server.PgBouncer(t, serviceURL), nil},
		"another":                     {ownerURL, otherServiceURL, postgres.ErrDifferentDatabases},
		"the other way round":         {otherOwnerURL, serviceURL, postgres.ErrDifferentDatabases},
		"another through a pooler":    {ownerURL, server.PgBouncer(t, otherServiceURL), postgres.ErrDifferentDatabases},
		"one URL":                     {serviceURL, serviceURL, nil},
		"no owner":                    {"", serviceURL, nil},
		"one by another of its names": {ownerURL, serviceURL + "&application_name=other", nil},
	} {
		if err := open(t, options(c.owner, c.service)).CheckSameDatabase(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := open(t, options(ownerURL, withPassword(t, serviceURL, "wrong"))).CheckSameDatabase(t.Context()); err == nil || errors.Is(err, postgres.ErrDifferentDatabases) {
		t.Errorf("where nothing can be found out: %v", err)
	}
}
