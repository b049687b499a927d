package page_test

import (
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/page"
)

func TestPage(t *testing.T) {
	sizes := page.Sizes{Default: 50, Max: 200}
	for _, c := range []struct {
		name        string
		skip, limit *int
		want        page.Page
		ok          bool
	}{
		{"defaults", nil, nil, page.Page{Limit: 50}, true},
		{"both", new(10), new(200), page.Page{Skip: 10, Limit: 200}, true},
		{"limit too great", nil, new(201), page.Page{}, false},
		{"limit of 0", nil, new(0), page.Page{}, false},
		{"limit below 0", nil, new(-1), page.Page{}, false},
		{"skip below 0", new(-1), nil, page.Page{}, false},
		{"skip too far", new(1_000_000_000_000), nil, page.Page{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := sizes.Page(c.skip, c.limit)
			if (err == nil) != c.ok || c.ok && got != c.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
