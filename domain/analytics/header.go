package analytics

import (
	"cmp"
	"slices"
	"sort"
	"sync"
	"unsafe"
)

const (
	microsPerHour = 60 * 60 * 1_000_000
	microsPerDay  = 24 * microsPerHour
)

// floor returns a/b rounded down.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Header is what is known of a piece of a tenant's events without its columns. Once a question was asked, it must not be changed;
// then it may be shared by goroutines.
type Header struct {
	First, Last int64 // the times of its first and its last event, in microseconds since 1970
	Events      int64
	// Types and Sources are the dictionaries of the cells' codes. Code 0 is no text.
	Types, Sources []string
	Cells          []Cell // by hour, type and source, in this order
	Seen           []Seen // by hour and type, in this order

	once  sync.Once
	whole whole
	mutex sync.Mutex
	parts map[part]*Users // the latest that were asked for
}

// Cell is the events of one hour (of UTC), type and source.
type Cell struct {
	Hour           int64 // since 1970
	Type, Source   uint32
	Events, Values int64   // Values: how many of the events have a value
	Sum, Min, Max  float64 // of the values; 0 if there are none
}

// Seen is the users who have events of a type in an hour (of UTC).
type Seen struct {
	Hour  int64 // since 1970
	Type  uint32
	Users Users
}

// whole is what a header says of its piece as a whole. It follows from the rest of the header.
type whole struct {
	users  Users
	byType []typeTotal // by code
}

// typeTotal is all events of a type in a piece.
type typeTotal struct {
	events int64
	users  Users
}

// part is the events of a piece of some hours, from <= hour < to, and of a type or, if it is 0, of all types.
type part struct {
	from, to  int64
	eventType uint32
}

// maxParts is of how many parts a header remembers the users. Days of a time zone cut a piece of a day of UTC in two.
const maxParts = 4

// NewHeader returns the header of a batch, which must have the columns of types, sources, users and values.
func NewHeader(b *Batch) *Header {
	var types, sources StringsBuilder
	hb := headerBuilder{
		Header: &Header{Events: int64(b.Len())},
		cells:  map[[2]uint32]*Cell{}, users: map[uint32][]uint32{},
		types: types.translate(b.Types), sources: sources.translate(b.Sources),
	}
	hb.Types, hb.Sources = types.column.Dictionary, sources.column.Dictionary
	if b.Len() > 0 {
		hb.First, hb.Last = b.Times[0], b.Times[b.Len()-1]
	}
	for i := 0; i < b.Len(); {
		hour := floor(b.Times[i], microsPerHour)
		j := b.search(i, (hour+1)*microsPerHour)
		hb.addHour(hour, b, i, j)
		i = j
	}
	return hb.Header
}

// headerBuilder adds the events of one hour after the other to a header.
type headerBuilder struct {
	*Header
	types, sources []uint32            // the codes of each event
	cells          map[[2]uint32]*Cell // of the hour, by type and source
	users          map[uint32][]uint32 // of the hour, by type
}

// addHour adds the events from the i-th to before the j-th, which are those of an hour.
func (h *headerBuilder) addHour(hour int64, b *Batch, i, j int) {
	clear(h.cells)
	clear(h.users)
	for ; i < j; i++ {
		key := [2]uint32{h.types[i], h.sources[i]}
		c := h.cells[key]
		if c == nil {
			c = &Cell{Hour: hour, Type: key[0], Source: key[1]}
			h.cells[key] = c
		}
		c.add(b.Values[i])
		h.users[key[0]] = append(h.users[key[0]], b.Users[i])
	}
	first := len(h.Cells)
	for _, c := range h.cells {
		h.Cells = append(h.Cells, *c)
	}
	slices.SortFunc(h.Cells[first:], func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Source, b.Source))
	})
	first = len(h.Header.Seen)
	for code, numbers := range h.users {
		h.Seen = append(h.Seen, Seen{Hour: hour, Type: code, Users: UsersOf(numbers)})
	}
	slices.SortFunc(h.Seen[first:], func(a, b Seen) int { return cmp.Compare(a.Type, b.Type) })
}

// add adds an event with a value, or with NaN.
func (c *Cell) add(value float64) {
	c.Events++
	if value != value {
		return
	}
	if c.Values == 0 {
		c.Min, c.Max = value, value
	}
	c.Values++
	c.Sum += value
	c.Min, c.Max = min(c.Min, value), max(c.Max, value)
}

// Size returns about how many bytes of memory the header takes, with what questions derive from it.
func (h *Header) Size() int {
	size := int(unsafe.Sizeof(*h)) + sizeOf(h.Types) + sizeOf(h.Sources) + len(h.Cells)*int(unsafe.Sizeof(Cell{}))
	for _, s := range h.Seen {
		size += 16 + s.Users.Size()
	}
	w := h.inWhole()
	size += (1 + maxParts) * w.users.Size()
	for _, t := range w.byType {
		size += 8 + t.users.Size()
	}
	return size
}

// inWhole returns what the header says of the piece as a whole.
func (h *Header) inWhole() *whole {
	h.once.Do(func() {
		kinds := max(1, len(h.Types)) // code 0 is there in any case
		h.whole.byType = make([]typeTotal, kinds)
		for _, c := range h.Cells {
			h.whole.byType[c.Type].events += c.Events
		}
		sets := make([][]*Users, kinds)
		for i := range h.Seen {
			s := &h.Seen[i]
			sets[s.Type] = append(sets[s.Type], &s.Users)
		}
		all := make([]*Users, kinds)
		for code, s := range sets {
			all[code] = &h.whole.byType[code].users
			*all[code] = unite(s)
		}
		h.whole.users = unite(all)
	})
	return &h.whole
}

// Users returns all users who had events.
func (h *Header) Users() Users { return h.inWhole().users }

// cells returns the cells of the hours from <= hour < to.
func (h *Header) cells(from, to int64) []Cell {
	i := sort.Search(len(h.Cells), func(i int) bool { return h.Cells[i].Hour >= from })
	j := i + sort.Search(len(h.Cells)-i, func(k int) bool { return h.Cells[i+k].Hour >= to })
	return h.Cells[i:j]
}

// users returns the users who had events in a part of the piece.
func (h *Header) users(p part) *Users {
	if p.from <= floor(h.First, microsPerHour) && floor(h.Last, microsPerHour) < p.to {
		whole := h.inWhole()
		if p.eventType == 0 {
			return &whole.users
		}
		return &whole.byType[p.eventType].users
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	users := h.parts[p]
	if users == nil {
		if h.parts == nil || len(h.parts) == maxParts {
			h.parts = make(map[part]*Users, maxParts)
		}
		users = new(unite(h.seen(p)))
		h.parts[p] = users
	}
	return users
}

// seen returns the sets of users who had events in a part of the piece.
func (h *Header) seen(p part) []*Users {
	i := sort.Search(len(h.Seen), func(i int) bool { return h.Seen[i].Hour >= p.from })
	var sets []*Users
	for ; i < len(h.Seen) && h.Seen[i].Hour < p.to; i++ {
		if s := &h.Seen[i]; p.eventType == 0 || s.Type == p.eventType {
			sets = append(sets, &s.Users)
		}
	}
	return sets
}

// has reports whether a part of the piece has events.
func (h *Header) has(p part) bool {
	i := sort.Search(len(h.Seen), func(i int) bool { return h.Seen[i].Hour >= p.from })
	for ; i < len(h.Seen) && h.Seen[i].Hour < p.to; i++ {
		if p.eventType == 0 || h.Seen[i].Type == p.eventType {
			return true
		}
	}
	return false
}

// sets returns the users who had events in a part of the piece, as sets to be united. Those of an hour are not worth remembering.
func (h *Header) sets(p part) []*Users {
	if p.to-p.from == 1 {
		return h.seen(p)
	}
	return []*Users{h.users(p)}
}
