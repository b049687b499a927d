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
	migrating    = "migrating"
)

// Condition is the state of the service, apart from its database's.
type Condition struct {
	Migrating bool // the schema is being migrated and checked; requests that need the database are refused
	Draining  bool // shutting down, but still answering
	// Detail is the progress of the migration, or what needs the operator's attention; may be empty.
	Detail string
}

// readiness returns the state of the database, why the service is not ready, empty if it is, and the detail of its condition,
// nil if there is none. While migrating, the database is not asked: its tables may be missing.
func (h handlers) readiness(ctx context.Context) (database, reason string, detail *string) {
	condition := h.deps.Condition()
	database = connected
	if condition.Migrating {
		reason = migrating
	} else if err := h.deps.Database.Ping(ctx); err != nil {
		database, reason = disconnected, degraded
	}
	if condition.Draining {
		reason = draining
	}
	if condition.Detail != "" {
		detail = &condition.Detail
	}
	return database, reason, detail
}

func (h handlers) Live(context.Context, contract.LiveRequestObject) (contract.LiveResponseObject, error) {
	return contract.Live200JSONResponse{Status: "alive"}, nil
}

func (h handlers) Ready(ctx context.Context, _ contract.ReadyRequestObject) (contract.ReadyResponseObject, error) {
	database, reason, detail := h.readiness(ctx)
	if reason != "" {
		return contract.Ready503JSONResponse{Status: reason, Database: database, Detail: detail}, nil
	}
	return contract.Ready200JSONResponse{Status: "ready", Database: database, Detail: detail}, nil
}

func (h handlers) Health(ctx context.Context, _ contract.HealthRequestObject) (contract.HealthResponseObject, error) {
	database, reason, detail := h.readiness(ctx)
	answer := contract.Health{
		Status: "healthy", Version: h.settings.Version, Environment: h.settings.Environment,
		Timestamp: h.deps.Clock.Now(), Database: database, Detail: detail,
	}
	if reason != "" {
		answer.Status = reason
		return contract.Health503JSONResponse(answer), nil
	}
	return contract.Health200JSONResponse(answer), nil
}
