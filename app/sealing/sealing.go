// Package sealing makes the events of tenants ready for questions, and rids them of what was erased.
package sealing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Service seals events.
type Service struct {
	events   ports.Events
	recorder *recorder.Recorder
	clock    ports.Clock
}

// NewService returns a service.
func NewService(events ports.Events, recorder *recorder.Recorder, clock ports.Clock) *Service {
	return &Service{events: events, recorder: recorder, clock: clock}
}

// Seal does one step for each tenant that needs one, so that one with much does not keep others waiting, and reports whether to call
// it again at once. A failure for one tenant does not stop the others; all of them are returned.
func (s *Service) Seal(ctx context.Context) (more bool, err error) {
	for _, tenant := range s.events.Unsealed(s.clock.Now()) {
		if ctx.Err() != nil {
			return false, errors.Join(err, ctx.Err())
		}
		again, failed := s.Step(ctx, tenant)
		more = more || again
		err = errors.Join(err, failed)
	}
	return more, err
}

// Step does one step for a tenant, records the erasures that are completed by then, and reports whether to call it again at once.
func (s *Service) Step(ctx context.Context, tenant id.Tenant) (more bool, err error) {
	scope, err := access.Worker().Authorize(access.SealEvents, tenant)
	if err != nil {
		return false, err
	}
	if more, err = s.events.Seal(ctx, scope, s.clock.Now()); err != nil {
		return false, fmt.Errorf("sealing the events of tenant %s: %w", tenant, err)
	}
	if err := s.report(ctx, scope, tenant); err != nil {
		return false, fmt.Errorf("recording the erasures of tenant %s: %w", tenant, err)
	}
	return more, nil
}

// report records the completed erasures of a tenant, each at least once.
func (s *Service) report(ctx context.Context, scope access.Scope, tenant id.Tenant) error {
	done, err := s.events.Unreported(ctx, scope)
	if err != nil {
		return err
	}
	for _, e := range done {
		err := s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
			return tx.Record(ctx, scope, audit.Entry{
				TenantID: tenant, Severity: audit.Warning, Act: audit.ErasureCompleted, Subject: string(e.ID), Detail: map[string]string{
					"deleted": strconv.FormatInt(e.Events, 10), "requested_by": string(e.RequestedBy), "completed_at": e.CompletedAt.Format(time.RFC3339),
				},
			})
		})
		if err != nil {
			return err
		}
		if err := s.events.Reported(ctx, scope, e.ID); err != nil {
			return err
		}
	}
	return nil
}

// Rebuild throws the sealed events of a tenant away, to be made anew from the events. Errors: access.ErrForbidden.
func (s *Service) Rebuild(ctx context.Context, p access.Principal, tenant id.Tenant) error {
	scope, err := p.Authorize(access.ManageTenants, tenant)
	if err != nil {
		return err
	}
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		return tx.Record(ctx, scope, audit.Entry{TenantID: tenant, Severity: audit.Warning, Act: audit.BlocksRebuilt, Actor: p.User()})
	})
	if err != nil {
		return err
	}
	return s.events.Unseal(ctx, scope)
}

// Status returns what is sealed of the events of a tenant. Errors: access.ErrForbidden.
func (s *Service) Status(ctx context.Context, p access.Principal, tenant id.Tenant) (ports.SealStatus, error) {
	scope, err := p.Authorize(access.ManageTenants, tenant)
	if err != nil {
		return ports.SealStatus{}, err
	}
	return s.events.SealStatus(ctx, scope)
}
