package analytics_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics/analyticstest"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// columnsOf returns events as columns of every kind. Every other user has a provisional number.
func columnsOf(events []event.Event, numbers map[string]uint32) *analytics.Batch {
	events = slices.SortedStableFunc(slices.Values(events), func(a, b event.Event) int { return a.OccurredAt.Compare(b.OccurredAt) })
	var types, sources, sessions, identifiers analytics.StringsBuilder
	b := &analytics.Batch{Numbers: numbers}
	keys := map[string]bool{}
	members := make([]map[string]json.RawMessage, len(events))
	for i, e := range events {
		number, known := numbers[e.UserIdentifier]
		if !known {
			number = uint32(len(numbers)) | uint32(len(numbers)%2)<<31
			numbers[e.UserIdentifier] = number
		}
		b.Times, b.Users = append(b.Times, e.OccurredAt.UnixMicro()), append(b.Users, number)
		types.Add(e.Type)
		identifiers.Add(e.UserIdentifier)
		sources.AddOptional(e.Source)
		sessions.AddOptional(e.SessionID)
		value := math.NaN()
		if e.Value != nil {
			value = *e.Value
		}
		b.Values = append(b.Values, value)
		if e.Properties != "" {
			if err := json.Unmarshal([]byte(e.Properties), &members[i]); err != nil {
				panic(err)
			}
		}
		for key := range members[i] {
			keys[key] = true
		}
	}
	b.Types, b.Sources, b.Sessions, b.Identifiers = types.Strings(), sources.Strings(), sessions.Strings(), identifiers.Strings()
	b.ByKey = map[string]analytics.Strings{}
	for key := range keys {
		var column analytics.StringsBuilder
		for _, m := range members {
			if value, has := m[key]; has {
				column.AddBytes(value)
			} else {
				column.AddOptional(nil)
			}
		}
		b.ByKey[key] = column.Strings()
	}
	return b
}

// cutAtRandom cuts events into pieces, which overlap; some have no header.
func cutAtRandom(t *rapid.T, events []event.Event) []piece {
	lists := make([][]event.Event, rapid.IntRange(1, 4).Draw(t, "pieces"))
	for _, e := range events {
		i := rapid.IntRange(0, len(lists)-1).Draw(t, "piece")
		lists[i] = append(lists[i], e)
	}
	numbers := map[string]uint32{}
	all := make([]piece, len(lists))
	for i, list := range lists {
		all[i].batch = columnsOf(list, numbers)
		if rapid.IntRange(0, 3).Draw(t, "with header") > 0 {
			all[i].header = analytics.NewHeader(all[i].batch)
		}
	}
	return all
}

// TestQuestions: questions of every kind have the answers that looking at one event after the other has, however the events are cut into
// pieces, and with filters on all of them.
func TestQuestions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var events analyticstest.Events
		for i, d := range analyticstest.Drafts(60).Draw(t, "events") {
			events = append(events, analyticstest.Event(d, home, i))
		}
		all := cutAtRandom(t, events)
		requests := analyticstest.Filters(2).Draw(t, "scope")
		filters, err := analytics.ParseFilters("filters", requests)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			analyticstest.Check(t, events.Selected(requests...), func(q analytics.Question) { ask(t, analytics.Narrowed(q, filters), all) })
		}
	})
}
