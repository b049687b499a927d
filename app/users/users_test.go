package users_test

import (
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// people are users of two tenants.
type people struct {
	viewer, analyst, admin, secondAdmin, super user.User // of one
	stranger, lonely                           user.User // of another, whose last admin is lonely
}

func newPeople(t *testing.T, a *apptest.App) people {
	t.Helper()
	return people{
		viewer: a.NewUser(t, "acme", access.Viewer), analyst: a.NewUser(t, "acme", access.Analyst),
		admin: a.NewUser(t, "acme", access.Admin), secondAdmin: a.NewUser(t, "acme", access.Admin),
		super:    a.NewUser(t, "acme", access.SuperAdmin),
		stranger: a.NewUser(t, "globex", access.Viewer), lonely: a.NewUser(t, "globex", access.Admin),
	}
}

// nobody is a user who does not exist.
func nobody() user.User { return user.User{ID: porttest.NewID[id.User]()} }

func TestList(t *testing.T) {
	a := apptest.New(t)
	p := newPeople(t, a)
	absent := porttest.NewID[id.Tenant]()
	for _, c := range []struct {
		name   string
		by     user.User
		tenant id.Tenant
		count  int
		want   error
	}{
		{"as viewer", p.viewer, "", 0, access.ErrForbidden},
		{"as analyst", p.analyst, "", 0, access.ErrForbidden},
		{"as admin", p.admin, "", 5, nil},
		{"of another tenant, as admin", p.admin, p.stranger.TenantID, 0, access.ErrForbidden},
		{"of an absent tenant, as admin", p.admin, absent, 0, access.ErrForbidden},
		{"of another tenant, as super_admin", p.super, p.stranger.TenantID, 2, nil},
		{"of an absent tenant, as super_admin", p.super, absent, 0, tenant.ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, count, entered, err := a.Users.List(t.Context(), c.by.Principal(), c.tenant, page.Page{Limit: 1})
			apptest.WantErr(t, err, c.want)
			if c.want != nil {
				return
			}
			if len(list) != 1 || count != c.count || list[0].TenantID != entered {
				t.Errorf("%d of %d users of %s: %+v", len(list), count, entered, list)
			}
		})
	}
}

func TestGet(t *testing.T) {
	a := apptest.New(t)
	p := newPeople(t, a)
	for _, c := range []struct {
		name       string
		by, target user.User
		want       error
	}{
		{"oneself, as viewer", p.viewer, p.viewer, nil},
		{"another, as viewer", p.viewer, p.admin, access.ErrForbidden},
		{"another, as analyst", p.analyst, p.viewer, access.ErrForbidden},
		{"another, as admin", p.admin, p.viewer, nil},
		{"of another tenant, as admin", p.admin, p.stranger, access.ErrForbidden},
		{"nobody, as admin", p.admin, nobody(), access.ErrForbidden},
		{"of another tenant, as super_admin", p.super, p.stranger, nil},
		{"nobody, as super_admin", p.super, nobody(), user.ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := a.Users.Get(t.Context(), c.by.Principal(), "", c.target.ID)
			apptest.WantErr(t, err, c.want)
			if c.want == nil && (got.Email != c.target.Email || got.PasswordHash != "") {
				t.Errorf("got %+v", got)
			}
		})
	}
	t.Run("a foreign user and an absent one are refused in the same words", func(t *testing.T) { // OWASP API1
		for _, by := range []user.User{p.viewer, p.analyst, p.admin} {
			_, foreign := a.Users.Get(t.Context(), by.Principal(), "", p.stranger.ID)
			_, absent := a.Users.Get(t.Context(), by.Principal(), "", nobody().ID)
			if foreign == nil || absent == nil || foreign.Error() != absent.Error() {
				t.Errorf("as %s: %v and %v", by.Role, foreign, absent)
			}
		}
	})
	t.Run("within the tenant that a super_admin names", func(t *testing.T) {
		_, err := a.Users.Get(t.Context(), p.super.Principal(), p.super.TenantID, p.stranger.ID)
		apptest.WantErr(t, err, user.ErrNotFound)
	})
}

func TestChangeRole(t *testing.T) {
	for _, c := range []struct {
		name string
		// pick chooses who changes whom.
		pick func(people) (by, target user.User)
		role access.Role
		want error
	}{
		{"an analyst changes nobody", func(p people) (user.User, user.User) { return p.analyst, p.viewer }, access.Analyst, access.ErrForbidden},
		{"an admin raises a viewer", func(p people) (user.User, user.User) { return p.admin, p.viewer }, access.Admin, nil},
		{"an admin lowers another admin", func(p people) (user.User, user.User) { return p.admin, p.secondAdmin }, access.Viewer, nil},
		{"an admin lowers itself while there is another", func(p people) (user.User, user.User) { return p.admin, p.admin }, access.Viewer, nil},
		{"an admin does not give super_admin", func(p people) (user.User, user.User) { return p.admin, p.viewer }, access.SuperAdmin, user.ErrRoleAboveOwn},
		{"an admin does not lower a super_admin", func(p people) (user.User, user.User) { return p.admin, p.super }, access.Viewer, user.ErrTargetOutranks},
		{"an admin does not reach another tenant", func(p people) (user.User, user.User) { return p.admin, p.stranger }, access.Analyst, access.ErrForbidden},
		{"an absent user is refused as a foreign one", func(p people) (user.User, user.User) { return p.admin, nobody() }, access.Analyst, access.ErrForbidden},
		{"the last admin does not lower itself", func(p people) (user.User, user.User) { return p.lonely, p.lonely }, access.Viewer, user.ErrLastAdmin},
		{"a super_admin does not lower the last admin", func(p people) (user.User, user.User) { return p.super, p.lonely }, access.Viewer, user.ErrLastAdmin},
		{"a super_admin gives super_admin in another tenant", func(p people) (user.User, user.User) { return p.super, p.stranger }, access.SuperAdmin, nil},
		{"a super_admin is told that a user is absent", func(p people) (user.User, user.User) { return p.super, nobody() }, access.Analyst, user.ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := apptest.New(t)
			by, target := c.pick(newPeople(t, a))
			changed, err := a.Users.ChangeRole(t.Context(), by.Principal(), "", target.ID, c.role)
			apptest.WantErr(t, err, c.want)
			if c.want != nil {
				if logged := a.Log.Entries(audit.RoleChanged); len(logged) != 0 {
					t.Errorf("a refusal is recorded as a change: %+v", logged)
				}
				return
			}
			stored, err := a.Users.Get(t.Context(), access.Operator(), "", target.ID)
			apptest.Must(t, err)
			if changed.Role != c.role || stored.Role != c.role {
				t.Errorf("changed to %s, stored as %s", changed.Role, stored.Role)
			}
			trail := a.Trail(t, target.TenantID, audit.RoleChanged)
			if len(trail) != 1 || trail[0].Actor != by.ID || trail[0].Subject != string(target.ID) || trail[0].Severity != audit.Warning ||
				trail[0].Detail["from"] != target.Role.String() || trail[0].Detail["to"] != c.role.String() {
				t.Errorf("recorded: %+v", trail)
			}
		})
	}
	t.Run("the role that a user has changes nothing", func(t *testing.T) {
		a := apptest.New(t)
		p := newPeople(t, a)
		_, err := a.Users.ChangeRole(t.Context(), p.admin.Principal(), "", p.viewer.ID, access.Viewer)
		apptest.Must(t, err)
		if trail := a.Trail(t, p.viewer.TenantID, audit.RoleChanged); len(trail) != 0 {
			t.Errorf("recorded: %+v", trail)
		}
	})
}

func TestDeactivate(t *testing.T) {
	for _, c := range []struct {
		name string
		pick func(people) (by, target user.User)
		want error
	}{
		{"a viewer ends nobody", func(p people) (user.User, user.User) { return p.viewer, p.analyst }, access.ErrForbidden},
		{"an admin ends another admin", func(p people) (user.User, user.User) { return p.admin, p.secondAdmin }, nil},
		{"an admin does not end a super_admin", func(p people) (user.User, user.User) { return p.admin, p.super }, user.ErrTargetOutranks},
		{"nobody ends their own account", func(p people) (user.User, user.User) { return p.admin, p.admin }, user.ErrOwnAccount},
		{"an admin does not reach another tenant", func(p people) (user.User, user.User) { return p.admin, p.stranger }, access.ErrForbidden},
		{"an absent user is refused as a foreign one", func(p people) (user.User, user.User) { return p.admin, nobody() }, access.ErrForbidden},
		{"a super_admin does not end the last admin", func(p people) (user.User, user.User) { return p.super, p.lonely }, user.ErrLastAdmin},
		{"a super_admin ends a user of another tenant", func(p people) (user.User, user.User) { return p.super, p.stranger }, nil},
		{"a super_admin is told that a user is absent", func(p people) (user.User, user.User) { return p.super, nobody() }, user.ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := apptest.New(t)
			by, target := c.pick(newPeople(t, a))
			apptest.WantErr(t, a.Users.Deactivate(t.Context(), by.Principal(), "", target.ID), c.want)
			want := 0
			if c.want == nil {
				want = 1
			}
			if n := len(a.Log.Entries(audit.Deactivated)); n != want {
				t.Errorf("%d deactivations are on the log, want %d", n, want)
			}
		})
	}
	t.Run("all sessions of the user end, and no other", func(t *testing.T) {
		a := apptest.New(t)
		p := newPeople(t, a)
		first, second, other := a.SignIn(t, p.viewer), a.SignIn(t, p.viewer), a.SignIn(t, p.analyst)
		apptest.Must(t, a.Users.Deactivate(t.Context(), p.admin.Principal(), "", p.viewer.ID))
		for _, pair := range []session.TokenPair{first, second} {
			_, err := a.Auth.Authenticate(t.Context(), pair.Access)
			apptest.WantErr(t, err, session.ErrInvalidToken)
			_, err = a.Auth.Refresh(t.Context(), pair.Refresh)
			apptest.WantErr(t, err, session.ErrInvalidToken)
			claims, err := a.Tokens.Verify(pair.Access, a.Clock.Now())
			apptest.Must(t, err)
			if revoked, err := a.Revocations.Revoked(t.Context(), claims); err != nil || !revoked {
				t.Errorf("the revocation list knows of it: %t, %v", revoked, err)
			}
			// Else it would live on once the user is active again.
			if _, opened, err := a.Store.Identities().BySession(t.Context(), claims.Session); err != nil || opened.RevokedFor != session.UserDeactivated {
				t.Errorf("the session is %+v, %v", opened, err)
			}
		}
		a.Caller(t, other.Access)
	})
	t.Run("once more changes nothing", func(t *testing.T) {
		a := apptest.New(t)
		p := newPeople(t, a)
		for range 2 {
			apptest.Must(t, a.Users.Deactivate(t.Context(), p.admin.Principal(), "", p.viewer.ID))
		}
		if n := len(a.Trail(t, p.viewer.TenantID, audit.Deactivated)); n != 1 {
			t.Errorf("%d deactivations are recorded", n)
		}
	})
	t.Run("an inactive admin does not keep the tenant", func(t *testing.T) {
		a := apptest.New(t)
		p := newPeople(t, a)
		operator := access.Operator()
		apptest.Must(t, a.Users.Deactivate(t.Context(), operator, "", p.super.ID)) // who administrates, too
		apptest.Must(t, a.Users.Deactivate(t.Context(), operator, "", p.admin.ID))
		apptest.WantErr(t, a.Users.Deactivate(t.Context(), operator, "", p.secondAdmin.ID), user.ErrLastAdmin)
	})
}
