// Package retention deletes what is kept no longer.
package retention

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// stepSize is how many rows are deleted in a transaction, so that other writes never wait for long.
const stepSize = 1000

// Service deletes expired events.
type Service struct {
	events ports.Events
	clock  ports.Clock
}

// NewService returns a service.
func NewService(events ports.Events, clock ports.Clock) *Service {
	return &Service{events: events, clock: clock}
}

// Expire deletes what is kept no longer, in small steps until nothing is left or the context ends, and returns how many events,
// and keys of events, it deleted, also if it fails. A tenant whose events can't be deleted does not stop the deletion of
// others' events; of several such errors the first is returned.
func (s *Service) Expire(ctx context.Context) (deleted int, err error) {
	scope, err := access.Worker().Authorize(access.ExpireEvents, access.EveryTenant)
	if err != nil {
		return 0, err
	}
	var failed error
	for more := true; more && ctx.Err() == nil; {
		var n int
		n, more, err = s.events.Expire(ctx, scope, s.clock.Now(), stepSize)
		deleted += n
		if failed == nil {
			failed = err
		}
	}
	if failed == nil {
		failed = ctx.Err()
	}
	return deleted, failed
}
