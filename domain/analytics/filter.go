package analytics

// filter selects events by their type and their source; an empty one selects all.
type filter struct {
	eventType, source string
}

// columns returns the columns that the filter reads.
func (f filter) columns() (c Columns) {
	if f.eventType != "" {
		c |= TypeColumn
	}
	if f.source != "" {
		c |= SourceColumn
	}
	return c
}

// matcher is a filter by the codes of one piece. Code 0, which neither an event type nor a source that is asked for has, selects all.
type matcher struct {
	eventType, source uint32
	types, sources    []uint32 // of a batch
}

// in returns the filter by the codes of a batch, and whether any of its events could match.
func (f filter) in(b *Batch) (m matcher, ok bool) {
	m, ok = f.by(b.Types.Dictionary, b.Sources.Dictionary)
	m.types, m.sources = b.Types.Codes, b.Sources.Codes
	return m, ok
}

// ofCells returns the filter by the codes of a header, and whether any of its cells could match.
func (f filter) ofCells(h *Header) (m matcher, ok bool) { return f.by(h.Types, h.Sources) }

func (f filter) by(types, sources []string) (m matcher, ok bool) {
	if f.eventType != "" {
		m.eventType = codeOf(types, f.eventType)
	}
	if f.source != "" {
		m.source = codeOf(sources, f.source)
	}
	return m, (f.eventType == "" || m.eventType != 0) && (f.source == "" || m.source != 0)
}

// event reports whether the i-th event of the batch matches.
func (m *matcher) event(i int) bool {
	return (m.eventType == 0 || m.types[i] == m.eventType) && (m.source == 0 || m.sources[i] == m.source)
}

// cell reports whether a cell matches.
func (m *matcher) cell(c *Cell) bool {
	return (m.eventType == 0 || c.Type == m.eventType) && (m.source == 0 || c.Source == m.source)
}
