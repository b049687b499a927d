//go:build unix

package password_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/password"
)

// raises are ways in which a cost may be raised.
var raises = map[string]password.Params{
	"passes":           {MemoryKiB: 19456, Iterations: 9, Parallelism: 1},
	"memory":           {MemoryKiB: 65536, Iterations: 2, Parallelism: 1},
	"memory and lanes": {MemoryKiB: 65536, Iterations: 3, Parallelism: 4},
}

// cpu returns the processor time that this process has used. Unlike the time that passes, it does not grow with the load of
// the machine; no other test of the package runs meanwhile.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// verifications measures, in turn, the medians of what it takes by a clock to verify against a hash of an older, cheaper
// cost, and for nobody.
func verifications(t testing.TB, clock func(testing.TB) time.Duration, raised password.Params, n int) (cheaper, nobody time.Duration) {
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
		began := clock(t)
		if err := verify(); err != nil {
			t.Fatal(err)
		}
		return clock(t) - began
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
	const most = 1.5 // times as long as the other
	for name, raised := range raises {
		cheaper, nobody := verifications(t, cpu, raised, 9)
		if ratio := float64(nobody) / float64(cheaper); ratio > most || ratio < 1/most {
			t.Errorf("%s: verifying takes %v of processor time against a hash of old and %v for nobody, a ratio of %.2f, want %.2f to %.2f",
				name, cheaper, nobody, ratio, 1/most, most)
		}
	}
}

// TestVerify_takes_the_time_of_all_costs: also after the cost was lowered.
func TestVerify_takes_the_time_of_all_costs(t *testing.T) {
	dear := password.Params{MemoryKiB: 19456, Iterations: 12, Parallelism: 1}
	hash, err := hasher(t, dear, 1, 0).Hash(t.Context(), "SecurePass1")
	if err != nil {
		t.Fatal(err)
	}
	h := hasher(t, password.Params{MemoryKiB: 19456, Iterations: 2, Parallelism: 1}, 1, 0)
	nobody := func() time.Duration { // the least of a few, since collecting garbage counts too
		least := time.Hour
		for range 5 {
			began := cpu(t)
			if err := h.VerifyDummy(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
			least = min(least, cpu(t)-began)
		}
		return least
	}
	before := nobody()
	if err := h.AddCost(hash); err != nil {
		t.Fatal(err)
	}
	if after := nobody(); after < 2*before {
		t.Errorf("nobody takes %v of processor time, and %v once a hash of six times the cost is known, want twice as long or more", before, after)
	}
}

// BenchmarkVerify_after_raising_the_cost compares medians of 200, of the time that passes.
func BenchmarkVerify_after_raising_the_cost(b *testing.B) {
	for name, raised := range raises {
		b.Run(name, func(b *testing.B) {
			began := time.Now()
			wall := func(testing.TB) time.Duration { return time.Since(began) }
			for b.Loop() {
				cheaper, nobody := verifications(b, wall, raised, 200)
				b.ReportMetric(float64(cheaper.Microseconds())/1000, "ms/hash-of-old")
				b.ReportMetric(float64(nobody.Microseconds())/1000, "ms/nobody")
				b.ReportMetric(float64(nobody)/float64(cheaper), "nobody/hash-of-old")
			}
		})
	}
}
