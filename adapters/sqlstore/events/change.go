package events

import (
	"context"
	"slices"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// change is what a step changes.
type change struct {
	coveredFrom    int64
	add            []newBlock
	users          map[string]uint32 // that get numbers
	blocks, deltas []uuid            // that are deleted
	tombstones     []tombstone       // that are added
	forget         []string          // users who have no events any more
	done           []uuid            // erasures that are completed
}

type tombstone struct {
	piece uuid
	gone
}

// newBlock is a block that is not stored yet.
type newBlock struct {
	id     uuid
	header *analytics.Header
	bytes  int64 // of its columns in memory
	parts  [][]byte
}

// apply makes the change, unless the pieces are not what they were when they were read. Errors: errOutdated.
func (w *sealing) apply(ctx context.Context) error {
	c := w.change
	n, err := w.in.Exec(ctx, "changing the pieces of a tenant",
		"UPDATE seals SET changes = changes + 1, covered_from = ?, next_user = next_user + ?, forgotten = forgotten + ? WHERE tenant_id = ? AND changes = ?",
		c.coveredFrom, len(c.users), min(1, len(c.forget)), w.tenant, w.manifest.changes)
	if err != nil {
		return err
	}
	if n == 0 {
		return errOutdated
	}
	for _, add := range []func(context.Context) error{w.addUsers, w.addBlocks, w.addTombstones, w.forgetUsers, w.completeErasures} {
		if err := add(ctx); err != nil {
			return err
		}
	}
	return w.deletePieces(ctx)
}

// insert stores rows in a table, in statements of at most so many rows. None is there yet; without the clause for those that are, Citus
// would copy the rows, which row level security refuses.
func (w *sealing) insert(ctx context.Context, table string, columns []sqlstore.ColumnType, values []any, rows int) error {
	for part := range slices.Chunk(values, rows*len(columns)) {
		source, args := w.dialect.Rows(columns, part)
		n, err := w.in.Exec(ctx, "adding pieces of a tenant", "INSERT INTO "+table+" "+source+" ON CONFLICT DO NOTHING", args...)
		if err != nil {
			return err
		}
		if n < int64(len(part)/len(columns)) {
			return errOutdated
		}
	}
	return nil
}

func (w *sealing) addUsers(ctx context.Context) error {
	var values []any
	for identifier, number := range w.change.users {
		values = append(values, w.tenant, identifier, int64(number))
	}
	return w.insert(ctx, "event_users (tenant_id, user_identifier, number)", []sqlstore.ColumnType{sqlstore.UUID, sqlstore.Text, sqlstore.Integer}, values, lookUpSize)
}

func (w *sealing) addBlocks(ctx context.Context) error {
	var blocks, parts []any
	for _, b := range w.change.add {
		blockID, err := w.dialect.ID(string(b.id))
		if err != nil {
			return err
		}
		blocks = append(blocks, w.tenant, blockID, b.header.First, b.header.Last, b.header.Events, b.bytes)
		for n, data := range b.parts {
			parts = append(parts, w.tenant, blockID, int64(n), data)
		}
	}
	integer := sqlstore.Integer
	err := w.insert(ctx, "blocks (tenant_id, id, first_at, last_at, events, bytes)", []sqlstore.ColumnType{sqlstore.UUID, sqlstore.UUID, integer, integer, integer, integer}, blocks, lookUpSize)
	if err != nil {
		return err
	}
	return w.insert(ctx, "block_parts (tenant_id, block_id, part, data)", []sqlstore.ColumnType{sqlstore.UUID, sqlstore.UUID, integer, sqlstore.Bytes}, parts, 10)
}

func (w *sealing) addTombstones(ctx context.Context) error {
	var values []any
	for _, t := range w.change.tombstones {
		pieceID, err := w.dialect.ID(string(t.piece))
		if err != nil {
			return err
		}
		values = append(values, w.tenant, pieceID, t.from, t.to, t.user, t.eventType)
	}
	return w.insert(ctx, "tombstones (tenant_id, piece_id, from_at, until_at, user_identifier, event_type)",
		[]sqlstore.ColumnType{sqlstore.UUID, sqlstore.UUID, sqlstore.Integer, sqlstore.Integer, sqlstore.Text, sqlstore.Text}, values, lookUpSize)
}

// deletePieces deletes pieces, and what belongs to them.
func (w *sealing) deletePieces(ctx context.Context) error {
	for _, from := range []struct {
		table, column string
		pieces        [][]uuid
	}{
		{"deltas", "id", [][]uuid{w.change.deltas}},
		{"blocks", "id", [][]uuid{w.change.blocks}},
		{"block_parts", "block_id", [][]uuid{w.change.blocks}},
		{"tombstones", "piece_id", [][]uuid{w.change.blocks, w.change.deltas}},
	} {
		for part := range slices.Chunk(slices.Concat(from.pieces...), lookUpSize) {
			ids := make([]any, len(part))
			for i, pieceID := range part {
				value, err := w.dialect.ID(string(pieceID))
				if err != nil {
					return err
				}
				ids[i] = value
			}
			source, args := w.dialect.Rows([]sqlstore.ColumnType{sqlstore.UUID}, ids)
			_, err := w.in.Exec(ctx, "deleting pieces of a tenant", "DELETE FROM "+from.table+" WHERE tenant_id = ? AND "+from.column+" IN ("+source+")",
				append([]any{w.tenant}, args...)...)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// remember keeps the headers of the new blocks for the questions to come, and forgets what is gone.
func (w *sealing) remember() {
	for _, b := range w.change.add {
		w.cache.put(w.tenantID, string(b.id), b.header, b.header.Size())
	}
	if len(w.known) > 0 {
		n := w.sharedNumbers(w.tenantID, w.manifest.forgotten)
		n.learn(w.known, w.manifest.nextUser+int64(len(w.change.users)))
		w.keepNumbers(w.tenantID, w.manifest.forgotten, n)
	}
	for _, deltaID := range w.change.deltas {
		w.cache.forget(w.tenantID, string(deltaID))
	}
	for _, blockID := range w.change.blocks {
		w.cache.forget(w.tenantID, string(blockID), columnsKey(blockID))
	}
}
