package auth_test

import (
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// TestAdminister: who may reset passwords and end the sessions of others. What is refused changes nothing.
func TestAdminister(t *testing.T) {
	a := apptest.New(t)
	member, super := a.NewUser(t, "acme", access.Admin), a.NewUser(t, "acme", access.SuperAdmin)
	otherSuper := a.NewUser(t, "globex", access.SuperAdmin)
	a.SignIn(t, member)
	a.SignIn(t, super)
	nobody := user.User{ID: porttest.NewID[id.User]()}
	for _, c := range []struct {
		name string
		by   access.Principal
		of   user.User
		want error
	}{
		{"a viewer", access.NewPrincipal(nobody.ID, member.TenantID, access.Viewer), member, access.ErrForbidden},
		{"an admin", member.Principal(), member, access.ErrForbidden},
		{"a super_admin over a peer", otherSuper.Principal(), super, user.ErrTargetOutranks},
		{"a super_admin over an admin of another tenant", otherSuper.Principal(), member, nil},
		{"the operator over a super_admin", access.Operator(), super, nil},
		{"the operator over nobody", access.Operator(), nobody, user.ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			apptest.WantErr(t, a.Auth.ResetPassword(t.Context(), c.by, c.of.ID, "another phrase to sign in with"), c.want)
			if c.want == nil {
				_, err := a.Auth.SignIn(t.Context(), c.of.Email.String(), "another phrase to sign in with")
				apptest.Must(t, err)
			}
			ended, err := a.Auth.RevokeSessions(t.Context(), c.by, c.of.ID)
			apptest.WantErr(t, err, c.want)
			if (ended == 1) != (c.want == nil) {
				t.Errorf("ended %d sessions", ended)
			}
		})
	}
	if list := a.Trail(t, member.TenantID, audit.PasswordReset); len(list) != 2 || list[0].Subject != string(super.ID) || list[0].Actor != "" {
		t.Errorf("recorded: %+v", list)
	}
}

// TestResetPassword: the policy knows the user's data, and what it refuses leaves the sessions open.
func TestResetPassword(t *testing.T) {
	a := apptest.New(t)
	u := a.NewUser(t, "wonderland", access.Viewer)
	pair := a.SignIn(t, u)
	for _, chosen := range []string{"", "short", "password123", "wonderland-1865", "Zoë Müller 1", "not UTF-8 \xff"} {
		if err := a.Auth.ResetPassword(t.Context(), access.Operator(), u.ID, chosen); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", chosen, err)
		}
	}
	a.Caller(t, pair.Access)
	apptest.Must(t, a.Auth.ResetPassword(t.Context(), access.Operator(), u.ID, "another phrase to sign in with"))
	_, err := a.Auth.Authenticate(t.Context(), pair.Access)
	apptest.WantErr(t, err, session.ErrInvalidToken)
	_, err = a.Auth.SignIn(t.Context(), u.Email.String(), apptest.Password)
	apptest.WantErr(t, err, session.ErrInvalidCredentials)
}

// TestRevokeSession ends one session and no other, once.
func TestRevokeSession(t *testing.T) {
	a := apptest.New(t)
	u, super := a.NewUser(t, "acme", access.Viewer), a.NewUser(t, "acme", access.SuperAdmin)
	ended, open := a.Caller(t, a.SignIn(t, u).Access).Claims.Session, a.SignIn(t, u)
	above := a.Caller(t, a.SignIn(t, super).Access).Claims.Session
	peer := access.NewPrincipal(porttest.NewID[id.User](), u.TenantID, access.SuperAdmin)
	apptest.WantErr(t, a.Auth.RevokeSession(t.Context(), u.Principal(), ended), access.ErrForbidden)
	apptest.WantErr(t, a.Auth.RevokeSession(t.Context(), peer, above), user.ErrTargetOutranks)
	apptest.WantErr(t, a.Auth.RevokeSession(t.Context(), access.Operator(), porttest.NewID[id.Session]()), session.ErrNotFound)
	_, err := a.Auth.Sessions(t.Context(), u.Principal(), u.ID)
	apptest.WantErr(t, err, access.ErrForbidden)
	for range 2 {
		apptest.Must(t, a.Auth.RevokeSession(t.Context(), access.Operator(), ended))
	}
	left, err := a.Auth.Sessions(t.Context(), access.Operator(), u.ID)
	apptest.Must(t, err)
	if kept := a.Caller(t, open.Access).Claims.Session; len(left) != 1 || left[0].ID != kept {
		t.Errorf("left are %+v, want %s", left, kept)
	}
	if list := a.Trail(t, u.TenantID, audit.SessionsRevoked); len(list) != 1 || list[0].Detail["session_id"] != string(ended) {
		t.Errorf("recorded: %+v", list)
	}
}

func TestCreateUser(t *testing.T) {
	for _, c := range []struct {
		name string
		slug string
		join bool
		want error
	}{
		{"in a new tenant", "new", false, nil},
		{"in one that exists", "acme", true, nil},
		{"not in a stranger's by accident", "acme", false, tenant.ErrSlugTaken},
		{"not in a new one by accident", "new", true, tenant.ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := apptest.New(t, policy(tenant.Closed, access.Viewer)) // which does not hold up the operator
			a.NewUser(t, "acme", access.Viewer)
			u, err := a.Auth.CreateUser(t.Context(), access.Operator(), apptest.NewAccount(c.slug), access.Analyst, c.join)
			apptest.WantErr(t, err, c.want)
			if c.want == nil && u.Role != access.Analyst {
				t.Errorf("created %+v", u)
			}
		})
	}
	t.Run("what is wrong shows without a password", func(t *testing.T) {
		a := apptest.New(t)
		ann := a.NewUser(t, "acme", access.Viewer)
		check := func(account user.Account, join bool) error {
			return a.Auth.CheckUser(t.Context(), access.Operator(), account, join)
		}
		wantFields(t, check(user.Account{Email: "a", FullName: "x", Tenant: "-"}, false), "email", "tenant_slug", "full_name")
		account := apptest.NewAccount("acme")
		account.Password = ""
		apptest.WantErr(t, check(account, false), tenant.ErrSlugTaken)
		apptest.Must(t, check(account, true))
		account.Email = ann.Email.String()
		apptest.WantErr(t, check(account, true), user.ErrEmailTaken)
	})
	t.Run("by the operator alone", func(t *testing.T) {
		a := apptest.New(t)
		admin := a.NewUser(t, "acme", access.Admin)
		apptest.WantErr(t, a.Auth.CheckUser(t.Context(), admin.Principal(), apptest.NewAccount("acme"), true), access.ErrForbidden)
		_, err := a.Auth.CreateUser(t.Context(), admin.Principal(), apptest.NewAccount("acme"), access.Viewer, true)
		apptest.WantErr(t, err, access.ErrForbidden)
	})
}
