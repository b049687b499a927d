package erasure_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

func ingest(t *testing.T, a *apptest.App, p access.Principal, users ...string) {
	t.Helper()
	for _, who := range users {
		_, err := a.Analytics.Ingest(t.Context(), p, "", event.Draft{Type: "view", UserIdentifier: who}, "")
		apptest.Must(t, err)
	}
}

func TestErase(t *testing.T) {
	a := apptest.New(t)
	p := a.NewUser(t, "acme", access.Admin).Principal()
	ingest(t, a, p, "u", "v", "u")
	_, err := a.Erasures.Erase(t.Context(), p, "", analytics.Selection{})
	apptest.WantErr(t, err, event.ErrNothingSelected)
	e, err := a.Erasures.Erase(t.Context(), p, "", analytics.Selection{UserIdentifier: "u"})
	apptest.Must(t, err)
	if e.Events != 2 || !e.IsDone() || e.TenantID != p.Tenant() || e.RequestedBy != p.User() {
		t.Errorf("the erasure is %+v", e)
	}
	got, err := a.Erasures.Get(t.Context(), p, "", e.ID)
	if err != nil || got != e {
		t.Errorf("got %+v, %v, want %+v", got, err, e)
	}
	_, err = a.Erasures.Get(t.Context(), p, "", id.Erasure(uuid.NewString()))
	apptest.WantErr(t, err, event.ErrNoErasure)
	for act, detail := range map[audit.Act]string{audit.ErasureRequested: "user_identifier", audit.ErasureCompleted: "2"} {
		trail := a.Trail(t, p.Tenant(), act)
		if len(trail) != 1 || trail[0].Subject != string(e.ID) || trail[0].Severity != audit.Warning {
			t.Fatalf("%s: %+v", act, trail)
		}
		var values []string
		for _, v := range trail[0].Detail {
			values = append(values, v)
		}
		if !strings.Contains(strings.Join(values, " "), detail) {
			t.Errorf("%s: %v", act, trail[0].Detail)
		}
	}
}

func TestErase_refused(t *testing.T) {
	a := apptest.New(t)
	analyst, admin := a.NewUser(t, "acme", access.Analyst).Principal(), a.NewUser(t, "acme", access.Admin).Principal()
	other := a.NewUser(t, "globex", access.Admin).Principal()
	selection := analytics.Selection{EventType: "view"}
	_, err := a.Erasures.Erase(t.Context(), analyst, "", selection)
	apptest.WantErr(t, err, access.ErrForbidden)
	_, err = a.Erasures.Erase(t.Context(), admin, other.Tenant(), selection)
	apptest.WantErr(t, err, access.ErrForbidden)
	_, err = a.Erasures.Get(t.Context(), analyst, "", id.Erasure(uuid.NewString()))
	apptest.WantErr(t, err, access.ErrForbidden)
	a.Gate.SetFull(true)
	_, err = a.Erasures.Erase(t.Context(), admin, "", selection)
	apptest.WantErr(t, err, ports.ErrTooManyQueries)
	if trail := a.Trail(t, admin.Tenant(), audit.ErasureRequested); len(trail) > 0 {
		t.Errorf("recorded: %+v", trail)
	}
}

// many is events of which more are erased than at once.
type many struct{ ports.Events }

func (m many) Erase(ctx context.Context, scope access.Scope, e event.Erasure, s analytics.Selection) (int64, error) {
	_, err := m.Events.Erase(ctx, scope, e, s)
	return event.ErasedAtOnce + 1, err
}

type withMany struct{ ports.Store }

func (s withMany) Events() ports.Events { return many{s.Store.Events()} }

// TestErase_many: many events are erased by the worker, which records the completion.
func TestErase_many(t *testing.T) {
	a := apptest.New(t, func(s *apptest.Setup) { s.Store = func(db ports.Store) ports.Store { return withMany{db} } })
	p := a.NewUser(t, "acme", access.Admin).Principal()
	ingest(t, a, p, "u", "v")
	e, err := a.Erasures.Erase(t.Context(), p, "", analytics.Selection{EventType: "view"})
	if err != nil || e.IsDone() {
		t.Fatalf("%+v, %v", e, err)
	}
	list, err := a.Analytics.Query(t.Context(), p, "", analytics.Query{GroupBy: []analytics.Dimension{analytics.ByEventType}, Limit: 1})
	if err != nil || len(list.Rows) > 0 {
		t.Errorf("there still are %+v, %v", list.Rows, err)
	}
	for more := true; more; {
		more, err = a.Sealing.Seal(t.Context())
		apptest.Must(t, err)
	}
	if got, err := a.Erasures.Get(t.Context(), p, "", e.ID); err != nil || !got.IsDone() {
		t.Errorf("the erasure is %+v, %v", got, err)
	}
	if trail := a.Trail(t, p.Tenant(), audit.ErasureCompleted); len(trail) != 1 {
		t.Errorf("recorded: %+v", trail)
	}
}
