package events

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// numbers are the numbers of a tenant's users, as far as they are known to this process. Users who are in no block have no number
// yet. Here they get a provisional one, which is forgotten as soon as any user gets a number.
type numbers struct {
	mu          sync.Mutex
	next        int64             // of the snapshot that the provisional numbers are from
	generation  int               // counts the times that they were forgotten
	known       map[string]uint32 // those with a number, as far as they were read
	provisional map[string]uint32
}

const (
	// firstProvisional is where provisional numbers begin; see analytics.Users.
	firstProvisional = 1 << 31
	// maxKnown is of how many users a process remembers the numbers, some 20 MB for each tenant.
	maxKnown = 200_000
	// lookUpSize is how many users are looked up by a statement.
	lookUpSize = 5_000
)

func newNumbers() *numbers {
	return &numbers{known: map[string]uint32{}, provisional: map[string]uint32{}}
}

// sharedNumbers returns the numbers of a tenant's users that this process knows, since users were last forgotten. Those from before are
// void: a user who was forgotten and came back has another number, and would be two if the old one were used beside it. Whoever uses
// numbers reads in the same snapshot how often users were forgotten, and sealing fails if that has changed until it commits, since
// forgetting adds to the changes of the pieces.
func (s *Store) sharedNumbers(tenant id.Tenant, forgotten int64) *numbers {
	if known, ok := s.cache.get(tenant, numbersKey(forgotten)).(*numbers); ok {
		return known
	}
	return newNumbers()
}

// keepNumbers remembers them.
func (s *Store) keepNumbers(tenant id.Tenant, forgotten int64, n *numbers) {
	const perUser = 100
	n.mu.Lock()
	size := perUser * (1 + len(n.known) + len(n.provisional))
	n.mu.Unlock()
	s.cache.put(tenant, numbersKey(forgotten), n, size)
}

func numbersKey(forgotten int64) string { return fmt.Sprint("numbers ", forgotten) }

// learn adds numbers of users that were committed, with the next number since then.
func (n *numbers) learn(known map[string]uint32, next int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.enter(next)
	if len(n.known) > maxKnown {
		clear(n.known)
	}
	maps.Copy(n.known, known)
}

// missing adds the numbers that are known of the users in a list, and returns the others.
func (n *numbers) missing(list []string, known map[string]uint32) (others []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, identifier := range list {
		if number, ok := n.known[identifier]; ok {
			known[identifier] = number
		} else {
			others = append(others, identifier)
		}
	}
	return others
}

// enter begins to number users in a snapshot, with the next number that it has. It returns false if the provisional numbers are
// from a later one: then this one can't be used. The caller holds the lock until all pieces of its question are numbered.
func (n *numbers) enter(next int64) bool {
	if next > n.next {
		n.next = next
		n.generation++
		clear(n.provisional)
	}
	return next == n.next
}

// of returns the numbers of the users of a column, by event.
func (n *numbers) of(ctx context.Context, in sqlstore.Executor, tenant any, users analytics.Strings) (list []uint32, open bool, err error) {
	byCode := make([]uint32, len(users.Dictionary))
	if err := n.lookUp(ctx, in, tenant, users.Dictionary); err != nil {
		return nil, false, err
	}
	for code, identifier := range users.Dictionary {
		if code == 0 {
			continue
		}
		number, ok := n.known[identifier]
		if !ok {
			open = true
			if number, ok = n.provisional[identifier]; !ok {
				number = firstProvisional + uint32(len(n.provisional))
				n.provisional[identifier] = number
			}
		}
		byCode[code] = number
	}
	list = make([]uint32, len(users.Codes))
	for i, code := range users.Codes {
		list[i] = byCode[code]
	}
	return list, open, nil
}

// lookUp reads the numbers of those users of a dictionary that may have one.
func (n *numbers) lookUp(ctx context.Context, in sqlstore.Executor, tenant any, dictionary []string) error {
	if n.next == 0 || len(dictionary) == 0 { // nobody has a number
		return nil
	}
	if len(n.known) > maxKnown {
		clear(n.known)
	}
	var missing []string
	for _, identifier := range dictionary[1:] {
		_, known := n.known[identifier]
		_, provisional := n.provisional[identifier]
		if !known && !provisional {
			missing = append(missing, identifier)
		}
	}
	return readNumbers(ctx, in, tenant, missing, n.known)
}

// readNumbers adds the numbers of those users who have one.
func readNumbers(ctx context.Context, in sqlstore.Executor, tenant any, identifiers []string, into map[string]uint32) error {
	for len(identifiers) > 0 {
		part := identifiers[:min(lookUpSize, len(identifiers))]
		identifiers = identifiers[len(part):]
		values := make([]any, len(part))
		for i, identifier := range part {
			values[i] = identifier
		}
		source, args := in.Dialect().Rows([]sqlstore.ColumnType{sqlstore.Text}, values)
		var found []struct {
			Identifier string `db:"user_identifier"`
			Number     int64  `db:"number"`
		}
		err := in.List(ctx, &found, "reading the numbers of users",
			"SELECT user_identifier, number FROM event_users WHERE tenant_id = ? AND user_identifier IN ("+source+")", append([]any{tenant}, args...)...)
		if err != nil {
			return err
		}
		for _, f := range found {
			into[f.Identifier] = uint32(f.Number)
		}
	}
	return nil
}
