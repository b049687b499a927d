package bootstrap

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	workEvery = time.Hour
	sealEvery = time.Second
	// fewMonths is how many months with partitions are so few that an operator should look into it: normally there are 24.
	fewMonths = 3
)

// startWorkers starts the regular work on the database. The returned function stops it, and waits. Each hour one task follows the
// other, since each passes over what a lock says that another replica is doing. Beside them events are sealed.
func (a *App) startWorkers(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		a.every(ctx, workEvery, func(ctx context.Context) {
			if a.postgres != nil {
				a.tendPartitions(ctx)
			}
			a.expire(ctx)
		})
	})
	running.Go(func() { a.every(ctx, sealEvery, a.seal) })
	return func() { cancel(); running.Wait() }
}

// seal makes events ready for questions, until nothing is left to do. It rests for as long as it works, so that it takes half of a
// processor from requests at most.
func (a *App) seal(ctx context.Context) {
	for more := true; more && ctx.Err() == nil; {
		began := a.clock.Now()
		var err error
		if more, err = a.Sealing.Seal(ctx); err != nil && ctx.Err() == nil {
			a.logger.WarnContext(ctx, "events were not sealed, so that questions about them take longer; the next attempt is in half a minute", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-a.after(a.clock.Now().Sub(began)):
		}
	}
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
			a.logger.WarnContext(ctx, doing+"; the next attempt is in an hour", "error", err)
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
	var warning *string
	if months < fewMonths {
		warning = new(fmt.Sprintf("there are partitions of events for %d months after this one only", months))
		a.logger.WarnContext(ctx, "partitions of events run out: later events will be refused", "months_left", months)
	}
	a.condition.warning.Store(warning)
}
