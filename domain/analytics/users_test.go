package analytics_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// userNumbers generates numbers of users: close together, far apart, and provisional.
func userNumbers() *rapid.Generator[[]uint32] {
	const provisional = 1 << 31
	return rapid.SliceOfN(rapid.OneOf(
		rapid.Uint32Range(0, 200), rapid.Uint32Range(0, 200), rapid.Uint32Range(0, provisional-1),
		rapid.Uint32Range(provisional, provisional+100), rapid.Uint32Range(provisional, 1<<32-1),
	), 0, 100)
}

func sortedSet(numbers []uint32) []uint32 {
	numbers = slices.Clone(numbers)
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

func TestUsers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			sets []analytics.Users
			all  []uint32
		)
		for _, numbers := range rapid.SliceOfN(userNumbers(), 0, 5).Draw(t, "sets") {
			set, want := analytics.UsersOf(numbers), sortedSet(numbers)
			if got := slices.Collect(set.All()); !slices.Equal(got, want) || set.Len() != len(want) {
				t.Fatalf("the set of %v is %v with %d", numbers, got, set.Len())
			}
			sets, all = append(sets, set), append(all, numbers...)
		}
		union := analytics.UnionOf(sets...)
		if want := analytics.UsersOf(all); !reflect.DeepEqual(union, want) {
			t.Fatalf("the union is %v, want %v", slices.Collect(union.All()), slices.Collect(want.All()))
		}
		slices.Reverse(sets)
		if again := analytics.UnionOf(append(sets, union)...); !reflect.DeepEqual(again, union) {
			t.Fatal("the union depends on the order of the sets")
		}
		for first := range union.All() {
			if first != sortedSet(all)[0] {
				t.Fatalf("the first one is %d", first)
			}
			break
		}
	})
}

// TestUsersSize: a set takes memory in proportion to its users, however great their numbers are.
func TestUsersSize(t *testing.T) {
	for name, numbers := range map[string][]uint32{
		"great":       {1<<31 - 1},
		"provisional": {1 << 31, 1<<32 - 1},
		"repeated":    slices.Repeat([]uint32{1_000_000}, 100_000),
	} {
		if size := analytics.UsersOf(numbers).Size(); size > 200 {
			t.Errorf("%s: %d bytes", name, size)
		}
	}
	if size := randomUsers(rand.New(rand.NewPCG(1, 2)), 100_000, 400_000).Size(); size > 13_000 {
		t.Errorf("100,000 users take %d bytes", size)
	}
}

// randomUsers returns the set of n random users of so many.
func randomUsers(r *rand.Rand, of uint32, n int) analytics.Users {
	numbers := make([]uint32, n)
	for i := range numbers {
		numbers[i] = r.Uint32N(of)
	}
	return analytics.UsersOf(numbers)
}

func BenchmarkUnion(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, n := range map[string]int{"100 sets of 1,000 users": 1_000, "100 sets of 63,000 users": 100_000} {
		sets := make([]analytics.Users, 100)
		for i := range sets {
			sets[i] = randomUsers(r, 100_000, n)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if analytics.UnionOf(sets...).Len() < 60_000 {
					b.Fatal("users are missing")
				}
			}
		})
	}
}
