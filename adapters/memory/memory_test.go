package memory_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/memory"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

func TestLimiter(t *testing.T) { porttest.RateLimiter(t, memory.NewLimiter()) }

func TestRevocations(t *testing.T) {
	clock := porttest.NewClock()
	porttest.RevocationList(t, memory.NewRevocations(clock), clock.Now, clock.Advance)
}

// TestRevocations_many_at_once: all tenants wait for the list while it takes in what one user's sessions are.
func TestRevocations_many_at_once(t *testing.T) {
	const many = 20_000
	clock := porttest.NewClock()
	list := memory.NewRevocations(clock)
	revocations := make([]session.Revocation, many)
	for i := range revocations {
		revocations[i] = session.Revocation{User: "u", Session: porttest.NewID[id.Session](), Until: clock.Now().Add(time.Minute)}
	}
	began := time.Now()
	if err := list.Revoke(t.Context(), revocations...); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("%d revocations took %v", many, took)
	}
	for _, r := range []session.Revocation{revocations[0], revocations[many-1]} {
		if revoked, err := list.Revoked(t.Context(), session.Claims{User: "u", Session: r.Session}); err != nil || !revoked {
			t.Errorf("one of them is revoked: %t, %v", revoked, err)
		}
	}
}

func TestGate(t *testing.T) {
	porttest.QueryGate(t, func(atOnce, perTenant, queue int, queueTimeout time.Duration) ports.QueryGate {
		return memory.NewGate(atOnce, perTenant, queue, queueTimeout, ports.ErrTooManyQueries)
	})
}

// TestGate_load: of all tenants it is known how many are inside and how many wait, and nobody is left over.
func TestGate_load(t *testing.T) {
	gate := memory.NewGate(1, 1, 8, time.Minute, ports.ErrTooManyQueries)
	var asking sync.WaitGroup
	wantLoad := func(inside, waiting int) {
		t.Helper()
		porttest.Eventually(t, fmt.Sprintf("%d inside and %d waiting", inside, waiting), func() bool {
			i, w := gate.Load()
			return i == inside && w == waiting
		})
	}
	wantLoad(0, 0)
	leave, err := gate.Enter(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []id.Tenant{"a", "a", "b"} {
		asking.Go(func() {
			if leave, err := gate.Enter(t.Context(), tenant); err == nil {
				leave()
			} else {
				t.Error(err)
			}
		})
	}
	wantLoad(1, 3)
	leave()
	asking.Wait()
	wantLoad(0, 0)
}
