package bootstrap

import (
	"sync/atomic"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
)

// condition is the state of the service that its health check shows, apart from the database's.
type condition struct {
	migrating atomic.Bool
	draining  atomic.Bool            // stopping, but still answering
	progress  atomic.Pointer[string] // of the migration
	warning   atomic.Pointer[string] // what needs the operator's attention
}

// now returns the current state, as the API needs it.
func (c *condition) now() rest.Condition {
	state := rest.Condition{Migrating: c.migrating.Load(), Draining: c.draining.Load()}
	detail := c.warning.Load()
	if state.Migrating {
		detail = c.progress.Load()
	}
	if detail != nil {
		state.Detail = *detail
	}
	return state
}
