package bootstrap_test

import (
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/exporting"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/sqlite"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
)

// exportSize is how many events BenchmarkExport exports.
const exportSize = 200_000

// BenchmarkExport writes events as files, and for comparison only reads the rows with the same driver.
func BenchmarkExport(b *testing.B) {
	path := filepath.Join(b.TempDir(), "data.db")
	db, err := sqlite.Open(b.Context(), sqlite.Options{Path: path, Queries: 1})
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
	scope, err := access.NewPrincipal(porttest.NewID[id.User](), home, access.Analyst).Authorize(access.Ingest, home)
	if err != nil {
		b.Fatal(err)
	}
	ingestForExport(b, db, scope, home)
	b.Run("rows", func(b *testing.B) {
		driver, err := sql.Open("sqlite", "file:"+strings.TrimSuffix(path, ".db")+"-events.db?mode=ro")
		if err != nil {
			b.Fatal(err)
		}
		defer driver.Close()
		for b.Loop() {
			readRows(b, driver)
		}
		b.ReportMetric(exportSize*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
	for _, f := range exporting.Formats() {
		b.Run(f.Name, func(b *testing.B) {
			peak := uint64(0)
			for b.Loop() {
				peak = max(peak, exportAll(b, db, scope, f))
			}
			b.ReportMetric(exportSize*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(peak)/(1<<20), "MiB-peak")
		})
	}
}

func ingestForExport(b *testing.B, db *sqlite.Database, scope access.Scope, home id.Tenant) {
	random := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range exportSize / event.MaxBatch {
		batch := event.Batch{At: at}
		for range event.MaxBatch {
			at = at.Add(time.Millisecond)
			session, value, source := fmt.Sprintf("s-%08x", random.Uint32()), random.Float64(), "web"
			batch.Entries = append(batch.Entries, event.Entry{Event: event.Event{
				ID: event.Bound(at), TenantID: home, Type: fmt.Sprint("type-", random.IntN(20)), UserIdentifier: fmt.Sprint("user-", random.IntN(100_000)),
				SessionID: &session, Value: &value, Source: &source, OccurredAt: at,
				Properties: fmt.Sprintf(`{"country":"DE","page":"/pricing/%d","title":"%s"}`, random.IntN(1000), strings.Repeat("x", 40)),
			}})
		}
		if _, err := db.Events().Ingest(b.Context(), scope, batch); err != nil {
			b.Fatal(err)
		}
	}
}

// readRows reads all columns of all rows.
func readRows(b *testing.B, driver *sql.DB) {
	rows, err := driver.QueryContext(b.Context(),
		"SELECT id, occurred_at, event_type, user_identifier, session_id, value, source, properties FROM events ORDER BY tenant_id, id")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var eventID, kind, user, session, source, properties sql.RawBytes
		var at int64
		var value sql.NullFloat64
		if err := rows.Scan(&eventID, &at, &kind, &user, &session, &value, &source, &properties); err != nil {
			b.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil || n != exportSize {
		b.Fatal(n, err)
	}
}

// exportAll writes all events, and returns how much memory was in use at most.
func exportAll(b *testing.B, db *sqlite.Database, scope access.Scope, f exporting.Format) (peak uint64) {
	w, err := f.New(io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	last, n := id.Event(""), 0
	for more := true; more; {
		var part []event.Event
		if part, more, err = db.Events().Export(b.Context(), scope, analytics.Selection{}, last, 5000); err != nil {
			b.Fatal(err)
		}
		for _, e := range part {
			if err := w.Write(e); err != nil {
				b.Fatal(err)
			}
		}
		if n += len(part); len(part) > 0 {
			last = part[len(part)-1].ID
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
	}
	if err := w.Close(); err != nil || n != exportSize {
		b.Fatal(n, err)
	}
	return peak
}
