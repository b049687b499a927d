package container

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// copyPrimary copies the primary at %s into the empty PGDATA of an image, and starts the copy as a standby.
const copyPrimary = `set -e
mkdir -p "$PGDATA" /var/run/postgresql
chown postgres "$PGDATA" /var/run/postgresql
chmod 700 "$PGDATA"
exec su postgres -s /bin/sh -c "PATH='$PATH' PGDATA='$PGDATA'; export PATH PGDATA
  pg_basebackup --dbname='%s' --pgdata='$PGDATA' --write-recovery-conf --wal-method=stream --checkpoint=fast &&
  exec postgres -c listen_addresses='*' -c ` + morePostgresConnections + `"`

// Standby starts a hot standby of this Postgres until the test ends. Replication is synchronous: a commit that the primary has
// acknowledged can be read on the standby.
func (c *Container) Standby(t testing.TB) *Container {
	t.Helper()
	const allowReplication = `echo 'host replication all all scram-sha-256' >>"$PGDATA/pg_hba.conf"`
	if code, _, err := c.container.Exec(t.Context(), []string{"sh", "-c", allowReplication}); err != nil || code != 0 {
		t.Fatalf("allowing replication: exit code %d, %v", code, err)
	}
	c.Admin(t, admin, "SELECT pg_reload_conf()")
	address, err := c.container.ContainerIP(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	primary := fmt.Sprintf("host=%s port=%s user=%s password=%s", address, postgresPort, admin, password)
	standby := start(t, PostgresImage(), map[string]string{postgresPort: freePort(t)}, postgresPort, wait.ForSQL(postgresPort+"/tcp", "postgres", adminURL),
		testcontainers.WithCmd("sh", "-c", fmt.Sprintf(copyPrimary, primary)))
	c.Admin(t, admin, "ALTER SYSTEM SET synchronous_standby_names = '*'", "ALTER SYSTEM SET synchronous_commit = remote_apply", "SELECT pg_reload_conf()")
	porttest.Eventually(t, "synchronous replication", func() bool {
		return c.queryBool(t, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')")
	})
	return standby
}

// Promote makes a standby the primary.
func (c *Container) Promote(t testing.TB) {
	t.Helper()
	if !c.queryBool(t, "SELECT pg_promote()") {
		t.Fatal("the standby was not promoted")
	}
}

// queryBool runs a query for one boolean as a superuser.
func (c *Container) queryBool(t testing.TB, query string) (result bool) {
	t.Helper()
	db, err := sql.Open("postgres", c.AdminURL(admin))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), query).Scan(&result); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return result
}
