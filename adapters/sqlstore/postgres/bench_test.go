package postgres_test

import (
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

func BenchmarkIngest(b *testing.B) {
	server := container.Postgres(b)
	porttest.BenchmarkIngest(b, migrated(b, options(server.Database(b))))
}
