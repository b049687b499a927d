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
var contractYAML []byte

// contract is what the service knows of its own contract.
type contract struct {
	served  []byte              // JSON, without the keys x-..., which are for generating this service's code alone
	queries map[string][]string // the names of query parameters by "METHOD path", as the router has them
}

// readContract reads the contract that is in the program.
func readContract() (contract, error) {
	var document any
	if err := yaml.Unmarshal(contractYAML, &document); err != nil {
		return contract{}, fmt.Errorf("reading the contract: %w", err)
	}
	removeExtensions(document)
	served, err := json.Marshal(document)
	if err != nil {
		return contract{}, fmt.Errorf("writing the contract: %w", err)
	}
	queries, err := queryParameters()
	return contract{served: served, queries: queries}, err
}

// removeExtensions removes what begins with x- from all objects in a document (OpenAPI 3.0.3 4.9).
func removeExtensions(document any) {
	switch part := document.(type) {
	case map[string]any:
		maps.DeleteFunc(part, func(name string, _ any) bool { return strings.HasPrefix(name, "x-") })
		for _, one := range part {
			removeExtensions(one)
		}
	case []any:
		for _, one := range part {
			removeExtensions(one)
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
func queryParameters() (map[string][]string, error) {
	var document struct {
		Paths      map[string]pathItem
		Components struct {
			Parameters map[string]parameter
		}
	}
	if err := yaml.Unmarshal(contractYAML, &document); err != nil {
		return nil, fmt.Errorf("reading the paths of the contract: %w", err)
	}
	asRouted := strings.NewReplacer("{", ":", "}", "")
	all := map[string][]string{}
	for path, item := range document.Paths {
		for method, operation := range item.Operations {
			names := []string{}
			for _, p := range slices.Concat(item.Parameters, operation.Parameters) {
				if shared, found := document.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")]; found {
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

var errMalformedQuery = fault.New(fault.Malformed, "malformed_query", "The query of the address is not well-formed.")

// checkQuery refuses a query that can't be read whole, of which Go would drop a part in silence, and parameters that the
// route does not have, which the sender believes to be in effect. Health and documentation take any.
func (s *Server) checkQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		query, err := url.ParseQuery(c.Request().URL.RawQuery)
		if err != nil {
			return errMalformedQuery.Because(err)
		}
		known, described := s.contract.queries[c.Request().Method+" "+c.Path()]
		if !described || s.isOpen(c) {
			return next(c)
		}
		var faults fault.Check
		for _, name := range slices.Sorted(maps.Keys(query)) {
			if !slices.Contains(known, name) {
				faults.Add(shown(name), "is not a parameter of this request")
			}
		}
		if err := faults.Err(); err != nil {
			return err
		}
		return next(c)
	}
}
