package porttest

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// BenchmarkIngest measures a store with callers that each store batches, one after the other. It reports events a second.
func BenchmarkIngest(b *testing.B, s ports.Store) {
	for _, c := range []struct {
		name          string
		callers, size int
	}{
		{"batches of 1000", 8, 1000},
		{"batches of 100", 8, 100},
		{"single events", 64, 1},
		{"single events one caller", 1, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			tenant := NewID[id.Tenant]()
			scope := ScopeOf(b, tenant)
			b.SetParallelism(max(c.callers/runtime.GOMAXPROCS(0), 1))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for number := 0; pb.Next(); number++ {
					batch := event.Batch{At: time.Now()}
					for i := range c.size {
						d := event.Draft{Type: fmt.Sprintf("event_type_%02d", i%20), UserIdentifier: fmt.Sprintf("user-%05d", i*7919%100_000), Source: new("web")}
						e, err := d.Entry(tenant, event.Unnamed(string(NewID[id.Event]())), batch.At)
						if err != nil {
							b.Error(err)
							return
						}
						batch.Entries = append(batch.Entries, e)
					}
					if _, err := s.Events().Ingest(b.Context(), scope, batch); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N*c.size)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
