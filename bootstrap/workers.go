package bootstrap

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	expireEvery     = time.Hour
	partitionsEvery = 24 * time.Hour
	// fewMonths is how many months with partitions are so few that an operator should look into it: normally there are 24.
	fewMonths = 3
)

// startWorkers starts the regular work on the database. The returned function stops it after the step that it is in, and waits.
func (a *App) startWorkers(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { a.every(ctx, expireEvery, a.expire) })
	if a.postgres != nil {
		running.Go(func() { a.every(ctx, partitionsEvery, a.tendPartitions) })
	}
	return func() { cancel(); running.Wait() }
}

// every works at once and then again after each interval, until the context ends.
func (a *App) every(ctx context.Context, interval time.Duration, work func(context.Context)) {
	for ctx.Err() == nil {
		work(ctx)
		select {
		case <-ctx.Done():
		case <-a.after(interval):
		}
	}
}

// expire deletes what is kept no longer.
func (a *App) expire(ctx context.Context) {
	deleted, err := a.retention.Expire(ctx)
	a.metrics.Expired(deleted)
	if deleted > 0 {
		a.logger.InfoContext(ctx, "deleted what is kept no longer", "rows", deleted)
	}
	if err != nil && ctx.Err() == nil {
		a.logger.WarnContext(ctx, "not all of what is kept no longer was deleted; the next attempt is in an hour", "error", err)
	}
}

// tendPartitions drops the partitions of months that are kept no longer and adds those of later months. An operator learns in the
// log, the health check and the metrics when it has failed for long.
func (a *App) tendPartitions(ctx context.Context) {
	warn := func(doing string, err error) {
		if err != nil && ctx.Err() == nil {
			a.logger.WarnContext(ctx, doing+"; the next attempt is in a day", "error", err)
		}
	}
	dropped, err := a.postgres.DropExpired(ctx)
	warn("partitions of events that are kept no longer were not dropped", err)
	if dropped > 0 {
		a.logger.InfoContext(ctx, "dropped partitions of events that are kept no longer", "partitions", dropped)
	}
	months, err := a.postgres.AddPartitions(ctx)
	if err != nil {
		warn("partitions of events were not added", err)
		if months, err = a.postgres.EventMonthsLeft(ctx); err != nil {
			warn("the partitions of events are not known", err)
			return
		}
	}
	a.metrics.SetMonthsLeft(months)
	a.condition.warning.Store(nil)
	if months < fewMonths {
		warning := fmt.Sprintf("there are partitions of events for %d months after this one only", months)
		a.condition.warning.Store(&warning)
		a.logger.WarnContext(ctx, "partitions of events run out: later events will be refused", "months_left", months)
	}
}
