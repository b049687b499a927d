package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Bars of the results of questions.
const (
	maxSummaryInMillis    = 3
	maxTimeseriesInMillis = 5
	maxGrowthOfSummary    = 2
	maxOfSQL              = 0.1
	maxBytesOfBlocks      = 18
	maxLagInSeconds       = 90
	minSealedPerSecond    = 60_000
	maxCores              = 1
	minSentOfLoad         = 0.95
)

const (
	// linesAtOnce is how many events a request brings.
	linesAtOnce = 1_000_000
	// A batch of rowsAtOnce events comes in that often while questions are asked: 10,000 events/s.
	batchEvery = 100 * time.Millisecond
	// askingRounds is for how many times the duration of a round questions are asked.
	askingRounds = 5
	sealTimeout  = 10 * time.Minute
	// fewestCompared is from how many events on the query must be so much faster than SQL.
	fewestCompared = 1_000_000
)

// question is a request that reads many events.
type question struct{ what, method, path, body string }

var (
	summary    = question{"summary of 30 days", http.MethodGet, "/analytics/metrics/summary?period=30d", ""}
	timeseries = question{"events by hour over 30 days", http.MethodGet, "/analytics/timeseries?metric=count&granularity=hour&period=30d", ""}
	longAgo    = question{"query of nothing", http.MethodPost, "/analytics/query", `{"end_date":"2000-01-01"}`}
	byType     = comparison{question{"query by type", http.MethodPost, "/analytics/query", `{"group_by":"event_type"}`}, byTypeOf, byTypeOf}
)

// questions measures the answers to questions, while many events come in, about a tenth of the events and about all of them; then
// how the events are sealed.
func (b *bench) questions(ctx context.Context) (results []Result, err error) {
	all := newEvents(b.Asked, time.Now()).withProperties()
	few := b.Asked / 10
	if err := b.fill(ctx, all, few); err != nil {
		return nil, err
	}
	compared, err := b.compareQuery(ctx, few)
	if err != nil {
		return nil, err
	}
	over, err := b.overColumns(ctx, all, few)
	if err != nil {
		return nil, err
	}
	fewer, lowest, err := b.ask(ctx, 2*few)
	if err != nil {
		return nil, err
	}
	if err := b.fill(ctx, all, b.Asked-2*few); err != nil {
		return nil, err
	}
	more, highest, err := b.ask(ctx, b.Asked)
	if err != nil {
		return nil, err
	}
	sealed, err := b.seal(ctx)
	growth := single(fmt.Sprintf("summary of %s events, by that of %s", grouped(int64(b.Asked)), grouped(int64(2*few))), highest/lowest, "times").
		judged(Bar{AtMost: maxGrowthOfSummary})
	return slices.Concat([]Result{compared}, over, fewer, more, []Result{growth}, sealed), err
}

// overColumns measures questions over the columns of n events and of twice as many, of which it sends the second half, and exports
// of n events.
func (b *bench) overColumns(ctx context.Context, all *events, n int) ([]Result, error) {
	exported, err := b.exports(ctx, n)
	if err != nil {
		return nil, err
	}
	once, took, err := b.columns(ctx, n)
	if err != nil {
		return nil, err
	}
	if err := b.fill(ctx, all, n); err != nil {
		return nil, err
	}
	twice, tookTwice, err := b.columns(ctx, 2*n)
	if err != nil {
		return nil, err
	}
	growth, err := b.growth(took, tookTwice)
	return slices.Concat(exported, once, twice, growth), err
}

// fill sends the next n events, and waits until they are sealed.
func (b *bench) fill(ctx context.Context, all *events, n int) error {
	b.Note(fmt.Sprintf("%s events for questions", grouped(int64(n))))
	for left := n; left > 0; {
		part := min(left, linesAtOnce)
		left -= part
		if _, err := b.asked.send(ctx, http.MethodPost, "/analytics/events/batch", "application/x-ndjson", &stream{events: all, left: part}); err != nil {
			return err
		}
	}
	_, err := b.waitSealed(ctx)
	return err
}

// waitSealed waits until all events are in blocks.
func (b *bench) waitSealed(ctx context.Context) (sealing, error) {
	ctx, cancel := context.WithTimeout(ctx, sealTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		state, err := b.storage.sealing(ctx, b.askedID)
		if err != nil || state.sealed() {
			return state, err
		}
		select {
		case <-ctx.Done():
			return state, fmt.Errorf("waiting until all events are sealed: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// compareQuery compares a query with the same by SQL over the rows of n events.
func (b *bench) compareQuery(ctx context.Context, n int) (Result, error) {
	what := fmt.Sprintf("%s of %s events", byType.what, grouped(int64(n)))
	b.Note(what)
	var pairs []pair
	for range rounds {
		took, err := b.storage.compare(ctx, b.askedID, byType)
		if err != nil {
			return Result{}, err
		}
		answered, err := b.asked.time(ctx, byType.question)
		if err != nil {
			return Result{}, err
		}
		pairs = append(pairs, pair{millis(answered), millis(took)})
	}
	result := compare(what, pairs, "ms", "of the same by SQL")
	if n >= fewestCompared {
		result = result.judged(Bar{AtMost: maxOfSQL})
	}
	return result, nil
}

// ask asks for a while about n events, while events come in. It returns what a summary takes, too.
func (b *bench) ask(ctx context.Context, n int) (results []Result, summaryTook float64, err error) {
	b.Note(fmt.Sprintf("questions about %s events while events come in", grouped(int64(n))))
	stop := b.comeIn(ctx)
	var (
		took    = map[question][]float64{}
		lag     time.Duration
		lastLag time.Time
	)
	began := time.Now()
	for err == nil && time.Since(began) < askingRounds*b.Duration {
		for _, q := range []question{summary, timeseries} {
			var answered time.Duration
			if answered, err = b.asked.time(ctx, q); err != nil {
				break
			}
			took[q] = append(took[q], millis(answered))
		}
		if err == nil && time.Since(lastLag) > time.Second {
			lastLag = time.Now()
			var state sealing
			state, err = b.storage.sealing(ctx, b.askedID)
			lag = max(lag, state.lag(lastLag))
		}
	}
	sent, failed := stop()
	if err := errors.Join(err, failed); err != nil {
		return nil, 0, err
	}
	of := " of " + grouped(int64(n)) + " events"
	summaryTook = median(took[summary])
	return []Result{
		single(summary.what+of, summaryTook, "ms").judged(Bar{AtMost: maxSummaryInMillis}),
		single(timeseries.what+of, median(took[timeseries]), "ms").judged(Bar{AtMost: maxTimeseriesInMillis}),
		single("oldest event that was not sealed meanwhile", lag.Seconds(), "s").judged(Bar{AtMost: maxLagInSeconds}),
		compare("events that came in meanwhile", []pair{{sent, float64(rowsAtOnce) / batchEvery.Seconds()}}, "events/s", "of those that were to").
			judged(Bar{AtLeast: minSentOfLoad}),
	}, summaryTook, nil
}

// comeIn sends events at a steady rate, until the returned function is called, which returns how many a second that were.
func (b *bench) comeIn(ctx context.Context) (stop func() (perSecond float64, err error)) {
	if b.live == nil {
		b.live = newLiveEvents()
	}
	ended := make(chan struct{})
	failed := make(chan error, 1)
	var sent int
	began := time.Now()
	go func() {
		tick := time.NewTicker(batchEvery)
		defer tick.Stop()
		for {
			for ; sent < int(time.Since(began)/batchEvery); sent++ {
				_, err := b.asked.send(ctx, http.MethodPost, "/analytics/events/batch", "application/json", bytes.NewReader(b.live.batch(rowsAtOnce)))
				if err != nil {
					failed <- err
					return
				}
			}
			select {
			case <-tick.C:
			case <-ended:
				failed <- nil
				return
			}
		}
	}()
	return func() (float64, error) {
		close(ended)
		err := <-failed
		return float64(sent*rowsAtOnce) / time.Since(began).Seconds(), err
	}
}

// seal measures the size of blocks, and how fast all events are sealed anew.
func (b *bench) seal(ctx context.Context) ([]Result, error) {
	state, err := b.waitSealed(ctx)
	if err != nil {
		return nil, err
	}
	b.Note(fmt.Sprintf("sealing %s events anew", grouped(state.events)))
	rebuild := exec.CommandContext(ctx, b.Program, "seal", "rebuild", "--tenant", asking)
	rebuild.Env, rebuild.Dir = environment(b.settings), b.Dir
	if output, err := rebuild.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("throwing the blocks away: %w: %s", err, output)
	}
	before, counted := b.service.processorTime()
	began := time.Now()
	if _, err := b.asked.time(ctx, longAgo); err != nil { // which makes the service begin
		return nil, err
	}
	anew, err := b.waitSealed(ctx)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	results := []Result{
		single("space of blocks with headers", float64(state.bytes)/float64(state.events), "bytes/event").judged(Bar{AtMost: maxBytesOfBlocks}),
		single("events sealed anew", float64(anew.events)/took.Seconds(), "events/s").judged(Bar{AtLeast: minSealedPerSecond}),
	}
	if errors.Is(counted, fs.ErrNotExist) { // as on others than Linux
		return results, nil
	}
	after, err := b.service.processorTime()
	cores := (after - before).Seconds() / took.Seconds()
	return append(results, single("processors of the service meanwhile", cores, "cores").judged(Bar{AtMost: maxCores})), errors.Join(counted, err)
}

// time returns how long the answer to a question takes.
func (t target) time(ctx context.Context, q question) (time.Duration, error) {
	began := time.Now()
	_, err := t.send(ctx, q.method, q.path, "application/json", strings.NewReader(q.body))
	return time.Since(began), err
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
