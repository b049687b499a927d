package bootstrap

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
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

// logProgressEvery is how often the progress of a migration is logged, at most.
const logProgressEvery = 5 * time.Second

// reportProgress returns a function that shows the progress of carrying events: in the health check, and now and then in the log.
func (a *App) reportProgress(ctx context.Context) migrations.Report {
	var (
		began, logged time.Time
		before        int64 // carried before this start
	)
	return func(carried, total int64) {
		text := fmt.Sprintf("carrying events over: %s of %s", humanize.Comma(carried), humanize.Comma(total))
		a.condition.progress.Store(&text)
		now := a.clock.Now()
		if began.IsZero() {
			began, before = now, carried
		}
		if now.Sub(logged) < logProgressEvery && carried < total {
			return
		}
		logged = now
		var rate int64
		if elapsed := now.Sub(began).Seconds(); elapsed > 0 {
			rate = int64(float64(carried-before) / elapsed)
		}
		a.logger.InfoContext(ctx, "carrying events over", "carried", carried, "total", total, "per_second", rate)
	}
}
