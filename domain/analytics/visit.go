package analytics

import (
	"cmp"
	"fmt"
	"slices"
)

// visit is an event of a user that a question about the way of users selects.
type visit struct {
	at    int64 // in microseconds since 1970
	user  uint32
	marks uint32 // what the event is to the question
}

// maxVisits is how many visits a question can have: 256 MiB while they are put in order.
const maxVisits = 8_000_000

// errTooManyVisits says what to narrow.
var errTooManyVisits = ErrTooExpensive.Saying(fmt.Sprintf(
	"More than %d events are of the steps that were asked for. Narrow the question by its dates, or the steps by filters.", maxVisits))

// visits are all visits of a question, as they were found.
type visits struct {
	lists [][]visit // each in chronological order
	total int
}

// add adds visits in chronological order.
func (v *visits) add(list []visit) error {
	if len(list) == 0 {
		return nil
	}
	v.lists = append(v.lists, list)
	if v.total += len(list); v.total > maxVisits {
		return errTooManyVisits
	}
	return nil
}

// byUser calls do with the visits of each user, in chronological order; those at the same time by their marks, so that the pieces
// that they came in make no difference.
func (v *visits) byUser(do func(list []visit)) {
	slices.SortFunc(v.lists, func(a, b []visit) int { return cmp.Compare(a[0].at, b[0].at) })
	known, others := v.sortedByUser(0, provisional), v.sortedByUser(provisional, 0)
	for _, all := range [][]visit{known, others} {
		for i := 0; i < len(all); {
			j := i + 1
			for j < len(all) && all[j].user == all[i].user {
				j++
			}
			if list := all[i:j]; !slices.IsSortedFunc(list, visit.compare) {
				slices.SortFunc(list, visit.compare)
			}
			do(all[i:j])
			i = j
		}
	}
}

func (v visit) compare(o visit) int {
	return cmp.Or(cmp.Compare(v.at, o.at), cmp.Compare(v.marks, o.marks))
}

// sparse is from how many numbers for each visit on counting takes longer than sorting.
const sparse = 8

// sortedByUser returns the visits of the users with numbers from <= number < to (0: to the last), those of each user together.
func (v *visits) sortedByUser(from, to uint32) []visit {
	var total int
	var last uint32
	v.each(from, to, func(x visit) { total++; last = max(last, x.user-from) })
	sorted := make([]visit, total)
	if int(last) > sparse*total {
		n := 0
		v.each(from, to, func(x visit) { sorted[n] = x; n++ })
		slices.SortStableFunc(sorted, func(a, b visit) int { return cmp.Compare(a.user, b.user) })
		return sorted
	}
	next := make([]int32, last+2) // where the next visit of a user goes
	v.each(from, to, func(x visit) { next[x.user-from+1]++ })
	for i := 1; i < len(next); i++ {
		next[i] += next[i-1]
	}
	v.each(from, to, func(x visit) { sorted[next[x.user-from]] = x; next[x.user-from]++ })
	return sorted
}

// each calls do with the visits of the users with numbers from <= number < to (0: to the last).
func (v *visits) each(from, to uint32, do func(visit)) {
	for _, list := range v.lists {
		for _, x := range list {
			if x.user >= from && x.user-from < to-from {
				do(x)
			}
		}
	}
}
