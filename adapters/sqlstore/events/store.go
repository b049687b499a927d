// Package events stores and reads the events of tenants over SQL, for both databases.
package events

import (
	"context"
	"database/sql"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// Store is the events of all tenants in a database.
type Store struct {
	db, identities *sqlstore.Store
	dialect        sqlstore.Dialect
	queue          *queue[preparedBatch, []event.Outcome]
	cache          *cache
	backlog        *backlog
	helpers        chan struct{} // see evaluation
	// cautious is whether the database, or an extension of it, has no plain INSERT of many rows, and none by WITH.
	cautious atomic.Bool
}

// submission is a batch that waits to be committed.
type submission = request[preparedBatch, []event.Outcome]

const (
	// groupSize is how many events share a transaction at most: enough for the commit not to matter, and few enough for the
	// arguments of a statement on SQLite, which takes 32,766.
	groupSize = 3 * event.MaxBatch
	// maxWaiting and maxWaitingOfTenant are how many events may wait to be committed for as long as it takes, in all and of one
	// tenant. At the largest size of an event that is 320 MB in all, and at the usual one of some 200 bytes 4 MB.
	maxWaiting, maxWaitingOfTenant = 20 * event.MaxBatch, 10 * event.MaxBatch
	// patience is how long a request beyond that waits for its turn. How many there are at once is limited by who reads them.
	patience = 2 * time.Second
)

// cacheSize is how many bytes of the columns of events are kept in memory for the questions to come.
const cacheSize = 256 << 20

// New returns the events in a database, of which committers groups are committed side by side. identities has the tenants, and
// may be the same.
func New(db, identities *sqlstore.Store, committers int) *Store {
	s := &Store{db: db, identities: identities, dialect: db.Dialect(), cache: newCache(cacheSize), backlog: newBacklog(), helpers: make(chan struct{}, runtime.GOMAXPROCS(0)-1)}
	s.queue = newQueue(limits{
		committers: committers,
		mixed:      !s.dialect.RowLevelSecurity(), // which shows a transaction one tenant at a time
		group:      groupSize,
		waiting:    maxWaiting, perTenant: maxWaitingOfTenant,
		patience: patience,
	}, s.commit)
	return s
}

// Pools returns the pools of the database by name.
func (s *Store) Pools() map[string]*sql.DB { return s.db.Pools() }

// Ping checks that the database accepts writes; see sqlstore.Store.
func (s *Store) Ping(ctx context.Context) error { return s.db.Ping(ctx) }

// Close waits for the groups that are being committed, and fails what waits.
func (s *Store) Close() { s.queue.close() }
