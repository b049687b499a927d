package config_test

import (
	"runtime"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/bootstrap/config"
)

// TestQueries: by default queries leave a processor to other requests, and those of a tenant a slot to other tenants.
func TestQueries(t *testing.T) {
	byDefault := max(1, runtime.GOMAXPROCS(0)-1)
	for _, c := range []struct {
		atOnce, perTenant         string
		wantAtOnce, wantPerTenant int
	}{
		{"", "", byDefault, max(1, byDefault-1)},
		{"1", "", 1, 1},
		{"4", "", 4, 3},
		{"4", "2", 4, 2},
	} {
		given := map[string]string{"QUERIES_AT_ONCE": c.atOnce, "QUERIES_PER_TENANT": c.perTenant}
		got, err := config.Load(config.Sources{Env: func(name string) (string, bool) { v, found := given[name]; return v, found }})
		if err != nil {
			t.Fatal(err)
		}
		if got.QueriesAtOnce != c.wantAtOnce || got.QueriesPerTenant != c.wantPerTenant || got.QueryQueue != 8 {
			t.Errorf("%v: %d at once, %d of a tenant, %d in the queue", given, got.QueriesAtOnce, got.QueriesPerTenant, got.QueryQueue)
		}
	}
}
