package analytics

import (
	"iter"
	"maps"
	"slices"
	"sort"
)

// Columns is a set of columns of events.
type Columns uint16

// The columns. Times are in every batch.
const (
	TypeColumn Columns = 1 << iota
	SourceColumn
	UserColumn
	SessionColumn
	ValueColumn
	PropertiesColumn
	AllColumns = 1<<iota - 1 // of what is stored
)

const (
	// IdentifierColumn is the identifiers of the users.
	IdentifierColumn Columns = 1 << (iota + 8)
	// KeysColumn is a column for each key that properties have.
	KeysColumn
	// TimeColumn is what a question needs that needs no other column. It is not among AllColumns, since every batch has it.
	TimeColumn
)

// Batch is events of one tenant as columns of equal length, in chronological order. A column that was not asked for is empty.
type Batch struct {
	Times      []int64 // microseconds since 1970
	Types      Strings
	Sources    Strings
	Users      []uint32 // the numbers of the users; see Users
	Sessions   Strings
	Values     []float64 // NaN: no value
	Properties Strings   // JSON objects in canonical form

	// Identifiers are those of the users.
	Identifiers Strings
	// ByKey has values of properties as JSON in canonical form, by the key. A column without a dictionary is one without a value.
	ByKey map[string]Strings
	// Numbers are the numbers of users by their identifiers: of those that a question names, if they are known at all.
	Numbers map[string]uint32
}

// Len returns the number of events.
func (b *Batch) Len() int { return len(b.Times) }

// Size returns about how many bytes of memory the batch takes, with all of its dictionaries, which it may share with others.
func (b *Batch) Size() int {
	size := b.Identifiers.size()
	for _, column := range b.ByKey {
		size += column.size()
	}
	return size + 256 + 8*len(b.Times) + 4*len(b.Users) + 8*len(b.Values) +
		b.Types.size() + b.Sources.size() + b.Sessions.size() + b.Properties.size()
}

// With returns the events with those columns, too, that another batch of the same events has.
func (b *Batch) With(o *Batch) *Batch {
	all := &Batch{
		Times: b.Times, Types: b.Types.or(o.Types), Sources: b.Sources.or(o.Sources), Users: or(b.Users, o.Users),
		Sessions: b.Sessions.or(o.Sessions), Values: or(b.Values, o.Values), Properties: b.Properties.or(o.Properties),
		Identifiers: b.Identifiers.or(o.Identifiers), Numbers: b.Numbers, ByKey: maps.Clone(o.ByKey),
	}
	if all.ByKey == nil {
		all.ByKey = b.ByKey
	}
	maps.Copy(all.ByKey, b.ByKey)
	return all
}

// or returns a column, or another one if it is empty.
func or[T any](column, other []T) []T {
	if len(column) == 0 {
		return other
	}
	return column
}

func (s Strings) or(other Strings) Strings {
	if len(s.Codes) == 0 {
		return other
	}
	return s
}

// Slice returns the events from the i-th to before the j-th. The two batches share memory.
func (b *Batch) Slice(i, j int) *Batch {
	return b.each(cut[int64](i, j), cut[uint32](i, j), cut[float64](i, j))
}

// At returns the events at these positions, which are in ascending order. The two batches share dictionaries.
func (b *Batch) At(positions []int32) *Batch {
	return b.each(at[int64](positions), at[uint32](positions), at[float64](positions))
}

// each returns a batch with other columns, which these make of its own.
func (b *Batch) each(times func([]int64) []int64, codes func([]uint32) []uint32, values func([]float64) []float64) *Batch {
	strings := func(s Strings) Strings { return Strings{s.Dictionary, codes(s.Codes)} }
	part := &Batch{
		Times: times(b.Times), Types: strings(b.Types), Sources: strings(b.Sources), Users: codes(b.Users),
		Sessions: strings(b.Sessions), Values: values(b.Values), Properties: strings(b.Properties),
		Identifiers: strings(b.Identifiers), Numbers: b.Numbers,
	}
	if b.ByKey != nil {
		part.ByKey = make(map[string]Strings, len(b.ByKey))
		for key, column := range b.ByKey {
			part.ByKey[key] = strings(column)
		}
	}
	return part
}

// cut returns a function that returns a part of a column, which is empty if the column is.
func cut[T any](i, j int) func([]T) []T {
	return func(column []T) []T {
		if len(column) == 0 {
			return nil
		}
		return column[i:j:j]
	}
}

// at returns a function that returns what a column has at positions, which is empty if the column is.
func at[T any](positions []int32) func([]T) []T {
	return func(column []T) []T {
		if len(column) == 0 {
			return nil
		}
		list := make([]T, len(positions))
		for i, p := range positions {
			list[i] = column[p]
		}
		return list
	}
}

// Between returns the events with from <= time < to, in microseconds since 1970. The two batches share memory.
func (b *Batch) Between(from, to int64) *Batch {
	i, j := b.between(from, to)
	return b.Slice(i, j)
}

// between returns which events have from <= time < to: those from the i-th to before the j-th.
func (b *Batch) between(from, to int64) (i, j int) {
	i = b.search(0, from)
	return i, b.search(i, to)
}

// search returns the first event from the i-th on that is not before a time.
func (b *Batch) search(i int, at int64) int {
	return i + sort.Search(len(b.Times)-i, func(k int) bool { return b.Times[i+k] >= at })
}

// Without returns the events but those with from <= time < to, in microseconds since 1970. The dictionaries have no text
// that only the events left out have.
func (b *Batch) Without(from, to int64) *Batch {
	i, j := b.between(from, to)
	return Merge(b.Slice(0, i), b.Slice(j, b.Len()))
}

// WithoutEvents returns the events but those with from <= time < to of a type and of a user, either of which may be empty for any. Who the
// users are, the batch knows by Identifiers or else by Numbers. The dictionaries have no text that only the events left out have.
func (b *Batch) WithoutEvents(from, to int64, eventType, user string) *Batch {
	i, j := b.between(from, to)
	isOfType, isOfUser := isOf(b.Types, eventType), isOf(b.Identifiers, user)
	if number, known := b.Numbers[user]; user != "" && len(b.Identifiers.Codes) == 0 {
		isOfUser = func(k int) bool { return known && b.Users[k] == number }
	}
	kept := make([]int32, 0, b.Len())
	for k := range b.Len() {
		if k < i || k >= j || !isOfType(k) || !isOfUser(k) {
			kept = append(kept, int32(k))
		}
	}
	return Merge(b.At(kept))
}

// isOf returns whether the k-th event has a text; any event if it is empty.
func isOf(column Strings, text string) func(k int) bool {
	if text == "" {
		return func(int) bool { return true }
	}
	code := codeOf(column.Dictionary, text)
	return func(k int) bool { return code != 0 && column.Codes[k] == code }
}

// Days cuts the batch into days of UTC: each day, counted from 1970-01-01, with its events. The batches share memory.
func (b *Batch) Days() iter.Seq2[int64, *Batch] {
	return func(yield func(int64, *Batch) bool) {
		for i := 0; i < b.Len(); {
			day := floor(b.Times[i], microsPerDay)
			j := b.search(i, (day+1)*microsPerDay)
			if !yield(day, b.Slice(i, j)) {
				return
			}
			i = j
		}
	}
}

// Merge returns the events of all batches in chronological order; those of the same time in the order of their batches. A column
// is in the result if every batch that is not empty has it; those by key are those of the first batch. Dictionaries have the texts that events have, and no others.
func Merge(batches ...*Batch) *Batch {
	batches = slices.DeleteFunc(slices.Clone(batches), func(b *Batch) bool { return b.Len() == 0 })
	m := newMerging(batches)
	merged := &Batch{
		Times:      mergeColumn(m, func(b *Batch) []int64 { return b.Times }),
		Types:      mergeStrings(m, func(b *Batch) Strings { return b.Types }),
		Sources:    mergeStrings(m, func(b *Batch) Strings { return b.Sources }),
		Users:      mergeColumn(m, func(b *Batch) []uint32 { return b.Users }),
		Sessions:   mergeStrings(m, func(b *Batch) Strings { return b.Sessions }),
		Values:     mergeColumn(m, func(b *Batch) []float64 { return b.Values }),
		Properties: mergeStrings(m, func(b *Batch) Strings { return b.Properties }),

		Identifiers: mergeStrings(m, func(b *Batch) Strings { return b.Identifiers }),
	}
	if len(batches) == 0 {
		return merged
	}
	merged.Numbers = batches[0].Numbers
	for key := range batches[0].ByKey {
		if merged.ByKey == nil {
			merged.ByKey = map[string]Strings{}
		}
		merged.ByKey[key] = mergeStrings(m, func(b *Batch) Strings { return b.ByKey[key] })
	}
	return merged
}

// merging is batches and the order of their events.
type merging struct {
	batches []*Batch
	order   []int // of the positions in all batches one after the other; nil if that is in order already
	total   int
}

func newMerging(batches []*Batch) merging {
	m := merging{batches: batches}
	times := make([]int64, 0)
	var runs [][]int // positions in chronological order
	for _, b := range batches {
		run := make([]int, b.Len())
		for i := range run {
			run[i] = m.total + i
		}
		runs = append(runs, run)
		times = append(times, b.Times...)
		m.total += b.Len()
	}
	if slices.IsSorted(times) {
		return m
	}
	for len(runs) > 1 {
		var merged [][]int
		for pair := range slices.Chunk(runs, 2) {
			if len(pair) == 2 {
				pair[0] = mergeRuns(times, pair[0], pair[1])
			}
			merged = append(merged, pair[0])
		}
		runs = merged
	}
	m.order = runs[0]
	return m
}

// mergeRuns merges two lists of positions that are in order of their times. Of the same time, those of the first list come first.
func mergeRuns(times []int64, a, b []int) []int {
	merged := make([]int, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if times[b[0]] < times[a[0]] {
			merged, b = append(merged, b[0]), b[1:]
		} else {
			merged, a = append(merged, a[0]), a[1:]
		}
	}
	return append(append(merged, a...), b...)
}

// mergeColumn returns the column of all batches, or nil if one of them does not have it.
func mergeColumn[T any](m merging, column func(*Batch) []T) []T {
	all := make([]T, 0, m.total)
	for _, b := range m.batches {
		all = append(all, column(b)...)
	}
	if len(all) == 0 || len(all) < m.total {
		return nil
	}
	if m.order == nil {
		return all
	}
	sorted := make([]T, m.total)
	for i, position := range m.order {
		sorted[i] = all[position]
	}
	return sorted
}

// mergeStrings is mergeColumn for texts.
func mergeStrings(m merging, column func(*Batch) Strings) Strings {
	var b StringsBuilder
	translated := make(map[*Batch][]uint32, len(m.batches))
	for _, batch := range m.batches {
		if translated[batch] == nil {
			translated[batch] = b.translate(column(batch))
		}
	}
	codes := mergeColumn(m, func(b *Batch) []uint32 { return translated[b] })
	if codes == nil {
		return Strings{}
	}
	return Strings{Dictionary: b.column.Dictionary, Codes: codes}
}
