// Package page provides the pagination of lists.
package page

import (
	"fmt"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// MaxSkip is the most items that may be skipped: the database reads all of them.
const MaxSkip = 1_000_000

// Page is a part of a list: at most Limit items after the first Skip.
type Page struct {
	Skip  int
	Limit int
}

// Sizes are the page sizes of one list.
type Sizes struct {
	Default int
	Max     int
}

// The lists of the service.
var (
	Users  = Sizes{Default: 50, Max: 200}
	Events = Sizes{Default: 100, Max: 1000}
	Audit  = Sizes{Default: 100, Max: 1000}
)

// Page validates skip and limit and returns the page; nil means the default. A fault names skip and limit if they are out
// of range.
func (s Sizes) Page(skip, limit *int) (Page, error) {
	var c fault.Check
	p := Page{Limit: s.Default}
	if skip != nil {
		p.Skip = *skip
	}
	if limit != nil {
		p.Limit = *limit
	}
	if p.Skip < 0 || p.Skip > MaxSkip {
		c.Add("skip", fmt.Sprintf("must be 0 to %d", MaxSkip))
	}
	if p.Limit < 1 || p.Limit > s.Max {
		c.Add("limit", fmt.Sprintf("must be 1 to %d", s.Max))
	}
	return p, c.Err()
}
