// Package system provides the machine's clock and its source of identifiers.
package system

import (
	"time"

	"github.com/google/uuid"
)

// Clock is the machine's clock.
type Clock struct{}

// Now returns the current time in UTC, in whole microseconds, the precision of the databases.
func (Clock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// IDs generates version 7 UUIDs (RFC 9562 5.7): 74 random bits after a timestamp, which keeps database indexes compact.
type IDs struct{}

// New returns a new UUID. It panics if the system's random number generator fails, as crypto/rand does.
func (IDs) New() string { return uuid.Must(uuid.NewV7()).String() }
