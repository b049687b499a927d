package recorder_test

import (
	"context"
	"errors"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

var errEnough = errors.New("enough")

// unitOfWork is a function as InTx takes it.
type unitOfWork = func(ctx context.Context, tx ports.Repositories) error

// inTx is a store whose units of work are run in a way of its own.
type inTx struct {
	ports.Store
	run func(ctx context.Context, fn unitOfWork) error
}

func (s inTx) InTx(ctx context.Context, fn func(ctx context.Context, tx ports.Repositories) error) error {
	return s.run(ctx, fn)
}

// retried is a store that gives up each unit of work at its end, and runs it again.
func retried(s ports.Store) ports.Store {
	return inTx{s, func(ctx context.Context, fn unitOfWork) error {
		err := s.InTx(ctx, func(ctx context.Context, tx ports.Repositories) error { return errors.Join(fn(ctx, tx), errEnough) })
		if !errors.Is(err, errEnough) {
			return err
		}
		return s.InTx(ctx, fn)
	}}
}

// lostAtCommit is a store that is lost while it commits.
func lostAtCommit(s ports.Store) ports.Store {
	return inTx{s, func(ctx context.Context, fn unitOfWork) error {
		return errors.Join(s.InTx(ctx, fn), ports.ErrOutcomeUnknown)
	}}
}

func on(store func(ports.Store) ports.Store) func(*apptest.Setup) {
	return func(s *apptest.Setup) { s.Store = store }
}

// change changes the role of a user and records it, and then does what else is to be done.
func change(t *testing.T, r *recorder.Recorder, u user.User, then func() error) error {
	t.Helper()
	scope := porttest.ScopeOf(t, u.TenantID)
	return r.InTx(t.Context(), func(ctx context.Context, tx *recorder.Tx) error {
		if err := tx.Users().SetRole(ctx, scope, u, access.Admin); err != nil {
			return err
		}
		if err := tx.Record(ctx, scope, audit.Entry{TenantID: u.TenantID, Act: audit.RoleChanged, Subject: string(u.ID)}); err != nil {
			return err
		}
		return then()
	})
}

func nothing() error { return nil }

// newUser adds a user to the database itself.
func newUser(t *testing.T, a *apptest.App) (tenant.Tenant, user.User) {
	t.Helper()
	home := porttest.NewTenant(t, a.Store)
	return home, porttest.NewUser(t, a.Store, home, access.Viewer)
}

// holds fails the test where the role, the trail and the log are not as they are wanted.
func holds(t *testing.T, a *apptest.App, u user.User, role access.Role, trail, log int) {
	t.Helper()
	got, err := a.Store.Users().ByID(t.Context(), porttest.ScopeOf(t, u.TenantID), u.ID)
	apptest.Must(t, err)
	if got.Role != role {
		t.Errorf("the role is %s, want %s", got.Role, role)
	}
	if n := len(a.Trail(t, u.TenantID, audit.RoleChanged)); n != trail {
		t.Errorf("the trail has %d entries, want %d", n, trail)
	}
	if n := len(a.Log.Entries(audit.RoleChanged)); n != log {
		t.Errorf("the log has %d entries, want %d", n, log)
	}
}

func TestInTx(t *testing.T) {
	t.Run("the act, its entry and its line on the log are one", func(t *testing.T) {
		a := apptest.New(t)
		_, u := newUser(t, a)
		apptest.Must(t, change(t, a.Recorder, u, nothing))
		holds(t, a, u, access.Admin, 1, 1)
		stored, written := a.Trail(t, u.TenantID, audit.RoleChanged)[0], a.Log.Entries(audit.RoleChanged)[0]
		if stored.ID == "" || stored.ID != written.ID || !stored.At.Equal(written.At) {
			t.Errorf("the trail has %+v and the log %+v", stored, written)
		}
	})
	t.Run("an act that fails leaves neither an entry nor a line", func(t *testing.T) {
		a := apptest.New(t)
		_, u := newUser(t, a)
		apptest.WantErr(t, change(t, a.Recorder, u, func() error { return errEnough }), errEnough)
		holds(t, a, u, access.Viewer, 0, 0)
	})
	t.Run("an entry that can't be stored takes the act with it", func(t *testing.T) {
		a := apptest.New(t)
		_, u := newUser(t, a)
		_, other := newUser(t, a)
		scope := porttest.ScopeOf(t, u.TenantID)
		err := a.Recorder.InTx(t.Context(), func(ctx context.Context, tx *recorder.Tx) error {
			apptest.Must(t, tx.Users().SetRole(ctx, scope, u, access.Admin))
			return tx.Record(ctx, scope, audit.Entry{TenantID: other.TenantID, Act: audit.RoleChanged})
		})
		apptest.WantErr(t, err, access.ErrNoScope)
		holds(t, a, u, access.Viewer, 0, 0)
	})
	t.Run("nothing is on the log before the commit", func(t *testing.T) {
		a := apptest.New(t)
		_, u := newUser(t, a)
		apptest.Must(t, change(t, a.Recorder, u, func() error {
			if n := len(a.Log.Entries(audit.RoleChanged)); n != 0 {
				t.Errorf("%d lines are on the log", n)
			}
			return nil
		}))
	})
	t.Run("a commit whose outcome is not known leaves no line", func(t *testing.T) {
		a := apptest.New(t, on(lostAtCommit))
		_, u := newUser(t, a)
		apptest.WantErr(t, change(t, a.Recorder, u, nothing), ports.ErrOutcomeUnknown)
		if n := len(a.Log.Entries(audit.RoleChanged)); n != 0 {
			t.Errorf("%d lines are on the log", n)
		}
	})
	t.Run("a unit of work that is run again leaves one entry and one line", func(t *testing.T) {
		a := apptest.New(t, on(retried))
		_, u := newUser(t, a)
		runs := 0
		apptest.Must(t, change(t, a.Recorder, u, func() error { runs++; return nil }))
		holds(t, a, u, access.Admin, 1, 1)
		if runs != 2 {
			t.Fatalf("the unit of work ran %d times", runs)
		}
		if a.Trail(t, u.TenantID, audit.RoleChanged)[0].ID != a.Log.Entries(audit.RoleChanged)[0].ID {
			t.Error("the line is of the run that was given up")
		}
	})
}

func TestRecord(t *testing.T) {
	a := apptest.New(t)
	home, u := newUser(t, a)
	scope, err := u.Principal().Authorize(access.ReadOwnData, home.ID)
	apptest.Must(t, err)
	err = a.Recorder.InTx(apptest.From(t, "192.0.2.1", "curl"), func(ctx context.Context, tx *recorder.Tx) error {
		return tx.Record(ctx, scope, audit.Entry{TenantID: home.ID, Act: audit.RoleChanged, Actor: "somebody else"})
	})
	apptest.Must(t, err)
	got := a.Trail(t, home.ID, audit.RoleChanged)[0]
	want := audit.Origin{Address: "192.0.2.1", UserAgent: "curl"}
	if got.Actor != u.ID || got.Origin != want || !got.At.Equal(a.Clock.Now()) {
		t.Errorf("the actor, the origin and the time are filled in as %+v", got)
	}
}

func TestNote(t *testing.T) {
	a := apptest.New(t)
	home, _ := newUser(t, a)
	a.Recorder.Note(apptest.From(t, "192.0.2.1", "curl"), audit.Entry{TenantID: home.ID, Act: audit.SignInFailed})
	noted := a.Log.Entries(audit.SignInFailed)
	if len(noted) != 1 || noted[0].ID == "" || noted[0].Origin.Address != "192.0.2.1" || !noted[0].At.Equal(a.Clock.Now()) {
		t.Errorf("the log has %+v", noted)
	}
	if trail := a.Trail(t, home.ID, audit.SignInFailed); len(trail) != 0 {
		t.Errorf("what changes nothing is in the trail: %+v", trail)
	}
}
