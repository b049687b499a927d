package rest

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
)

const headerIdempotencyKey = "Idempotency-Key" // draft-ietf-httpapi-idempotency-key-header-07 2

func draft(b *contract.EventDraft) event.Draft {
	return event.Draft{
		Type: b.EventType, UserIdentifier: b.UserIdentifier, SessionID: b.SessionID, Value: b.Value, Source: b.Source, OccurredAt: b.OccurredAt,
	}
}

func (h handlers) IngestEvent(ctx context.Context, r contract.IngestEventRequestObject) (contract.IngestEventResponseObject, error) {
	var c fault.Check
	tenantID, key := tenantOf(&c, r.Params.TenantID), value(r.Params.IdempotencyKey)
	if r.Params.IdempotencyKey != nil {
		event.CheckKey(&c, key)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	result, err := h.deps.Analytics.Ingest(ctx, callerFrom(ctx).Principal(), tenantID, draft(r.Body), key)
	if err != nil {
		return nil, err
	}
	headers := contract.IngestEvent201ResponseHeaders{IdempotencyKey: result.Key}
	return contract.IngestEvent201JSONResponse{Body: eventBody(result.Event), Headers: headers}, nil
}

func eventBody(e event.Event) contract.Event {
	return contract.Event{
		ID: string(e.ID), TenantID: string(e.TenantID), EventType: e.Type, UserIdentifier: e.UserIdentifier,
		SessionID: e.SessionID, Value: e.Value, Source: e.Source, OccurredAt: e.OccurredAt,
	}
}

func (h handlers) ListEvents(ctx context.Context, r contract.ListEventsRequestObject) (contract.ListEventsResponseObject, error) {
	var c fault.Check
	tenantID := tenantOf(&c, r.Params.TenantID)
	part := pageOf(&c, page.Events, r.Params.Skip, r.Params.Limit)
	eventType := optional(&c, "event_type", r.Params.EventType)
	if eventType != "" {
		event.CheckType(&c, eventType)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	list, err := h.deps.Analytics.Events(ctx, callerFrom(ctx).Principal(), tenantID, eventType, part)
	if err != nil {
		return nil, err
	}
	answer := make(contract.ListEvents200JSONResponse, 0, len(list))
	for _, e := range list {
		answer = append(answer, eventBody(e))
	}
	return answer, nil
}
