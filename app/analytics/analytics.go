// Package analytics has the use cases of a tenant's events: report, list, summarize, ask, export.
package analytics

import (
	"context"
	"iter"

	recorder "github.com/muhammad-ali-dev0/secure-data-api/app/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/app/tenants"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Service carries out the use cases.
type Service struct {
	events   ports.Events
	tenants  *tenants.Service
	recorder *recorder.Recorder
	clock    ports.Clock
}

// NewService returns a service.
func NewService(events ports.Events, tenants *tenants.Service, recorder *recorder.Recorder, clock ports.Clock) *Service {
	return &Service{events: events, tenants: tenants, recorder: recorder, clock: clock}
}

// Record stores an event once per tenant and key: to repeat it with the same key returns what is stored.
// Errors: access.ErrForbidden, tenant.ErrNotFound, event.ErrKeyReused, and an invalid request that names the fields.
func (s *Service) Record(ctx context.Context, p access.Principal, tenantID id.Tenant, d event.Draft, key string) (event.Event, error) {
	scope, err := s.tenants.Enter(ctx, p, access.Ingest, tenantID)
	if err != nil {
		return event.Event{}, err
	}
	entered, err := scope.Tenant()
	if err != nil {
		return event.Event{}, err
	}
	e, err := d.Event(id.Derive[id.Event](entered, key), entered, s.clock.Now())
	if err != nil {
		return event.Event{}, err
	}
	isNew, err := s.events.Append(ctx, scope, e)
	if err != nil || isNew {
		return e, err
	}
	stored, err := s.events.ByID(ctx, scope, e.ID)
	if err != nil {
		return event.Event{}, err
	}
	if !d.Matches(stored) {
		return event.Event{}, event.ErrKeyReused
	}
	return stored, nil
}

// Events returns a page of a tenant's events, newest first; an empty type means all.
// Errors: access.ErrForbidden, tenant.ErrNotFound.
func (s *Service) Events(ctx context.Context, p access.Principal, tenantID id.Tenant, eventType string, part page.Page) ([]event.Event, error) {
	scope, err := s.tenants.Enter(ctx, p, access.ReadTenantData, tenantID)
	if err != nil {
		return nil, err
	}
	return s.events.List(ctx, scope, eventType, part)
}

// Summary returns a tenant's events of a period at a glance. Errors: access.ErrForbidden, tenant.ErrNotFound.
func (s *Service) Summary(ctx context.Context, p access.Principal, tenantID id.Tenant, period analytics.Period) (analytics.Summary, error) {
	scope, err := s.tenants.Enter(ctx, p, access.ReadSummary, tenantID)
	if err != nil {
		return analytics.Summary{}, err
	}
	entered, err := scope.Tenant()
	if err != nil {
		return analytics.Summary{}, err
	}
	now := s.clock.Now()
	totals, err := s.events.Totals(ctx, scope, period.Window(now))
	if err != nil {
		return analytics.Summary{}, err
	}
	return analytics.Summary{TenantID: entered, Period: period, Totals: totals, GeneratedAt: now}, nil
}

// Query answers a question about a tenant's events. Errors: access.ErrForbidden, tenant.ErrNotFound.
func (s *Service) Query(ctx context.Context, p access.Principal, tenantID id.Tenant, q analytics.Query) (analytics.Result, error) {
	scope, err := s.tenants.Enter(ctx, p, access.RunQueries, tenantID)
	if err != nil {
		return analytics.Result{}, err
	}
	entered, err := scope.Tenant()
	if err != nil {
		return analytics.Result{}, err
	}
	rows, err := s.events.Query(ctx, scope, q)
	if err != nil {
		return analytics.Result{}, err
	}
	return analytics.Result{TenantID: entered, Query: q, Rows: rows, ExecutedAt: s.clock.Now()}, nil
}

// Export returns all of a tenant's events, oldest first. That they leave is on record before the first one does.
// Errors: access.ErrForbidden, tenant.ErrNotFound.
func (s *Service) Export(ctx context.Context, p access.Principal, tenantID id.Tenant) (iter.Seq2[event.Event, error], error) {
	scope, err := s.tenants.Enter(ctx, p, access.Export, tenantID)
	if err != nil {
		return nil, err
	}
	entered, err := scope.Tenant()
	if err != nil {
		return nil, err
	}
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		return tx.Record(ctx, scope, audit.Entry{TenantID: entered, Severity: audit.Warning, Act: audit.DataExported})
	})
	if err != nil {
		return nil, err
	}
	return s.events.Export(ctx, scope), nil
}
