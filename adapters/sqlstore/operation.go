package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/migrations"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// RecordEnvironment stores that the database is used in an environment. It is never removed.
func (s *Store) RecordEnvironment(ctx context.Context, environment string, now time.Time) error {
	_, err := s.outside(Write).Exec(ctx, "recording the environment",
		"INSERT INTO served (environment, first_at) VALUES (?, ?) ON CONFLICT (environment) DO NOTHING", environment, dbTime{now})
	return err
}

// Environments returns the environments that the database has been used in, with "unknown" if it is older than this table.
func (s *Store) Environments(ctx context.Context) ([]string, error) {
	var environments []string
	err := s.outside(Write).List(ctx, &environments, "reading the recorded environments", "SELECT environment FROM served ORDER BY environment")
	return environments, err
}

// CanGrantSuperAdmin reports whether the store's role may grant and revoke super_admin, in a database with row level security.
func (s *Store) CanGrantSuperAdmin(ctx context.Context) (may bool, err error) {
	err = s.outside(LookUp).Get(ctx, &may, nil, "checking the privilege to grant super_admin", "SELECT has_column_privilege('users', 'super_admin', 'UPDATE')")
	return may, err
}

const (
	// pingInterval is how long the result of a Ping is cached, which limits how often the heartbeat is written.
	pingInterval = time.Second
	// pingTimeout limits the write of the heartbeat.
	pingTimeout = 4 * time.Second
)

// errSchema: the database answers, but its schema does not fit this program.
var errSchema = fmt.Errorf("the schema is older than version %d, or its heartbeat is gone", migrations.Newest)

// lastPing is the cached result of a Ping, since probes may be more frequent than writes should be.
type lastPing struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

// Ping writes the heartbeat, to check that the database answers, accepts writes, and has the schema of this program or a newer
// one. The result is cached for pingInterval. Errors: ports.ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error {
	s.lastPing.mu.Lock()
	defer s.lastPing.mu.Unlock()
	if time.Since(s.lastPing.at) >= pingInterval {
		s.lastPing.err = s.writeHeartbeat(ctx)
		s.lastPing.at = time.Now()
	}
	return s.lastPing.err
}

// writeHeartbeat continues if the caller is gone, since the result is cached for others.
func (s *Store) writeHeartbeat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	// During a rolling update a newer program may have migrated the schema while this one is still running.
	const query = "UPDATE heartbeat SET at = ? WHERE id = 1 AND (SELECT MAX(version_id) FROM goose_db_version) >= ?"
	err := s.outside(Write).ExecOne(ctx, errSchema, "writing the heartbeat", query, dbTime{time.Now()}, migrations.Newest)
	if err != nil && !errors.Is(err, ports.ErrUnavailable) {
		err = ports.ErrUnavailable.Because(err)
	}
	return err
}
