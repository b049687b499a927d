package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// Expire deletes what is kept no longer; see ports.Events. With row level security a function of the tables' owner does it, by the
// clock of the database: the service's role can neither list tenants nor delete events. It leaves the platform's retention to
// the partitions, which are dropped whole.
func (s *Store) Expire(ctx context.Context, scope access.Scope, now time.Time, limit int) (deleted int, more bool, err error) {
	if err := scope.MayExpireEvents(); err != nil {
		return 0, false, err
	}
	if s.dialect.RowLevelSecurity() {
		return s.expireAsOwner(ctx, limit)
	}
	kept, err := s.identities.Retentions(ctx)
	if err != nil {
		return 0, false, err
	}
	var failed error
	for tenant, days := range kept {
		n, err := s.expireTenant(ctx, tenant, now.AddDate(0, 0, -days), limit-deleted)
		if errors.Is(err, ports.ErrUnavailable) || ctx.Err() != nil {
			return deleted, false, err
		}
		failed = errors.Join(failed, err)
		if deleted += n; deleted >= limit {
			return deleted, true, failed
		}
	}
	n, err := s.db.Outside(sqlstore.Write).Exec(ctx, "deleting keys that are not remembered any more",
		"DELETE FROM event_keys WHERE (tenant_id, key) IN (SELECT tenant_id, key FROM event_keys WHERE stored_at <= ? ORDER BY stored_at LIMIT ?)",
		now.Add(-event.KeyLifetime).UnixMicro(), limit-deleted)
	deleted += int(n)
	return deleted, deleted >= limit, errors.Join(failed, err)
}

// expireAsOwner deletes what is kept no longer with the rights of the tables' owner.
func (s *Store) expireAsOwner(ctx context.Context, limit int) (deleted int, more bool, err error) {
	var result struct {
		Deleted int  `db:"deleted"`
		Failed  int  `db:"failed"`
		More    bool `db:"more"`
	}
	err = s.db.Transact(ctx, func(ctx context.Context, tx sqlstore.Transaction) error { // in which a cluster passes on the tenant
		return tx.Outside().Get(ctx, &result, errNothing, "deleting expired events", "SELECT deleted, failed, more FROM expire_events(?)", limit)
	})
	if err != nil {
		return 0, false, err
	}
	if result.Failed > 0 {
		err = fmt.Errorf("deleting expired events: %d failures, with their reasons in the log of Postgres", result.Failed)
	}
	return result.Deleted, result.More, err
}

// errNothing can't happen: a function returns a row.
var errNothing = errors.New("a function returned nothing")

// expireTenant deletes at most limit events of a tenant that are older than first.
func (s *Store) expireTenant(ctx context.Context, tenant id.Tenant, first time.Time, limit int) (int, error) {
	column, err := s.dialect.ID(string(tenant))
	if err != nil {
		return 0, err
	}
	bound, err := s.dialect.ID(string(event.Bound(first)))
	if err != nil {
		return 0, err
	}
	n, err := s.db.In(tenant, sqlstore.Write).Exec(ctx, "deleting expired events",
		"DELETE FROM events WHERE tenant_id = ? AND id IN (SELECT id FROM events WHERE tenant_id = ? AND id < ? ORDER BY id LIMIT ?)",
		column, column, bound, limit)
	return int(n), err
}
