// Package event provides the event: one thing that happened in a tenant's product, as the tenant ingests it.
package event

import (
	"fmt"
	"math"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/text"
)

// Limits of an event. Lengths are in characters.
const (
	MaxTypeLength           = 100
	MaxUserIdentifierLength = 255
	MaxSessionIDLength      = 255
	MaxSourceLength         = 100
	// MaxValue bounds the absolute value, so that sums and averages stay finite.
	MaxValue = 1e15
	// MaxAhead is how far in the future an event may have occurred, for clients whose clock is ahead.
	MaxAhead = 24 * time.Hour
	// MaxAgeYears is how many years ago an event may have occurred.
	MaxAgeYears = 5
)

// ErrNotFound: there is no such event.
var ErrNotFound = fault.New(fault.NotFound, "event_not_found", "There is no such event.")

// Event is one thing that happened. Optional fields are nil or empty if they were not given.
type Event struct {
	ID             id.Event
	TenantID       id.Tenant
	Type           string
	UserIdentifier string
	SessionID      *string
	Value          *float64
	Source         *string
	OccurredAt     time.Time // UTC, in whole microseconds
	Properties     string    // a JSON object in the canonical form of ParseProperties
}

// CheckType validates an event type. Problems are added to c under event_type.
func CheckType(c *fault.Check, eventType string) {
	text.Check(c, "event_type", eventType, 1, MaxTypeLength)
}

// CheckSource validates a source. Problems are added to c under source.
func CheckSource(c *fault.Check, source string) {
	text.Check(c, "source", source, 0, MaxSourceLength)
}

// CheckUserIdentifier validates a user identifier. Problems are added to c under user_identifier.
func CheckUserIdentifier(c *fault.Check, identifier string) {
	text.Check(c, "user_identifier", identifier, 1, MaxUserIdentifierLength)
}

// CheckSessionID validates a session id. Problems are added to c under session_id.
func CheckSessionID(c *fault.Check, sessionID string) {
	text.Check(c, "session_id", sessionID, 0, MaxSessionIDLength)
}

// Draft is an event as a client sends it, before it is validated.
type Draft struct {
	EventID        *string
	Type           string
	UserIdentifier string
	SessionID      *string
	Value          *float64
	Source         *string
	OccurredAt     *time.Time // nil: now, or the time that its name carries
	Properties     []byte     // JSON; nil: none
}

// Entry validates the draft and returns it as an entry of a batch of a tenant. The name is that of the request, and must be
// that of no other event; a draft with an event_id is named by that instead. Every error is a *fault.Error, which names each invalid
// field. Errors: ErrKeyReused, if the name carries the time of another event.
func (d Draft) Entry(tenant id.Tenant, name Name, now time.Time) (Entry, error) {
	properties, err := d.check(now)
	if err != nil {
		return Entry{}, err
	}
	if d.EventID != nil {
		name = ByEventID(*d.EventID)
	}
	occurred, err := d.occurred(name, now)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		Event: Event{
			ID: newID(occurred, name.hash(tenant)), TenantID: tenant, Type: d.Type, UserIdentifier: d.UserIdentifier,
			SessionID: d.SessionID, Value: d.Value, Source: d.Source, OccurredAt: occurred, Properties: properties,
		},
		AnyTime: d.OccurredAt == nil,
	}
	if name.remembered(d.OccurredAt != nil) {
		e.Key = name.key(tenant)
	}
	return e, nil
}

// Check validates the fields of the draft. A fault names each invalid one.
func (d Draft) Check(now time.Time) error {
	_, err := d.check(now)
	return err
}

// check validates the fields and returns the properties in canonical form.
func (d Draft) check(now time.Time) (properties string, err error) {
	var c fault.Check
	if d.EventID != nil {
		text.Check(&c, "event_id", *d.EventID, 1, MaxEventIDLength)
	}
	CheckType(&c, d.Type)
	CheckUserIdentifier(&c, d.UserIdentifier)
	if d.SessionID != nil {
		CheckSessionID(&c, *d.SessionID)
	}
	if d.Source != nil {
		CheckSource(&c, *d.Source)
	}
	if d.Value != nil && !(math.Abs(*d.Value) <= MaxValue) { // written so that NaN is rejected too
		c.Add("value", fmt.Sprintf("must be between %g and %g", -MaxValue, MaxValue))
	}
	if d.OccurredAt != nil && (d.OccurredAt.Before(now.AddDate(-MaxAgeYears, 0, 0)) || d.OccurredAt.After(now.Add(MaxAhead))) {
		c.Add("occurred_at", fmt.Sprintf("must be between %d years ago and 24 hours from now", MaxAgeYears))
	}
	if d.Properties != nil {
		properties, err = ParseProperties(d.Properties)
		c.Take(err)
	}
	return properties, c.Err()
}

// occurred returns when the event occurred, in whole microseconds. Errors: ErrKeyReused.
func (d Draft) occurred(name Name, now time.Time) (time.Time, error) {
	switch {
	case d.OccurredAt == nil && name.at.IsZero():
		return now.UTC().Truncate(time.Microsecond), nil
	case d.OccurredAt == nil:
		return name.at, nil
	}
	given := d.OccurredAt.UTC().Truncate(time.Microsecond)
	if name.single && !name.at.IsZero() && !given.Equal(name.at) {
		return time.Time{}, ErrKeyReused
	}
	return given, nil
}

// sameContent reports whether the two events have the same content, apart from id and time.
func (e Event) sameContent(other Event) bool {
	return e.Type == other.Type && e.UserIdentifier == other.UserIdentifier && e.Properties == other.Properties &&
		same(e.SessionID, other.SessionID) && same(e.Value, other.Value) && same(e.Source, other.Source)
}

func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
