package password_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/password"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// cheap is a cost for tests alone; the configuration does not allow it.
var cheap = password.Params{MemoryKiB: 64, Iterations: 1, Parallelism: 1}

func hasher(t testing.TB, p password.Params, atOnce, waiting int) *password.Hasher {
	t.Helper()
	h, err := password.NewHasher(p, atOnce, waiting)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHasher(t *testing.T) {
	stronger := cheap
	stronger.Iterations = 2
	porttest.PasswordHasher(t, hasher(t, cheap, 2, 2), hasher(t, stronger, 2, 2))
}

func TestExpect_refuses_what_is_no_hash(t *testing.T) {
	if err := hasher(t, cheap, 1, 0).AddCost("no hash"); err == nil {
		t.Error("a cost that can't be read was taken")
	}
}

func TestHash_has_the_parameters(t *testing.T) {
	h := hasher(t, password.Params{MemoryKiB: 19456, Iterations: 2, Parallelism: 1}, 1, 0)
	hash, err := h.Hash(t.Context(), "SecurePass1")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(hash), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash begins %.30q", string(hash))
	}
}

// TestHasher_refuses_when_its_queue_is_full sends a storm of sign-ins: the queue takes what it can, the rest is told to
// come back, and every one gets an answer.
func TestHasher_refuses_when_its_queue_is_full(t *testing.T) {
	const storm = 50
	h := hasher(t, password.Params{MemoryKiB: 19456, Iterations: 2, Parallelism: 1}, 1, 1)
	var (
		wg           sync.WaitGroup
		mu           sync.Mutex
		served, busy int
	)
	for range storm {
		wg.Go(func() {
			err := h.VerifyDummy(t.Context(), "x")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				served++
			case errors.Is(err, ports.ErrHasherBusy):
				busy++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if served+busy != storm || served < 2 || busy == 0 {
		t.Errorf("%d were served, %d told to come back", served, busy)
	}
	if err := h.VerifyDummy(t.Context(), "x"); err != nil {
		t.Errorf("after the storm: %v", err)
	}
}

// TestHasher_load: it is known how many hash and how many wait, and nobody is left over.
func TestHasher_load(t *testing.T) {
	h := hasher(t, password.Params{MemoryKiB: 65536, Iterations: 8, Parallelism: 1}, 1, 1)
	var hashing sync.WaitGroup
	for range 2 {
		hashing.Go(func() {
			if err := h.VerifyDummy(t.Context(), "x"); err != nil {
				t.Error(err)
			}
		})
	}
	porttest.Eventually(t, "one that hashes and one that waits", func() bool {
		running, waiting := h.Load()
		return running == 1 && waiting == 1
	})
	hashing.Wait()
	if running, waiting := h.Load(); running != 0 || waiting != 0 {
		t.Errorf("in the end %d hash and %d wait", running, waiting)
	}
}

func TestHasher_leaves_with_its_caller(t *testing.T) {
	h := hasher(t, cheap, 0, 1) // no slot ever
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 { // each gives its place in the queue back
		if err := h.VerifyDummy(ctx, "x"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}
