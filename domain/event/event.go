// Package event provides the event: one thing that happened in a tenant's product, as the tenant ingests it.
package event

import (
	"fmt"
	"math"
	"strings"
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
)

// Earliest is the earliest time at which an event may have occurred.
var Earliest = time.Unix(0, 0).UTC()

// Faults of this package.
var (
	ErrNotFound  = fault.New(fault.NotFound, "event_not_found", "There is no such event.")
	ErrKeyReused = fault.New(fault.Invalid, "idempotency_key_reused",
		"This Idempotency-Key was used for another event.").OnField("Idempotency-Key", "must be new for each new event")
)

// Event is one thing that happened. Optional fields are nil if they were not given.
type Event struct {
	ID             id.Event
	TenantID       id.Tenant
	Type           string
	UserIdentifier string
	SessionID      *string
	Value          *float64
	Source         *string
	OccurredAt     time.Time // UTC, in whole microseconds
}

// MaxKeyLength is the longest idempotency key, in bytes.
const MaxKeyLength = 255

// CheckKey validates an idempotency key, which must have 1 to MaxKeyLength printable ASCII characters. Problems are added
// to c under Idempotency-Key.
func CheckKey(c *fault.Check, key string) {
	printable := !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
	if key == "" || len(key) > MaxKeyLength || !printable {
		c.Add("Idempotency-Key", fmt.Sprintf("must be 1 to %d printable ASCII characters", MaxKeyLength))
	}
}

// CheckType validates an event type. Problems are added to c under event_type.
func CheckType(c *fault.Check, eventType string) {
	text.Check(c, "event_type", eventType, 1, MaxTypeLength)
}

// Draft is an event as a client sends it, before it is validated.
type Draft struct {
	Type           string
	UserIdentifier string
	SessionID      *string
	Value          *float64
	Source         *string
	OccurredAt     *time.Time // nil: now
}

// Event validates the draft and returns it as an event with the given id. A fault names each invalid field.
func (d Draft) Event(eventID id.Event, tenant id.Tenant, now time.Time) (Event, error) {
	var c fault.Check
	CheckType(&c, d.Type)
	text.Check(&c, "user_identifier", d.UserIdentifier, 1, MaxUserIdentifierLength)
	if d.SessionID != nil {
		text.Check(&c, "session_id", *d.SessionID, 0, MaxSessionIDLength)
	}
	if d.Source != nil {
		text.Check(&c, "source", *d.Source, 0, MaxSourceLength)
	}
	if d.Value != nil && !(math.Abs(*d.Value) <= MaxValue) { // written so that NaN is rejected too
		c.Add("value", fmt.Sprintf("must be between %g and %g", -MaxValue, MaxValue))
	}
	occurred := now
	if d.OccurredAt != nil {
		occurred = *d.OccurredAt
		if occurred.Before(Earliest) || occurred.After(now.Add(MaxAhead)) {
			c.Add("occurred_at", "must be between 1970-01-01T00:00:00Z and 24 hours from now")
		}
	}
	if err := c.Err(); err != nil {
		return Event{}, err
	}
	return Event{
		ID:             eventID,
		TenantID:       tenant,
		Type:           d.Type,
		UserIdentifier: d.UserIdentifier,
		SessionID:      d.SessionID,
		Value:          d.Value,
		Source:         d.Source,
		OccurredAt:     occurred.UTC().Truncate(time.Microsecond),
	}, nil
}

// Matches reports whether the draft describes the event e. A draft without a time matches any time.
func (d Draft) Matches(e Event) bool {
	return d.Type == e.Type && d.UserIdentifier == e.UserIdentifier &&
		same(d.SessionID, e.SessionID) && same(d.Value, e.Value) && same(d.Source, e.Source) &&
		(d.OccurredAt == nil || d.OccurredAt.UTC().Truncate(time.Microsecond).Equal(e.OccurredAt))
}

func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
