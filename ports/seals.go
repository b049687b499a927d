package ports

import (
	"context"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// Seals makes the events of tenants ready for questions. What is not ready yet is in the answers all the same.
type Seals interface {
	// Unsealed returns the tenants for which this process has found work for Seal.
	Unsealed(now time.Time) []id.Tenant
	// Backlog returns how many events of those that this process has stored wait to be sealed, and since when the oldest does; the zero
	// time if there are none.
	Backlog() (events int64, oldest time.Time)
	// Seal does one step of making the events of the scope's tenant ready, and reports whether to call it again. It takes about a
	// second, and may run at the same time as anything else. The scope is that of the service's own work. Errors: ErrUnavailable.
	Seal(ctx context.Context, scope access.Scope, now time.Time) (more bool, err error)
	// Unseal throws away what Seal has made for the scope's tenant, so that it is made anew from the events. Meanwhile questions read the
	// events themselves. Errors: ErrUnavailable, ErrOutcomeUnknown.
	Unseal(ctx context.Context, scope access.Scope) error
	// SealStatus returns what is ready of the events of the scope's tenant. Errors: ErrUnavailable.
	SealStatus(ctx context.Context, scope access.Scope) (SealStatus, error)
}

// SealStatus is what is ready for questions of a tenant's events.
type SealStatus struct {
	Blocks  int64
	Events  int64 // in blocks
	Bytes   int64 // of blocks
	Waiting int64 // events that were stored since
	// Oldest is when the oldest of those was stored, zero if there are none.
	Oldest time.Time
	// Complete is whether no event is read from rows any more.
	Complete bool
}
