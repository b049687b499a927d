package events_test

import (
	"flag"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/events"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/postgres"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/sqlite"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest"
	"github.com/muhammad-ali-dev0/secure-data-api/ports/porttest/container"
)

// TestSteps_SQLite and TestSteps_Postgres: work on a tenant's events may stop before any of its last steps, for as long as other work
// takes, and end there; the answers are those of a list all the same.
func TestSteps_SQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	open := func() *sqlite.Database {
		db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Queries: 2})
		return opened(t, db, err)
	}
	first := open()
	migrate(t, first)
	testSteps(t, first, []ports.Store{first, open()}, true)
}

func TestSteps_Postgres(t *testing.T) {
	ownerURL, serviceURL := container.Postgres(t).Database(t)
	open := func(asOwner bool) *postgres.Database {
		db, err := postgres.Open(postgres.Options{
			URL: serviceURL, MigrationURL: ownerURL, AsOwner: asOwner, PoolSize: 10, Queries: 4, StatementTimeout: 10 * time.Second, ApplicationName: "test",
		})
		return opened(t, db, err)
	}
	operator := open(true)
	migrate(t, operator)
	if err := operator.Authorize(t.Context()); err != nil {
		t.Fatal(err)
	}
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() == checks.DefValue {
		_ = flag.Set("rapid.checks", "30")
		t.Cleanup(func() { _ = flag.Set("rapid.checks", checks.DefValue) })
	}
	testSteps(t, operator, []ports.Store{open(false), open(false)}, false)
}

func opened[D interface{ Close() error }](t *testing.T, db D, err error) D {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func migrate(t *testing.T, db interface {
	Migrations() (*migrations.Runner, error)
}) {
	t.Helper()
	runner, err := db.Migrations()
	if err == nil {
		_, err = runner.Up(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

const (
	stepsRetention = 10 // days
)

// happened is an event of a history.
type happened struct {
	at         time.Time
	kind, user string
}

// writer is a batch that is stored but not committed.
type writer struct {
	paused *events.Paused
	events []happened
}

// history is a random one of a tenant.
type history struct {
	t         *testing.T
	exclusive bool // whether one writer at a time is all there can be
	replicas  []ports.Store
	home      id.Tenant
	began     time.Time
	stored    []happened
	writers   []writer
	seals     []*events.Paused
}

func testSteps(t *testing.T, operator ports.Store, replicas []ports.Store, exclusive bool) {
	rapid.Check(t, func(rt *rapid.T) {
		home := porttest.NewTenant(t, operator)
		scope, err := access.Operator().Authorize(access.ManageTenants, home.ID)
		if err != nil {
			rt.Fatal(err)
		}
		days, err := tenant.NewRetention(stepsRetention)
		if err != nil {
			rt.Fatal(err)
		}
		if _, err := operator.Tenants().SetRetention(t.Context(), scope, days); err != nil {
			rt.Fatal(err)
		}
		h := &history{t: t, exclusive: exclusive, replicas: replicas, home: home.ID, began: time.Now().UTC().Truncate(time.Microsecond)}
		defer h.endAll(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"store":          h.store,
			"store and wait": h.begin,
			"store more":     h.begin,
			"commit":         h.commit,
			"seal":           h.seal,
			"seal and wait":  h.beginSeal,
			"seal more":      h.beginSeal,
			"end of sealing": h.endSeal,
			"expire":         h.expire,
			"unseal":         h.unseal,
			"":               h.ask,
		})
	})
}

func (h *history) replica(rt *rapid.T) *events.Store {
	return rapid.SampledFrom(h.replicas).Draw(rt, "replica").Events().(*events.Store)
}

// free reports whether a transaction that writes would not wait for one of those that have stopped.
func (h *history) free() bool { return !h.exclusive || len(h.writers) == 0 }

// changeable reports whether the pieces may be changed without waiting for a replica that seals.
func (h *history) changeable() bool { return h.free() && (h.exclusive || len(h.seals) == 0) }

func (h *history) batch(rt *rapid.T) (event.Batch, []happened) {
	b := event.Batch{At: h.began}
	var list []happened
	for range rapid.IntRange(1, 5).Draw(rt, "events") {
		e := happened{
			at:   h.began.AddDate(0, 0, -rapid.SampledFrom([]int{0, 0, 1, 20}).Draw(rt, "days")).Add(-time.Duration(rapid.IntRange(0, 3_600_000_000).Draw(rt, "µs")) * time.Microsecond),
			kind: rapid.SampledFrom([]string{"view", "click"}).Draw(rt, "type"),
			user: "u" + strconv.Itoa(rapid.IntRange(0, 9).Draw(rt, "user")),
		}
		list = append(list, e)
		b.Entries = append(b.Entries, event.Entry{Event: porttest.NewEvent(h.t, h.home, event.Draft{Type: e.kind, UserIdentifier: e.user}, e.at)})
	}
	return b, list
}

func (h *history) store(rt *rapid.T) {
	if !h.free() {
		return
	}
	b, list := h.batch(rt)
	if _, err := h.replica(rt).Ingest(h.t.Context(), porttest.ScopeOf(h.t, h.home), b); err != nil {
		rt.Fatal(err)
	}
	h.stored = append(h.stored, list...)
}

func (h *history) begin(rt *rapid.T) {
	if !h.free() || len(h.writers) == 3 {
		return
	}
	b, list := h.batch(rt)
	paused, err := h.replica(rt).PauseIngest(h.t.Context(), porttest.ScopeOf(h.t, h.home), b)
	if err != nil {
		rt.Fatal(err)
	}
	h.writers = append(h.writers, writer{paused, list})
}

func (h *history) commit(rt *rapid.T) {
	if len(h.writers) == 0 {
		return
	}
	i := rapid.IntRange(0, len(h.writers)-1).Draw(rt, "writer")
	w, survives := h.writers[i], rapid.IntRange(0, 3).Draw(rt, "crash") > 0
	h.writers = slices.Delete(h.writers, i, i+1)
	if err := w.paused.End(survives); err != nil {
		rt.Fatal(err)
	}
	if survives {
		h.stored = append(h.stored, w.events...)
	}
}

// later is when a step of sealing is done: all that there is to do is due by then.
func (h *history) later() time.Time { return h.began.AddDate(0, 0, 2) }

func (h *history) worker(rt *rapid.T) access.Scope {
	scope, err := access.Worker().Authorize(access.SealEvents, h.home)
	if err != nil {
		rt.Fatal(err)
	}
	return scope
}

func (h *history) seal(rt *rapid.T) {
	if !h.free() {
		return
	}
	if _, err := h.replica(rt).Seal(h.t.Context(), h.worker(rt), h.later()); err != nil {
		rt.Fatal(err)
	}
}

func (h *history) beginSeal(rt *rapid.T) {
	if len(h.seals) == 2 || !h.free() { // it may have to write its row
		return
	}
	paused, err := h.replica(rt).PauseSeal(h.t.Context(), h.worker(rt), h.later())
	if err != nil {
		rt.Fatal(err)
	}
	h.seals = append(h.seals, paused)
}

func (h *history) endSeal(rt *rapid.T) {
	if len(h.seals) == 0 || !h.free() {
		return
	}
	i := rapid.IntRange(0, len(h.seals)-1).Draw(rt, "sealing")
	paused := h.seals[i]
	h.seals = slices.Delete(h.seals, i, i+1)
	if err := paused.End(rapid.IntRange(0, 3).Draw(rt, "crash") > 0); err != nil {
		rt.Fatal(err)
	}
}

func (h *history) expire(rt *rapid.T) {
	if !h.changeable() {
		return
	}
	scope, err := access.Worker().Authorize(access.ExpireEvents, access.EveryTenant)
	if err != nil {
		rt.Fatal(err)
	}
	for more := true; more; {
		if _, more, err = h.replica(rt).Expire(h.t.Context(), scope, h.began, 1000); err != nil {
			rt.Fatal(err)
		}
	}
	h.stored = slices.DeleteFunc(h.stored, func(e happened) bool { return e.at.Before(h.began.AddDate(0, 0, -stepsRetention)) })
}

func (h *history) unseal(rt *rapid.T) {
	if !h.changeable() {
		return
	}
	if err := h.replica(rt).Unseal(h.t.Context(), porttest.ScopeOf(h.t, h.home)); err != nil {
		rt.Fatal(err)
	}
}

// ask compares answers with a count of the list, after each step.
func (h *history) ask(rt *rapid.T) {
	types, users := map[string]int64{}, map[string]bool{}
	for _, e := range h.stored {
		types[e.kind]++
		users[e.user] = true
	}
	for i, replica := range h.replicas {
		q := analytics.NewSummaryQuestion(analytics.Window{})
		reading, err := replica.Events().Answer(h.t.Context(), porttest.ScopeOf(h.t, h.home), q)
		if err != nil {
			rt.Fatal(err)
		}
		got := q.Summary(h.home)
		if got.TotalEvents != int64(len(h.stored)) || got.UniqueUsers != int64(len(users)) {
			rt.Fatalf("replica %d: %d events of %d users, want %d of %d (%+v)", i, got.TotalEvents, got.UniqueUsers, len(h.stored), len(users), reading)
		}
		for _, c := range got.TopEventTypes {
			if types[c.Type] != c.Count {
				rt.Fatalf("replica %d: %d of %s, want %d (%+v)", i, c.Count, c.Type, types[c.Type], reading)
			}
		}
	}
}

// endAll abandons what has stopped.
func (h *history) endAll(rt *rapid.T) {
	for _, w := range h.writers {
		if err := w.paused.End(false); err != nil {
			rt.Error(err)
		}
	}
	for _, s := range h.seals {
		if err := s.End(false); err != nil {
			rt.Error(err)
		}
	}
}
