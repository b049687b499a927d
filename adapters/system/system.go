// Package system provides the machine's clock and its source of identifiers.
package system

import (
	"time"

	"github.com/google/uuid"
)

// Clock is the machine's clock.
type Clock struct{}

// Now returns the present in UTC, in whole microseconds as the databases keep it.
func (Clock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// IDs makes version 7 UUIDs (RFC 9562 5.7): 74 bits of them are random, the rest is the time, which keeps the
// indexes of the databases compact.
type IDs struct{}

// New returns a new UUID. It panics where the machine has no randomness, as crypto/rand does.
func (IDs) New() string { return uuid.Must(uuid.NewV7()).String() }
