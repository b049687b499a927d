package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/block"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/access"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

const (
	// blockSize and blockBytes are how many events, and bytes in memory, a block has at most, and a step of sealing takes, more or less.
	blockSize, blockBytes = 100_000, 64 << 20
	// Deltas are sealed once there are many, of many events or bytes, or once one is old.
	dueEvents, dueBytes, dueDeltas, dueAge = 50_000, blockBytes / 2, 500, 30 * time.Second
	// From so many events or bytes on, a block is not joined with others.
	fullBlock, fullBytes = blockSize / 2, blockBytes / 2
	// fanIn is how many blocks of about the same size are joined. Each event is then rewritten once for each time that its block is
	// fanIn times as large.
	fanIn = 8
	// quiet is how long ago the latest block of a day was made when all that are not full are joined.
	quiet = time.Hour
)

// Seal does one step of turning the pieces of a tenant's events into blocks; see ports.Seals.
func (s *Store) Seal(ctx context.Context, scope access.Scope, now time.Time) (more bool, err error) {
	tenantID, err := scope.MaySeal()
	if err != nil {
		return false, err
	}
	tenant, err := s.dialect.ID(string(tenantID))
	if err != nil {
		return false, err
	}
	w := sealing{Store: s, tenantID: tenantID, tenant: tenant, now: now}
	known := s.backlog.visit(tenantID, now)
	more, err = w.clean(ctx)
	if err == nil && !more {
		err = w.step(ctx, w.prepare)
	}
	switch {
	case err == nil && more:
	case errors.Is(err, errTaken):
		s.backlog.putOff(tenantID, known, now) // the other replica may not survive
		return false, nil
	case err != nil && !errors.Is(err, errOutdated) && !errors.Is(err, errVanished):
		s.backlog.putOff(tenantID, known, now)
		return false, err
	case err == nil && w.change == nil:
		return false, nil
	case err == nil:
		w.remember()
		if err := w.afterCompletion(ctx); err != nil {
			return false, err
		}
	}
	s.backlog.again(tenantID)
	return true, nil
}

var (
	// errOutdated: the pieces have changed since they were read.
	errOutdated = errors.New("the pieces of a tenant's events have changed")
	// errTaken: another replica is sealing.
	errTaken = errors.New("another replica seals the tenant's events")
)

// step prepares a change and makes it.
func (w *sealing) step(ctx context.Context, prepare func(context.Context) error) error {
	alone := w.dialect.ForUpdate() == "" // one process, of which writing would keep others from it
	if alone {
		if err := prepare(ctx); err != nil || w.change == nil {
			return err
		}
	}
	if err := w.register(ctx); err != nil {
		return err
	}
	return w.db.Transact(ctx, func(ctx context.Context, tx sqlstore.Transaction) error {
		w.in = tx.In(w.tenantID)
		if err := w.claim(ctx); err != nil {
			return err
		}
		if !alone {
			if err := prepare(ctx); err != nil || w.change == nil {
				return err
			}
		}
		return w.apply(ctx)
	})
}

// sealing is one step for one tenant.
type sealing struct {
	*Store
	in       sqlstore.Executor // of the transaction that changes the pieces
	tenantID id.Tenant
	tenant   any
	now      time.Time
	manifest *manifest
	change   *change           // nil if there is nothing to do
	known    map[string]uint32 // the numbers of all users of the step
}

// register makes the tenant's row of seals if there is none, in a transaction of its own: others wait for one that makes a row.
func (w *sealing) register(ctx context.Context) error {
	_, err := w.db.In(w.tenantID, sqlstore.Write).Exec(ctx, "registering the pieces of a tenant",
		"INSERT INTO seals (tenant_id, changes, covered_from, next_user) VALUES (?, 0, ?, 0) ON CONFLICT DO NOTHING", w.tenant, int64(math.MaxInt64))
	return err
}

// claim locks the tenant's row of seals. Errors: errTaken.
func (w *sealing) claim(ctx context.Context) error {
	var mine int
	return w.in.Get(ctx, &mine, errTaken, "claiming the pieces of a tenant", "SELECT 1 FROM seals WHERE tenant_id = ?"+skipLocked(w.dialect), w.tenant)
}

func skipLocked(d sqlstore.Dialect) string {
	if d.ForUpdate() == "" {
		return ""
	}
	return d.ForUpdate() + " SKIP LOCKED"
}

// prepare reads the pieces in a snapshot, and sets what to change.
func (w *sealing) prepare(ctx context.Context) error {
	w.change = nil
	return w.db.Snapshot(ctx, w.tenantID, func(ctx context.Context, in sqlstore.Executor) (err error) {
		p := pieces{Store: w.Store, in: in, tenantID: w.tenantID, tenant: w.tenant}
		if w.manifest, err = readManifest(ctx, in, w.tenant, everything); err != nil {
			return err
		}
		m := w.manifest
		p.hides = len(m.pending) > 0
		if w.now.Sub(m.collecting) < maxCollecting { // it would have to begin anew
			return nil
		}
		for _, d := range m.deltas {
			w.backlog.add(w.tenantID, d.events, d.bytes, d.made())
		}
		var blocks []piece
		deltas := w.due(m.deltas)
		if len(deltas) == 0 && len(m.pending) > 0 {
			deltas = m.marked()
		}
		if len(deltas) == 0 {
			if m.coveredFrom > math.MinInt64 {
				return w.cover(ctx, p)
			}
			if blocks = m.damaged(); len(blocks) == 0 {
				blocks = w.joinable(m.blocks)
			}
		}
		switch {
		case len(blocks)+len(deltas) > 0:
			return w.rewrite(ctx, p, blocks, deltas)
		case len(m.pending) > 0:
			return w.complete(ctx, p)
		default:
			return nil
		}
	})
}

// marked returns the deltas of which events were deleted.
func (m *manifest) marked() (list []piece) {
	for _, d := range m.deltas {
		if len(m.tombstones[d.id]) > 0 {
			list = append(list, d)
		}
	}
	return list
}

// due returns the deltas that are sealed now, oldest first.
func (w *sealing) due(deltas []piece) []piece {
	slices.SortFunc(deltas, func(a, b piece) int { return cmp.Compare(a.id, b.id) })
	var events, bytes int64
	for i, d := range deltas {
		events, bytes = events+d.events, bytes+d.bytes
		if events >= dueEvents || bytes >= dueBytes || i+1 == dueDeltas {
			return deltas[:i+1]
		}
	}
	if len(deltas) > 0 && deltas[0].made().Before(w.now.Add(-dueAge)) {
		return deltas
	}
	return nil
}

// damaged returns a block of which events were deleted, or nothing.
func (m *manifest) damaged() []piece {
	for _, b := range m.blocks {
		if len(m.tombstones[b.id]) > 0 {
			return []piece{b}
		}
	}
	return nil
}

// joinable returns small blocks of a day that are made one, or nothing.
func (w *sealing) joinable(blocks []piece) []piece {
	days := map[int64][]piece{}
	for _, b := range blocks {
		if b.events < fullBlock && b.bytes < fullBytes {
			days[b.day()] = append(days[b.day()], b)
		}
	}
	for _, day := range slices.Sorted(maps.Keys(days)) {
		small := days[day]
		if list := join(small); list != nil {
			return list
		}
		latest := slices.MaxFunc(small, func(a, b piece) int { return cmp.Compare(a.id, b.id) })
		over := day < w.now.Unix()/secondsPerDay
		if over && len(small) > 1 && latest.made().Before(w.now.Add(-quiet)) {
			return atMost(small)
		}
	}
	return nil
}

const secondsPerDay = 24 * 60 * 60

// join returns fanIn blocks of about the same size, or nil.
func join(small []piece) []piece {
	slices.SortFunc(small, func(a, b piece) int { return cmp.Or(cmp.Compare(a.events, b.events), cmp.Compare(a.id, b.id)) })
	for i := 0; i+fanIn <= len(small); i++ {
		if list := small[i : i+fanIn]; list[fanIn-1].events <= fanIn*list[0].events {
			return atMost(list)
		}
	}
	return nil
}

// atMost returns the first blocks, at least two, that are about as large as one may be in all.
func atMost(list []piece) []piece {
	var events, bytes int64
	for i, b := range list {
		events, bytes = events+b.events, bytes+b.bytes
		if i >= 2 && (events > blockSize || bytes > blockBytes) {
			return list[:i]
		}
	}
	return list
}

// rewrite makes blocks of blocks and deltas.
func (w *sealing) rewrite(ctx context.Context, p pieces, blocks, deltas []piece) error {
	c := &change{coveredFrom: w.manifest.coveredFrom}
	goneUsers := map[string]uint32{}
	if err := readNumbers(ctx, p.in, w.tenant, w.manifest.goneUsers(), goneUsers); err != nil {
		return err
	}
	var batches []*analytics.Batch
	for _, b := range blocks {
		batch, err := p.readColumns(ctx, b, analytics.AllColumns)
		if err != nil {
			return err
		}
		batch.Numbers = goneUsers
		batches = append(batches, without(batch, w.manifest.tombstones[b.id]))
		c.blocks = append(c.blocks, b.id)
	}
	stored, err := p.deltas(ctx, deltas)
	if err != nil {
		return err
	}
	decoded := make([]delta, len(stored))
	for i, d := range stored {
		if decoded[i], err = decodeDelta(d.data); err != nil {
			return err
		}
		decoded[i] = decoded[i].without(w.manifest.tombstones[deltas[i].id])
		c.deltas = append(c.deltas, deltas[i].id)
	}
	numbered, err := w.number(ctx, p, c, decoded)
	if err != nil {
		return err
	}
	return w.build(c, append(batches, numbered...))
}

// build makes blocks of batches, and completes the change.
func (w *sealing) build(c *change, batches []*analytics.Batch) error {
	all := analytics.Merge(batches...)
	for _, day := range all.Days() {
		if day.Len() < all.Len() {
			day = analytics.Merge(day) // with no text in its dictionaries that it does not have
		}
		size := min(blockSize, max(1, day.Len()*blockBytes/day.Size()))
		for i := 0; i < day.Len(); i += size {
			part := day
			if size < day.Len() {
				part = analytics.Merge(day.Slice(i, min(i+size, day.Len())))
			}
			b, err := w.newBlock(part)
			if err != nil {
				return err
			}
			c.add = append(c.add, b)
		}
	}
	w.change = c
	return nil
}

func (w *sealing) newBlock(batch *analytics.Batch) (newBlock, error) {
	file, err := block.Encode(batch)
	if err != nil {
		return newBlock{}, fmt.Errorf("encoding a block: %w", err)
	}
	header := analytics.NewHeader(batch)
	encoded, err := block.EncodeHeader(header)
	if err != nil {
		return newBlock{}, fmt.Errorf("encoding the header of a block: %w", err)
	}
	return newBlock{newPieceID(w.now), header, int64(batch.Size()), append([][]byte{encoded}, file.Parts...)}, nil
}

// number returns batches with the numbers of all users. Those who have none get one with the change.
func (w *sealing) number(ctx context.Context, p pieces, c *change, list []delta) ([]*analytics.Batch, error) {
	known := map[string]uint32{}
	var missing []string
	for _, d := range list {
		for code, identifier := range d.identifiers.Dictionary {
			if _, seen := known[identifier]; code > 0 && !seen {
				known[identifier] = unnumbered
				missing = append(missing, identifier)
			}
		}
	}
	if w.manifest.nextUser > 0 {
		if err := readNumbers(ctx, p.in, w.tenant, w.sharedNumbers(w.tenantID, w.manifest.forgotten).missing(missing, known), known); err != nil {
			return nil, err
		}
	}
	w.known = known
	c.users = map[string]uint32{}
	for _, identifier := range missing {
		if known[identifier] == unnumbered {
			known[identifier] = uint32(w.manifest.nextUser) + uint32(len(c.users))
			c.users[identifier] = known[identifier]
		}
	}
	if w.manifest.nextUser+int64(len(c.users)) > firstProvisional {
		return nil, errTooManyUsers
	}
	batches := make([]*analytics.Batch, len(list))
	for i, d := range list {
		batch := *d.batch
		batch.Identifiers = analytics.Strings{}
		batch.Users = make([]uint32, len(d.identifiers.Codes))
		for k, code := range d.identifiers.Codes {
			batch.Users[k] = known[d.identifiers.Dictionary[code]]
		}
		batches[i] = &batch
	}
	return batches, nil
}

const unnumbered = math.MaxUint32

var errTooManyUsers = errors.New("a tenant has more than two thousand million users")
