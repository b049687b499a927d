package events

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
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

// expireTenant deletes about limit events of a tenant that are older than first, and takes them out of its pieces.
func (s *Store) expireTenant(ctx context.Context, tenantID id.Tenant, first time.Time, limit int) (deleted int, err error) {
	tenant, err := s.dialect.ID(string(tenantID))
	if err != nil {
		return 0, err
	}
	err = s.db.Transact(ctx, func(ctx context.Context, tx sqlstore.Transaction) error {
		p := pieces{Store: s, in: tx.In(tenantID), tenantID: tenantID, tenant: tenant}
		cut, err := p.cut(ctx, first.UnixMicro(), limit)
		if err != nil {
			return err
		}
		f, err := p.filter(span{math.MinInt64, cut})
		if err != nil {
			return err
		}
		n, err := p.in.Exec(ctx, "deleting expired events", "DELETE"+f.text.String(), f.args...)
		if deleted = int(n); err != nil || n == 0 {
			return err
		}
		return p.expire(ctx, cut)
	})
	return deleted, err
}

// cut returns the time before which events are deleted: before a time, and about limit of them.
func (p pieces) cut(ctx context.Context, first int64, limit int) (int64, error) {
	f, err := p.filter(span{math.MinInt64, first})
	if err != nil {
		return 0, err
	}
	var last []int64
	err = p.in.List(ctx, &last, "looking for expired events", "SELECT occurred_at"+f.text.String()+" ORDER BY id LIMIT 1 OFFSET ?", append(f.args, limit-1)...)
	if err != nil || len(last) == 0 {
		return first, err
	}
	return min(first, last[0]+1), nil
}

// expire takes events before a time out of the pieces: it deletes those that have no others, and marks the rest.
func (p pieces) expire(ctx context.Context, cut int64) error {
	for _, statement := range []string{
		"UPDATE seals SET changes = changes + 1 WHERE tenant_id = ?1",
		"DELETE FROM block_parts WHERE tenant_id = ?1 AND block_id IN (SELECT id FROM blocks WHERE tenant_id = ?1 AND last_at < ?2)",
		"DELETE FROM tombstones WHERE tenant_id = ?1 AND piece_id IN (SELECT id FROM blocks WHERE tenant_id = ?1 AND last_at < ?2)",
		"DELETE FROM blocks WHERE tenant_id = ?1 AND last_at < ?2",
		"DELETE FROM deltas WHERE tenant_id = ?1 AND last_at < ?2",
		"INSERT INTO tombstones (tenant_id, piece_id, from_at, until_at) SELECT tenant_id, id, -9223372036854775807 - 1, ?2 FROM (SELECT tenant_id, id, first_at FROM blocks" +
			" UNION ALL SELECT tenant_id, id, first_at FROM deltas) WHERE tenant_id = ?1 AND first_at < ?2 ON CONFLICT DO NOTHING",
	} {
		args := []any{p.tenant, cut}
		if !strings.Contains(statement, "?2") {
			args = args[:1]
		}
		if _, err := p.in.Exec(ctx, "deleting expired events from pieces", statement, args...); err != nil {
			return err
		}
	}
	return nil
}
