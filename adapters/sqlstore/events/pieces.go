package events

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/block"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// pieces reads pieces of one tenant in a snapshot, and remembers them.
type pieces struct {
	*Store
	in       sqlstore.Executor
	tenantID id.Tenant
	tenant   any  // as the tables keep it
	hides    bool // whether there are rows of events that were erased
}

// errVanished: a piece is not there any more, which happens on a cluster only, where statements see different snapshots.
var errVanished = errors.New("a piece of the events was replaced while it was read")

// loadSize is how many deltas or headers are read by a statement. A delta takes a few hundred kilobytes at most.
const loadSize = 100

// storedDelta is a delta, and what was made of it.
type storedDelta struct {
	data   []byte
	decode func() (delta, error) // without the properties, of which there may be much and which few questions need

	mu         sync.Mutex // of what follows
	numberedBy *numbers
	generation int  // of these
	open       bool // whether some numbers are provisional
	numbered   numberedDelta
}

// rememberDelta keeps a delta, which is decoded when it is first read.
func (s *Store) rememberDelta(tenant id.Tenant, deltaID uuid, events int64, data []byte) *storedDelta {
	const perEvent = 120 // bytes of columns, more or less
	d := &storedDelta{data: data, decode: sync.OnceValues(func() (delta, error) {
		d, err := decodeDelta(data)
		if err == nil {
			d.batch.Properties = analytics.Strings{}
		}
		return d, err
	})}
	s.cache.put(tenant, string(deltaID), d, len(data)+perEvent*int(events))
	return d
}

// addProperties adds what is needed of the properties to the events of the delta.
func (d *storedDelta) addProperties(b *analytics.Batch, needs analytics.Needs) error {
	all := needs.Columns&analytics.KeysColumn != 0
	if !all && len(needs.Keys) == 0 {
		return nil
	}
	decoded, err := decodeDelta(d.data)
	if err != nil {
		return err
	}
	b.ByKey = block.ByKey(decoded.batch.Properties, needs.Keys...)
	if all {
		b.Properties = decoded.batch.Properties
	}
	return nil
}

// deltas returns deltas in the order of the list.
func (p pieces) deltas(ctx context.Context, list []piece) ([]*storedDelta, error) {
	found := make([]*storedDelta, len(list))
	position := map[uuid]int{}
	var missing []any
	for i, d := range list {
		if known, ok := p.cache.get(p.tenantID, string(d.id)).(*storedDelta); ok {
			found[i] = known
			continue
		}
		position[d.id] = i
		value, err := p.dialect.ID(string(d.id))
		if err != nil {
			return nil, err
		}
		missing = append(missing, value)
	}
	for part := range slices.Chunk(missing, loadSize) {
		source, args := p.dialect.Rows([]sqlstore.ColumnType{sqlstore.UUID}, part)
		var rows []struct {
			ID   uuid   `db:"id"`
			Data []byte `db:"data"`
		}
		err := p.in.List(ctx, &rows, "reading deltas", "SELECT id, data FROM deltas WHERE tenant_id = ? AND id IN ("+source+")",
			append([]any{p.tenant}, args...)...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			i := position[r.ID]
			found[i] = p.rememberDelta(p.tenantID, r.ID, list[i].events, r.Data)
		}
	}
	if slices.Contains(found, nil) {
		return nil, errVanished
	}
	return found, nil
}

// headers returns the headers of blocks, in the order of the list.
func (p pieces) headers(ctx context.Context, list []piece) ([]*analytics.Header, error) {
	found := make([]*analytics.Header, len(list))
	position := map[uuid]int{}
	var missing []any
	for i, b := range list {
		if known, ok := p.cache.get(p.tenantID, string(b.id)).(*analytics.Header); ok {
			found[i] = known
			continue
		}
		position[b.id] = i
		value, err := p.dialect.ID(string(b.id))
		if err != nil {
			return nil, err
		}
		missing = append(missing, value)
	}
	for part := range slices.Chunk(missing, loadSize) {
		source, args := p.dialect.Rows([]sqlstore.ColumnType{sqlstore.UUID}, part)
		var rows []struct {
			ID   uuid   `db:"block_id"`
			Data []byte `db:"data"`
		}
		err := p.in.List(ctx, &rows, "reading headers of blocks",
			"SELECT block_id, data FROM block_parts WHERE tenant_id = ? AND part = 0 AND block_id IN ("+source+")", append([]any{p.tenant}, args...)...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			h, err := block.DecodeHeader(r.Data)
			if err != nil {
				return nil, err
			}
			found[position[r.ID]] = h
			p.cache.put(p.tenantID, string(r.ID), h, h.Size())
		}
	}
	if slices.Contains(found, nil) {
		return nil, errVanished
	}
	return found, nil
}

// storedColumns are columns of a block that were read.
type storedColumns struct {
	needs analytics.Needs
	batch *analytics.Batch
}

func columnsKey(blockID uuid) string { return string(blockID) + " columns" }

// columns returns how to get the events of a block with at least what is needed. What it reads of the database it reads at once. The
// rest, which takes a processor far longer, is done by load, by any goroutine.
func (p pieces) columns(ctx context.Context, b piece, needs analytics.Needs) (load func() (*analytics.Batch, error), err error) {
	key := columnsKey(b.id)
	known, _ := p.cache.get(p.tenantID, key).(storedColumns)
	if known.batch != nil && known.needs.Cover(needs) {
		return func() (*analytics.Batch, error) { return known.batch, nil }, nil
	}
	file, parts, err := p.readParts(ctx, b, needs.Except(known.needs))
	if err != nil {
		return nil, err
	}
	return func() (*analytics.Batch, error) {
		batch, err := file.Read(needs.Except(known.needs), parts)
		if err != nil {
			return nil, err
		}
		read := storedColumns{needs, batch}
		if known.batch != nil {
			read = storedColumns{needs.And(known.needs), batch.With(known.batch)}
		}
		p.cache.put(p.tenantID, key, read, read.batch.Size())
		return read.batch, nil
	}, nil
}

// readColumns reads columns of a block that are not kept.
func (p pieces) readColumns(ctx context.Context, b piece, columns analytics.Columns) (*analytics.Batch, error) {
	needs := analytics.Needs{Columns: columns}
	file, parts, err := p.readParts(ctx, b, needs)
	if err != nil {
		return nil, err
	}
	return file.Read(needs, parts)
}

// readParts reads what is needed of a block: the end of its file, which tells where its columns are, and then these parts.
func (p pieces) readParts(ctx context.Context, b piece, needs analytics.Needs) (file *block.Reader, parts map[int][]byte, err error) {
	blockID, err := p.dialect.ID(string(b.id))
	if err != nil {
		return nil, nil, err
	}
	var footer []byte
	err = p.in.Get(ctx, &footer, errVanished, "reading the footer of a block",
		"SELECT data FROM block_parts WHERE tenant_id = ? AND block_id = ? ORDER BY part DESC LIMIT 1", p.tenant, blockID)
	if err != nil {
		return nil, nil, err
	}
	if file, err = block.Open(footer); err != nil {
		return nil, nil, err
	}
	var wanted []any
	for _, n := range file.Parts(needs) {
		wanted = append(wanted, int64(n+1)) // part 0 is the header
	}
	source, args := p.dialect.Rows([]sqlstore.ColumnType{sqlstore.Integer}, wanted)
	var rows []struct {
		Part int    `db:"part"`
		Data []byte `db:"data"`
	}
	err = p.in.List(ctx, &rows, "reading columns of a block",
		"SELECT part, data FROM block_parts WHERE tenant_id = ? AND block_id = ? AND part IN ("+source+")", append([]any{p.tenant, blockID}, args...)...)
	if err != nil {
		return nil, nil, err
	}
	if len(rows) < len(wanted) {
		return nil, nil, errVanished
	}
	parts = map[int][]byte{}
	for _, r := range rows {
		parts[r.Part-1] = r.Data
	}
	return file, parts, nil
}
