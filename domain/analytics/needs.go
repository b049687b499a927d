package analytics

import (
	"math/bits"
	"slices"
)

// Needs is what is needed of events to answer a question about them. The zero Needs is nothing.
type Needs struct {
	Columns Columns
	Keys    []string // of properties, in order
}

// Nothing reports whether nothing is needed.
func (n Needs) Nothing() bool { return n.Columns == 0 && len(n.Keys) == 0 }

// And returns what is needed for both.
func (n Needs) And(o Needs) Needs {
	keys := slices.Concat(n.Keys, o.Keys)
	slices.Sort(keys)
	return Needs{n.Columns | o.Columns, slices.Compact(keys)}
}

// Cover reports whether who has this has all that o needs.
func (n Needs) Cover(o Needs) bool {
	missing := func(key string) bool { _, has := slices.BinarySearch(n.Keys, key); return !has }
	return n.Columns&o.Columns == o.Columns && !slices.ContainsFunc(o.Keys, missing)
}

// Except returns what is needed beyond what o has.
func (n Needs) Except(o Needs) Needs {
	n.Columns &^= o.Columns
	n.Keys = slices.DeleteFunc(slices.Clone(n.Keys), func(key string) bool { return slices.Contains(o.Keys, key) })
	return n
}

// columns returns how many columns are needed. How many there are for all keys is not known; there may be fifty.
func (n Needs) columns() int64 {
	const ofAllKeys = 10
	columns := int64(bits.OnesCount16(uint16(n.Columns)) + len(n.Keys))
	if n.Columns&KeysColumn != 0 {
		columns += ofAllKeys
	}
	return columns
}
