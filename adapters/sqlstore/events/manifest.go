package events

import (
	"context"
	"database/sql"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"time"

	googleuuid "github.com/google/uuid"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore"
)

// A piece of a tenant's events is a block or a delta: some of the events, as columns. Each event is in exactly one piece, since the
// transaction that stores its row stores its delta, and the one that adds a block deletes the pieces that it was made of. Events
// before covered_from are the exception: they are read from rows.
//
// So whatever runs at the same time, one snapshot of the pieces, tombstones and rows has each event once:
//   - Storing adds rows and a delta. It touches no other piece, needs no lock, and need not know what is sealed.
//   - Sealing reads pieces in a snapshot, and replaces them in a later transaction. In between, others may have replaced or deleted from
//     them. Each of these adds 1 to the changes of the tenant's row of seals, which sealing compares: if they are not what they
//     were in its snapshot, it changes nothing. New deltas do not matter to it, whatever the times of their events are.
//   - Deleting adds 1 to changes, too, and so waits for the sealing that is being committed. Then one statement deletes rows and marks
//     the pieces that the same snapshot has. An event that is stored at the same time is in both or in neither.
//   - Covering a range of rows reads, in one statement, the rows and which deltas there are, and marks these deltas.
//
// The lock on changes is one on a row of the tenant, and each argument is about single statements, so they hold on SQLite, where
// there is one writer anyway, on Postgres, and on the shard of a cluster.

// Kinds of entries of a manifest.
const (
	sealEntry = iota
	blockEntry
	deltaEntry
	tombstoneEntry
	erasureEntry
)

// manifest is where a tenant's events are, as far as they overlap a range of time.
type manifest struct {
	sealed      bool // whether the tenant has a row of seals; otherwise all events are in rows
	changes     int64
	coveredFrom int64
	nextUser    int64
	forgotten   int64 // how often numbers of users were removed
	blocks      []piece
	deltas      []piece // oldest first
	tombstones  map[uuid][]gone
	pending     []uuid    // erasures of which something is still there
	collecting  time.Time // since when an erasure looks for its events; zero if none does
}

// piece is a block or a delta.
type piece struct {
	id          uuid
	first, last int64 // times of events, in microseconds since 1970
	events      int64
	bytes       int64 // that its columns take in memory, more or less
}

// The id of a piece begins with the time at which it was made, as UUIDs of version 7 do (RFC 9562), so that ids are in order of time.

// newPieceID returns the id of a piece that is made at a time.
func newPieceID(at time.Time) uuid {
	random := googleuuid.New()
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(random[:6], ms[2:])
	random[6] = 0x70 | random[6]&0x0f // the version
	return uuid(random.String())
}

// made returns when the piece was made.
func (p piece) made() time.Time {
	ms, err := strconv.ParseInt(string(p.id[:8]+p.id[9:13]), 16, 64)
	if err != nil { // can't happen: newPieceID made it
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// day returns the day of a block, counted from 1970-01-01 in UTC.
func (p piece) day() int64 {
	const microsPerDay = secondsPerDay * 1_000_000
	return (p.first - (p.first%microsPerDay+microsPerDay)%microsPerDay) / microsPerDay
}

// span is a range of time, from <= time < to, in microseconds since 1970.
type span struct{ from, to int64 }

// gone is what was deleted from a piece: the events of a span, and, if they are given, of a user and of a type alone.
type gone struct {
	span
	user, eventType string
}

func (p piece) overlaps(s span) bool { return p.first < s.to && p.last >= s.from }

// everything is the span of all times.
var everything = span{math.MinInt64, math.MaxInt64}

// manifestQuery reads a manifest in one statement. Tombstones are few, and read whole.
const manifestQuery = "SELECT 0 AS kind, tenant_id AS id, changes AS a, covered_from AS b, next_user AS c, forgotten AS d, '' AS who, '' AS what FROM seals WHERE tenant_id = ?" +
	" UNION ALL SELECT 1, id, first_at, last_at, events, bytes, '', '' FROM blocks WHERE tenant_id = ? AND last_at >= ? AND first_at < ?" +
	" UNION ALL SELECT 2, id, first_at, last_at, events, bytes, '', '' FROM deltas WHERE tenant_id = ? AND last_at >= ? AND first_at < ?" +
	" UNION ALL SELECT 3, piece_id, from_at, until_at, 0, 0, user_identifier, event_type FROM tombstones WHERE tenant_id = ?" +
	" UNION ALL SELECT 4, id, requested_at, 0, 0, 0, '', state FROM erasures WHERE tenant_id = ? AND state <> 'done'"

// readManifest returns where the events of a tenant in a span are. tenant is as the tables keep it.
func readManifest(ctx context.Context, in sqlstore.Executor, tenant any, s span) (*manifest, error) {
	m := &manifest{coveredFrom: math.MaxInt64, tombstones: map[uuid][]gone{}}
	err := in.Each(ctx, "reading where events are", manifestQuery, func(rows *sql.Rows) error {
		var (
			kind      int
			p         piece
			who, what string
		)
		if err := rows.Scan(&kind, &p.id, &p.first, &p.last, &p.events, &p.bytes, &who, &what); err != nil {
			return err
		}
		switch kind {
		case sealEntry:
			m.sealed, m.changes, m.coveredFrom, m.nextUser, m.forgotten = true, p.first, p.last, p.events, p.bytes
		case blockEntry:
			m.blocks = append(m.blocks, p)
		case deltaEntry:
			m.deltas = append(m.deltas, p)
		case tombstoneEntry:
			m.tombstones[p.id] = append(m.tombstones[p.id], gone{span{p.first, p.last}, who, what})
		case erasureEntry:
			if what == pendingErasure {
				m.pending = append(m.pending, p.id)
			} else if at := time.UnixMicro(p.first); at.After(m.collecting) {
				m.collecting = at
			}
		}
		return nil
	}, tenant, tenant, s.from, s.to, tenant, s.from, s.to, tenant, tenant)
	return m, err
}

// gone returns what is gone of a piece: what was deleted, and what is read from rows.
func (m *manifest) gone(p piece) []gone {
	list := m.tombstones[p.id]
	if p.first < m.coveredFrom {
		list = append(list[:len(list):len(list)], gone{span: span{math.MinInt64, m.coveredFrom}})
	}
	return list
}

// goneUsers returns the users of whom something is gone of any piece.
func (m *manifest) goneUsers() (list []string) {
	for _, all := range m.tombstones {
		for _, g := range all {
			if g.user != "" {
				list = append(list, g.user)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
