package bootstrap_test

import (
	"errors"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// testOperator: what the operator's commands do in a process of their own counts in a service that runs from the next
// request on, and is recorded.
func testOperator(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p, other := s.newPerson(t, newSlug(), access.Admin), s.newPerson(t, newSlug(), access.Viewer)
	operator, auth := access.Operator(), s.operator().Auth
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	sessions := func(want int) []session.Session {
		t.Helper()
		list, err := auth.Sessions(t.Context(), operator, p.user.ID)
		if err != nil || len(list) != want {
			t.Fatalf("%d sessions, %v, want %d", len(list), err, want)
		}
		return list
	}
	elsewhere := p
	s.signIn(t, &elsewhere)
	newest := sessions(2)[0].ID

	if err := auth.RevokeSession(t.Context(), operator, porttest.NewID[id.Session]()); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("a session that there is not: %v", err)
	}
	must(auth.RevokeSession(t.Context(), operator, newest))
	must(auth.RevokeSession(t.Context(), operator, newest)) // which changes nothing
	ended, open := elsewhere, p
	if s.send(t, request{method: "GET", path: api + "/auth/me", token: p.access}).status == 401 { // opened in the same moment
		ended, open = p, elsewhere
	}
	s.me(t, 401, ended.access)
	s.refresh(t, 401, ended.refresh)
	s.me(t, 200, open.access)
	sessions(1)
	if n, err := auth.RevokeSessions(t.Context(), operator, p.user.ID); n != 1 || err != nil {
		t.Errorf("ended %d sessions, %v", n, err)
	}
	s.me(t, 401, open.access)
	s.refresh(t, 401, open.refresh)
	s.me(t, 200, other.access)

	s.signIn(t, &p)
	if err := auth.ResetPassword(t.Context(), operator, p.user.ID, "password123"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a common password: %v", err)
	}
	s.me(t, 200, p.access)
	must(auth.ResetPassword(t.Context(), operator, p.user.ID, "CorrectHorse9"))
	s.me(t, 401, p.access)
	s.refresh(t, 401, p.refresh)
	signIn := func(status int, password string) {
		t.Helper()
		s.want(t, status, request{method: "POST", path: api + "/auth/login", body: map[string]string{"email": p.email, "password": password}})
	}
	signIn(401, password)
	signIn(200, "CorrectHorse9")

	must(s.operator().Users.Deactivate(t.Context(), operator, "", other.user.ID))
	s.me(t, 401, other.access)
	must(s.operator().Users.Activate(t.Context(), operator, "", other.user.ID))
	s.me(t, 401, other.access) // what has ended stays so
	s.signIn(t, &other)

	entries, err := s.operator().Audit.List(t.Context(), p.user.Principal(), "", page.Page{Limit: 10})
	must(err)
	onRecord := map[string]int{}
	for _, e := range entries {
		onRecord[string(e.Act)]++
		if e.Act != "tenant.created" && e.Subject != "" && e.Subject != string(p.user.ID) {
			t.Errorf("recorded: %+v", e)
		}
	}
	if onRecord["user.sessions_revoked"] != 2 || onRecord["user.password_reset"] != 1 {
		t.Errorf("recorded: %v", onRecord)
	}
}
