package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

func (h handlers) ExportEvents(ctx context.Context, r contract.ExportEventsRequestObject) (contract.ExportEventsResponseObject, error) {
	var c fault.Check
	tenantID := tenantOf(&c, r.Params.TenantID)
	if err := c.Err(); err != nil {
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

// VisitExportEventsResponse writes the stream. If it can't be completed, the connection is aborted, so that the client does not
// take an incomplete export for a complete one.
func (x export) VisitExportEventsResponse(w http.ResponseWriter) error {
	control := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	flush := func() error {
		if err := control.Flush(); err != nil {
			return err
		}
		// WriteTimeout starts anew for each chunk, or it would end a long export.
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
			err = lines.Encode(contract.ExportedEvent{
				ID: string(e.ID), EventType: e.Type, UserIdentifier: e.UserIdentifier, SessionID: e.SessionID,
				Value: e.Value, Source: e.Source, OccurredAt: e.OccurredAt, Properties: properties(e),
			})
		}
		if n++; err == nil && n%flushEvery == 0 {
			err = flush()
		}
		if err != nil {
			if !isGone(x.ctx) {
				x.server.logUnexpected(x.ctx, fmt.Errorf("export aborted after %d events: %w", n, err))
			}
			panic(http.ErrAbortHandler)
		}
	}
	start()
	return nil
}
