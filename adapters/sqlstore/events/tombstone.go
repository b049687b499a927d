package events

import (
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// without returns the events of a batch that are not gone. Where users are, the batch must have them, or the numbers of those who are
// known; where types are, it must have them.
func without(b *analytics.Batch, list []gone) *analytics.Batch {
	for _, g := range list {
		i := b.Len()
		switch {
		case i == 0 || b.Times[0] >= g.to || b.Times[i-1] < g.from:
		case g.user == "" && g.eventType == "":
			b = b.Without(g.from, g.to)
		default:
			b = b.WithoutEvents(g.from, g.to, g.eventType, g.user)
		}
	}
	return b
}

// needsOf returns what a batch must have to tell which of its events are gone.
func needsOf(list []gone) (n analytics.Needs) {
	for _, g := range list {
		if g.user != "" {
			n.Columns |= analytics.UserColumn
		}
		if g.eventType != "" {
			n.Columns |= analytics.TypeColumn
		}
	}
	return n
}

// without returns the delta without what is gone, and without the users who have nothing else in it.
func (d delta) without(list []gone) delta {
	if len(list) == 0 {
		return d
	}
	batch := *d.batch
	batch.Identifiers = d.identifiers
	kept := without(&batch, list)
	return delta{batch: kept, identifiers: kept.Identifiers}
}
