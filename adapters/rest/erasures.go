package rest

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

func (h handlers) EraseEvents(ctx context.Context, r contract.EraseEventsRequestObject) (contract.EraseEventsResponseObject, error) {
	var c fault.Check
	tenantID := tenantOf(&c, r.Params.TenantID)
	selection, err := analytics.SelectionRequest{
		UserIdentifier: optional(&c, "user_identifier", r.Params.UserIdentifier), EventType: optional(&c, "event_type", r.Params.EventType),
		From: optional(&c, "from", r.Params.From), To: optional(&c, "to", r.Params.To),
	}.Selection()
	c.TakeOthers(err)
	if err := c.Err(); err != nil {
		return nil, err
	}
	e, err := h.deps.Erasures.Erase(ctx, callerFrom(ctx).Principal(), tenantID, selection)
	if err != nil {
		return nil, err
	}
	if !e.IsDone() {
		return contract.EraseEvents202JSONResponse{RequestID: string(e.ID)}, nil
	}
	return contract.EraseEvents200JSONResponse{Deleted: e.Events, RequestID: string(e.ID), CompletedAt: e.CompletedAt}, nil
}

func (h handlers) GetErasure(ctx context.Context, r contract.GetErasureRequestObject) (contract.GetErasureResponseObject, error) {
	var c fault.Check
	tenantID := tenantOf(&c, r.Params.TenantID)
	erasureID, err := id.Parse[id.Erasure]("id", r.ID)
	c.Take(err)
	if err := c.Err(); err != nil {
		return nil, err
	}
	e, err := h.deps.Erasures.Get(ctx, callerFrom(ctx).Principal(), tenantID, erasureID)
	if err != nil {
		return nil, err
	}
	answer := contract.GetErasure200JSONResponse{RequestID: string(e.ID), Status: "pending", Deleted: e.Events, RequestedAt: e.RequestedAt}
	if e.IsDone() {
		answer.Status, answer.CompletedAt = "done", &e.CompletedAt
	}
	return answer, nil
}
