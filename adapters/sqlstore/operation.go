package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// RecordEnvironment stores that the database is used in an environment. It is never removed.
func (s *Store) RecordEnvironment(ctx context.Context, environment string, now time.Time) error {
	_, err := s.outside(Write).Exec(ctx, "recording the environment",
		"INSERT INTO served (environment, first_at) VALUES (?, ?) ON CONFLICT (environment) DO NOTHING", environment, Time{now})
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

// lastCheck is the cached result of a check of the database, since probes may be more frequent than it should be.
type lastCheck struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

// Ping writes the heartbeat, to check that the database answers, accepts writes, and has the schema of this program or a newer
// one. The result is cached for pingInterval. Errors: ports.ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error { return s.check(ctx, s.writeHeartbeat) }

// Probe checks the same without writing, in a database that locks all of it for a transaction that might write.
// Errors: ports.ErrUnavailable.
func (s *Store) Probe(ctx context.Context) error {
	return s.check(ctx, func(ctx context.Context) error {
		err := s.inTx(ctx, Write, func(ctx context.Context, tx *sqlx.Tx) error {
			var version int64
			if err := tx.GetContext(ctx, &version, "SELECT MAX(version_id) FROM goose_db_version"); err != nil {
				return fmt.Errorf("reading the version of the schema: %w", err)
			}
			if version < s.schema {
				return s.errSchema()
			}
			return errProbed // there is nothing to commit
		})
		if errors.Is(err, errProbed) {
			return nil
		}
		return err
	})
}

var errProbed = errors.New("the database accepts writes")

// check runs a check unless its result is cached. It continues if the caller is gone, since the result is cached for others.
func (s *Store) check(ctx context.Context, run func(ctx context.Context) error) error {
	s.lastCheck.mu.Lock()
	defer s.lastCheck.mu.Unlock()
	if time.Since(s.lastCheck.at) < pingInterval {
		return s.lastCheck.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	err := run(ctx)
	if err != nil && !errors.Is(err, ports.ErrUnavailable) {
		err = ports.ErrUnavailable.Because(err)
	}
	s.lastCheck.at, s.lastCheck.err = time.Now(), err
	return err
}

// errSchema: the database answers, but its schema does not fit this program.
func (s *Store) errSchema() error {
	return fmt.Errorf("the schema is older than version %d, or its heartbeat is gone", s.schema)
}

func (s *Store) writeHeartbeat(ctx context.Context) error {
	// During a rolling update a newer program may have migrated the schema while this one is still running.
	const query = "UPDATE heartbeat SET at = ? WHERE id = 1 AND (SELECT MAX(version_id) FROM goose_db_version) >= ?"
	return s.outside(Write).ExecOne(ctx, s.errSchema(), "writing the heartbeat", query, Time{time.Now()}, s.schema)
}
