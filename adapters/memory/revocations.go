package memory

import (
	"context"
	"slices"
	"sync"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// sweepEvery is the number of added revocations after which expired ones are deleted.
const sweepEvery = 1024

// Revocations is the revocation list of one process.
type Revocations struct {
	clock ports.Clock

	mu     sync.RWMutex
	byUser map[id.User][]session.Revocation
	added  int
}

// NewRevocations returns an empty list.
func NewRevocations(clock ports.Clock) *Revocations {
	return &Revocations{clock: clock, byUser: map[id.User][]session.Revocation{}}
}

// Revoke adds revocations to the list.
func (l *Revocations) Revoke(_ context.Context, revocations ...session.Revocation) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range revocations {
		l.byUser[r.User] = append(l.byUser[r.User], r)
	}
	if l.added += len(revocations); l.added >= sweepEvery {
		l.added = 0
		l.sweep()
	}
	return nil
}

// sweep deletes expired revocations.
func (l *Revocations) sweep() {
	now := l.clock.Now()
	for user, list := range l.byUser {
		list = slices.DeleteFunc(list, func(r session.Revocation) bool { return !now.Before(r.Until) })
		if l.byUser[user] = list; len(list) == 0 {
			delete(l.byUser, user)
		}
	}
}

// Revoked reports whether a revocation in the list covers the claims.
func (l *Revocations) Revoked(_ context.Context, c session.Claims) (bool, error) {
	now := l.clock.Now()
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, r := range l.byUser[c.User] {
		if now.Before(r.Until) && r.Covers(c) {
			return true, nil
		}
	}
	return false, nil
}
