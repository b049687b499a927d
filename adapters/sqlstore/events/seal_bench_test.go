package events_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/sqlite"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// BenchmarkSeal seals 50,000 events of 50 deltas at a time.
func BenchmarkSeal(b *testing.B) {
	db, err := sqlite.Open(b.Context(), sqlite.Options{Path: filepath.Join(b.TempDir(), "data.db"), Queries: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	runner, err := db.Migrations()
	if err == nil {
		_, err = runner.Up(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	home := porttest.NewID[id.Tenant]()
	worker, err := access.Worker().Authorize(access.SealEvents, home)
	if err != nil {
		b.Fatal(err)
	}
	seal := func(steps int) {
		for range steps {
			if _, err := db.Events().Seal(b.Context(), worker, time.Now()); err != nil {
				b.Fatal(err)
			}
		}
	}
	seal(3) // what there is in rows: nothing
	scope, err := access.NewPrincipal(porttest.NewID[id.User](), home, access.Analyst).Authorize(access.Ingest, home)
	if err != nil {
		b.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	at := time.Now().UTC().Truncate(24 * time.Hour)
	for b.Loop() {
		b.StopTimer()
		for range 50 {
			batch := event.Batch{At: at}
			for range event.MaxBatch {
				at = at.Add(time.Millisecond)
				session, value, source := fmt.Sprintf("s-%08x", random.Uint32()), random.Float64(), "web"
				e := event.Event{
					ID: event.Bound(at), TenantID: home, Type: fmt.Sprint("type-", random.IntN(20)),
					UserIdentifier: fmt.Sprint("user-", random.IntN(100_000)), SessionID: &session, Value: &value, Source: &source, OccurredAt: at,
				}
				batch.Entries = append(batch.Entries, event.Entry{Event: e})
			}
			if _, err := db.Events().Ingest(b.Context(), scope, batch); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		seal(1)
	}
	b.ReportMetric(50_000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
