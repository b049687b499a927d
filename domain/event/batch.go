package event

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// MaxBatch is the largest number of events in a batch that is sent as a whole.
const MaxBatch = 1000

// Entry is a validated event of a batch, and how it is recognized when it is sent again.
type Entry struct {
	Event Event
	// Key is what the event is remembered by; nil if its id alone identifies it.
	Key *Key
	// AnyTime is whether the client left the time to the service: then the event that was stored has the right one.
	AnyTime bool
}

// Repeats reports whether the entry has the content of the stored event.
func (e Entry) Repeats(stored Event) bool {
	return e.Event.sameContent(stored) && (e.AnyTime || e.Event.OccurredAt.Equal(stored.OccurredAt))
}

// Batch is what is stored together for one tenant.
type Batch struct {
	Entries []Entry
	// Atomic is whether nothing is stored if an entry is Reused.
	Atomic bool
	// At is the current time, from which on new keys are remembered for KeyLifetime.
	At time.Time
}

// Status is what became of an entry of a batch.
type Status int

// The statuses.
const (
	Stored    Status = iota + 1 // the event is new
	Duplicate                   // the event was stored before, with the same content
	Reused                      // the event's name belongs to an event with another content
)

// Outcome is the status of an entry with the event that is stored under its name. For Reused that is the other event.
type Outcome struct {
	Status Status
	Event  Event
}

// Ingested is the result of a request to ingest one event.
type Ingested struct {
	Event Event
	New   bool // whether the request stored it, and not one before
	// Key is the idempotency key with which the request can be repeated: the client's, or one that was issued; empty for an
	// event with an event_id. It is set once the event is valid, also if it could not be stored.
	Key string
}

// Item is a draft and its index in what the client sent.
type Item struct {
	Index int
	Draft Draft
	Fault *fault.Error // why there is no draft: what the client sent can't be read
}

// Rejection is an item that was not stored, and why.
type Rejection struct {
	Index int
	Fault *fault.Error
}

// Counts are what became of items.
type Counts struct {
	Accepted   int // stored, and new
	Duplicates int // stored before, with the same content
	Rejected   []Rejection
}

// Add adds the valid items to the batch, and returns their indexes and the rejected ones. The name with its index is the
// name of an item without an event_id.
func (b *Batch) Add(tenant id.Tenant, name Name, items []Item) (indexes []int, counts Counts) {
	b.Entries = slices.Grow(b.Entries, len(items))
	indexes = make([]int, 0, len(items))
	for _, item := range items {
		if item.Fault != nil {
			counts.Rejected = append(counts.Rejected, Rejection{item.Index, item.Fault})
			continue
		}
		e, err := item.Draft.Entry(tenant, name.of(item), b.At)
		if err != nil {
			f, _ := errors.AsType[*fault.Error](err) // it returns no others
			counts.Rejected = append(counts.Rejected, Rejection{item.Index, f})
			continue
		}
		b.Entries, indexes = append(b.Entries, e), append(indexes, item.Index)
	}
	return indexes, counts
}

// of returns the name of an item of a batch with the name n. One with an event_id is named by that.
func (n Name) of(item Item) Name {
	if item.Draft.EventID != nil {
		return n
	}
	return n.Item(item.Index)
}

// Take adds the outcomes of the items with the given indexes. Of an atomic batch with a rejected item nothing was stored.
func (c *Counts) Take(outcomes []Outcome, indexes []int, atomic bool) {
	for i, o := range outcomes {
		switch o.Status {
		case Stored:
			c.Accepted++
		case Duplicate:
			c.Duplicates++
		default:
			c.Rejected = append(c.Rejected, Rejection{indexes[i], ErrEventIDReused})
		}
	}
	if atomic && len(c.Rejected) > 0 {
		c.Accepted, c.Duplicates = 0, 0
	}
	slices.SortFunc(c.Rejected, func(a, b Rejection) int { return cmp.Compare(a.Index, b.Index) })
}
