package postgres_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// pair is a primary and its standby behind one address.
type pair struct {
	primary, standby     *container.Container
	address              *container.SwitchableProxy
	ownerURL, serviceURL string
	home                 tenant.Tenant
	observer             *sql.DB // as the owner, on the standby
}

// TestOnStandby runs against a hot standby.
func TestOnStandby(t *testing.T) {
	primary := container.Postgres(t)
	p := &pair{primary: primary, standby: primary.Standby(t), address: container.NewSwitchableProxy(t, primary.Address)}
	p.ownerURL, p.serviceURL = primary.Database(t)
	p.observer = driverConn(t, withHost(t, p.ownerURL, p.standby.Address))
	p.home = porttest.NewTenant(t, migrated(t, options(p.ownerURL, p.serviceURL)))
	t.Run("connections to a standby are dropped after an error", p.testDropped)
	t.Run("failover without a failed request", p.testFailover)
	t.Run("a standby is not used", p.testNotUsed)
	t.Run("promoted", p.testPromoted)
}

// open opens the database behind the address with pools of one connection, with a value of target_session_attrs, or none.
func (p *pair) open(t *testing.T, target string) *postgres.Database {
	t.Helper()
	o := options(p.ownerURL, withHost(t, p.serviceURL, p.address.Address, "target_session_attrs", target))
	o.PoolSize, o.Queries = 1, 1
	return open(t, o)
}

// withHost returns a URL with a host and parameters, which are pairs of a name and a value. Empty values are left out.
func withHost(t *testing.T, raw, host string, parameters ...string) string {
	t.Helper()
	u := parse(t, raw)
	q := u.Query()
	for i := 0; i < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			q.Set(parameters[i], parameters[i+1])
		}
	}
	u.Host, u.RawQuery = host, q.Encode()
	return u.String()
}

// writes are a statement without a transaction, a transaction, and a look-up by a function that needs a read-write transaction.
func (p *pair) writes(t *testing.T, db *postgres.Database) map[string]func() error {
	return map[string]func() error{
		"a statement": func() error {
			return db.Store.RecordEnvironment(t.Context(), "test", time.Now())
		},
		"a transaction": func() error {
			_, err := db.Events().Ingest(t.Context(), porttest.ScopeOf(t, p.home.ID), porttest.NewBatch(t, p.home.ID))
			return err
		},
		"a look-up": func() error {
			_, err := db.Tenants().BySlug(t.Context(), p.home.Slug)
			return err
		},
	}
}

// read runs a query that also works on a standby.
func (p *pair) read(t *testing.T, db *postgres.Database) error {
	t.Helper()
	_, err := db.Tenants().ByID(t.Context(), p.home.ID)
	return err
}

// onStandby returns the number of connections of the service on the standby.
func (p *pair) onStandby(t *testing.T) (n int) {
	t.Helper()
	if err := p.observer.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'test'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// testDropped: with target_session_attrs=any, a write that a standby refuses is ErrUnavailable, and the connection is dropped.
func (p *pair) testDropped(t *testing.T) {
	p.address.To(p.standby.Address)
	db := p.open(t, "any")
	for name, write := range p.writes(t, db) {
		if err := p.read(t, db); err != nil || p.onStandby(t) != 1 {
			t.Fatalf("read from the standby by %d connections: %v", p.onStandby(t), err)
		}
		if err := write(); !errors.Is(err, ports.ErrUnavailable) || !strings.Contains(err.Error(), "read") {
			t.Errorf("%s: %v", name, err)
		}
		porttest.Eventually(t, "no connection to the standby", func() bool { return p.onStandby(t) == 0 })
	}
	if err := db.Ping(t.Context()); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
}

// testFailover: connections to a server that has become a standby are replaced by connections to the new primary, without a failed
// request.
func (p *pair) testFailover(t *testing.T) {
	for _, name := range []string{"a statement", "a transaction", "a look-up"} {
		p.address.To(p.standby.Address)
		db := p.open(t, "any")
		if err := p.read(t, db); err != nil || p.onStandby(t) != 1 {
			t.Fatalf("read from the standby by %d connections: %v", p.onStandby(t), err)
		}
		p.address.To(p.primary.Address)
		if err := p.writes(t, db)[name](); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		porttest.Eventually(t, "no connection to the standby", func() bool { return p.onStandby(t) == 0 })
	}
}

// testNotUsed: by default there are no connections to a standby.
func (p *pair) testNotUsed(t *testing.T) {
	p.address.To(p.standby.Address)
	db := p.open(t, "")
	refused := p.writes(t, db)
	refused["a read"] = func() error { return p.read(t, db) }
	refused["a ping"] = func() error { return db.Ping(t.Context()) }
	for name, do := range refused {
		if err := do(); !errors.Is(err, ports.ErrUnavailable) || !strings.Contains(err.Error(), "the server is read-only") {
			t.Errorf("%s: %v", name, err)
		}
	}
	migrating := open(t, options(withHost(t, p.ownerURL, p.address.Address), p.serviceURL))
	if _, err := up(t.Context(), migrating); err == nil || !strings.Contains(err.Error(), "the server is read-only") {
		t.Errorf("migrating: %v", err)
	}
}

// testPromoted: the first statement after the promotion succeeds, also on a pool with a connection to the standby, and through
// PgBouncer, which sends new clients the server parameters of its first connection for long.
func (p *pair) testPromoted(t *testing.T) {
	p.address.To(p.standby.Address)
	refused, connected := p.open(t, ""), p.open(t, "any")
	pooled := open(t, options(p.ownerURL, p.standby.PgBouncer(t, p.serviceURL)))
	for _, db := range []*postgres.Database{refused, pooled} {
		if err := p.read(t, db); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("before: %v", err)
		}
	}
	if err := p.read(t, connected); err != nil {
		t.Errorf("before: %v", err)
	}
	p.primary.Stop(t)
	p.standby.Promote(t)
	for _, db := range []*postgres.Database{refused, connected, pooled} {
		for name, write := range p.writes(t, db) {
			if err := write(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("ready: %v", err)
		}
	}
}
