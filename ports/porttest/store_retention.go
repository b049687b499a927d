package porttest

import (
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Retention tests how long events are kept: set by the operator, who may have other privileges in the database than the service,
// which deletes. The store may use its own clock.
func Retention(t *testing.T, operator, service ports.Store) {
	ctx, at := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
	kept, limited := NewTenant(t, operator), NewTenant(t, operator)
	all, err := access.Operator().Authorize(access.ManageTenants, access.EveryTenant)
	must(t, err)
	for _, days := range []int{0, 7, 30} { // of the tenant
		before, err := operator.Tenants().SetRetention(ctx, manage(t, limited.ID), retention(t, days))
		must(t, err)
		equal(t, "the retention before", before, limited.Retention)
		limited.Retention = retention(t, days)
		got, err := operator.Tenants().ByID(ctx, limited.ID)
		must(t, err)
		equal(t, "a tenant with a retention", got, limited)
	}
	_, err = operator.Tenants().SetRetention(ctx, manage(t, NewID[id.Tenant]()), retention(t, 1))
	wantErr(t, "the retention of an unknown tenant", err, tenant.ErrNotFound)
	_, err = operator.Tenants().SetRetention(ctx, access.Scope{}, retention(t, 1))
	wantErr(t, "a retention without a scope", err, access.ErrNoScope)
	platform, err := operator.Tenants().PlatformRetention(ctx, all)
	must(t, err)
	equal(t, "the platform's retention before one is set", platform, tenant.Retention{})
	_, err = operator.Tenants().PlatformRetention(ctx, manage(t, limited.ID))
	wantErr(t, "the platform's retention with the scope of a tenant", err, access.ErrNoScope)
	list, err := operator.Tenants().List(ctx, all)
	must(t, err)
	for _, listed := range list {
		if listed.ID == limited.ID {
			equal(t, "the tenant in the list", listed, limited)
		}
	}

	want := map[id.Tenant][]event.Event{}
	for _, home := range []tenant.Tenant{kept, limited} {
		for age := range 10 {
			old := add(t, service, anEvent(t, home, "view", "u", at.AddDate(0, 0, -31-age)))
			if home == kept {
				want[home.ID] = append([]event.Event{old}, want[home.ID]...)
			}
		}
		want[home.ID] = append(want[home.ID], add(t, service, anEvent(t, home, "view", "u", at.AddDate(0, 0, -29))))
	}
	remembered := entry(t, kept.ID, event.Draft{Type: "view", UserIdentifier: "u"}, keyed(kept.ID, "k"), at.AddDate(0, 0, -2))
	_, err = service.Events().Ingest(ctx, ScopeOf(t, kept.ID), event.Batch{Entries: []event.Entry{remembered}, At: at.AddDate(0, 0, -2)})
	must(t, err)
	want[kept.ID] = append(want[kept.ID], remembered.Event)

	for _, scope := range []access.Scope{{}, all, ScopeOf(t, limited.ID)} {
		_, _, err := service.Events().Expire(ctx, scope, at, 100)
		wantErr(t, "deleting expired events with the scope of a principal", err, access.ErrNoScope)
	}
	work, err := access.Worker().Authorize(access.ExpireEvents, access.EveryTenant)
	must(t, err)
	deleted := 0
	for more := true; more; {
		var n int
		n, more, err = service.Events().Expire(ctx, work, at, 4)
		must(t, err)
		deleted += n
		if n > 4 {
			t.Errorf("%d were deleted at once", n)
		}
	}
	if deleted < 11 { // other tests may have left keys
		t.Errorf("%d events and keys were deleted, want 10 events and a key", deleted)
	}
	for home, events := range want {
		equal(t, "the events that are left", everyEvent(t, service, home), events)
	}
	outcomes, err := service.Events().Ingest(ctx, ScopeOf(t, kept.ID), event.Batch{Entries: []event.Entry{
		entry(t, kept.ID, event.Draft{Type: "click", UserIdentifier: "u"}, keyed(kept.ID, "k"), at),
	}, At: at.AddDate(0, 0, -2).Add(time.Hour)})
	must(t, err)
	equal(t, "an event with a key that is not remembered any more", outcomes[0].Status, event.Stored)
}

// PlatformRetention tests the retention of all tenants, of a store whose Expire applies it.
func PlatformRetention(t *testing.T, s ports.Store) {
	ctx := t.Context()
	homes := []tenant.Tenant{NewTenant(t, s), NewTenant(t, s), NewTenant(t, s)}
	all, err := access.Operator().Authorize(access.ManageTenants, access.EveryTenant)
	must(t, err)
	work, err := access.Worker().Authorize(access.ExpireEvents, access.EveryTenant)
	must(t, err)
	for i, days := range []int{0, 20, 5} { // none, a longer one and a shorter one than the platform's
		_, err := s.Tenants().SetRetention(ctx, manage(t, homes[i].ID), retention(t, days))
		must(t, err)
		for _, age := range []int{15, 8, 3} {
			add(t, s, anEvent(t, homes[i], "view", "u", t0.AddDate(0, 0, -age)))
		}
	}
	_, err = s.Tenants().SetRetention(ctx, all, retention(t, 10))
	must(t, err)
	got, err := s.Tenants().PlatformRetention(ctx, all)
	must(t, err)
	equal(t, "the platform's retention that was set", got, retention(t, 10))
	for more := true; more; {
		_, more, err = s.Events().Expire(ctx, work, t0, 5000)
		must(t, err)
	}
	for i, left := range []int{2, 2, 1} {
		equal(t, "how many events are left", len(everyEvent(t, s, homes[i].ID)), left)
	}
	before, err := s.Tenants().SetRetention(ctx, all, tenant.Retention{})
	must(t, err)
	equal(t, "the platform's retention", before, retention(t, 10))
}

// manage returns the operator's scope of a tenant.
func manage(t *testing.T, home id.Tenant) access.Scope {
	t.Helper()
	scope, err := access.Operator().Authorize(access.ManageTenants, home)
	must(t, err)
	return scope
}

// retention returns a retention; 0 is for ever.
func retention(t *testing.T, days int) tenant.Retention {
	t.Helper()
	if days == 0 {
		return tenant.Retention{}
	}
	r, err := tenant.NewRetention(days)
	must(t, err)
	return r
}
