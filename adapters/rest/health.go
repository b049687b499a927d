package rest

import (
	"context"
)

const (
	connected    = "connected"
	disconnected = "disconnected"
	degraded     = "degraded"
	draining     = "draining"
)

// fitness returns how the database is, and what keeps the service from being ready; empty where nothing does.
func (h handlers) fitness(ctx context.Context) (database, reason string) {
	database = connected
	if err := h.deps.Database.Ping(ctx); err != nil {
		database, reason = disconnected, degraded
	}
	if h.deps.Draining() {
		reason = draining
	}
	return database, reason
}

func (h handlers) About(context.Context, AboutRequestObject) (AboutResponseObject, error) {
	return About200JSONResponse{
		Name: "Secure Data API", Version: h.settings.Version, Documentation: docsPath, Contract: contractPath, Health: healthPath,
	}, nil
}

func (h handlers) Live(context.Context, LiveRequestObject) (LiveResponseObject, error) {
	return Live200JSONResponse{Status: "alive"}, nil
}

func (h handlers) Ready(ctx context.Context, _ ReadyRequestObject) (ReadyResponseObject, error) {
	database, reason := h.fitness(ctx)
	if reason != "" {
		return Ready503JSONResponse{Status: reason, Database: database}, nil
	}
	return Ready200JSONResponse{Status: "ready", Database: database}, nil
}

func (h handlers) Health(ctx context.Context, _ HealthRequestObject) (HealthResponseObject, error) {
	database, reason := h.fitness(ctx)
	answer := Health{
		Status: "healthy", Version: h.settings.Version, Environment: h.settings.Environment,
		Timestamp: h.deps.Clock.Now(), Database: database,
	}
	if reason != "" {
		answer.Status = reason
		return Health503JSONResponse(answer), nil
	}
	return Health200JSONResponse(answer), nil
}
