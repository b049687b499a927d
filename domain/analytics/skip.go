package analytics

import "slices"

// MayHave reports whether a piece may have events of a selection, as far as its header tells: nothing of sessions. user is the number
// of the selection's user; nil if the selection is about all of them.
func (h *Header) MayHave(s Selection, user *uint32) bool {
	if s.Window.span().misses(h) || user != nil && !h.inWhole().users.has(*user) {
		return false
	}
	eventType, source := codeOf(h.Types, s.EventType), codeOf(h.Sources, s.Source)
	if s.EventType != "" && eventType == 0 || s.Source != "" && source == 0 {
		return false
	}
	return slices.ContainsFunc(h.Cells, func(c Cell) bool {
		return (s.EventType == "" || c.Type == eventType) && (s.Source == "" || c.Source == source)
	})
}

// has reports whether a user is in the set.
func (u Users) has(number uint32) bool {
	if number >= provisional {
		return u.provisional.has(number - provisional)
	}
	return u.known.has(number)
}

// has reports whether a number is in the set.
func (m members) has(n uint32) bool {
	if m.bitset == nil {
		_, found := slices.BinarySearch(m.sorted, n)
		return found
	}
	word := int(n / 64)
	if word >= len(m.bitset) {
		return false
	}
	return m.bitset[word]&(1<<(n%64)) != 0
}
