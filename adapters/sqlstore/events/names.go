package events

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// maxNames is of how many users of a tenant the names are held in memory, some 60 bytes for each.
const maxNames = 2_000_000

// errTooManyNames says what to ask for instead.
var errTooManyNames = analytics.ErrTooExpensive.Saying(fmt.Sprintf(
	"The tenant has more than %d users, so that user_identifier can only be filtered by eq, neq, in and not_in.", maxNames))

// userNames returns the identifiers of the users with numbers below next, by number. What was read is kept until users are forgotten: they never change otherwise.
func (p pieces) userNames(ctx context.Context, next, forgotten int64) ([]string, error) {
	if next > maxNames {
		return nil, errTooManyNames
	}
	namesKey := fmt.Sprint("names ", forgotten)
	known, _ := p.cache.get(p.tenantID, namesKey).([]string)
	if int64(len(known)) >= next {
		return known, nil
	}
	names := make([]string, next)
	size := 16*len(names) + copyNames(names, known)
	err := p.in.Each(ctx, "reading the names of users", "SELECT number, user_identifier FROM event_users WHERE tenant_id = ? AND number >= ? AND number < ?",
		func(rows *sql.Rows) error {
			var (
				number int64
				name   string
			)
			if err := rows.Scan(&number, &name); err != nil {
				return err
			}
			names[number] = name
			size += len(name)
			return nil
		}, p.tenant, len(known), next)
	if err != nil {
		return nil, err
	}
	p.cache.put(p.tenantID, namesKey, names, size)
	return names, nil
}

// copyNames copies names and returns how many bytes they have.
func copyNames(to, from []string) (bytes int) {
	copy(to, from)
	for _, name := range from {
		bytes += len(name)
	}
	return bytes
}

// named returns a column of the names of users with these numbers.
func named(users []uint32, names []string) analytics.Strings {
	var (
		byNumber = make([]uint32, len(names)) // the code of a name; 0: not met yet
		column   = analytics.Strings{Dictionary: []string{""}, Codes: make([]uint32, len(users))}
	)
	for i, number := range users {
		code := &byNumber[number]
		if *code == 0 {
			*code = uint32(len(column.Dictionary))
			column.Dictionary = append(column.Dictionary, names[number])
		}
		column.Codes[i] = *code
	}
	return column
}

// numbersOf returns the numbers of those users whom blocks, or the events that were numbered so far, may have. The caller holds the lock on
// the numbers, if others have them.
func (a *answer) numbersOf(ctx context.Context, identifiers []string) (map[string]uint32, error) {
	if len(identifiers) == 0 {
		return nil, nil
	}
	n := a.numbers
	if err := n.lookUp(ctx, a.in, a.tenant, append([]string{""}, identifiers...)); err != nil {
		return nil, err
	}
	found := map[string]uint32{}
	for _, identifier := range identifiers {
		if number, ok := n.known[identifier]; ok {
			found[identifier] = number
		} else if number, ok := n.provisional[identifier]; ok {
			found[identifier] = number
		}
	}
	return found, nil
}
