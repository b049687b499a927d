package analytics

import "slices"

// MayHave reports whether a piece may have events of a selection, as far as its header tells: nothing of sessions. user is the number
// of the selection's user; nil if the selection is about all of them.
func (h *Header) MayHave(s Selection, user *uint32) bool {
	if s.Window.span().misses(h) || user != nil && !h.inWhole().users.Has(*user) {
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
