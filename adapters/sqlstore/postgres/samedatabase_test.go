package postgres_test

import (
	"errors"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// TestCheckSameDatabase: the check compares the databases that the URLs lead to, not the URLs.
func TestCheckSameDatabase(t *testing.T) {
	server := container.Postgres(t)
	ownerURL, serviceURL := server.Database(t)
	if err := open(t, options(ownerURL, serviceURL)).CheckSameDatabase(t.Context()); err != nil {
		t.Errorf("before the role exists the check passes: %v", err)
	}
	migrated(t, options(ownerURL, serviceURL))
	otherOwnerURL, otherServiceURL := server.Database(t)
	migrated(t, options(otherOwnerURL, otherServiceURL))
	for name, c := range map[string]struct {
		owner, service string
		want           error
	}{
		"the same":                  {ownerURL, serviceURL, nil},
		"the same through a pooler": {ownerURL, server.PgBouncer(t, serviceURL), nil},
		"another":                   {ownerURL, otherServiceURL, postgres.ErrDifferentDatabases},
		"the other way round":       {otherOwnerURL, serviceURL, postgres.ErrDifferentDatabases},
		"another through a pooler":  {ownerURL, server.PgBouncer(t, otherServiceURL), postgres.ErrDifferentDatabases},
		"one URL":                   {serviceURL, serviceURL, nil},
		"no owner":                  {"", serviceURL, nil},
		"the same with another URL": {ownerURL, serviceURL + "&application_name=other", nil},
	} {
		if err := open(t, options(c.owner, c.service)).CheckSameDatabase(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := open(t, options(ownerURL, withPassword(t, serviceURL, "wrong"))).CheckSameDatabase(t.Context()); err == nil || errors.Is(err, postgres.ErrDifferentDatabases) {
		t.Errorf("without a connection: %v", err)
	}
}
