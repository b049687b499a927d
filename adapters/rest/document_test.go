package rest_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/exporting"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/tenant"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/user"
)

// readContract reads and validates the contract. The error of either names the line, or the path, schema or parameter.
func readContract(t *testing.T) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	return document
}

// limits are the keywords of a schema that limit or replace a value, as OpenAPI has them.
type limits map[string]any

var keywords = []string{"minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "maxProperties", "default"}

func limitsOf(t *testing.T, schema *openapi3.Schema) limits {
	t.Helper()
	raw, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	var all limits
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(all, func(keyword string, _ any) bool { return !slices.Contains(keywords, keyword) })
	return all
}

// String returns the limits in JSON, sorted by keyword.
func (l limits) String() string {
	raw, err := json.Marshal(map[string]any(l))
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// TestContract: the contract is valid, and its limits are the domain's.
func TestContract(t *testing.T) {
	skip := limits{"minimum": 0, "maximum": page.MaxSkip, "default": 0}
	email := limits{"maxLength": user.MaxEmailLength}
	newPassword := limits{"minLength": user.MinPasswordLength, "maxLength": user.MaxPasswordLength}
	anything := limits{"minLength": 1} // limited by the size of the body alone
	want := map[string]limits{
		"GET /users skip":                        skip,
		"GET /users limit":                       {"minimum": 1, "maximum": page.Users.Max, "default": page.Users.Default},
		"GET /analytics/events skip":             skip,
		"GET /analytics/events limit":            {"minimum": 1, "maximum": page.Events.Max, "default": page.Events.Default},
		"GET /analytics/events event_type":       {"maxLength": event.MaxTypeLength},
		"GET /analytics/events source":           {"minLength": 1, "maxLength": event.MaxSourceLength},
		"GET /analytics/events user_identifier":  {"maxLength": event.MaxUserIdentifierLength},
		"GET /analytics/events session_id":       {"minLength": 1, "maxLength": event.MaxSessionIDLength},
		"GET /analytics/events cursor":           {"minLength": 22, "maxLength": 22}, // of 16 bytes
		"GET /analytics/export event_type":       {"maxLength": event.MaxTypeLength},
		"GET /analytics/export source":           {"minLength": 1, "maxLength": event.MaxSourceLength},
		"GET /analytics/export user_identifier":  {"maxLength": event.MaxUserIdentifierLength},
		"GET /analytics/export session_id":       {"minLength": 1, "maxLength": event.MaxSessionIDLength},
		"GET /analytics/export format":           {"default": exporting.Formats()[0].Name},
		"GET /analytics/metrics/summary period":  {"default": analytics.Month.String()},
		"GET /analytics/timeseries metric":       {"default": analytics.CountEvents.String()},
		"GET /analytics/timeseries granularity":  {"default": analytics.Daily.String()},
		"GET /analytics/timeseries period":       {"default": analytics.Month.String()},
		"GET /analytics/timeseries event_type":   {"maxLength": event.MaxTypeLength},
		"GET /analytics/timeseries source":       {"maxLength": event.MaxSourceLength},
		"GET /analytics/timeseries timezone":     {"default": time.UTC.String()},
		"Meta.duration_ms":                       {"minimum": 0},
		"POST /analytics/events Idempotency-Key": {"minLength": 1, "maxLength": event.MaxKeyLength},

		"POST /analytics/events/batch Idempotency-Key": {"minLength": 1, "maxLength": event.MaxKeyLength},
		"POST /analytics/events/batch atomic":          {"default": false},

		"DELETE /analytics/events user_identifier": {"maxLength": event.MaxUserIdentifierLength},
		"DELETE /analytics/events event_type":      {"maxLength": event.MaxTypeLength},

		"Registration.email":              email,
		"Registration.password":           newPassword,
		"Registration.full_name":          {"minLength": user.MinNameLength, "maxLength": user.MaxNameLength},
		"Registration.tenant_slug":        {"minLength": tenant.MinSlugLength, "maxLength": tenant.MaxSlugLength},
		"Credentials.email":               email,
		"Credentials.password":            anything,
		"RefreshRequest.refresh_token":    anything,
		"PasswordChange.current_password": anything,
		"PasswordChange.new_password":     newPassword,
		"EventDraft.event_type":           {"minLength": 1, "maxLength": event.MaxTypeLength},
		"EventDraft.user_identifier":      {"minLength": 1, "maxLength": event.MaxUserIdentifierLength},
		"EventDraft.session_id":           {"maxLength": event.MaxSessionIDLength},
		"EventDraft.value":                {"minimum": -event.MaxValue, "maximum": event.MaxValue},
		"EventDraft.source":               {"maxLength": event.MaxSourceLength},
		"EventDraft.event_id":             {"minLength": 1, "maxLength": event.MaxEventIDLength},
		"EventDraft.properties":           {"maxProperties": event.MaxPropertyKeys},
		"Event.properties":                {"maxProperties": event.MaxPropertyKeys},
		"ExportedEvent.properties":        {"maxProperties": event.MaxPropertyKeys},
		"EventBatch.events":               {"maxItems": event.MaxBatch},
		"BatchResult.rejected":            {"maxItems": rest.MaxRejected},
		"Problem.rejected":                {"maxItems": rest.MaxRejected},
		"QueryRequest.event_type":         {"maxLength": event.MaxTypeLength},
		"QueryRequest.group_by":           {"default": analytics.ByEventType.String()},
		"QueryRequest.metrics":            {"minItems": 1, "maxItems": analytics.MaxMetrics},
		"QueryRequest.filters":            {"maxItems": analytics.MaxFilters},
		"QueryRequest.timezone":           {"default": "UTC"},
		"QueryRequest.order_by":           {"maxItems": analytics.MaxDimensions + analytics.MaxMetrics},
		"QueryRequest.fill":               {"default": false},
		"Filter.field":                    {"maxLength": len("properties.") + analytics.MaxKeyLength},
		"Order.by":                        {"minLength": 1, "maxLength": len("sum(properties.)") + analytics.MaxKeyLength},
		"Order.direction":                 {"default": "asc"},
		"MeantEvent.event_type":           {"maxLength": event.MaxTypeLength},
		"MeantEvent.filters":              {"maxItems": analytics.MaxFilters},
		"FunnelRequest.steps":             {"minItems": analytics.MinFunnelSteps, "maxItems": analytics.MaxFunnelSteps},
		"FunnelRequest.window":            {"maxLength": 11},
		"FunnelRequest.timezone":          {"default": "UTC"},
		"RetentionRequest.timezone":       {"default": "UTC"},
		"PropertyKey.examples":            {"maxItems": analytics.MaxExamples},
		"QueryRequest.limit":              {"minimum": 1, "maximum": analytics.MaxQueryLimit, "default": analytics.DefaultQueryLimit},
		"Summary.top_event_types":         {"maxItems": analytics.TopEventTypes},
	}
	got := map[string]limits{}
	add := func(place string, schema *openapi3.SchemaRef) {
		if found := limitsOf(t, schema.Value); len(found) > 0 {
			got[place] = found
		}
	}
	document := readContract(t)
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			for _, p := range slices.Concat(item.Parameters, operation.Parameters) {
				add(method+" "+path+" "+p.Value.Name, p.Value.Schema)
			}
		}
	}
	for name, schema := range document.Components.Schemas {
		for property, of := range schema.Value.Properties {
			add(name+"."+property, of)
		}
	}
	for place, has := range got {
		switch wanted, found := want[place]; {
		case !found:
			t.Errorf("openapi.yaml: %s has the limits %s: add a row here with the domain's", place, has)
		case wanted.String() != has.String():
			t.Errorf("openapi.yaml: %s has the limits %s, and the domain %s", place, has, wanted)
		}
	}
	for place, wanted := range want {
		if got[place] == nil {
			t.Errorf("openapi.yaml: %s has no limits, and the domain %s", place, wanted)
		}
	}
}

// TestContract_keys: no key is without a value, as one is that an unquoted comma in a flow mapping makes of a description.
func TestContract_keys(t *testing.T) {
	raw, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for i, child := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 1 && child.Tag == "!!null" {
				t.Errorf("openapi.yaml:%d: the key %q has no value", n.Content[i-1].Line, n.Content[i-1].Value)
			}
			walk(child)
		}
	}
	walk(&document)
}

// TestContract_parameters: the parameters of requests with a body are those that checkParameters knows. Those of others are not
// named together with the invalid fields of the body.
func TestContract_parameters(t *testing.T) {
	known := []string{"id", "tenant_id", "Idempotency-Key", "Content-Encoding"}
	for path, item := range readContract(t).Paths.Map() {
		for method, operation := range item.Operations() {
			for _, p := range slices.Concat(item.Parameters, operation.Parameters) {
				// A batch has no fields of its own that could be invalid.
				if operation.RequestBody != nil && operation.OperationID != "ingestBatch" && !slices.Contains(known, p.Value.Name) {
					t.Errorf("openapi.yaml: %s %s has the parameter %s: check it in checkParameters, and add it here", method, path, p.Value.Name)
				}
			}
		}
	}
}
