package password_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

// raises are ways in which a cost may be raised.
var raises = map[string]password.Params{
	"passes":           {MemoryKiB: 19456, Iterations: 9, Parallelism: 1},
	"memory":           {MemoryKiB: 65536, Iterations: 2, Parallelism: 1},
	"memory and lanes": {MemoryKiB: 65536, Iterations: 3, Parallelism: 4},
}

// verifications measures, in turn, how long it takes to verify against a hash of a cheaper time, and for nobody.
func verifications(t testing.TB, raised password.Params, n int) (cheaper, dummyHash time.Duration) {
	t.Helper()
	old := password.Params{MemoryKiB: 19456, Iterations: 2, Parallelism: 1}
	hash, err := hasher(t, old, 1, 0).Hash(t.Context(), "SecurePass1")
	if err != nil {
		t.Fatal(err)
	}
	h := hasher(t, raised, 1, 0)
	if err := h.AddCost(hash); err != nil {
		t.Fatal(err)
	}
	measure := func(verify func() error) time.Duration {
		began := time.Now()
		if err := verify(); err != nil {
			t.Fatal(err)
		}
		return time.Since(began)
	}
	var olds, nobodies []time.Duration
	for range n {
		olds = append(olds, measure(func() error { _, _, err := h.Verify(t.Context(), "wrong", hash); return err }))
		nobodies = append(nobodies, measure(func() error { return h.VerifyDummy(t.Context(), "wrong") }))
	}
	slices.Sort(olds)
	slices.Sort(nobodies)
	return olds[n/2], nobodies[n/2]
}

// TestVerify_takes_the_same_time_for_a_cheaper_hash: after the cost was raised, neither an account that has not signed in
// since nor one that does not exist shows (ASVS 6.3.8).
func TestVerify_takes_the_same_time_for_a_cheaper_hash(t *testing.T) {
	for name, raised := range raises {
		cheaper, dummyHash := verifications(t, raised, 9)
		if ratio := float64(dummyHash) / float64(cheaper); ratio > 1.5 || ratio < 1/1.5 {
			t.Errorf("%s: an account with a hash of old takes %v, and one that does not exist %v", name, cheaper, dummyHash)
		}
	}
}

// TestVerify_takes_the_time_of_all_costs: also after the cost was lowered.
func TestVerify_takes_the_time_of_the_dearest_hash(t *testing.T) {
	dear := password.Params{MemoryKiB: 19456, Iterations: 12, Parallelism: 1}
	hash, err := hasher(t, dear, 1, 0).Hash(t.Context(), "SecurePass1")
	if err != nil {
		t.Fatal(err)
	}
	h := hasher(t, password.Params{MemoryKiB: 19456, Iterations: 2, Parallelism: 1}, 1, 0)
	dummyHash := func() time.Duration { // the least of a few, since the machine has other work
		least := time.Hour
		for range 5 {
			began := time.Now()
			if err := h.VerifyDummy(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
			least = min(least, time.Since(began))
		}
		return least
	}
	before := dummyHash()
	if err := h.AddCost(hash); err != nil {
		t.Fatal(err)
	}
	if after := dummyHash(); after < 2*before {
		t.Errorf("nobody takes %v, and %v once a hash of six times the cost is known", before, after)
	}
}

// BenchmarkVerify_after_raising_the_cost compares medians of 200.
func BenchmarkVerify_after_raising_the_cost(b *testing.B) {
	for name, raised := range raises {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				cheaper, dummyHash := verifications(b, raised, 200)
				b.ReportMetric(float64(cheaper.Microseconds())/1000, "ms/hash-of-old")
				b.ReportMetric(float64(dummyHash.Microseconds())/1000, "ms/nobody")
				b.ReportMetric(float64(dummyHash)/float64(cheaper), "nobody/hash-of-old")
			}
		})
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
