package analytics

// kind selects events by their type and their source; the zero kind selects all.
type kind struct {
	eventType, source string
}

// columns returns the columns that the kind reads.
func (k kind) columns() (c Columns) {
	if k.eventType != "" {
		c |= TypeColumn
	}
	if k.source != "" {
		c |= SourceColumn
	}
	return c
}

// matcher is a kind by the codes of one piece. Code 0, which neither an event type nor a source that is asked for has, selects all.
type matcher struct {
	eventType, source uint32
	types, sources    []uint32 // of a batch
}

// in returns the kind by the codes of a batch, and whether any of its events could match.
func (k kind) in(b *Batch) (m matcher, ok bool) {
	m, ok = k.by(b.Types.Dictionary, b.Sources.Dictionary)
	m.types, m.sources = b.Types.Codes, b.Sources.Codes
	return m, ok
}

// ofCells returns the kind by the codes of a header, and whether any of its cells could match.
func (k kind) ofCells(h *Header) (m matcher, ok bool) { return k.by(h.Types, h.Sources) }

func (k kind) by(types, sources []string) (m matcher, ok bool) {
	if k.eventType != "" {
		m.eventType = codeOf(types, k.eventType)
	}
	if k.source != "" {
		m.source = codeOf(sources, k.source)
	}
	return m, (k.eventType == "" || m.eventType != 0) && (k.source == "" || m.source != 0)
}

// event reports whether the i-th event of the batch matches.
func (m *matcher) event(i int) bool {
	return (m.eventType == 0 || m.types[i] == m.eventType) && (m.source == 0 || m.sources[i] == m.source)
}

// cell reports whether a cell matches.
func (m *matcher) cell(c *Cell) bool {
	return (m.eventType == 0 || c.Type == m.eventType) && (m.source == 0 || c.Source == m.source)
}
