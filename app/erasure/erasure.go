// Package erasure deletes events for good, on request.
package erasure

import (
	"context"
	"strings"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/app/sealing"
	"github.com/muhammad-ali-dev0/secure-data-api/app/tenants"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Dependencies are the dependencies of a Service.
type Dependencies struct {
	Events   ports.Events
	Tenants  *tenants.Service
	Sealing  *sealing.Service
	Recorder *recorder.Recorder
	Gate     ports.QueryGate
	Clock    ports.Clock
	IDs      ports.IDs
	// After is time.After, or a substitute in tests.
	After func(time.Duration) <-chan time.Time
}

// Service implements the use cases of erasures.
type Service struct{ Dependencies }

// NewService returns a service.
func NewService(d Dependencies) *Service { return &Service{d} }

const (
	// patience is how long a request waits for the completion of its erasure.
	patience = 10 * time.Second
	// interval is how long it waits for others that work on the tenant's events.
	interval = 50 * time.Millisecond
)

// Erase erases the events of a selection by user, type and time, which must select something. If they are event.ErasedAtOnce at most, it
// waits a while for the completion; otherwise the worker does what is left. What is recorded does not say whose events they are, since
// entries are never deleted.
// Errors: access.ErrForbidden, tenant.ErrNotFound, event.ErrNothingSelected, ports.ErrTooManyQueries, analytics.ErrTooExpensive.
func (s *Service) Erase(ctx context.Context, p access.Principal, tenantID id.Tenant, selection analytics.Selection) (event.Erasure, error) {
	scope, err := s.Tenants.Enter(ctx, p, access.EraseEvents, tenantID)
	if err != nil {
		return event.Erasure{}, err
	}
	entered, err := scope.Tenant()
	if err != nil {
		return event.Erasure{}, err
	}
	named := namesOf(selection)
	if len(named) == 0 {
		return event.Erasure{}, event.ErrNothingSelected
	}
	e := event.Erasure{ID: id.Erasure(s.IDs.New()), TenantID: entered, RequestedBy: p.User(), RequestedAt: s.Clock.Now()}
	leave, err := s.Gate.Enter(ctx, entered)
	if err != nil {
		return event.Erasure{}, err
	}
	defer leave()
	err = s.Recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		return tx.Record(ctx, scope, audit.Entry{
			TenantID: entered, Severity: audit.Warning, Act: audit.ErasureRequested, Subject: string(e.ID), Detail: map[string]string{"selected_by": strings.Join(named, ", ")},
		})
	})
	if err != nil {
		return event.Erasure{}, err
	}
	if e.Events, err = s.Events.Erase(ctx, scope, e, selection); err != nil || e.Events > event.ErasedAtOnce {
		return e, err
	}
	return s.wait(ctx, scope, e), nil
}

// namesOf returns by what a selection selects.
func namesOf(s analytics.Selection) (names []string) {
	for _, part := range []struct {
		name  string
		given bool
	}{
		{"user_identifier", s.UserIdentifier != ""}, {"event_type", s.EventType != ""}, {"from", !s.Window.Start.IsZero()}, {"to", !s.Window.End.IsZero()},
	} {
		if part.given {
			names = append(names, part.name)
		}
	}
	return names
}

// wait works towards the completion of an erasure, which is in effect already: after an error the worker goes on.
func (s *Service) wait(ctx context.Context, scope access.Scope, e event.Erasure) event.Erasure {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		more, err := s.Sealing.Step(ctx, e.TenantID)
		if err != nil {
			return e
		}
		now, err := s.Events.Erasure(ctx, scope, e.ID)
		if err != nil {
			return e
		}
		if now.IsDone() {
			return now
		}
		if !more { // another process works on it
			select {
			case <-ctx.Done():
			case <-s.After(interval):
			}
		}
	}
	return e
}

// Get returns an erasure of a tenant. Errors: access.ErrForbidden, tenant.ErrNotFound, event.ErrNoErasure.
func (s *Service) Get(ctx context.Context, p access.Principal, tenantID id.Tenant, erasureID id.Erasure) (event.Erasure, error) {
	scope, err := s.Tenants.Enter(ctx, p, access.EraseEvents, tenantID)
	if err != nil {
		return event.Erasure{}, err
	}
	return s.Events.Erasure(ctx, scope, erasureID)
}
