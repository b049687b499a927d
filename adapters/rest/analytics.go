package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
)

func (h handlers) IngestEvent(ctx context.Context, r IngestEventRequestObject) (IngestEventResponseObject, error) {
	var c fault.Check
	tenantID, err := tenantOf(r.Params.TenantID)
	if err := c.Take(err); err != nil {
		return nil, err
	}
	occurredAt, err := timeOf("occurred_at", r.Body.OccurredAt)
	if err := c.Take(err); err != nil {
		return nil, err
	}
	key := value(r.Params.IdempotencyKey)
	event.CheckKey(&c, key)
	if err := c.Err(); err != nil {
		return nil, err
	}
	e, err := h.deps.Analytics.Ingest(ctx, callerFrom(ctx).Principal(), tenantID, event.Draft{
		Type: r.Body.EventType, UserIdentifier: r.Body.UserIdentifier, SessionID: r.Body.SessionID,
		Value: r.Body.Value, Source: r.Body.Source, OccurredAt: occurredAt,
	}, key)
	if err != nil {
		return nil, err
	}
	return IngestEvent201JSONResponse{Body: eventBody(e), Headers: IngestEvent201ResponseHeaders{IdempotencyKey: key}}, nil
}

func eventBody(e event.Event) Event {
	return Event{
		ID: string(e.ID), TenantID: string(e.TenantID), EventType: e.Type, UserIdentifier: e.UserIdentifier,
		SessionID: e.SessionID, Value: e.Value, Source: e.Source, OccurredAt: e.OccurredAt,
	}
}

func (h handlers) ListEvents(ctx context.Context, r ListEventsRequestObject) (ListEventsResponseObject, error) {
	tenantID, err := tenantOf(r.Params.TenantID)
	if err != nil {
		return nil, err
	}
	part, err := pageOf(page.Events, r.Params.Skip, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	var c fault.Check
	eventType := given(&c, "event_type", r.Params.EventType)
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
	answer := make(ListEvents200JSONResponse, 0, len(list))
	for _, e := range list {
		answer = append(answer, eventBody(e))
	}
	return answer, nil
}

func (h handlers) Summarize(ctx context.Context, r SummarizeRequestObject) (SummarizeResponseObject, error) {
	tenantID, err := tenantOf(r.Params.TenantID)
	if err != nil {
		return nil, err
	}
	var c fault.Check
	period, err := analytics.ParsePeriod(given(&c, "period", r.Params.Period))
	if err := c.Take(err); err != nil {
		return nil, err
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	s, err := h.deps.Analytics.Summarize(ctx, callerFrom(ctx).Principal(), tenantID, period)
	if err != nil {
		return nil, err
	}
	top := make([]EventTypeCount, 0, len(s.TopEventTypes))
	for _, t := range s.TopEventTypes {
		top = append(top, EventTypeCount{EventType: t.Type, Count: t.Count})
	}
	return Summarize200JSONResponse{
		TenantID: string(s.TenantID), Period: period.String(), TotalEvents: s.TotalEvents,
		UniqueUsers: s.UniqueUsers, TopEventTypes: top, GeneratedAt: s.Window.End,
	}, nil
}

func (h handlers) Query(ctx context.Context, r QueryRequestObject) (QueryResponseObject, error) {
	tenantID, err := tenantOf(r.Params.TenantID)
	if err != nil {
		return nil, err
	}
	var c fault.Check
	q, err := analytics.QueryRequest{
		EventType: given(&c, "event_type", r.Body.EventType), StartDate: given(&c, "start_date", r.Body.StartDate),
		EndDate: given(&c, "end_date", r.Body.EndDate), GroupBy: given(&c, "group_by", r.Body.GroupBy), Limit: r.Body.Limit,
	}.Query()
	if err := c.Take(err); err != nil {
		return nil, err
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	result, err := h.deps.Analytics.Query(ctx, callerFrom(ctx).Principal(), tenantID, q)
	if err != nil {
		return nil, err
	}
	rows := make([]queryRow, 0, len(result.Rows))
	for _, row := range result.Rows {
		rows = append(rows, queryRow{name: q.GroupBy.String(), row: row})
	}
	return Query200JSONResponse{
		Query: QueryEcho{
			EventType: present(q.EventType), StartDate: present(q.Window.Start), EndDate: present(q.Window.End),
			GroupBy: q.GroupBy.String(), Limit: q.Limit,
		},
		Results: rows, RowCount: len(rows), TenantID: string(result.TenantID), ExecutedAt: result.ExecutedAt,
	}, nil
}

// present returns a pointer to v, or nil for the zero value.
func present[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// queryRow is one group of an answer: the key stands under the name of what was grouped by.
type queryRow struct {
	name string
	row  analytics.Row
}

// MarshalJSON writes the row.
func (r queryRow) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{r.name: r.row.Key, "count": r.row.Count, "avg_value": r.row.AvgValue})
}

func (h handlers) ExportEvents(ctx context.Context, r ExportEventsRequestObject) (ExportEventsResponseObject, error) {
	tenantID, err := tenantOf(r.Params.TenantID)
	if err != nil {
		return nil, err
	}
	events, err := h.deps.Analytics.Export(ctx, callerFrom(ctx).Principal(), tenantID)
	if err != nil {
		return nil, err
	}
	return export{server: h.Server, ctx: ctx, events: events}, nil
}

// flushEvery is how many lines of an export are sent at a time.
const flushEvery = 500

// export streams events as lines of JSON.
type export struct {
	server *Server
	ctx    context.Context
	events iter.Seq2[event.Event, error]
}

// VisitExportEventsResponse writes the stream. Where it can't be completed the connection is broken off, so that the
// client can't take a part for the whole.
func (x export) VisitExportEventsResponse(w http.ResponseWriter) error {
	control := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	flush := func() error {
		if err := control.Flush(); err != nil {
			return err
		}
		// Each piece has the time of a whole answer, or a long export would end in the middle.
		return control.SetWriteDeadline(time.Now().Add(x.server.settings.WriteTimeout))
	}
	began := false
	start := func() {
		if began {
			return
		}
		began = true
		name := fmt.Sprintf("events-%s.ndjson", x.server.deps.Clock.Now().Format("20060102T150405Z"))
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		w.WriteHeader(http.StatusOK)
	}
	n := 0
	for e, err := range x.events {
		if err != nil && !began {
			return err
		}
		if err == nil {
			start()
			err = lines.Encode(ExportedEvent{
				ID: string(e.ID), EventType: e.Type, UserIdentifier: e.UserIdentifier, SessionID: e.SessionID,
				Value: e.Value, Source: e.Source, OccurredAt: e.OccurredAt,
			})
		}
		if n++; err == nil && n%flushEvery == 0 {
			err = flush()
		}
		if err != nil {
			if !isGone(x.ctx) {
				x.server.logUnexpected(x.ctx, fmt.Errorf("an export broke off after %d events: %w", n, err))
			}
			panic(http.ErrAbortHandler)
		}
	}
	start()
	return nil
}
