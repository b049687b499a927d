package rest

import (
	"context"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
)

const (
	connected    = "connected"
	disconnected = "disconnected"
	degraded     = "degraded"
	draining     = "draining"
)

// readiness returns the state of the database, and why the service is not ready; empty if it is.
func (h handlers) readiness(ctx context.Context) (database, reason string) {
	database = connected
	if err := h.deps.Database.Ping(ctx); err != nil {
		database, reason = disconnected, degraded
	}
	if h.deps.Draining() {
		reason = draining
	}
	return database, reason
}

func (h handlers) Live(context.Context, contract.LiveRequestObject) (contract.LiveResponseObject, error) {
	return contract.Live200JSONResponse{Status: "alive"}, nil
}

func (h handlers) Ready(ctx context.Context, _ contract.ReadyRequestObject) (contract.ReadyResponseObject, error) {
	database, reason := h.readiness(ctx)
	if reason != "" {
		return contract.Ready503JSONResponse{Status: reason, Database: database}, nil
	}
	return contract.Ready200JSONResponse{Status: "ready", Database: database}, nil
}

func (h handlers) Health(ctx context.Context, _ contract.HealthRequestObject) (contract.HealthResponseObject, error) {
	database, reason := h.readiness(ctx)
	answer := contract.Health{
		Status: "healthy", Version: h.settings.Version, Environment: h.settings.Environment,
		Timestamp: h.deps.Clock.Now(), Database: database,
	}
	if reason != "" {
		answer.Status = reason
		return contract.Health503JSONResponse(answer), nil
	}
	return contract.Health200JSONResponse(answer), nil
}
