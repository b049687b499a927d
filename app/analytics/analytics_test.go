package analytics_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/apptest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// newPrincipal returns a principal with a role in a tenant of its own.
func newPrincipal(t *testing.T, a *apptest.App, role access.Role) access.Principal {
	t.Helper()
	return access.NewPrincipal(porttest.NewID[id.User](), porttest.NewTenant(t, a.Store).ID, role)
}

func view() event.Draft { return event.Draft{Type: "view", UserIdentifier: "u"} }

// ingest stores so many events of a principal's tenant, a second apart.
func ingest(t *testing.T, a *apptest.App, p access.Principal, n int) {
	t.Helper()
	var list []event.Event
	for i := range n {
		list = append(list, porttest.NewEvent(t, p.Tenant(), view(), a.Clock.Now().Add(-time.Duration(n-i)*time.Second)))
	}
	for part := range slices.Chunk(list, event.MaxBatch) {
		porttest.Ingest(t, a.Store, part...)
	}
}

// useCase is one of the use cases that take a tenant.
type useCase struct {
	name   string
	lowest access.Role // that may
	run    func(a *apptest.App, p access.Principal, tenantID id.Tenant) error
}

func useCases(ctx context.Context) []useCase {
	return append([]useCase{{"ingest", access.Analyst, func(a *apptest.App, p access.Principal, tenantID id.Tenant) error {
		_, err := a.Analytics.Ingest(ctx, p, tenantID, view(), string(porttest.NewID[id.Event]()))
		return err
	}}, {"issue a key", access.Analyst, func(a *apptest.App, p access.Principal, tenantID id.Tenant) error {
		_, err := a.Analytics.IssueKey(ctx, p, tenantID)
		return err
	}}, {"ingest a batch", access.Analyst, func(a *apptest.App, p access.Principal, tenantID id.Tenant) error {
		_, err := a.Analytics.IngestBatch(ctx, p, tenantID, "", []event.Item{{Draft: view()}}, false)
		return err
	}}}, readers(ctx)...)
}

// readers are those that read many events.
func readers(ctx context.Context) []useCase {
	return []useCase{
		{"list", access.Analyst, func(a *apptest.App, p access.Principal, tenantID id.Tenant) error {
			_, _, err := a.Analytics.Events(ctx, p, tenantID, analytics.Selection{}, "", page.Page{Limit: 1})
			return err
		}},
		{"summarize", access.Viewer, func(a *apptest.App, p access.Principal, tenantID id.Tenant) error {
			_, err := a.Analytics.Summarize(ctx, p, tenantID, analytics.Week)
			return err
		}},
		{"query", access.Analyst, func(a *apptest.App, p access.Principal, tenantID id.Tenant) error {
			_, err := a.Analytics.Query(ctx, p, tenantID, analytics.Query{GroupBy: []analytics.Dimension{analytics.ByEventType}, Limit: 1})
			return err
		}},
		{"timeseries", access.Viewer, func(a *apptest.App, p access.Principal, tenantID id.Tenant) error {
			t, err := analytics.TimeseriesRequest{}.Timeseries()
			if err == nil {
				_, err = a.Analytics.Timeseries(ctx, p, tenantID, t)
			}
			return err
		}},
		{"export", access.Analyst, func(a *apptest.App, p access.Principal, tenantID id.Tenant) error {
			_, err := a.Analytics.Export(ctx, p, tenantID, analytics.Selection{})
			return err
		}},
	}
}

func TestAuthorization(t *testing.T) {
	a := apptest.New(t)
	other, absent := porttest.NewTenant(t, a.Store).ID, porttest.NewID[id.Tenant]()
	for _, c := range useCases(t.Context()) {
		for _, role := range access.Roles() {
			t.Run(c.name+" as "+role.String(), func(t *testing.T) {
				p := newPrincipal(t, a, role)
				own, foreign, missing := error(nil), error(access.ErrForbidden), error(access.ErrForbidden)
				if !role.AtLeast(c.lowest) {
					own = access.ErrForbidden
				}
				if role == access.SuperAdmin {
					foreign, missing = nil, tenant.ErrNotFound
				}
				apptest.WantErr(t, c.run(a, p, ""), own)
				apptest.WantErr(t, c.run(a, p, p.Tenant()), own)
				apptest.WantErr(t, c.run(a, p, other), foreign)
				apptest.WantErr(t, c.run(a, p, absent), missing)
			})
		}
	}
}

// TestGate: no tenant's queries take the database from the others.
func TestGate(t *testing.T) {
	for _, c := range readers(t.Context()) {
		t.Run(c.name+" enters and leaves", func(t *testing.T) {
			var inside []int
			var a *apptest.App
			a = apptest.New(t, watched(func() { inside = append(inside, a.Gate.Inside()) }))
			p := newPrincipal(t, a, access.Analyst)
			apptest.Must(t, c.run(a, p, ""))
			entered, _ := a.Gate.Visits()
			if !slices.Equal(entered, []id.Tenant{p.Tenant()}) || !slices.Equal(inside, []int{1}) || a.Gate.Inside() != 0 {
				t.Errorf("entered by %v; %v inside while it reads, and %d afterwards", entered, inside, a.Gate.Inside())
			}
		})
		t.Run(c.name+" is refused where the gate is full", func(t *testing.T) {
			read := 0
			a := apptest.New(t, watched(func() { read++ }))
			a.Gate.SetFull(true)
			apptest.WantErr(t, c.run(a, newPrincipal(t, a, access.Analyst), ""), ports.ErrTooManyQueries)
			if read != 0 {
				t.Error("the database was read")
			}
		})
		t.Run(c.name+" is refused before it waits where it is forbidden", func(t *testing.T) {
			a := apptest.New(t)
			a.Gate.SetFull(true)
			apptest.WantErr(t, c.run(a, newPrincipal(t, a, access.Admin), porttest.NewID[id.Tenant]()), access.ErrForbidden)
		})
	}
}

// watchedEvents tell when they are read.
type watchedEvents struct {
	ports.Events
	read func()
}

func (e watchedEvents) List(ctx context.Context, scope access.Scope, s analytics.Selection, after id.Event, p page.Page) ([]event.Event, error) {
	e.read()
	return e.Events.List(ctx, scope, s, after, p)
}

func (e watchedEvents) Answer(ctx context.Context, scope access.Scope, q analytics.Question) (analytics.Reading, error) {
	e.read()
	return e.Events.Answer(ctx, scope, q)
}

func (e watchedEvents) Export(ctx context.Context, scope access.Scope, s analytics.Selection, last id.Event, limit int) ([]event.Event, bool, error) {
	e.read()
	return e.Events.Export(ctx, scope, s, last, limit)
}

// withEvents is a store with other events.
type withEvents struct {
	ports.Store
	events ports.Events
}

func (s withEvents) Events() ports.Events { return s.events }

func watched(read func()) func(*apptest.Setup) {
	return func(s *apptest.Setup) {
		s.Store = func(db ports.Store) ports.Store { return withEvents{db, watchedEvents{db.Events(), read}} }
	}
}

func TestSummarize(t *testing.T) {
	a := apptest.New(t)
	p, other := newPrincipal(t, a, access.Viewer), newPrincipal(t, a, access.Viewer)
	ingest(t, a, p, 3)
	ingest(t, a, other, 2)
	got, err := a.Analytics.Summarize(t.Context(), p, "", analytics.Week)
	apptest.Must(t, err)
	if got.TenantID != p.Tenant() || got.TotalEvents != 3 || got.UniqueUsers != 1 || got.Window != analytics.Week.Window(a.Clock.Now()) {
		t.Errorf("the summary is %+v", got)
	}
	a.Clock.Advance(7*24*time.Hour - time.Hour)
	if got, err = a.Analytics.Summarize(t.Context(), p, "", analytics.Week); err != nil || got.TotalEvents != 3 {
		t.Errorf("an hour less than a week later the summary is %+v, %v", got, err)
	}
	a.Clock.Advance(2 * time.Hour) // the period begins with a full hour
	if got, err = a.Analytics.Summarize(t.Context(), p, "", analytics.Week); err != nil || got.TotalEvents != 0 {
		t.Errorf("an hour more than a week later the summary is %+v, %v", got, err)
	}
}

func TestQuery(t *testing.T) {
	a := apptest.New(t)
	p, other := newPrincipal(t, a, access.Analyst), newPrincipal(t, a, access.Analyst)
	ingest(t, a, p, 3)
	ingest(t, a, other, 2)
	q := analytics.Query{GroupBy: []analytics.Dimension{analytics.ByEventType}, Limit: 10}
	got, err := a.Analytics.Query(t.Context(), p, "", q)
	apptest.Must(t, err)
	if got.TenantID != p.Tenant() || !reflect.DeepEqual(got.Query, q) || !got.ExecutedAt.Equal(a.Clock.Now()) || len(got.Rows) != 1 || *got.Rows[0].Values[0] != 3 {
		t.Errorf("the result is %+v", got)
	}
}

func TestExport(t *testing.T) {
	const more = 5001 // than are read at once
	t.Run("all of the tenant, oldest first", func(t *testing.T) {
		a := apptest.New(t)
		p, other := newPrincipal(t, a, access.Analyst), newPrincipal(t, a, access.Analyst)
		ingest(t, a, p, more)
		ingest(t, a, other, 1)
		events, err := a.Analytics.Export(t.Context(), p, "", analytics.Selection{})
		apptest.Must(t, err)
		var last event.Event
		n := 0
		for e, err := range events {
			apptest.Must(t, err)
			if e.TenantID != p.Tenant() || !e.OccurredAt.After(last.OccurredAt) {
				t.Fatalf("after %+v comes %+v", last, e)
			}
			if a.Gate.Inside() != 0 {
				t.Fatal("a place is held while events are sent")
			}
			last = e
			n++
		}
		entered, reentered := a.Gate.Visits()
		if n != more || len(entered) != 1 || len(reentered) != 1 {
			t.Errorf("%d events; entered %d times, and again %d times", n, len(entered), len(reentered))
		}
	})
	t.Run("the export is recorded before the first event leaves", func(t *testing.T) {
		a := apptest.New(t)
		p := newPrincipal(t, a, access.Analyst)
		ingest(t, a, p, 1)
		_, err := a.Analytics.Export(t.Context(), p, "", analytics.Selection{})
		apptest.Must(t, err)
		trail := a.Trail(t, p.Tenant(), audit.DataExported)
		if len(trail) != 1 || trail[0].Actor != p.User() || trail[0].Severity != audit.Warning || len(a.Log.Entries(audit.DataExported)) != 1 {
			t.Errorf("recorded: %+v", trail)
		}
	})
	t.Run("an export that can't be recorded does not begin", func(t *testing.T) {
		a := apptest.New(t, func(s *apptest.Setup) { s.Store = func(db ports.Store) ports.Store { return unwritable{db} } })
		p := newPrincipal(t, a, access.Analyst)
		ingest(t, a, p, 1)
		events, err := a.Analytics.Export(t.Context(), p, "", analytics.Selection{})
		apptest.WantErr(t, err, ports.ErrUnavailable)
		if events != nil {
			t.Error("there are events")
		}
	})
	t.Run("a refused export is not recorded", func(t *testing.T) {
		a := apptest.New(t)
		a.Gate.SetFull(true)
		p := newPrincipal(t, a, access.Analyst)
		_, err := a.Analytics.Export(t.Context(), p, "", analytics.Selection{})
		apptest.WantErr(t, err, ports.ErrTooManyQueries)
		if trail := a.Trail(t, p.Tenant(), audit.DataExported); len(trail) != 0 {
			t.Errorf("recorded: %+v", trail)
		}
	})
	t.Run("it goes on while others fill the gate", func(t *testing.T) {
		a := apptest.New(t)
		p := newPrincipal(t, a, access.Analyst)
		ingest(t, a, p, more)
		events, err := a.Analytics.Export(t.Context(), p, "", analytics.Selection{})
		apptest.Must(t, err)
		a.Gate.SetFull(true)
		if sent, err := drain(events); err != nil || sent != more {
			t.Errorf("%d events, and %v", sent, err)
		}
	})
	t.Run("an error ends it", func(t *testing.T) {
		reads := 0
		a := apptest.New(t, func(s *apptest.Setup) {
			s.Store = func(db ports.Store) ports.Store { return withEvents{db, failing{db.Events(), &reads}} }
		})
		p := newPrincipal(t, a, access.Analyst)
		ingest(t, a, p, more)
		events, err := a.Analytics.Export(t.Context(), p, "", analytics.Selection{})
		apptest.Must(t, err)
		sent, err := drain(events)
		apptest.WantErr(t, err, ports.ErrUnavailable)
		if sent != more-1 || reads != 2 || a.Gate.Inside() != 0 {
			t.Errorf("%d events after %d reads; %d are inside", sent, reads, a.Gate.Inside())
		}
	})
	t.Run("who stops reading stops it", func(t *testing.T) {
		reads := 0
		a := apptest.New(t, watched(func() { reads++ }))
		p := newPrincipal(t, a, access.Analyst)
		ingest(t, a, p, more)
		events, err := a.Analytics.Export(t.Context(), p, "", analytics.Selection{})
		apptest.Must(t, err)
		for range events {
			break
		}
		if reads != 1 {
			t.Errorf("%d reads", reads)
		}
	})
}

// drain returns how many events there are before an error or the end. After an error there must be none.
func drain(events func(func(event.Event, error) bool)) (sent int, failure error) {
	for _, err := range events {
		if failure != nil {
			return sent, fmt.Errorf("it goes on after %w", failure)
		}
		if failure = err; err == nil {
			sent++
		}
	}
	return sent, failure
}

// failing are events of which the first read alone succeeds.
type failing struct {
	ports.Events
	reads *int
}

func (f failing) Export(ctx context.Context, scope access.Scope, s analytics.Selection, last id.Event, limit int) ([]event.Event, bool, error) {
	if *f.reads++; *f.reads > 1 {
		return nil, false, ports.ErrUnavailable
	}
	return f.Events.Export(ctx, scope, s, last, limit)
}

// unwritable is a store that can not be written.
type unwritable struct{ ports.Store }

func (unwritable) InTx(context.Context, func(context.Context, ports.Repositories) error) error {
	return ports.ErrUnavailable
}
