package rest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"go.yaml.in/yaml/v3"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

//go:embed openapi.yaml
var documentYAML []byte

// document is what the service uses of its OpenAPI document, the contract.
type document struct {
	served  []byte              // as JSON, without the x-... keys, which are only for generating this service's code
	queries map[string][]string // the names of query parameters by "METHOD path", with the path as in the router
}

// readDocument reads the embedded contract.
func readDocument() (document, error) {
	var parsed yaml.Node
	if err := yaml.Unmarshal(documentYAML, &parsed); err != nil {
		return document{}, fmt.Errorf("reading the contract: %w", err)
	}
	var all any
	if err := parsed.Decode(&all); err != nil {
		return document{}, fmt.Errorf("reading the contract: %w", err)
	}
	removeExtensions(all)
	served, err := json.Marshal(all)
	if err != nil {
		return document{}, fmt.Errorf("encoding the contract: %w", err)
	}
	queries, err := queryParameters(&parsed)
	return document{served: served, queries: queries}, err
}

// removeExtensions removes the keys that begin with x- from all objects in a part of a document (OpenAPI 3.0.3 4.9).
func removeExtensions(part any) {
	switch node := part.(type) {
	case map[string]any:
		maps.DeleteFunc(node, func(name string, _ any) bool { return strings.HasPrefix(name, "x-") })
		for _, child := range node {
			removeExtensions(child)
		}
	case []any:
		for _, child := range node {
			removeExtensions(child)
		}
	}
}

type parameter struct {
	Ref  string `yaml:"$ref"`
	Name string
	In   string
}

type operation struct {
	Parameters []parameter
}

type pathItem struct {
	Parameters []parameter
	Operations map[string]operation `yaml:",inline"`
}

// queryParameters returns the names of the query parameters of each route of the contract.
func queryParameters(parsed *yaml.Node) (map[string][]string, error) {
	var parts struct {
		Paths      map[string]pathItem
		Components struct {
			Parameters map[string]parameter
		}
	}
	if err := parsed.Decode(&parts); err != nil {
		return nil, fmt.Errorf("reading the paths of the contract: %w", err)
	}
	asRouted := strings.NewReplacer("{", ":", "}", "")
	all := map[string][]string{}
	for path, item := range parts.Paths {
		for method, operation := range item.Operations {
			names := []string{}
			for _, p := range slices.Concat(item.Parameters, operation.Parameters) {
				if shared, found := parts.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")]; found {
					p = shared
				}
				if p.In == "query" {
					names = append(names, p.Name)
				}
			}
			all[strings.ToUpper(method)+" "+Prefix+asRouted.Replace(path)] = names
		}
	}
	return all, nil
}

var errMalformedQuery = fault.New(fault.Malformed, "malformed_query", "The query string is not well-formed.")

// checkQuery refuses a malformed query string, of which Go would silently drop a part, and parameters that the route does not
// have, which the client believes to be in effect. The root, health and documentation accept any.
func (s *Server) checkQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		query, err := url.ParseQuery(c.Request().URL.RawQuery)
		if err != nil {
			return errMalformedQuery.Because(err)
		}
		known, described := s.document.queries[c.Request().Method+" "+c.Path()]
		if !described || s.isOpen(c) {
			return next(c)
		}
		var faults fault.Check
		maps.DeleteFunc(query, func(name string, _ []string) bool { return slices.Contains(known, name) })
		for i, name := range slices.Sorted(maps.Keys(query)) {
			if i == maxUnknown {
				break
			}
			faults.Add(truncate(name), "is not a parameter of this request")
		}
		if err := faults.Err(); err != nil {
			return err
		}
		return next(c)
	}
}
