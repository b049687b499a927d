// Package bench measures how fast the service ingests events and answers, and how much space it takes, beside what bounds that on
// the same machine in the same run. The service runs as a process of its own, as users run it.
package bench

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/system"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap"
	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

const (
	rounds            = 3
	batchConnections  = 8
	singleConnections = 64
	differentSingles  = 1000 // which are sent again and again; without a name, each is a new event
	sampling          = 20 * time.Millisecond
	mebibyte          = 1 << 20
	// The tenants: one for what comes in, and one for questions.
	ingesting, asking = "bench", "questions"
)

// Bars of the results.
const (
	minBatchRatio        = 0.5
	minSingleRatio       = 0.7
	maxBytesSQLite       = 110 + maxBytesOfBlocks // whose file has both
	maxBytesPostgres     = 215
	maxStreamGrowthInMiB = 64 + 64 // the second half for sealing what comes in
)

// Options say what is measured where.
type Options struct {
	Program string // the path of secure-data-api
	Dir     string // an empty folder for the service and its SQLite database
	// DatabaseURL and MigrationURL are of a Postgres without tenants, in place of SQLite. The events stay in it.
	DatabaseURL, MigrationURL string
	Events                    int           // at least how many are stored, a multiple of 10,000
	Asked                     int           // how many there are when questions are asked; and once when there is a tenth of them
	Duration                  time.Duration // of a round of single requests
	Note                      func(string)  // is told what is measured next
}

// ErrNotEmpty: the database has tenants.
var ErrNotEmpty = errors.New("the database has tenants; measuring needs one that is empty")

// Run measures. It needs Events/10,000 batches in three rounds, and as many lines in one request.
// Errors: ErrNotEmpty.
func Run(ctx context.Context, o Options) (results []Result, err error) {
	b := &bench{Options: o, settings: settings(o), events: newEvents(2*o.Events+rounds*differentSingles, time.Now())}
	if err := b.setUp(ctx); err != nil {
		return nil, err
	}
	if err := b.openStorage(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.storage.close()) }()
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if b.service != nil { // else it was stopped, and did not start again
			err = errors.Join(err, b.service.stop())
		}
	}()
	for _, measure := range []func(context.Context) ([]Result, error){b.batches, b.stream, b.space, b.singles, b.questions} {
		some, err := measure(ctx)
		if err != nil {
			return nil, errors.Join(err, showLog(b.Dir))
		}
		results = append(results, some...)
	}
	return results, nil
}

// bench is one run.
type bench struct {
	Options
	settings map[string]string
	password string
	events   *events
	stored   int // events
	storage  storage
	service  *service
	target   target
	asked    target
	askedID  id.Tenant
	live     *events
}

// settings returns those of the service.
func settings(o Options) map[string]string {
	s := map[string]string{
		"ENVIRONMENT": config.Development, "JWT_SECRET_KEY": rand.Text() + rand.Text(), "LOG_LEVEL": "error",
		"ACCESS_TOKEN_EXPIRE_MINUTES": "60", "DATA_DIR": o.Dir,
		"DATABASE_URL": o.DatabaseURL, "MIGRATION_DATABASE_URL": o.MigrationURL,
	}
	if o.DatabaseURL == "" {
		s["DATABASE_URL"] = "sqlite://" + filepath.ToSlash(filepath.Join(o.Dir, sqliteName))
	}
	for _, setting := range config.Settings() {
		if strings.HasPrefix(setting.Name, "RATE_LIMIT_") {
			s[setting.Name] = "unlimited"
		}
	}
	return s
}

// setUp migrates the database and makes the tenants, each with an analyst.
func (b *bench) setUp(ctx context.Context) (err error) {
	c, err := config.Load(config.Sources{Env: func(name string) (string, bool) { v, found := b.settings[name]; return v, found }})
	if err != nil {
		return err
	}
	app, err := bootstrap.Open(ctx, c, bootstrap.Runtime{Output: io.Discard, Clock: system.Clock{}, After: time.After})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	if _, err := app.Migrate(ctx); err != nil {
		return err
	}
	tenants, err := app.Tenants.List(ctx, access.Operator())
	if err != nil {
		return err
	}
	if len(tenants) > 0 {
		return ErrNotEmpty
	}
	b.password = rand.Text()
	for _, tenant := range []string{ingesting, asking} {
		created, err := app.Auth.CreateUser(ctx, access.Operator(), user.Account{
			Tenant: tenant, Email: emailOf(tenant), FullName: "Bench", Password: b.password,
		}, access.Analyst, false)
		if err != nil {
			return err
		}
		b.askedID = created.TenantID // in the end that of the last
	}
	return nil
}

// emailOf returns the address of the analyst of a tenant.
func emailOf(tenant string) string { return tenant + "@example.com" }

func (b *bench) openStorage() error {
	if b.DatabaseURL == "" {
		b.storage = &sqliteStorage{dir: b.Dir}
		return nil
	}
	owner, err := sql.Open("postgres", cmp.Or(b.MigrationURL, b.DatabaseURL))
	if err != nil {
		return fmt.Errorf("opening the database as its owner: %w", err)
	}
	b.storage = &postgresStorage{owner: owner}
	return nil
}

// start starts the service. The first time, it signs in.
func (b *bench) start(ctx context.Context) (err error) {
	if b.service, err = startService(ctx, b.Program, b.Dir, b.settings); err != nil {
		return err
	}
	for tenant, t := range map[string]*target{ingesting: &b.target, asking: &b.asked} {
		t.address = b.service.address
		if t.token != "" {
			continue
		}
		if err := t.signIn(ctx, emailOf(tenant), b.password); err != nil {
			return fmt.Errorf("signing in: %w", err)
		}
	}
	return nil
}

// restart starts the service anew.
func (b *bench) restart(ctx context.Context) error {
	before := b.service
	b.service = nil
	if err := before.stop(); err != nil {
		return err
	}
	return b.start(ctx)
}

// batches measures batches of 1,000 events, beside raw rows.
func (b *bench) batches(ctx context.Context) ([]Result, error) {
	if err := b.storage.prepare(ctx); err != nil {
		return nil, err
	}
	raw := newEvents(b.Events, time.Now())
	n := b.Events / rounds / rowsAtOnce * rowsAtOnce
	var pairs []pair
	for round := range rounds {
		b.Note(fmt.Sprintf("batches and raw rows, round %d of %d", round+1, rounds))
		took, err := b.storage.insert(ctx, raw.rows(n))
		if err != nil {
			return nil, err
		}
		requests := make([][]byte, n/rowsAtOnce)
		for i := range requests {
			requests[i] = b.target.request(http.MethodPost, "/analytics/events/batch", b.events.batch(rowsAtOnce))
		}
		done, over, err := load{b.target, batchConnections, once(requests), http.StatusOK, fmt.Appendf(nil, `"accepted":%d`, rowsAtOnce)}.run(ctx)
		if err != nil {
			return nil, err
		}
		b.stored += int(done) * rowsAtOnce
		pairs = append(pairs, pair{float64(n) / over.Seconds(), float64(n) / took.Seconds()})
	}
	what := fmt.Sprintf("batches of %d over HTTP, %d connections", rowsAtOnce, batchConnections)
	return []Result{compare(what, pairs, "events/s", "of rows inserted with the same driver").judged(Bar{AtLeast: minBatchRatio})}, nil
}

// stream measures the memory of the service while it gets all events in one request. It starts anew, so that the memory that
// batches took does not hide that of the stream.
func (b *bench) stream(ctx context.Context) ([]Result, error) {
	b.Note(fmt.Sprintf("%s lines in one request", grouped(int64(b.Events))))
	if err := b.restart(ctx); err != nil {
		return nil, err
	}
	peak := b.service.watch(ctx)
	began := time.Now()
	answer, err := b.target.send(ctx, http.MethodPost, "/analytics/events/batch", "application/x-ndjson", &stream{events: b.events, left: b.Events})
	took := time.Since(began)
	growth, watched := peak()
	if err != nil {
		return nil, err
	}
	var counts struct{ Accepted int }
	if err := json.Unmarshal(answer, &counts); err != nil {
		return nil, fmt.Errorf("reading how many lines were accepted: %w", err)
	}
	if counts.Accepted != b.Events {
		return nil, fmt.Errorf("of %d lines %d were accepted", b.Events, counts.Accepted)
	}
	b.stored += counts.Accepted
	results := []Result{single("lines of NDJSON in one request", float64(b.Events)/took.Seconds(), "events/s")}
	switch {
	case errors.Is(watched, fs.ErrNotExist):
		b.Note("the memory of the service can be measured on Linux only")
		return results, nil
	case watched != nil:
		return nil, watched
	}
	what := fmt.Sprintf("memory while %s lines come in one request", grouped(int64(b.Events)))
	return append(results, single(what, float64(growth)/mebibyte, "MiB more").judged(Bar{AtMost: maxStreamGrowthInMiB})), nil
}

// watch samples the resident memory until the returned function is called, which returns how much it grew at most.
func (s *service) watch(ctx context.Context) func() (growth int64, err error) {
	before, err := s.resident()
	if err != nil {
		return func() (int64, error) { return 0, err }
	}
	ctx, stop := context.WithCancel(ctx)
	peak := make(chan int64)
	go func() {
		highest := before
		tick := time.NewTicker(sampling)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				now, err := s.resident()
				if err == nil { // else the process has ended, which the request notices
					highest = max(highest, now)
				}
			case <-ctx.Done():
				peak <- highest
				return
			}
		}
	}()
	return func() (int64, error) { stop(); return <-peak - before, nil }
}

// space measures the bytes of an event.
func (b *bench) space(ctx context.Context) ([]Result, error) {
	size, err := b.storage.size(ctx)
	if err != nil {
		return nil, err
	}
	bar := Bar{AtMost: maxBytesSQLite}
	if b.DatabaseURL != "" {
		bar.AtMost = maxBytesPostgres
	}
	return []Result{single(fmt.Sprintf("space after %s events", grouped(int64(b.stored))), float64(size)/float64(b.stored), "bytes/event").judged(bar)}, nil
}

// singles measures single events beside requests that only authenticate.
func (b *bench) singles(ctx context.Context) ([]Result, error) {
	var pairs []pair
	for round := range rounds {
		b.Note(fmt.Sprintf("single events and GET /auth/me, round %d of %d", round+1, rounds))
		me, err := b.rate(ctx, http.StatusOK, [][]byte{b.target.request(http.MethodGet, "/auth/me", nil)})
		if err != nil {
			return nil, err
		}
		requests := make([][]byte, differentSingles)
		for i := range requests {
			requests[i] = b.target.request(http.MethodPost, "/analytics/events", b.events.single())
		}
		post, err := b.rate(ctx, http.StatusCreated, requests)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{post, me})
	}
	what := fmt.Sprintf("single events, %d connections", singleConnections)
	return []Result{compare(what, pairs, "requests/s", "of GET /auth/me").judged(Bar{AtLeast: minSingleRatio})}, nil
}

// rate returns how many requests a second are answered.
func (b *bench) rate(ctx context.Context, status int, requests [][]byte) (float64, error) {
	done, took, err := load{b.target, singleConnections, during(b.Duration, requests), status, nil}.run(ctx)
	return float64(done) / took.Seconds(), err
}
