package postgres_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
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
	looksOn              *sql.DB // the owner's, at the standby
}

// TestOnStandby runs against a true hot standby.
func TestOnStandby(t *testing.T) {
	primary := container.Postgres(t)
	p := &pair{primary: primary, standby: primary.Standby(t), address: container.NewSwitchableProxy(t, primary.Address)}
	p.ownerURL, p.serviceURL = primary.Database(t)
	p.looksOn = driverConn(t, withHost(t, p.ownerURL, p.standby.Address))
	p.home = porttest.NewTenant(t, migrated(t, options(p.ownerURL, p.serviceURL)))
	t.Run("a connection to it is not kept", p.testNotKept)
	t.Run("one that has become one is left without a failed request", p.testLeft)
	t.Run("it is not used", p.testNotUsed)
	t.Run("promoted", p.testPromoted)
}

// open opens the database behind the address with pools of one connection, with a value of target_session_attrs, or none.
func (p *pair) open(t *testing.T, target string) *postgres.Database {
	t.Helper()
	o := options(p.ownerURL, withHost(t, p.serviceURL, p.address.Address, "target_session_attrs", target))
	o.PoolSize, o.Queries = 1, 1
	return open(t, o)
}

// withHost puts a host, and of the parameters, which are pairs, those with a value into a URL.
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

// writes are a statement by itself, a transaction, and a look-up by a function that wants to be able to write.
func (p *pair) writes(t *testing.T, db *postgres.Database) map[string]func() error {
	return map[string]func() error{
		"a statement": func() error {
			return db.Store.RecordEnvironment(t.Context(), "test", time.Now())
		},
		"a transaction": func() error {
			e := event.Event{ID: porttest.NewID[id.Event](), TenantID: p.home.ID, Type: "view", UserIdentifier: "u", OccurredAt: time.Now()}
			_, err := db.Events().Ingest(t.Context(), porttest.ScopeOf(t, p.home.ID), e)
			return err
		},
		"a look-up": func() error {
			_, err := db.Tenants().BySlug(t.Context(), p.home.Slug)
			return err
		},
	}
}

// read reads what a standby can show, too.
func (p *pair) read(t *testing.T, db *postgres.Database) error {
	t.Helper()
	_, err := db.Tenants().ByID(t.Context(), p.home.ID)
	return err
}

// onStandby returns how many connections of the service the standby has.
func (p *pair) onStandby(t *testing.T) (n int) {
	t.Helper()
	if err := p.looksOn.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'test'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// testNotKept: where the operator lets connections to a standby stand, what it refuses is unavailable, and the next
// statement asks for a new connection.
func (p *pair) testNotKept(t *testing.T) {
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

// testLeft: connections to what has become a standby give way to such to the new primary, and no request notices.
func (p *pair) testLeft(t *testing.T) {
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

// testNotUsed: unless the operator says so, a standby is not connected to.
func (p *pair) testNotUsed(t *testing.T) {
	p.address.To(p.standby.Address)
	db := p.open(t, "")
	refused := p.writes(t, db)
	refused["a reading"] = func() error { return p.read(t, db) }
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

// testPromoted: the first statement after the promotion finds its way, also on a pool that knew the standby as one, and
// through PgBouncer, which tells new clients for long what it was told of the server at first.
func (p *pair) testPromoted(t *testing.T) {
	p.address.To(p.standby.Address)
	refused, knew := p.open(t, ""), p.open(t, "any")
	pooled := open(t, options(p.ownerURL, p.standby.PgBouncer(t, p.serviceURL)))
	for _, db := range []*postgres.Database{refused, pooled} {
		if err := p.read(t, db); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("before: %v", err)
		}
	}
	if err := p.read(t, knew); err != nil {
		t.Errorf("before: %v", err)
	}
	p.primary.Stop(t)
	p.standby.Promote(t)
	for _, db := range []*postgres.Database{refused, knew, pooled} {
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
