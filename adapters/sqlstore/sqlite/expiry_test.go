package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// TestRetention_limit: the database has the limit of the domain.
func TestRetention_limit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	db := open(t, path)
	migrate(t, db)
	porttest.NewTenant(t, db)
	file, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, change := range []string{"UPDATE retention SET days = ?", "UPDATE tenants SET retention_days = ?"} {
		if _, err := file.ExecContext(t.Context(), change, tenant.MaxRetention); err != nil {
			t.Errorf("%s: %v", change, err)
		}
		if _, err := file.ExecContext(t.Context(), change, tenant.MaxRetention+1); err == nil || !strings.Contains(err.Error(), "CHECK") {
			t.Errorf("%s with more than the longest: %v", change, err)
		}
	}
}

// TestExpire_of_a_tenant_that_fails: the events of all others are deleted, and the error is reported.
func TestExpire_of_a_tenant_that_fails(t *testing.T) {
	ctx, now, dir := t.Context(), time.Now().UTC(), t.TempDir()
	db := open(t, filepath.Join(dir, "data.db"))
	migrate(t, db)
	all, err := access.Operator().Authorize(access.ManageTenants, access.EveryTenant)
	if err != nil {
		t.Fatal(err)
	}
	work, err := access.Worker().Authorize(access.ExpireEvents, access.EveryTenant)
	if err != nil {
		t.Fatal(err)
	}
	days, err := tenant.NewRetention(30)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Tenants().SetRetention(ctx, all, days); err != nil {
		t.Fatal(err)
	}
	homes := make([]tenant.Tenant, 5)
	for i := range homes {
		homes[i] = porttest.NewTenant(t, db)
		old := porttest.NewEvent(t, homes[i].ID, event.Draft{Type: "view", UserIdentifier: "u"}, now.AddDate(0, 0, -31))
		porttest.Ingest(t, db, old)
	}
	file, err := sql.Open("sqlite", filepath.Join(dir, "data-events.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	failing := strings.ReplaceAll(string(homes[2].ID), "-", "")
	_, err = file.ExecContext(ctx, "CREATE TRIGGER failing BEFORE DELETE ON events WHEN old.tenant_id = x'"+failing+"' BEGIN SELECT RAISE(ABORT, 'failing'); END")
	if err != nil {
		t.Fatal(err)
	}
	deleted, more, err := db.Events().Expire(ctx, work, now, 100)
	if deleted != len(homes)-1 || more || err == nil || !strings.Contains(err.Error(), "failing") {
		t.Errorf("%d deleted, more: %t, %v", deleted, more, err)
	}
	for i, home := range homes {
		list, err := db.Events().List(ctx, porttest.ScopeOf(t, home.ID), analytics.Selection{}, "", page.Page{Limit: 10})
		if err != nil || (len(list) == 1) != (i == 2) {
			t.Errorf("tenant %d has %d events, %v", i, len(list), err)
		}
	}
}
