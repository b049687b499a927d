package analytics

import (
	"context"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// errTwoNames: a request names its event twice.
var errTwoNames = fault.ErrInvalid.OnField("event_id", "can't be combined with Idempotency-Key")

// Ingest stores an event once per tenant and name: a repeated request returns the stored event. The name is the draft's
// event_id or the key; without either, a key is issued.
// Errors: access.ErrForbidden, tenant.ErrNotFound, event.ErrKeyReused, event.ErrEventIDReused, ports.ErrBusy, and an invalid
// request that names the fields.
func (s *Service) Ingest(ctx context.Context, p access.Principal, tenantID id.Tenant, d event.Draft, key string) (event.Ingested, error) {
	scope, entered, err := s.enter(ctx, p, access.Ingest, tenantID)
	if err != nil {
		return event.Ingested{}, err
	}
	now := s.clock.Now()
	switch {
	case key != "" && d.EventID != nil:
		var c fault.Check
		c.Take(d.Check(now))
		c.Take(errTwoNames)
		return event.Ingested{}, c.Err()
	case key == "" && d.EventID == nil:
		key = s.issueKey(entered, d.OccurredAt, now)
	}
	e, err := d.Entry(entered, s.keys.Name(entered, key), now)
	if err != nil {
		return event.Ingested{}, err
	}
	result := event.Ingested{Key: key}
	outcomes, err := s.events.Ingest(ctx, scope, event.Batch{Entries: []event.Entry{e}, At: now})
	if err != nil {
		return result, err
	}
	if outcomes[0].Status == event.Reused {
		return result, reused(d)
	}
	result.Event, result.New = outcomes[0].Event, outcomes[0].Status == event.Stored
	return result, nil
}

// issueKey returns a key for an event that occurred at a time, or now.
func (s *Service) issueKey(tenant id.Tenant, occurred *time.Time, now time.Time) string {
	if occurred != nil {
		now = occurred.Truncate(time.Microsecond)
	}
	return s.keys.Issue(tenant, now, s.ids.New())
}

// reused returns the fault of a draft whose name belongs to another event.
func reused(d event.Draft) *fault.Error {
	if d.EventID != nil {
		return event.ErrEventIDReused
	}
	return event.ErrKeyReused
}

// IssueKey returns an idempotency key for a batch, with which all of it can be repeated. Errors: access.ErrForbidden,
// tenant.ErrNotFound.
func (s *Service) IssueKey(ctx context.Context, p access.Principal, tenantID id.Tenant) (string, error) {
	_, entered, err := s.enter(ctx, p, access.Ingest, tenantID)
	if err != nil {
		return "", err
	}
	return s.issueKey(entered, nil, s.clock.Now()), nil
}

// IngestBatch stores items of a batch, in one transaction. The key, if there is one, and their index name those without an
// event_id. Items that are invalid, or whose name belongs to another event, are rejected, and do not keep the others from
// being stored unless atomic is set: then nothing is stored if one is rejected.
// Errors: access.ErrForbidden, tenant.ErrNotFound, ports.ErrUnavailable, ports.ErrOutcomeUnknown, ports.ErrBusy.
func (s *Service) IngestBatch(ctx context.Context, p access.Principal, tenantID id.Tenant, key string, items []event.Item, atomic bool) (event.Counts, error) {
	scope, entered, err := s.enter(ctx, p, access.Ingest, tenantID)
	if err != nil {
		return event.Counts{}, err
	}
	name := event.Unnamed(s.ids.New())
	if key != "" {
		name = s.keys.Name(entered, key)
	}
	batch := event.Batch{Atomic: atomic, At: s.clock.Now()}
	indexes, counts := batch.Add(entered, name, items)
	if len(batch.Entries) == 0 || atomic && len(counts.Rejected) > 0 {
		return counts, nil
	}
	outcomes, err := s.events.Ingest(ctx, scope, batch)
	if err != nil {
		return event.Counts{}, err
	}
	counts.Take(outcomes, indexes, atomic)
	return counts, nil
}
