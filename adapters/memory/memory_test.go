package memory_test

import (
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/memory"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

func TestLimiter(t *testing.T) { porttest.RateLimiter(t, memory.NewLimiter()) }

func TestRevocations(t *testing.T) {
	clock := porttest.NewClock()
	porttest.RevocationList(t, memory.NewRevocations(clock), clock.Now, clock.Advance)
}
