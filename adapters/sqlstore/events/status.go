package events

import (
	"context"
	"errors"
	"math"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/ports"
)

// SealStatus returns what is sealed of the events of a tenant; see ports.Seals.
func (s *Store) SealStatus(ctx context.Context, scope access.Scope) (status ports.SealStatus, err error) {
	tenantID, err := scope.Tenant()
	if err != nil {
		return status, err
	}
	tenant, err := s.dialect.ID(string(tenantID))
	if err != nil {
		return status, err
	}
	err = s.db.Snapshot(ctx, tenantID, func(ctx context.Context, in sqlstore.Executor) error {
		m, err := readManifest(ctx, in, tenant, everything)
		if err != nil {
			return err
		}
		status = m.status()
		return in.Get(ctx, &status.Bytes, errNothing, "reading the size of blocks",
			"SELECT COALESCE(SUM(LENGTH(data)), 0) FROM block_parts WHERE tenant_id = ?", tenant)
	})
	return status, err
}

func (m *manifest) status() ports.SealStatus {
	status := ports.SealStatus{Blocks: int64(len(m.blocks)), Complete: m.coveredFrom == math.MinInt64}
	for _, b := range m.blocks {
		status.Events += b.events
	}
	for _, d := range m.deltas {
		status.Waiting += d.events
		if at := d.made(); status.Oldest.IsZero() || at.Before(status.Oldest) {
			status.Oldest = at
		}
	}
	return status
}

// errUnsealed: there is nothing to throw away.
var errUnsealed = errors.New("nothing of a tenant's events is sealed")

// Unseal throws the pieces of a tenant away; see ports.Seals. From then on all events are read from rows, and covered anew. A delta that
// is being stored meanwhile may stay: until it is covered its events are read from rows, as all are, and covering takes the deltas
// that it sees together with the rows. The numbers of users stay, since answers may be on their way that know them.
func (s *Store) Unseal(ctx context.Context, scope access.Scope) error {
	tenantID, err := scope.Tenant()
	if err != nil {
		return err
	}
	tenant, err := s.dialect.ID(string(tenantID))
	if err != nil {
		return err
	}
	err = s.db.Transact(ctx, func(ctx context.Context, tx sqlstore.Transaction) error {
		in := tx.In(tenantID)
		err := in.ExecOne(ctx, errUnsealed, "throwing blocks away",
			"UPDATE seals SET changes = changes + 1, covered_from = ? WHERE tenant_id = ?", int64(math.MaxInt64), tenant)
		if err != nil {
			return err
		}
		for _, table := range []string{"deltas", "blocks", "block_parts", "tombstones"} {
			if _, err := in.Exec(ctx, "throwing blocks away", "DELETE FROM "+table+" WHERE tenant_id = ?", tenant); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errUnsealed) {
		return nil
	}
	return err
}
