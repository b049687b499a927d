package porttest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// NewQueryGate returns a gate with atOnce slots, of which a tenant may hold perTenant, and with queue waiting queries per tenant,
// which time out after queueTimeout.
type NewQueryGate func(atOnce, perTenant, queue int, queueTimeout time.Duration) ports.QueryGate

// QueryGate tests a gate of this process in a synctest bubble: time advances only while all goroutines are blocked.
func QueryGate(t *testing.T, newGate NewQueryGate) {
	const a, b, c = id.Tenant("a"), id.Tenant("b"), id.Tenant("c")
	for name, test := range map[string]func(*testing.T){
		"total limit": func(t *testing.T) {
			g := newGateTest(t, newGate(2, 2, 8, time.Second))
			g.enters(a, b)
			g.waits(c)
			g.leaves(a)
			g.inside(b, c)
		},
		"limit per tenant": func(t *testing.T) {
			g := newGateTest(t, newGate(3, 2, 8, time.Second))
			g.enters(a, a)
			g.waits(a)
			g.enters(b) // a tenant at its limit does not block others
			g.leaves(b)
			g.inside(a, a)
			g.leaves(a)
			g.inside(a, a)
		},
		"a short queue": func(t *testing.T) {
			g := newGateTest(t, newGate(1, 1, 2, time.Second))
			g.enters(a)
			g.waits(a)
			g.waits(a)
			g.refused(a)
			g.waits(b) // each tenant has its own queue
			for range 3 {
				g.returns(a) // no limit after admission
			}
			g.refused(a)
			g.leavesAll(a, a, b, a, a, a, a)
		},
		"no queue": func(t *testing.T) {
			g := newGateTest(t, newGate(1, 1, 0, time.Second))
			g.enters(a)
			g.refused(b)
			g.leaves(a)
			g.enters(b)
		},
		"queue timeout": func(t *testing.T) {
			g := newGateTest(t, newGate(1, 1, 8, 5*time.Second))
			g.enters(a)
			began := time.Now()
			_, err := g.gate.Enter(t.Context(), b)
			wantErr(t, "waiting too long", err, ports.ErrTooManyQueries)
			equal(t, "how long it waited", time.Since(began), 5*time.Second)
			within, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			_, err = g.gate.Reenter(within, b)
			wantErr(t, "returning", err, context.DeadlineExceeded)
			equal(t, "how long it waited to return", time.Since(began), time.Hour+5*time.Second)
			g.leaves(a)
			g.enters(c)
		},
		"tenants take turns": func(t *testing.T) {
			g := newGateTest(t, newGate(1, 1, 8, time.Minute))
			g.enters(a)
			for range 5 {
				g.waits(a)
			}
			g.waits(b)
			g.returns(b)
			g.waits(c)
			g.leavesAll(a, a, b, c, a, b, a, a, a)
		},
		"a cancelled query frees its place in the queue": func(t *testing.T) {
			g := newGateTest(t, newGate(1, 1, 1, time.Minute))
			gone, cancel := context.WithCancel(t.Context())
			g.enters(a)
			left := make(chan error, 2)
			for _, enter := range []func(context.Context, id.Tenant) (func(), error){g.gate.Enter, g.gate.Reenter} {
				go func() {
					_, err := enter(gone, b)
					left <- err
				}()
				synctest.Wait()
			}
			cancel()
			for range 2 {
				wantErr(t, "a cancelled query", <-left, context.Canceled)
			}
			_, err := g.gate.Enter(gone, c)
			wantErr(t, "a query cancelled before", err, context.Canceled)
			g.waits(b) // there is room in the queue again
			g.leaves(a)
			g.inside(b)
		},
		"leaving twice counts once": func(t *testing.T) {
			g := newGateTest(t, newGate(1, 1, 8, time.Minute))
			leave, err := g.gate.Enter(t.Context(), a)
			must(t, err)
			leave()
			g.enters(b)
			leave()
			g.waits(c)
			g.leaves(b)
			g.inside(c)
		},
		"many at once": func(t *testing.T) { testConcurrent(t, newGate(3, 2, 1000, time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}

// gateTest keeps the admitted queries, each with its leave function.
type gateTest struct {
	t       *testing.T
	gate    ports.QueryGate
	entered chan query
	running []query
}

type query struct {
	tenant id.Tenant
	leave  func()
}

func newGateTest(t *testing.T, gate ports.QueryGate) *gateTest {
	return &gateTest{t: t, gate: gate, entered: make(chan query, 100)}
}

// settle waits until all goroutines are blocked, and collects the queries that were admitted.
func (g *gateTest) settle() {
	synctest.Wait()
	for len(g.entered) > 0 {
		g.running = append(g.running, <-g.entered)
	}
}

// inside expects queries of these tenants to be running, in the order of their admission.
func (g *gateTest) inside(want ...id.Tenant) {
	g.t.Helper()
	g.settle()
	var got []id.Tenant
	for _, v := range g.running {
		got = append(got, v.tenant)
	}
	equal(g.t, "the tenants of the running queries", got, want)
}

// enters expects a query of each tenant to be admitted at once.
func (g *gateTest) enters(tenants ...id.Tenant) {
	g.t.Helper()
	for _, tenant := range tenants {
		leave, err := g.gate.Enter(g.t.Context(), tenant)
		must(g.t, err)
		g.running = append(g.running, query{tenant, leave})
	}
}

// waits expects a query not to be admitted at once.
func (g *gateTest) waits(tenant id.Tenant) { g.t.Helper(); g.wait(tenant, g.gate.Enter) }

// returns expects the same of a Reenter.
func (g *gateTest) returns(tenant id.Tenant) { g.t.Helper(); g.wait(tenant, g.gate.Reenter) }

func (g *gateTest) wait(tenant id.Tenant, enter func(context.Context, id.Tenant) (func(), error)) {
	g.t.Helper()
	before := len(g.running)
	go func() {
		leave, err := enter(g.t.Context(), tenant)
		if err == nil {
			g.entered <- query{tenant, leave}
		} else if !errors.Is(err, context.Canceled) { // the test has ended
			g.t.Error(err)
		}
	}()
	g.settle()
	if len(g.running) != before {
		g.t.Errorf("%s was admitted at once", tenant)
	}
}

// refused expects that there is neither a slot nor room in the queue.
func (g *gateTest) refused(tenant id.Tenant) {
	g.t.Helper()
	began := time.Now()
	_, err := g.gate.Enter(g.t.Context(), tenant)
	wantErr(g.t, "entering with a full queue", err, ports.ErrTooManyQueries)
	equal(g.t, "how long it waited", time.Since(began), time.Duration(0))
}

// leaves ends the first running query of a tenant.
func (g *gateTest) leaves(tenant id.Tenant) {
	g.t.Helper()
	for i, v := range g.running {
		if v.tenant == tenant {
			g.running = append(g.running[:i], g.running[i+1:]...)
			v.leave()
			return
		}
	}
	g.t.Fatalf("%s is not inside", tenant)
}

// leavesAll ends one query after the other, and expects each to be the only one running, until none waits.
func (g *gateTest) leavesAll(tenants ...id.Tenant) {
	g.t.Helper()
	for _, tenant := range tenants {
		g.inside(tenant)
		g.leaves(tenant)
	}
	g.settle()
	equal(g.t, "how many are left", len(g.running), 0)
}

// testConcurrent sends 150 queries of three tenants at once, some of which time out.
func testConcurrent(t *testing.T, gate ports.QueryGate) {
	type count struct {
		tenant id.Tenant
		by     int
	}
	counts, done := make(chan count), make(chan struct{})
	tenants := []id.Tenant{"a", "b", "c"}
	const each = 50
	for i := range each * len(tenants) {
		go func() {
			defer func() { done <- struct{}{} }()
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%7)*100*time.Millisecond)
			defer cancel()
			tenant := tenants[i%len(tenants)]
			leave, err := []func(context.Context, id.Tenant) (func(), error){gate.Enter, gate.Reenter}[i%2](ctx, tenant)
			if err != nil {
				wantErr(t, "a query that was not admitted", err, context.DeadlineExceeded)
				return
			}
			counts <- count{tenant, 1}
			<-time.After(10 * time.Millisecond)
			counts <- count{tenant, -1}
			leave()
		}()
	}
	inside, all, served := map[id.Tenant]int{}, 0, 0
	for ended := 0; ended < each*len(tenants); {
		select {
		case <-done:
			ended++
		case c := <-counts:
			inside[c.tenant] += c.by
			all += c.by
			served += max(c.by, 0)
			if all > 3 || inside[c.tenant] > 2 {
				t.Errorf("%d queries of %s are running, %d in total", inside[c.tenant], c.tenant, all)
			}
		}
	}
	if served < each {
		t.Errorf("%d were admitted", served)
	}
	for _, tenant := range []id.Tenant{"d", "e", "f"} { // all slots are free again
		_, err := gate.Enter(t.Context(), tenant)
		must(t, err)
	}
}
