package analytics

import (
	"iter"
	"math/bits"
	"slices"
)

// provisional is the first of the numbers that stand for users who have no number of their own yet.
const provisional = 1 << 31

// Users is a set of users by their numbers. Numbers are given from 0 up, and those from 1<<31 up are provisional: they stand
// for users without a number yet. A set never changes, so it may be shared. The zero value is the empty set. Equal sets are
// deeply equal.
type Users struct {
	known, provisional members
}

// UsersOf returns the set of these users, in any order, repeated or not.
func UsersOf(numbers []uint32) Users {
	var known, others union
	for _, n := range numbers {
		if n < provisional {
			known.expect(1, n)
		} else {
			others.expect(1, n-provisional)
		}
	}
	known.prepare()
	others.prepare()
	for _, n := range numbers {
		if n < provisional {
			known.add(n)
		} else {
			others.add(n - provisional)
		}
	}
	return Users{known.members(), others.members()}
}

// UnionOf returns the set of the users who are in any of the sets.
func UnionOf(sets ...Users) Users {
	all := make([]*Users, len(sets))
	for i := range sets {
		all[i] = &sets[i]
	}
	return unite(all)
}

// unite is UnionOf without a copy of each set.
func unite(sets []*Users) Users {
	if len(sets) == 1 {
		return *sets[0]
	}
	var known, others union
	for _, s := range sets {
		known.expect(s.known.count, s.known.last())
		others.expect(s.provisional.count, s.provisional.last())
	}
	known.prepare()
	others.prepare()
	for _, s := range sets {
		known.addAll(s.known)
		others.addAll(s.provisional)
	}
	return Users{known.members(), others.members()}
}

// All returns the numbers of the users in ascending order.
func (u Users) All() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for n := range u.known.all() {
			if !yield(n) {
				return
			}
		}
		for n := range u.provisional.all() {
			if !yield(n + provisional) {
				return
			}
		}
	}
}

// Has reports whether a user is in the set.
func (u Users) Has(number uint32) bool {
	if number < provisional {
		return u.known.has(number)
	}
	return u.provisional.has(number - provisional)
}

// Len returns the number of users.
func (u Users) Len() int { return u.known.count + u.provisional.count }

// Size returns about how many bytes of memory the set takes.
func (u Users) Size() int { return 128 + u.known.size() + u.provisional.size() }

// members is a set of numbers: a bitset if that takes no more memory than a sorted list does, which is the case if at least
// one of 32 numbers up to the greatest is in the set.
type members struct {
	sorted []uint32 // nil if bitset is not
	bitset []uint64 // the last word is not 0
	count  int
}

// has reports whether a number is in the set.
func (m members) has(n uint32) bool {
	if m.bitset == nil {
		_, found := slices.BinarySearch(m.sorted, n)
		return found
	}
	return int(n/64) < len(m.bitset) && m.bitset[n/64]&(1<<(n%64)) != 0
}

func (m members) size() int { return 4*len(m.sorted) + 8*len(m.bitset) }

// last returns the greatest number, or 0 if there is none.
func (m members) last() uint32 {
	switch {
	case m.count == 0:
		return 0
	case m.bitset != nil:
		return uint32(64*len(m.bitset) - 1 - bits.LeadingZeros64(m.bitset[len(m.bitset)-1]))
	default:
		return m.sorted[len(m.sorted)-1]
	}
}

// all returns the numbers in ascending order.
func (m members) all() iter.Seq[uint32] {
	if m.bitset == nil {
		return slices.Values(m.sorted)
	}
	return func(yield func(uint32) bool) {
		for i, word := range m.bitset {
			for ; word != 0; word &= word - 1 {
				if !yield(uint32(64*i + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// isDense reports whether a bitset takes no more memory than a sorted list of so many numbers up to last.
func isDense(count int, last uint32) bool { return 32*int64(count) > int64(last) }

// union makes a set of other sets and numbers. How many there are and which is the greatest is known before the first one is
// added, so that memory is in proportion to what is added, however great the numbers are.
type union struct {
	expected int
	last     uint32
	list     []uint32
	bitset   []uint64
}

func (u *union) expect(count int, last uint32) {
	u.expected += count
	u.last = max(u.last, last)
}

func (u *union) prepare() {
	switch {
	case u.expected == 0:
	case isDense(u.expected, u.last):
		u.bitset = make([]uint64, u.last/64+1)
	default:
		u.list = make([]uint32, 0, u.expected)
	}
}

func (u *union) add(n uint32) {
	if u.bitset != nil {
		u.bitset[n/64] |= 1 << (n % 64)
	} else {
		u.list = append(u.list, n)
	}
}

func (u *union) addAll(m members) {
	switch {
	case m.count == 0:
	case u.bitset == nil && m.bitset == nil:
		u.list = append(u.list, m.sorted...)
	case u.bitset == nil:
		u.list = slices.AppendSeq(u.list, m.all())
	case m.bitset != nil:
		into := u.bitset[:len(m.bitset)]
		for i, word := range m.bitset {
			into[i] |= word
		}
	default:
		bitset := u.bitset
		for _, n := range m.sorted {
			bitset[n/64] |= 1 << (n % 64)
		}
	}
}

// members returns what was added.
func (u *union) members() members {
	if u.bitset == nil {
		if !slices.IsSorted(u.list) {
			slices.Sort(u.list)
		}
		u.list = slices.Compact(u.list)
		return members{sorted: slices.Clip(u.list), count: len(u.list)}
	}
	m := members{bitset: u.bitset}
	for _, word := range u.bitset {
		m.count += bits.OnesCount64(word)
	}
	if !isDense(m.count, u.last) { // many were added more than once
		m = members{sorted: slices.AppendSeq(make([]uint32, 0, m.count), m.all()), count: m.count}
	}
	return m
}
