package ports

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// Erasures delete events for good. All methods need a scope of one tenant.
type Erasures interface {
	// Erase begins to erase the events of a selection by user, type and time, and returns how many they are. From when it returns on they
	// are in no answer; Seal deletes them wherever they are kept, and their users if they have no other events, and then completes the
	// erasure. Events that are stored after it has begun stay. Errors: analytics.ErrTooExpensive, ErrUnavailable, ErrOutcomeUnknown.
	Erase(ctx context.Context, scope access.Scope, e event.Erasure, selection analytics.Selection) (events int64, err error)
	// Erasure returns an erasure that has begun. Errors: event.ErrNoErasure.
	Erasure(ctx context.Context, scope access.Scope, id id.Erasure) (event.Erasure, error)
	// Unreported returns the erasures that are completed, but for which Reported was not called.
	Unreported(ctx context.Context, scope access.Scope) ([]event.Erasure, error)
	// Reported notes that the completion of an erasure was recorded. Errors: event.ErrNoErasure.
	Reported(ctx context.Context, scope access.Scope, id id.Erasure) error
}
