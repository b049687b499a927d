// Package analyticstest answers questions in the plainest way, by looking at one event after the other, for tests to compare with.
package analyticstest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// Events are all events that a question is about, in any order.
type Events []event.Event

// Row is a row of an answer: its groups as JSON, and its values.
type Row struct {
	Group  []string
	Values []*float64
}

// Rows returns rows of an answer in this form.
func Rows(rows []analytics.Row) []Row {
	list := make([]Row, len(rows))
	for i, r := range rows {
		list[i] = Row{Group: texts(r.Group), Values: r.Values}
	}
	return list
}

func texts(group []analytics.Scalar) []string {
	list := make([]string, len(group))
	for i, s := range group {
		text, err := s.MarshalJSON()
		if err != nil {
			panic(err)
		}
		list[i] = string(text)
	}
	return list
}

// Difference returns where rows differ, but for the last bits of values; nothing if they don't.
func Difference(got, want []Row) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !slices.Equal(got[i].Group, want[i].Group) || !slices.EqualFunc(got[i].Values, want[i].Values, same) {
			return fmt.Sprintf("row %d of %s is not that of %s", i, describe(got), describe(want))
		}
	}
	return ""
}

func same(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return math.Abs(*a-*b) <= 1e-9*max(1, math.Abs(*a), math.Abs(*b))
}

func describe(rows []Row) string {
	var text strings.Builder
	for _, r := range rows {
		values, _ := json.Marshal(r.Values)
		fmt.Fprintf(&text, "%v%s ", r.Group, values)
	}
	return text.String()
}

// other is a JSON value that is no text, number, boolean or null.
type other string

// field returns what an event has for a field: nil, a bool, a float64, a string or other.
func field(e event.Event, name string) any {
	pointed := func(s *string) any {
		if s == nil {
			return nil
		}
		return *s
	}
	switch name {
	case "event_type":
		return e.Type
	case "user_identifier":
		return e.UserIdentifier
	case "source":
		return pointed(e.Source)
	case "session_id":
		return pointed(e.SessionID)
	case "value":
		if e.Value == nil {
			return nil
		}
		return *e.Value
	}
	var all map[string]json.RawMessage
	if e.Properties != "" {
		if err := json.Unmarshal([]byte(e.Properties), &all); err != nil {
			panic(err)
		}
	}
	return plain(all[strings.TrimPrefix(name, "properties.")])
}

func plain(raw []byte) (v any) {
	if len(raw) == 0 {
		return nil
	}
	if raw[0] == '{' || raw[0] == '[' {
		return other(raw)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		panic(err)
	}
	return v
}

// selects reports whether a filter selects an event.
func selects(e event.Event, f analytics.FilterRequest) bool {
	v := field(e, f.Field)
	var want any
	if err := json.Unmarshal(f.Value, &want); err != nil {
		panic(err)
	}
	switch f.Op {
	case "eq":
		return v == want
	case "neq":
		return v != want
	case "in":
		return slices.Contains(want.([]any), v)
	case "not_in":
		return !slices.Contains(want.([]any), v)
	case "exists":
		return (v != nil) == want.(bool)
	}
	text, isText := v.(string)
	number, isNumber := v.(float64)
	var order int
	switch w := want.(type) {
	case string:
		if !isText {
			return false
		}
		order = strings.Compare(text, w)
		switch f.Op {
		case "contains":
			return strings.Contains(text, w)
		case "starts_with":
			return strings.HasPrefix(text, w)
		}
	case float64:
		if !isNumber {
			return false
		}
		order = cmp.Compare(number, w)
	}
	return map[string]bool{"gt": order > 0, "gte": order >= 0, "lt": order < 0, "lte": order <= 0}[f.Op]
}

// Selected returns the events that filters select.
func (es Events) Selected(filters ...analytics.FilterRequest) Events {
	return slices.DeleteFunc(slices.Clone(es), func(e event.Event) bool {
		return slices.ContainsFunc(filters, func(f analytics.FilterRequest) bool { return !selects(e, f) })
	})
}

// Between returns the events with start <= time < end; a zero time leaves that side open.
func (es Events) Between(start, end time.Time) Events {
	return es.in(analytics.Window{Start: start, End: end})
}

// in returns the events in a window.
func (es Events) in(w analytics.Window) Events {
	return slices.DeleteFunc(slices.Clone(es), func(e event.Event) bool {
		return !w.Start.IsZero() && e.OccurredAt.Before(w.Start) || !w.End.IsZero() && !e.OccurredAt.Before(w.End)
	})
}

// key is what a group has for a dimension: a text, and what it is ordered by.
type key struct {
	json  string
	value any       // as of field
	at    time.Time // of a bucket of time
}

// bucket returns the bucket of time that a time is in.
func bucket(at time.Time, name string) key {
	day := time.Date(at.Year(), at.Month(), at.Day(), 12, 0, 0, 0, time.UTC)
	switch name {
	case "hour":
		at = at.Add(-time.Duration(at.Minute())*time.Minute - time.Duration(at.Second())*time.Second - time.Duration(at.Nanosecond()))
		return key{json: quoted(at.Format(time.RFC3339)), at: at}
	case "week":
		for day.Weekday() != time.Monday {
			day = day.AddDate(0, 0, -1)
		}
	case "month":
		return key{json: quoted(day.Format("2006-01")), at: day.AddDate(0, 0, -day.Day())}
	}
	return key{json: quoted(day.Format(time.DateOnly)), at: day}
}

func quoted(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func isTime(dimension string) bool {
	return slices.Contains([]string{"hour", "day", "week", "month"}, dimension)
}

func keyOf(e event.Event, dimension string, zone *time.Location) key {
	if isTime(dimension) {
		return bucket(e.OccurredAt.In(zone), dimension)
	}
	switch v := field(e, dimension).(type) {
	case other:
		return key{json: string(v), value: v}
	default:
		return key{json: quoted(v), value: v}
	}
}

// rank orders kinds of values.
func rank(v any) int {
	switch v.(type) {
	case bool:
		return 1
	case float64:
		return 2
	case string:
		return 3
	case other:
		return 4
	default:
		return 5
	}
}

func compareKeys(a, b key) int {
	if c := a.at.Compare(b.at); c != 0 || !a.at.IsZero() {
		return c
	}
	if c := cmp.Compare(rank(a.value), rank(b.value)); c != 0 {
		return c
	}
	if x, ok := a.value.(float64); ok {
		return cmp.Compare(x, b.value.(float64))
	}
	return strings.Compare(fmt.Sprint(a.value), fmt.Sprint(b.value))
}

// metric returns a metric of the events of a group.
func (es Events) metric(name string, filled bool) *float64 {
	switch name {
	case "count":
		return new(float64(len(es)))
	case "unique_users":
		users := map[string]bool{}
		for _, e := range es {
			users[e.UserIdentifier] = true
		}
		return new(float64(len(users)))
	case "avg_value":
		name = "avg(value)"
	}
	function, rest, _ := strings.Cut(name, "(")
	var values []float64
	sum := 0.0
	for _, e := range es {
		if v, ok := field(e, strings.TrimSuffix(rest, ")")).(float64); ok {
			values = append(values, v)
			sum += v
		}
	}
	if len(values) == 0 {
		if function == "sum" && filled {
			return new(0.0)
		}
		return nil
	}
	slices.Sort(values)
	switch function {
	case "sum":
		return &sum
	case "avg":
		return new(sum / float64(len(values)))
	case "min":
		return new(values[0])
	case "max":
		return new(values[len(values)-1])
	}
	var p float64
	if _, err := fmt.Sscanf(function, "p%g", &p); err != nil {
		panic(err)
	}
	return new(interpolated(values, p/100))
}

// interpolated is percentile_cont of SQL.
func interpolated(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	below, above := sorted[int(math.Floor(at))], sorted[int(math.Ceil(at))]
	return below + (at-math.Floor(at))*(above-below)
}

// groupOf is the events of a row.
type groupOf struct {
	keys   []key
	events Events
}

// Query answers a query, which is valid.
func (es Events) Query(r analytics.QueryRequest) []Row {
	q, err := r.Query()
	if err != nil {
		panic(err)
	}
	if r.GroupBy == nil {
		r.GroupBy = []string{"event_type"}
	}
	selected := es.in(q.Window).Selected(r.Filters...)
	if r.EventType != "" {
		selected = selected.Selected(analytics.FilterRequest{Field: "event_type", Op: "eq", Value: []byte(quoted(r.EventType))})
	}
	groups := selected.groups(r.GroupBy, q.Timezone)
	if len(r.GroupBy) == 0 && len(groups) == 0 {
		groups = []*groupOf{{}}
	}
	if r.Fill {
		groups = fill(groups, r, q)
	}
	names := q.MetricNames()
	values := map[*groupOf][]*float64{}
	for _, g := range groups {
		for _, name := range names {
			values[g] = append(values[g], g.events.metric(name, r.Fill && len(g.events) == 0))
		}
	}
	slices.SortFunc(groups, func(a, b *groupOf) int { return compareRows(a, b, values, r, names) })
	rows := []Row{}
	for _, g := range groups[:min(len(groups), q.Limit)] {
		row := Row{Group: []string{}, Values: values[g]}
		for _, k := range g.keys {
			row.Group = append(row.Group, k.json)
		}
		rows = append(rows, row)
	}
	return rows
}

func (es Events) groups(dimensions []string, zone *time.Location) (groups []*groupOf) {
	for _, e := range es {
		var keys []key
		for _, d := range dimensions {
			keys = append(keys, keyOf(e, d, zone))
		}
		groups = add(groups, keys, e)
	}
	return groups
}

func add(groups []*groupOf, keys []key, events ...event.Event) []*groupOf {
	i := slices.IndexFunc(groups, func(g *groupOf) bool {
		return slices.EqualFunc(g.keys, keys, func(a, b key) bool { return a.json == b.json })
	})
	if i < 0 {
		groups, i = append(groups, &groupOf{keys: keys}), len(groups)
	}
	groups[i].events = append(groups[i].events, events...)
	return groups
}

// fill adds groups without events for each bucket of the window.
func fill(groups []*groupOf, r analytics.QueryRequest, q analytics.Query) []*groupOf {
	d := slices.IndexFunc(r.GroupBy, isTime)
	combinations := [][]key{}
	for _, g := range groups {
		combinations = append(combinations, g.keys)
	}
	if len(r.GroupBy) == 1 {
		combinations = append(combinations, make([]key, 1))
	}
	for at := q.Window.Start; at.Before(q.Window.End); at = at.Add(15 * time.Minute) {
		for _, keys := range combinations {
			keys = slices.Clone(keys)
			keys[d] = bucket(at.In(q.Timezone), r.GroupBy[d])
			groups = add(groups, keys)
		}
	}
	return groups
}

func compareRows(a, b *groupOf, values map[*groupOf][]*float64, r analytics.QueryRequest, names []string) int {
	orders := r.OrderBy
	if len(orders) == 0 {
		for _, d := range r.GroupBy {
			if isTime(d) {
				orders = append(orders, analytics.OrderRequest{By: d})
			}
		}
		orders = append(orders, analytics.OrderRequest{By: names[0], Direction: "desc"})
	}
	for _, d := range r.GroupBy {
		orders = append(orders[:len(orders):len(orders)], analytics.OrderRequest{By: d})
	}
	for _, o := range orders {
		sign := 1
		if o.Direction == "desc" {
			sign = -1
		}
		if d := slices.Index(r.GroupBy, o.By); d >= 0 {
			x, y := a.keys[d], b.keys[d]
			c := compareKeys(x, y)
			if x.json != "null" && y.json != "null" {
				c *= sign
			}
			if c != 0 {
				return c
			}
			continue
		}
		m := slices.Index(names, o.By)
		x, y := values[a][m], values[b][m]
		switch {
		case x == nil && y == nil:
		case x == nil:
			return 1
		case y == nil:
			return -1
		case !same(x, y):
			return sign * cmp.Compare(*x, *y)
		}
	}
	return 0
}
