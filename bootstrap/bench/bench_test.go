package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestEvents: the events are those of Typical, and their ids are in the order of time.
func TestEvents(t *testing.T) {
	now := time.Now()
	const n = 20_000
	all := newEvents(n, now)
	types, users := map[string]bool{}, map[string]bool{}
	var values, sessions, sources int
	var before row
	for range n {
		r := all.next()
		if bytes.Compare(before.id[:], r.id[:]) >= 0 || !r.at.After(before.at) {
			t.Fatalf("%x is not after %x", r.id, before.id)
		}
		if id := uuid.UUID(r.id); id.Version() != 8 || id.Variant() != uuid.RFC4122 {
			t.Fatalf("%s is no UUIDv8", id)
		}
		before = r
		types[r.eventType], users[r.user] = true, true
		if r.value != nil {
			values++
		}
		if r.session != "" {
			sessions++
		}
		if r.source != "" {
			sources++
		}
	}
	if before.at.After(now) || before.at.Before(now.Add(-time.Minute*3)) {
		t.Errorf("the last is at %s, and now is %s", before.at, now)
	}
	near := func(got, want int) bool { return got > want*95/100 && got < want*105/100 }
	if len(types) != 20 || len(users) < 15_000 || !near(values, n/4) || !near(sessions, n/2) || !near(sources, n*9/10) {
		t.Errorf("%d types, %d users, %d values, %d sessions, %d sources", len(types), len(users), values, sessions, sources)
	}
}

// TestBodies: each way to send events has as many as it says, in JSON, each with a name of its own but for single ones.
func TestBodies(t *testing.T) {
	all := newEvents(1000, time.Now())
	names := map[any]bool{}
	check := func(e map[string]any, named bool) {
		t.Helper()
		if _, found := e["event_id"]; found != named || named && names[e["event_id"]] {
			t.Errorf("the name of %v", e)
		}
		names[e["event_id"]] = true
		if at, err := time.Parse(time.RFC3339, e["occurred_at"].(string)); err != nil || time.Since(at) < 0 || time.Since(at) > span {
			t.Errorf("occurred at %s: %v", at, err)
		}
	}
	var batch struct{ Events []map[string]any }
	if err := json.Unmarshal(all.batch(100), &batch); err != nil || len(batch.Events) != 100 {
		t.Fatalf("%d events: %v", len(batch.Events), err)
	}
	for _, e := range batch.Events {
		check(e, true)
	}
	text, err := io.ReadAll(&stream{events: all, left: 100})
	if err != nil || bytes.Count(text, []byte("\n")) != 100 {
		t.Fatalf("%d lines: %v", bytes.Count(text, []byte("\n")), err)
	}
	for line := range bytes.Lines(text) {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		check(e, true)
	}
	var single map[string]any
	if err := json.Unmarshal(all.single(), &single); err != nil {
		t.Fatal(err)
	}
	check(single, false)
}

// TestBars: a ratio is the median of those of the rounds, and a bar is one from below or from above.
func TestBars(t *testing.T) {
	r := compare("x", []pair{{100, 1000}, {600, 1000}, {700, 1000}}, "events/s", "of rows")
	if r.Ratio != 0.6 || r.Measured.Value != 600 || r.Compared.Value != 1000 {
		t.Errorf("compared to %+v", r)
	}
	for _, c := range []struct {
		ratio float64
		bar   Bar
		want  bool
	}{
		{0.5, Bar{AtLeast: 0.5}, true}, {0.49, Bar{AtLeast: 0.5}, false}, {3, Bar{AtLeast: 0.5}, true},
		{64, Bar{AtMost: 64}, true}, {65, Bar{AtMost: 64}, false}, {-1, Bar{AtMost: 64}, true},
	} {
		got := single("x", c.ratio, "MiB").judged(c.bar)
		if got.Bar.Met != c.want || Met([]Result{r, got}) != c.want {
			t.Errorf("%g, %s: %t", c.ratio, c.bar, got.Bar.Met)
		}
	}
	for figure, want := range map[Figure]string{
		{Value: 0.25, Unit: "ms"}: "0.2 ms", {Value: 99.95, Unit: "ms"}: "100.0 ms", {Value: 1234567.8, Unit: "rows/s", Of: "of x"}: "1,234,568 rows/s of x",
	} {
		if got := figure.String(); got != want {
			t.Errorf("%v is written %s", figure.Value, got)
		}
	}
}

// TestNotEmpty: a database with tenants is left as it is.
func TestNotEmpty(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	b := &bench{Options: o, settings: settings(o)}
	if err := b.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), o); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("measuring a database with a tenant: %v", err)
	}
}

// TestLiveEvents: events that come in occur now, but for one of twenty, which is up to three days late.
func TestLiveEvents(t *testing.T) {
	live := newLiveEvents()
	const n = 10_000
	var late int
	for range n {
		switch age := time.Since(live.next().at); {
		case age < 0 || age > 72*time.Hour+time.Minute:
			t.Fatalf("an event is %s old", age)
		case age > 50*time.Second:
			late++
		}
	}
	if late < n*4/100 || late > n*6/100 {
		t.Errorf("%d of %d are late", late, n)
	}
}

// TestSealing: what is sealed is read from the service's database.
func TestSealing(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	b := &bench{Options: o, settings: settings(o)}
	if err := b.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &sqliteStorage{dir: o.Dir}
	if err := s.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	state := func() sealing {
		t.Helper()
		state, err := s.sealing(t.Context(), b.askedID)
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	if got := state(); got.sealed() || got.lag(time.Now()) != 0 || got.events+got.bytes+got.waiting != 0 {
		t.Errorf("of nothing it is %+v", got)
	}
	tenant := uuid.MustParse(string(b.askedID))
	execute := func(statement string, args ...any) {
		t.Helper()
		if _, err := s.service.ExecContext(t.Context(), statement, append([]any{tenant[:]}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	old := uuid.Must(uuid.NewV7())
	execute("INSERT INTO seals VALUES (?, 1, ?, 0, 0)", math.MinInt64)
	execute("INSERT INTO blocks VALUES (?, x'01', 0, 1, 7, 0)")
	execute("INSERT INTO block_parts VALUES (?, x'01', 0, x'0203')")
	if got := state(); !got.sealed() || got.events != 7 || got.bytes != 2 {
		t.Errorf("of a block it is %+v", got)
	}
	execute("INSERT INTO deltas VALUES (?, ?, 0, 1, 3, 0, x'01')", old[:])
	sec, nsec := old.Time().UnixTime()
	if got := state(); got.sealed() || got.waiting != 3 || got.lag(time.Unix(sec, nsec).Add(time.Minute)).Round(time.Second) != time.Minute {
		t.Errorf("of a delta it is %+v", got)
	}
	if took, err := s.compare(t.Context(), b.askedID, byType); err != nil || took <= 0 {
		t.Errorf("a query took %s: %v", took, err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}
