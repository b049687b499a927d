package auth_test

import (
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
)

func TestSignOut(t *testing.T) {
	a := apptest.New(t)
	u := a.NewUser(t, "acme", access.Viewer)
	pair, other := a.SignIn(t, u), a.SignIn(t, u)
	apptest.Must(t, a.Auth.SignOut(t.Context(), a.Caller(t, pair.Access)))
	wantListed(t, a, pair.Access)
	wantDead(t, a, pair)
	a.Caller(t, other.Access) // another device stays signed in
	if out := a.Log.Entries(audit.SignedOut); len(out) != 1 || out[0].Actor != u.ID {
		t.Errorf("recorded: %+v", out)
	}
}
