package retention_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/retention"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// expired is a store with a number of expired events.
type expired struct {
	ports.Events
	left int
	step func() error // called in each step
}

func (e *expired) Expire(_ context.Context, scope access.Scope, _ time.Time, limit int) (int, error) {
	if err := scope.MayExpireEvents(); err != nil {
		return 0, err
	}
	if err := e.step(); err != nil {
		return 0, err
	}
	n := min(limit, e.left)
	e.left -= n
	return n, nil
}

var errBroken = errors.New("broken")

// TestExpire deletes in steps until nothing is left, the context ends, or a step fails.
func TestExpire(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for _, c := range []struct {
		name    string
		third   func() error // the third step
		deleted int
		err     error
	}{
		{"all", func() error { return nil }, 3500, nil},
		{"a failure", func() error { return errBroken }, 2000, errBroken},
		{"stopped", func() error { stop(); return nil }, 3000, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			steps := 0
			events := &expired{left: 3500, step: func() error {
				if steps++; steps == 3 {
					return c.third()
				}
				return nil
			}}
			deleted, err := retention.NewService(events, porttest.NewClock()).Expire(ctx)
			if deleted != c.deleted || !errors.Is(err, c.err) {
				t.Errorf("deleted %d, %v; want %d, %v", deleted, err, c.deleted, c.err)
			}
		})
	}
}
