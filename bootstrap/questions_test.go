package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
)

// testFunnel holds a funnel against an answer that was worked out by hand.
func testFunnel(t *testing.T, on backend) {
	content, err := os.ReadFile("../testdata/funnel.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Events          []map[string]any
		Request, Answer map[string]any
	}
	if err := json.Unmarshal(content, &golden); err != nil {
		t.Fatal(err)
	}
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	s.want(t, 200, request{method: "POST", path: api + "/analytics/events/batch", token: p.access, body: map[string]any{"events": golden.Events}})
	a := s.want(t, 200, request{method: "POST", path: api + "/analytics/funnel", token: p.access, body: golden.Request})
	for name, want := range golden.Answer {
		if got := a.body[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, want)
		}
	}
}

// testQuestions asks what a newcomer would.
func testQuestions(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	var events []any
	for i, at := range []string{"2026-03-28T23:30:00Z", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T22:30:00Z"} { // clocks change at 01:00 UTC
		events = append(events, map[string]any{
			"event_type": "view", "user_identifier": fmt.Sprint("u", i%2), "occurred_at": at, "value": float64(i), "properties": map[string]any{"plan": []any{"pro", 5, "5", nil}[i]},
		})
	}
	s.want(t, 200, request{method: "POST", path: api + "/analytics/events/batch", token: p.access, body: map[string]any{"events": events}})
	for _, c := range []struct{ query, want string }{
		{`{}`, `[{"avg_value":1.5,"count":4,"event_type":"view"}]`},
		{`{"group_by":[],"metrics":["count","unique_users","sum(value)","p50(value)"]}`, `[{"count":4,"p50(value)":1.5,"sum(value)":6,"unique_users":2}]`},
		{`{"group_by":"hour","metrics":["count"],"timezone":"Europe/Berlin"}`, `[{"count":1,"hour":"2026-03-29T00:00:00+01:00"},{"count":1,"hour":"2026-03-29T01:00:00+01:00"},` +
			`{"count":1,"hour":"2026-03-29T03:00:00+02:00"},{"count":1,"hour":"2026-03-30T00:00:00+02:00"}]`},
		{`{"group_by":"hour","metrics":["count"],"start_date":"2026-03-28T23:00:00Z","end_date":"2026-03-29T00:00:00Z"}`, `[{"count":1,"hour":"2026-03-28T23:00:00Z"}]`},
		{`{"group_by":["day"],"metrics":["count"],"timezone":"Europe/Berlin","start_date":"2026-03-28","end_date":"2026-03-30","fill":true}`,
			`[{"count":0,"day":"2026-03-28"},{"count":3,"day":"2026-03-29"},{"count":1,"day":"2026-03-30"}]`},
		{`{"group_by":["week","month"],"metrics":["max(value)"]}`, `[{"max(value)":3,"month":"2026-03","week":"2026-03-23"}]`},
		{`{"group_by":"properties.plan","metrics":["count","sum(properties.plan)"],"order_by":[{"by":"properties.plan"}]}`,
			`[{"count":1,"properties.plan":5,"sum(properties.plan)":5},{"count":1,"properties.plan":"5","sum(properties.plan)":null},` +
				`{"count":1,"properties.plan":"pro","sum(properties.plan)":null},{"count":1,"properties.plan":null,"sum(properties.plan)":null}]`},
		{`{"metrics":["count"],"filters":[{"field":"properties.plan","op":"eq","value":5}]}`, `[{"count":1,"event_type":"view"}]`},
		{`{"metrics":["count"],"filters":[{"field":"properties.plan","op":"neq","value":"5"},{"field":"user_identifier","op":"in","value":["u0","nobody"]}]}`, `[{"count":1,"event_type":"view"}]`},
	} {
		a := s.want(t, 200, request{method: "POST", path: api + "/analytics/query", token: p.access, body: c.query})
		got, err := json.Marshal(a.body["results"])
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.query, got, c.want)
		}
	}
	a := s.want(t, 200, request{method: "POST", path: api + "/analytics/retention", token: p.access, body: `{"cohort":{"event_type":"view"},"return":{"event_type":"view"},"period":"day","start_date":"2026-03-28","end_date":"2026-03-30"}`})
	if got := fmt.Sprint(a.body["cohorts"]); got != "[map[returned:[1 1 0] start:2026-03-28 users:1] map[returned:[1 0] start:2026-03-29 users:1] map[returned:[0] start:2026-03-30 users:0]]" {
		t.Errorf("retention: %s", got)
	}
	a = s.want(t, 200, request{method: "GET", path: api + "/analytics/properties?from=2026-03-01", token: p.access})
	if got := fmt.Sprint(a.body["properties"]); got != `[map[events:4 examples:[5 pro 5] key:plan types:[null number string]]]` && !strings.Contains(got, "types:[null number string]") {
		t.Errorf("properties: %s", got)
	}
}

// testBadQuestions: each refusal names the field.
func testBadQuestions(t *testing.T, on backend) {
	s := start(t, generous().with(on(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	funnel := func(change string) string {
		return strings.Replace(`{"steps":[{"event_type":"a"},{"event_type":"b"}],"window":"7d","start_date":"2026-01-01","end_date":"2026-01-31"}`, change[:strings.Index(change, "=>")], change[strings.Index(change, "=>")+2:], 1)
	}
	for _, c := range []struct{ path, body, field string }{
		{"query", `{"group_by":["day","day"]}`, "group_by"},
		{"query", `{"group_by":["event_type","source","day","hour","week"]}`, "group_by"},
		{"query", `{"group_by":"value"}`, "group_by"},
		{"query", `{"group_by":{"a":1}}`, "group_by"},
		{"query", `{"group_by":[1]}`, "group_by[0]"},
		{"query", `{"metrics":[]}`, "metrics"},
		{"query", `{"metrics":["median(value)"]}`, "metrics[0]"},
		{"query", `{"metrics":["count","count"]}`, "metrics[1]"},
		{"query", `{"metrics":["sum(source)"]}`, "metrics[0]"},
		{"query", `{"filters":[{"field":"source","op":"eq","value":5}]}`, "filters[0].value"},
		{"query", `{"filters":[{"field":"value","op":"contains","value":"5"}]}`, "filters[0].op"},
		{"query", `{"filters":[{"field":"tenant_id","op":"eq","value":"5"}]}`, "filters[0].field"},
		{"query", `{"filters":[{"field":"properties.a","op":"eq","value":null}]}`, "filters[0].value"},
		{"query", `{"filters":[{"field":"properties.a","op":"in","value":[]}]}`, "filters[0].value"},
		{"query", `{"filters":[{"field":"properties.a","op":"like","value":"x"}]}`, "filters[0].op"},
		{"query", `{"filters":[{"field":"properties.a","op":"eq","value":"x","not":true}]}`, "filters[0].not"},
		{"query", `{"filters":[7]}`, "filters[0]"},
		{"query", `{"filters":{}}`, "filters"},
		{"query", `{"timezone":"Mars"}`, "timezone"},
		{"query", `{"order_by":[{"by":"source"}]}`, "order_by[0].by"},
		{"query", `{"order_by":[{"by":"count","direction":"up"}]}`, "order_by[0].direction"},
		{"query", `{"fill":true}`, "fill"},
		{"query", `{"fill":1}`, "fill"},
		{"query", `{"fill":true,"group_by":"day"}`, "fill"},
		{"funnel", funnel(`[{"event_type":"a"},=>[`), "steps"},
		{"funnel", funnel(`"a"=>""`), "steps[0].event_type"},
		{"funnel", funnel(`7d=>7w`), "window"},
		{"funnel", funnel(`7d=>400d`), "window"},
		{"funnel", funnel(`7d=>0d`), "window"},
		{"funnel", funnel(`2026-01-31=>2025-01-31`), "end_date"},
		{"retention", `{"cohort":{"event_type":"a"},"return":{"event_type":"b"},"period":"hour","start_date":"2026-01-01","end_date":"2026-01-31"}`, "period"},
		{"retention", `{"cohort":{"event_type":"a"},"return":{"event_type":"b"},"period":"day","start_date":"2020-01-01","end_date":"2026-01-31"}`, "period"},
		{"retention", `{"cohort":5,"return":{"event_type":"b"},"period":"day","start_date":"2026-01-01","end_date":"2026-01-31"}`, "cohort"},
		{"retention", `{"cohort":{"event_type":"a"},"return":{"event_type":"b"},"period":"day","start_date":"2026-01-01"}`, "end_date"},
	} {
		a := s.want(t, 422, request{method: "POST", path: api + "/analytics/" + c.path, token: p.access, body: c.body})
		if !slices.Contains(a.fields(), c.field) {
			t.Errorf("%s: %s", c.body, a.raw)
		}
	}
}

// TestCostlyQuestions: questions made to cost get an answer or a refusal that says what to narrow, and the service lives.
func TestCostlyQuestions(t *testing.T) {
	s := start(t, generous().with(onSQLite(t)))
	p := s.newPerson(t, newSlug(), access.Analyst)
	at := time.Now().Add(-time.Hour)
	var body strings.Builder
	for i := range 20_000 {
		var properties []string
		for k := range 50 { // a thousand keys
			properties = append(properties, fmt.Sprintf(`"key%d":"value%d"`, (i*50+k)%1000, i))
		}
		fmt.Fprintf(&body, `{"event_type":"type%d","user_identifier":"user%d","event_id":"e%d","occurred_at":%q,"properties":{%s}}`+"\n", i%1000, i, i, at.Format(time.RFC3339), strings.Join(properties, ","))
	}
	s.want(t, 200, request{method: "POST", path: api + "/analytics/events/batch", token: p.access, body: body.String(), header: map[string]string{"Content-Type": "application/x-ndjson"}})
	var metrics, filters []string
	for k := range 20 {
		metrics = append(metrics, fmt.Sprintf(`"p99(properties.key%d)"`, k))
		filters = append(filters, fmt.Sprintf(`{"field":"properties.key%d","op":"exists","value":false}`, 30+k))
	}
	for name, query := range map[string]string{
		"many groups":  `{"group_by":["user_identifier","event_type","properties.key1","hour"],"metrics":["count","unique_users","p50(value)"],"limit":10000}`,
		"many columns": `{"group_by":["properties.key1","properties.key2","properties.key3","properties.key4"],"metrics":[` + strings.Join(metrics, ",") + `],"filters":[` + strings.Join(filters, ",") + `]}`,
		"long fill":    `{"group_by":["hour","user_identifier"],"metrics":["count"],"start_date":"2021-12-01","end_date":"2026-12-01","fill":true}`,
	} {
		a := s.send(t, request{method: "POST", path: api + "/analytics/query", token: p.access, body: query})
		if a.status != 200 && !(a.status == 422 && a.body["code"] == "query_too_expensive") {
			t.Errorf("%s: %d %.300s", name, a.status, a.raw)
		}
		if name == "long fill" && a.status != 422 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	a := s.want(t, 200, request{method: "GET", path: api + "/analytics/properties", token: p.access})
	if list, _ := a.body["properties"].([]any); len(list) != 1000 {
		t.Errorf("there are %d keys", len(list))
	}
}
