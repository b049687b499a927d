package postgres_test

import (
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// TestPgBouncer_resets: settings that a client makes in its session are reset before the next client gets the connection.
func TestPgBouncer_resets(t *testing.T) {
	ctx := t.Context()
	server := container.Postgres(t)
	ownerURL, serviceURL := server.Database(t)
	home := porttest.NewTenant(t, migrated(t, options(ownerURL, serviceURL)))
	bouncer := server.PgBouncer(t, serviceURL)
	first, second := driverConn(t, bouncer+"&binary_parameters=yes"), driverConn(t, bouncer+"&binary_parameters=yes")
	for _, statement := range []string{
		"SET app.tenant_id = '" + string(home.ID) + "'",
		"SELECT set_config('app.tenant_id', '" + string(home.ID) + "', false)",
		"SET statement_timeout = 0",
	} {
		var before, after int
		if err := first.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&before); err != nil {
			t.Fatal(err)
		}
		if _, err := first.ExecContext(ctx, statement); err != nil {
			t.Fatal(err)
		}
		var tenant, timeout string
		err := second.QueryRowContext(ctx, "SELECT pg_backend_pid(), coalesce(current_setting('app.tenant_id', true), ''), current_setting('statement_timeout')").
			Scan(&after, &tenant, &timeout)
		if err != nil {
			t.Fatal(err)
		}
		if before != after {
			t.Fatalf("the second client has another connection: %d, then %d", before, after)
		}
		if tenant != "" || timeout != "10s" {
			t.Errorf("after %q another client is in tenant %q, with a statement timeout of %s", statement, tenant, timeout)
		}
	}
}
