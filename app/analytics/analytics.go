// Package analytics has the use cases of a tenant's events: ingest, list, summarize, query, export.
package analytics

import (
	"context"
	"iter"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/app/recorder"
	"github.com/muhammad-ali-dev0/secure-data-api/app/tenants"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/audit"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// chunkSize is the number of events that an export reads at a time, at most.
const chunkSize = 5000

// Dependencies are the dependencies of a Service.
type Dependencies struct {
	Events   ports.Events
	Tenants  *tenants.Service
	Recorder *recorder.Recorder
	Gate     ports.QueryGate
	Keys     event.Keys
	Clock    ports.Clock
	IDs      ports.IDs
}

// Service implements the use cases. Everything that reads many events goes through the gate; ingesting an event does not.
type Service struct {
	events       ports.Events
	tenants      *tenants.Service
	recorder     *recorder.Recorder
	gate         ports.QueryGate
	keys         event.Keys
	clock        ports.Clock
	ids          ports.IDs
	chunkTimeout time.Duration
}

// NewService returns a service. chunkTimeout limits each chunk of an export, including the wait for a slot.
func NewService(d Dependencies, chunkTimeout time.Duration) *Service {
	return &Service{
		events: d.Events, tenants: d.Tenants, recorder: d.Recorder, gate: d.Gate, keys: d.Keys, clock: d.Clock, ids: d.IDs, chunkTimeout: chunkTimeout,
	}
}

// enter authorizes a principal in one tenant, and returns the tenant's id.
func (s *Service) enter(ctx context.Context, p access.Principal, permission access.Permission, tenantID id.Tenant) (access.Scope, id.Tenant, error) {
	scope, err := s.tenants.Enter(ctx, p, permission, tenantID)
	if err != nil {
		return access.Scope{}, "", err
	}
	entered, err := scope.Tenant()
	return scope, entered, err
}

// Events returns a page of a tenant's events of a selection, newest first, and whether there are more. It begins after an event, or
// with the newest if that is empty. Errors: access.ErrForbidden, tenant.ErrNotFound, ports.ErrTooManyQueries, analytics.ErrTooExpensive.
func (s *Service) Events(
	ctx context.Context, p access.Principal, tenantID id.Tenant, selection analytics.Selection, after id.Event, part page.Page,
) (list []event.Event, more bool, err error) {
	scope, entered, err := s.enter(ctx, p, access.ReadTenantData, tenantID)
	if err != nil {
		return nil, false, err
	}
	leave, err := s.gate.Enter(ctx, entered)
	if err != nil {
		return nil, false, err
	}
	defer leave()
	list, err = s.events.List(ctx, scope, selection, after, page.Page{Skip: part.Skip, Limit: part.Limit + 1})
	if err != nil || len(list) <= part.Limit {
		return list, false, err
	}
	return list[:part.Limit], true, nil
}

// ask authorizes a principal in one tenant, and gives a question the events of that tenant.
func (s *Service) ask(
	ctx context.Context, p access.Principal, permission access.Permission, tenantID id.Tenant, q analytics.Question,
) (id.Tenant, analytics.Reading, error) {
	scope, err := s.tenants.Enter(ctx, p, permission, tenantID)
	if err != nil {
		return "", analytics.Reading{}, err
	}
	entered, _, err := scope.Questions()
	if err != nil {
		return "", analytics.Reading{}, err
	}
	leave, err := s.gate.Enter(ctx, entered)
	if err != nil {
		return "", analytics.Reading{}, err
	}
	defer leave()
	began := s.clock.Now()
	reading, err := s.events.Answer(ctx, scope, q)
	reading.Took = s.clock.Now().Sub(began)
	return entered, reading, err
}

// Summarize counts a tenant's events in the period that ends now; it begins with a full hour.
// Errors: access.ErrForbidden, tenant.ErrNotFound, ports.ErrTooManyQueries, analytics.ErrTooExpensive.
func (s *Service) Summarize(ctx context.Context, p access.Principal, tenantID id.Tenant, period analytics.Period) (analytics.Summary, error) {
	q := analytics.NewSummaryQuestion(period.Window(s.clock.Now()))
	entered, reading, err := s.ask(ctx, p, access.ReadSummary, tenantID, q)
	if err != nil {
		return analytics.Summary{}, err
	}
	summary := q.Summary(entered)
	summary.Reading = reading
	return summary, nil
}

// Query runs a query on a tenant's events.
// Errors: access.ErrForbidden, tenant.ErrNotFound, ports.ErrTooManyQueries, analytics.ErrTooExpensive.
func (s *Service) Query(ctx context.Context, p access.Principal, tenantID id.Tenant, query analytics.Query) (analytics.Result, error) {
	q := query.Question()
	entered, reading, err := s.ask(ctx, p, access.RunQueries, tenantID, q)
	if err != nil {
		return analytics.Result{}, err
	}
	rows, err := q.Rows()
	if err != nil {
		return analytics.Result{}, err
	}
	return analytics.Result{TenantID: entered, Query: query, Rows: rows, ExecutedAt: s.clock.Now(), Reading: reading}, nil
}

// Funnel returns how many of a tenant's users do one step after the other.
// Errors: access.ErrForbidden, tenant.ErrNotFound, ports.ErrTooManyQueries, analytics.ErrTooExpensive.
func (s *Service) Funnel(ctx context.Context, p access.Principal, tenantID id.Tenant, f analytics.Funnel) (analytics.FunnelResult, error) {
	q := f.Question()
	entered, reading, err := s.ask(ctx, p, access.RunQueries, tenantID, q)
	if err != nil {
		return analytics.FunnelResult{}, err
	}
	result := q.Result(entered)
	result.ExecutedAt, result.Reading = s.clock.Now(), reading
	return result, nil
}

// Retention returns how many of a tenant's users come back.
// Errors: access.ErrForbidden, tenant.ErrNotFound, ports.ErrTooManyQueries, analytics.ErrTooExpensive.
func (s *Service) Retention(ctx context.Context, p access.Principal, tenantID id.Tenant, r analytics.Retention) (analytics.RetentionResult, error) {
	q := r.Question()
	entered, reading, err := s.ask(ctx, p, access.RunQueries, tenantID, q)
	if err != nil {
		return analytics.RetentionResult{}, err
	}
	result := q.Result(entered)
	result.ExecutedAt, result.Reading = s.clock.Now(), reading
	return result, nil
}

// PropertyKeys returns the keys that properties of a tenant's events have, in a window.
// Errors: access.ErrForbidden, tenant.ErrNotFound, ports.ErrTooManyQueries, analytics.ErrTooExpensive.
func (s *Service) PropertyKeys(ctx context.Context, p access.Principal, tenantID id.Tenant, w analytics.Window) (analytics.PropertyKeys, error) {
	q := analytics.NewPropertyKeysQuestion(w)
	entered, reading, err := s.ask(ctx, p, access.ReadTenantData, tenantID, q)
	if err != nil {
		return analytics.PropertyKeys{}, err
	}
	result := q.Result(entered)
	result.Reading = reading
	return result, nil
}

// Timeseries returns a metric of a tenant's events over the period that ends now.
// Errors: access.ErrForbidden, tenant.ErrNotFound, ports.ErrTooManyQueries, analytics.ErrTooExpensive.
func (s *Service) Timeseries(ctx context.Context, p access.Principal, tenantID id.Tenant, t analytics.Timeseries) (analytics.TimeseriesResult, error) {
	q := t.Question(s.clock.Now())
	entered, reading, err := s.ask(ctx, p, access.ReadSummary, tenantID, q)
	if err != nil {
		return analytics.TimeseriesResult{}, err
	}
	result := q.Result(entered)
	result.Reading = reading
	return result, nil
}

// chunk is some events of an export.
type chunk struct {
	events []event.Event
	more   bool
}

// Export returns a tenant's events of a selection, oldest first. The audit entry is committed before the first event is yielded.
// Neither a slot nor a transaction is held while events are yielded. An error is yielded last.
// Errors: access.ErrForbidden, tenant.ErrNotFound, ports.ErrTooManyQueries.
func (s *Service) Export(
	ctx context.Context, p access.Principal, tenantID id.Tenant, selection analytics.Selection,
) (iter.Seq2[event.Event, error], error) {
	scope, entered, err := s.enter(ctx, p, access.Export, tenantID)
	if err != nil {
		return nil, err
	}
	read := func(enter func(context.Context, id.Tenant) (func(), error), last id.Event) (c chunk, err error) {
		ctx, cancel := context.WithTimeout(ctx, s.chunkTimeout)
		defer cancel()
		leave, err := enter(ctx, entered)
		if err != nil {
			return chunk{}, err
		}
		defer leave()
		c.events, c.more, err = s.events.Export(ctx, scope, selection, last, chunkSize)
		return c, err
	}
	first, err := read(s.gate.Enter, "")
	if err != nil {
		return nil, err
	}
	err = s.recorder.InTx(ctx, func(ctx context.Context, tx *recorder.Tx) error {
		return tx.Record(ctx, scope, audit.Entry{TenantID: entered, Severity: audit.Warning, Act: audit.DataExported})
	})
	if err != nil {
		return nil, err
	}
	return inChunks(first, func(last id.Event) (chunk, error) { return read(s.gate.Reenter, last) }), nil
}

// inChunks yields the events of the first chunk and of all following ones.
func inChunks(first chunk, next func(last id.Event) (chunk, error)) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for c := first; ; {
			for _, e := range c.events {
				if !yield(e, nil) {
					return
				}
			}
			if !c.more || len(c.events) == 0 {
				return
			}
			following, err := next(c.events[len(c.events)-1].ID)
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			c = following
		}
	}
}
