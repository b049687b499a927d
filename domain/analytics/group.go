package analytics

import "slices"

// column is what the events of a piece, or the cells of a header, have for a dimension: codes, and what they mean.
type column struct {
	codes  []uint32
	labels func(code int) label
	size   int // of the codes
}

// keys are the codes of a group, by dimension.
type keys [MaxDimensions]uint32

// maxTable is how large a table of all groups that there could be may be, for each event and at least.
const maxTable, minTable = 8, 4096

// group returns the groups that events are in: of each event the number of its group, and of each group its codes.
func group(columns []column, events int) (groups []uint32, all []keys) {
	groups = make([]uint32, events)
	if len(columns) == 0 {
		return groups, make([]keys, min(1, events))
	}
	possible := 1
	for _, c := range columns {
		if possible *= c.size; possible > maxTable*events+minTable {
			return groupByMap(columns, groups)
		}
	}
	for _, c := range columns {
		size := uint32(c.size)
		for i, code := range c.codes {
			groups[i] = groups[i]*size + code
		}
	}
	table := make([]uint32, possible) // the number of a group and 1; 0: not met yet
	for i, g := range groups {
		if table[g] == 0 {
			all = append(all, keysOf(columns, i))
			table[g] = uint32(len(all))
		}
		groups[i] = table[g] - 1
	}
	return groups, all
}

// groupByMap is group where there could be too many groups for a table.
func groupByMap(columns []column, groups []uint32) ([]uint32, []keys) {
	var all []keys
	numbers := map[keys]uint32{}
	for i := range groups {
		k := keysOf(columns, i)
		number, met := numbers[k]
		if !met {
			number = uint32(len(all))
			numbers[k] = number
			all = append(all, k)
		}
		groups[i] = number
	}
	return groups, all
}

func keysOf(columns []column, i int) (k keys) {
	for d, c := range columns {
		k[d] = c.codes[i]
	}
	return k
}

// groupSet is all groups of a question, each with a number.
type groupSet struct {
	labels  [MaxDimensions][]label
	codes   [MaxDimensions]map[label]uint32
	numbers map[keys]uint32
	keys    []keys
}

// translate returns the numbers of groups that a piece has by its own codes. Those that are new get one.
func (s *groupSet) translate(columns []column, groups []keys) []uint32 {
	var translations [MaxDimensions][]uint32 // by code: the code here and 1; 0: not met yet
	for d, c := range columns {
		translations[d] = make([]uint32, c.size)
	}
	numbers := make([]uint32, len(groups))
	for i, own := range groups {
		var k keys
		for d, c := range columns {
			to := &translations[d][own[d]]
			if *to == 0 {
				*to = s.code(d, c.labels(int(own[d]))) + 1
			}
			k[d] = *to - 1
		}
		numbers[i] = s.number(k)
	}
	return numbers
}

// code returns the code of what a dimension has, which is new if it was not met before.
func (s *groupSet) code(dimension int, l label) uint32 {
	code, met := s.codes[dimension][l]
	if !met {
		if s.codes[dimension] == nil {
			s.codes[dimension] = map[label]uint32{}
		}
		code = uint32(len(s.labels[dimension]))
		s.codes[dimension][l] = code
		s.labels[dimension] = append(s.labels[dimension], l)
	}
	return code
}

// number returns the number of a group, which is new if it was not met before.
func (s *groupSet) number(k keys) uint32 {
	number, met := s.numbers[k]
	if !met {
		if s.numbers == nil {
			s.numbers = map[keys]uint32{}
		}
		number = uint32(len(s.keys))
		s.numbers[k] = number
		s.keys = append(s.keys, k)
	}
	return number
}

// label returns what a group has for a dimension.
func (s *groupSet) label(group uint32, dimension int) label {
	return s.labels[dimension][s.keys[group][dimension]]
}

// scalars returns what a group has for so many dimensions.
func (s *groupSet) scalars(group uint32, dimensions int) []Scalar {
	list := make([]Scalar, dimensions)
	for d := range list {
		list[d] = s.label(group, d).Scalar
	}
	return list
}

// sort numbers the groups anew, in the order of what they have for so many dimensions, and returns the new numbers by the old ones.
func (s *groupSet) sort(dimensions int) []uint32 {
	order := make([]uint32, len(s.keys))
	for g := range order {
		order[g] = uint32(g)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		for d := range dimensions {
			if c := s.label(a, d).compare(s.label(b, d)); c != 0 {
				return c
			}
		}
		return 0
	})
	to, sorted := make([]uint32, len(order)), make([]keys, len(order))
	for g, old := range order {
		to[old], sorted[g] = uint32(g), s.keys[old]
		s.numbers[s.keys[old]] = uint32(g)
	}
	s.keys = sorted
	return to
}
