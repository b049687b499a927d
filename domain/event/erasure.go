package event

import (
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// ErasedAtOnce is how many events an erasure may have to be done in the request for it, if that does not take too long.
const ErasedAtOnce = 100_000

// Faults of erasures.
var (
	ErrNoErasure       = fault.New(fault.NotFound, "erasure_not_found", "There is no such erasure.")
	ErrNothingSelected = fault.ErrInvalid.OnField("user_identifier", "or event_type, from or to is required: without any, all events would be erased")
)

// Erasure is events that are deleted for good, on request. From when it was answered on, they are in no answer; it is completed when
// nothing that the service keeps has them any more.
type Erasure struct {
	ID          id.Erasure
	TenantID    id.Tenant
	Events      int64
	RequestedBy id.User
	RequestedAt time.Time
	CompletedAt time.Time // zero: not yet
}

// IsDone reports whether the erasure is completed.
func (e Erasure) IsDone() bool { return !e.CompletedAt.IsZero() }
