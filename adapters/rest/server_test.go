package rest_test

import (
	"reflect"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest"
)

// TestNew_names_the_missing_dependency: none is left to panic in a request.
func TestNew_names_the_missing_dependency(t *testing.T) {
	missing := func(name string, deps rest.Dependencies) {
		if _, err := rest.New(deps, rest.Settings{}); err == nil || err.Error() != "the API has no "+name {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for i, field := range reflect.VisibleFields(reflect.TypeFor[rest.Dependencies]()) {
		deps := dependencies(&waiting{})
		reflect.ValueOf(&deps).Elem().Field(i).SetZero()
		missing(field.Name, deps)
	}
	deps := dependencies(&waiting{})
	deps.Users = (*waiting)(nil) // a service that was not made
	missing("Users", deps)
	if _, err := rest.New(dependencies(&waiting{}), rest.Settings{}); err != nil {
		t.Error(err)
	}
}
