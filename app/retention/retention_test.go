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

// expired is a store with a number of expired events of several tenants. Each step deletes those of one tenant.
type expired struct {
	ports.Events
	left  []int
	steps []func() error // called in each step, while there are
}

func (e *expired) Expire(_ context.Context, scope access.Scope, _ time.Time, limit int) (int, bool, error) {
	if err := scope.MayExpireEvents(); err != nil {
		return 0, false, err
	}
	if len(e.steps) > 0 {
		step := e.steps[0]
		e.steps = e.steps[1:]
		if err := step(); errors.Is(err, errDown) {
			return 0, false, err
		} else if err != nil { // this tenant's
			e.left = e.left[1:]
			return 0, len(e.left) > 0, err
		}
	}
	n := min(limit, e.left[0])
	if e.left[0] -= n; e.left[0] == 0 {
		e.left = e.left[1:]
	}
	return n, len(e.left) > 0, nil
}

var errDown, errLocked, errOther = errors.New("down"), errors.New("locked"), errors.New("another")

// TestExpire deletes in steps until nothing is left, the context ends, or the store fails as a whole. A step that deletes nothing, or
// fails for one tenant, is not the last.
func TestExpire(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	fine := func() error { return nil }
	failing := func(err error) func() error { return func() error { return err } }
	for _, c := range []struct {
		name    string
		left    []int
		steps   []func() error
		deleted int
		err     error
	}{
		{"all", []int{3500}, nil, 3500, nil},
		{"nothing of the first tenant", []int{0, 0, 1500}, nil, 1500, nil},
		{"a failure of the store", []int{3500}, []func() error{fine, fine, failing(errDown)}, 2000, errDown},
		{"failures of tenants", []int{10, 20, 30, 40}, []func() error{fine, failing(errLocked), failing(errOther)}, 50, errLocked},
		{"stopped", []int{3500}, []func() error{fine, fine, func() error { stop(); return nil }}, 3000, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			deleted, err := retention.NewService(&expired{left: c.left, steps: c.steps}, porttest.NewClock()).Expire(ctx)
			if deleted != c.deleted || !errors.Is(err, c.err) {
				t.Errorf("deleted %d, %v; want %d, %v", deleted, err, c.deleted, c.err)
			}
		})
	}
}
