package rest

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
)

const headerIdempotencyKey = "Idempotency-Key" // draft-ietf-httpapi-idempotency-key-header-07 2

func draft(b *contract.EventDraft) event.Draft {
	return event.Draft{
		EventID: b.EventID, Type: b.EventType, UserIdentifier: b.UserIdentifier, SessionID: b.SessionID, Value: b.Value, Source: b.Source,
		OccurredAt: b.OccurredAt, Properties: value(b.Properties),
	}
}

func (h handlers) IngestEvent(ctx context.Context, r contract.IngestEventRequestObject) (contract.IngestEventResponseObject, error) {
	var c fault.Check
	tenantID, key := tenantOf(&c, r.Params.TenantID), keyOf(&c, r.Params.IdempotencyKey)
	if err := c.Err(); err != nil {
		return nil, err
	}
	result, err := h.deps.Analytics.Ingest(ctx, callerFrom(ctx).Principal(), tenantID, draft(r.Body), key)
	if err != nil {
		return nil, keyedError{result.Key, err}
	}
	body, used := eventBody(result.Event), orNil(result.Key)
	if !result.New {
		return contract.IngestEvent200JSONResponse{Body: body, Headers: contract.IngestEvent200ResponseHeaders{IdempotencyKey: used}}, nil
	}
	return contract.IngestEvent201JSONResponse{Body: body, Headers: contract.IngestEvent201ResponseHeaders{IdempotencyKey: used}}, nil
}

// keyedError is an error of a request that may be repeated with the idempotency key, which is empty if there is none.
type keyedError struct {
	key   string
	cause error
}

func (k keyedError) Error() string { return k.cause.Error() }
func (k keyedError) Unwrap() error { return k.cause }

func eventBody(e event.Event) contract.Event {
	return contract.Event{
		ID: string(e.ID), TenantID: string(e.TenantID), EventType: e.Type, UserIdentifier: e.UserIdentifier,
		SessionID: e.SessionID, Value: e.Value, Source: e.Source, OccurredAt: e.OccurredAt, Properties: properties(e),
	}
}

// properties returns the properties of an event as JSON, or nil for null.
func properties(e event.Event) *jsontext.Value {
	if e.Properties == "" {
		return nil
	}
	return new(jsontext.Value(e.Properties))
}

// orNil returns nil for an empty text.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (h handlers) ListEvents(ctx context.Context, r contract.ListEventsRequestObject) (contract.ListEventsResponseObject, error) {
	var c fault.Check
	p := r.Params
	tenantID := tenantOf(&c, p.TenantID)
	part := pageOf(&c, page.Events, p.Skip, p.Limit)
	parameters := selectionParameters{p.EventType, p.Source, p.UserIdentifier, p.SessionID, p.From, p.To}
	selection := parameters.selection(&c)
	after := cursorOf(&c, p.Cursor)
	if p.Cursor != nil && part.Skip > 0 {
		c.Add("cursor", "must not be given together with skip")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	list, more, err := h.deps.Analytics.Events(ctx, callerFrom(ctx).Principal(), tenantID, selection, after, part)
	if err != nil {
		return nil, err
	}
	answer := contract.ListEvents200JSONResponse{Body: make([]contract.Event, 0, len(list))}
	for _, e := range list {
		answer.Body = append(answer.Body, eventBody(e))
	}
	if more {
		query := parameters.query()
		if tenantID != "" {
			query.Set("tenant_id", string(tenantID))
		}
		next, err := nextPage(query, part.Limit, list[len(list)-1].ID)
		if err != nil {
			return nil, err
		}
		answer.Headers.Link = &next
	}
	return answer, nil
}
