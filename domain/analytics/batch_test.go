package analytics_test

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// one is an event as a test sees it.
type one struct {
	at      int64 // microseconds since 1970
	kind    string
	source  string // "-": none
	user    uint32
	session string
	value   float64 // NaN: none
}

// equal compares two events whose values may be NaN.
func (o one) equal(p one) bool {
	if math.IsNaN(o.value) && math.IsNaN(p.value) {
		o.value, p.value = 0, 0
	}
	return o == p
}

// batchOf returns events as columns. They are in the order of their times.
func batchOf(events []one) *analytics.Batch {
	var types, sources, sessions, properties analytics.StringsBuilder
	b := &analytics.Batch{}
	for _, e := range events {
		b.Times = append(b.Times, e.at)
		types.Add(e.kind)
		if e.source == "-" {
			sources.AddOptional(nil)
		} else {
			sources.AddOptional(&e.source)
		}
		b.Users = append(b.Users, e.user)
		sessions.Add(e.session)
		properties.AddOptional(nil)
		b.Values = append(b.Values, e.value)
	}
	b.Types, b.Sources, b.Sessions, b.Properties = types.Strings(), sources.Strings(), sessions.Strings(), properties.Strings()
	return b
}

// eventsOf returns the events of a batch with all columns.
func eventsOf(b *analytics.Batch) []one {
	var events []one
	for i, at := range b.Times {
		e := one{at: at, user: b.Users[i], value: b.Values[i], source: "-"}
		e.kind, _ = b.Types.At(i)
		if source, ok := b.Sources.At(i); ok {
			e.source = source
		}
		e.session, _ = b.Sessions.At(i)
		events = append(events, e)
	}
	return events
}

// evenly generates numbers from 0 to before n, as often great ones as small ones, unlike rapid.IntRange.
func evenly(n int) *rapid.Generator[int] {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return rapid.SampledFrom(all)
}

// oneEvent generates an event in a span of time that begins at a full hour, often at or close to a full or half hour.
func oneEvent(from, to time.Time) *rapid.Generator[one] {
	intoHour := []time.Duration{
		0, time.Microsecond, 10 * time.Minute, 30*time.Minute - time.Microsecond, 30 * time.Minute, 45 * time.Minute, time.Hour - time.Microsecond,
	}
	return rapid.Custom(func(t *rapid.T) one {
		hour := from.Add(time.Duration(evenly(int(to.Sub(from).Hours())).Draw(t, "hour")) * time.Hour)
		at := hour.Add(rapid.SampledFrom(intoHour).Draw(t, "into the hour")).UnixMicro()
		e := one{
			at: at, kind: rapid.SampledFrom([]string{"view", "click", "buy"}).Draw(t, "type"),
			source: rapid.SampledFrom([]string{"-", "", "web", "app"}).Draw(t, "source"),
			user:   rapid.OneOf(rapid.Uint32Range(0, 70), rapid.SampledFrom([]uint32{5000, 1 << 31, 1<<31 + 7})).Draw(t, "user"),
			value:  math.NaN(), session: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "session"),
		}
		if rapid.Bool().Draw(t, "has a value") {
			e.value = float64(rapid.IntRange(-40, 40).Draw(t, "value")) / 4 // sums of which are exact
		}
		return e
	})
}

// sortedEvents generates events in the order of their times, within hours or all over a span of time.
func sortedEvents(from, to time.Time, most int) *rapid.Generator[[]one] {
	return rapid.Custom(func(t *rapid.T) []one {
		if rapid.Bool().Draw(t, "within hours") && to.Sub(from) > 24*time.Hour {
			from := from.Add(time.Duration(evenly(int(to.Sub(from).Hours())-4).Draw(t, "first hour")) * time.Hour)
			return inOrder(t, from, from.Add(4*time.Hour), most)
		}
		return inOrder(t, from, to, most)
	})
}

func inOrder(t *rapid.T, from, to time.Time, most int) []one {
	n := evenly(most+1).Draw(t, "number of events")
	events := rapid.SliceOfN(oneEvent(from, to), n, n).Draw(t, "events")
	slices.SortStableFunc(events, func(a, b one) int { return cmp.Compare(a.at, b.at) })
	return events
}

// hasExactly reports whether a dictionary has these texts, each once.
func hasExactly(dictionary []string, texts map[string]bool) bool {
	if len(dictionary) == 0 {
		return len(texts) == 0
	}
	seen := map[string]bool{}
	for _, text := range dictionary[1:] {
		seen[text] = true
	}
	return len(dictionary)-1 == len(texts) && reflect.DeepEqual(seen, texts)
}

func wantEvents(t *rapid.T, what string, got *analytics.Batch, want []one) {
	t.Helper()
	if !slices.EqualFunc(eventsOf(got), want, one.equal) {
		t.Fatalf("%s: got %+v, want %+v", what, eventsOf(got), want)
	}
}

func TestBatch(t *testing.T) {
	from, to := day(2026, 1, 30), day(2026, 2, 2)
	rapid.Check(t, func(t *rapid.T) {
		events := sortedEvents(from, to, 40).Draw(t, "events")
		b := batchOf(events)
		wantEvents(t, "as columns", b, events)
		i := rapid.IntRange(0, len(events)).Draw(t, "i")
		j := rapid.IntRange(i, len(events)).Draw(t, "j")
		wantEvents(t, "a slice", b.Slice(i, j), events[i:j])

		low := rapid.Int64Range(from.UnixMicro(), to.UnixMicro()).Draw(t, "from")
		high := rapid.Int64Range(low, to.UnixMicro()).Draw(t, "to")
		if i < j {
			low, high = events[i].at, events[j-1].at
		}
		var inside, outside []one
		sessions := map[string]bool{}
		for _, e := range events {
			if low <= e.at && e.at < high {
				inside = append(inside, e)
			} else {
				outside = append(outside, e)
				sessions[e.session] = true
			}
		}
		wantEvents(t, "between", b.Between(low, high), inside)
		rest := b.Without(low, high)
		wantEvents(t, "without", rest, outside)
		if !hasExactly(rest.Sessions.Dictionary, sessions) {
			t.Fatalf("without: the dictionary is %q, want %v", rest.Sessions.Dictionary, sessions)
		}

		var days []one
		for number, of := range b.Days() {
			for _, e := range eventsOf(of) {
				if got := time.UnixMicro(e.at).UTC().Truncate(24 * time.Hour); !got.Equal(time.Unix(number*86400, 0)) {
					t.Fatalf("an event of %v is in day %d", got, number)
				}
				days = append(days, e)
			}
		}
		if !slices.EqualFunc(days, events, one.equal) {
			t.Fatal("the days are not all events")
		}
	})
}

func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			batches []*analytics.Batch
			want    []one
		)
		for _, events := range rapid.SliceOfN(sortedEvents(day(2026, 1, 1), day(2026, 1, 1).Add(2*time.Hour), 20), 0, 6).Draw(t, "batches") {
			batches = append(batches, batchOf(events))
			want = append(want, events...)
		}
		slices.SortStableFunc(want, func(a, b one) int { return cmp.Compare(a.at, b.at) })
		wantEvents(t, "merged", analytics.Merge(batches...), want)
	})
}

// TestMergeColumns: a column is merged if all batches with events have it.
func TestMergeColumns(t *testing.T) {
	full := batchOf([]one{{at: 1, kind: "view", source: "web", user: 1}})
	got := analytics.Merge(full, &analytics.Batch{Times: []int64{0}, Users: []uint32{7}}, &analytics.Batch{})
	if want := (&analytics.Batch{Times: []int64{0, 1}, Users: []uint32{7, 1}}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNewHeader(t *testing.T) {
	hour := time.Hour.Microseconds()
	b := batchOf([]one{
		{at: 5, kind: "view", source: "web", user: 1, value: 2},
		{at: 6, kind: "click", source: "-", user: 2, value: math.NaN()},
		{at: 7, kind: "view", source: "web", user: 1 << 31, value: -3},
		{at: hour, kind: "view", source: "web", user: 1, value: math.NaN()},
	})
	h := analytics.NewHeader(b)
	got := []any{h.First, h.Last, h.Events, h.Types, h.Sources, h.Cells, h.Seen}
	want := []any{int64(5), hour, int64(4), []string{"", "view", "click"}, []string{"", "web"}, []analytics.Cell{
		{Hour: 0, Type: 1, Source: 1, Events: 2, Values: 2, Sum: -1, Min: -3, Max: 2},
		{Hour: 0, Type: 2, Source: 0, Events: 1},
		{Hour: 1, Type: 1, Source: 1, Events: 1},
	}, []analytics.Seen{
		{Hour: 0, Type: 1, Users: analytics.UsersOf([]uint32{1, 1 << 31})},
		{Hour: 0, Type: 2, Users: analytics.UsersOf([]uint32{2})},
		{Hour: 1, Type: 1, Users: analytics.UsersOf([]uint32{1})},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	part := analytics.NewHeader(b.Slice(1, 2))
	if !slices.Equal(part.Types, []string{"", "click"}) || len(part.Sources) != 0 {
		t.Errorf("the header of a part has the texts %q, %q", part.Types, part.Sources)
	}
	if size := h.Size(); size < 500 || size > 5000 {
		t.Errorf("the header takes %d bytes", size)
	}
}
