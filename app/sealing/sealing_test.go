package sealing_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/app/sealing"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// unsealed is a store with tenants that need a number of steps, or fail.
type unsealed struct {
	ports.Events
	order  []id.Tenant
	steps  map[id.Tenant]int // below 0: it fails
	sealed []id.Tenant       // one for each step
	step   func()
}

var errBroken = errors.New("broken")

func (u *unsealed) Unreported(context.Context, access.Scope) ([]event.Erasure, error) {
	return nil, nil
}

func (u *unsealed) Unsealed(time.Time) []id.Tenant { return u.order }

func (u *unsealed) Seal(_ context.Context, scope access.Scope, _ time.Time) (bool, error) {
	tenant, err := scope.MaySeal()
	if err != nil {
		return false, err
	}
	u.sealed = append(u.sealed, tenant)
	if u.step != nil {
		u.step()
	}
	if u.steps[tenant]--; u.steps[tenant] < -1 {
		return false, errBroken
	}
	return u.steps[tenant] > 0, nil
}

// TestSeal does one step for each tenant, in turn. A tenant that fails does not stop the others, the end of the context does.
func TestSeal(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for _, c := range []struct {
		name  string
		steps map[id.Tenant]int
		step  func()
		want  []id.Tenant
		more  bool
		err   error
	}{
		{"nothing", nil, nil, nil, false, nil},
		{"one step each", map[id.Tenant]int{"a": 3, "b": 1}, nil, []id.Tenant{"a", "b"}, true, nil},
		{"the last steps", map[id.Tenant]int{"a": 1, "b": 1}, nil, []id.Tenant{"a", "b"}, false, nil},
		{"a failure", map[id.Tenant]int{"a": -1, "b": 2}, nil, []id.Tenant{"a", "b"}, true, errBroken},
		{"stopped", map[id.Tenant]int{"a": 1, "b": 1}, stop, []id.Tenant{"a"}, false, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := &unsealed{steps: c.steps, step: c.step}
			for tenant := range c.steps {
				u.order = append(u.order, tenant)
			}
			slices.Sort(u.order)
			more, err := sealing.NewService(u, nil, porttest.NewClock()).Seal(ctx)
			if more != c.more || !errors.Is(err, c.err) || !slices.Equal(u.sealed, c.want) {
				t.Errorf("sealed %v, %t, %v; want %v, %t, %v", u.sealed, more, err, c.want, c.more, c.err)
			}
		})
	}
}

// TestRebuild: the operator alone may throw blocks away, which is recorded before.
func TestRebuild(t *testing.T) {
	a := apptest.New(t)
	home := porttest.NewTenant(t, a.Store).ID
	s := sealing.NewService(a.Store.Events(), a.Recorder, a.Clock)
	admin := access.NewPrincipal(porttest.NewID[id.User](), home, access.Admin)
	apptest.WantErr(t, s.Rebuild(t.Context(), admin, home), access.ErrForbidden)
	_, err := s.Status(t.Context(), admin, home)
	apptest.WantErr(t, err, access.ErrForbidden)
	if trail := a.Trail(t, home, audit.BlocksRebuilt); len(trail) != 0 {
		t.Errorf("recorded before: %+v", trail)
	}
	apptest.Must(t, s.Rebuild(t.Context(), access.Operator(), home))
	if trail := a.Trail(t, home, audit.BlocksRebuilt); len(trail) != 1 || trail[0].Severity != audit.Warning {
		t.Errorf("recorded: %+v", trail)
	}
	status, err := s.Status(t.Context(), access.Operator(), home)
	if err != nil || status != (ports.SealStatus{}) {
		t.Errorf("the status is %+v, %v", status, err)
	}
}
