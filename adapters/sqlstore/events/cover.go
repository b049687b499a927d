package events

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// cover makes blocks of the latest events that are in rows only, up to about blockSize of them, or fewer if they are large.
func (w *sealing) cover(ctx context.Context, p pieces) error {
	err := errTooLarge
	for size := blockSize; errors.Is(err, errTooLarge); size /= 4 {
		most := blockBytes
		if size < fewRows {
			most = math.MaxInt
		}
		err = w.coverSome(ctx, p, size, most)
	}
	return err
}

// coverSome covers up to about so many events, with at most so many bytes of properties. Errors: errTooLarge.
func (w *sealing) coverSome(ctx context.Context, p pieces, size, most int) error {
	from, err := w.coverFrom(ctx, p, size)
	if err != nil {
		return err
	}
	c := &change{coveredFrom: from}
	covered := span{from, w.manifest.coveredFrom}
	for _, b := range w.manifest.blocks {
		c.take(b, covered, &c.blocks)
	}
	rows, deltas, err := p.rowsAndDeltas(ctx, covered, most)
	if err != nil {
		return err
	}
	for _, d := range deltas {
		c.take(d, covered, &c.deltas)
	}
	numbered, err := w.number(ctx, p, c, []delta{rows})
	if err != nil {
		return err
	}
	return w.build(c, numbered)
}

// take takes the events of a span out of a piece: it is deleted if it has no others.
func (c *change) take(p piece, s span, deleted *[]uuid) {
	switch {
	case !p.overlaps(s):
	case s.from <= p.first && p.last < s.to:
		*deleted = append(*deleted, p.id)
	default:
		c.tombstones = append(c.tombstones, tombstone{p.id, gone{span: s}})
	}
}

// coverFrom returns from when on events are covered next: from the beginning of a day if not so many are of one day.
func (w *sealing) coverFrom(ctx context.Context, p pieces, size int) (int64, error) {
	newest, there, err := p.timeOf(ctx, w.manifest.coveredFrom, 0)
	if err != nil || !there {
		return math.MinInt64, err
	}
	oldest, there, err := p.timeOf(ctx, w.manifest.coveredFrom, size-1)
	if err != nil || !there {
		return math.MinInt64, err
	}
	const microsPerDay = secondsPerDay * 1_000_000
	if nextDay := oldest - (oldest%microsPerDay+microsPerDay)%microsPerDay + microsPerDay; nextDay <= newest {
		return nextDay, nil
	}
	return oldest, nil
}

// timeOf returns the time of the event that has so many after it and before a time, in microseconds since 1970.
func (p pieces) timeOf(ctx context.Context, before int64, after int) (at int64, there bool, err error) {
	f, err := p.filter(span{math.MinInt64, before})
	if err != nil {
		return 0, false, err
	}
	var times []int64
	err = p.in.List(ctx, &times, "looking for events that are in rows only", "SELECT occurred_at"+f.text.String()+" ORDER BY id DESC LIMIT 1 OFFSET ?", append(f.args, after)...)
	if err != nil || len(times) == 0 {
		return 0, false, err
	}
	return times[0], true, nil
}

// filter returns the FROM and WHERE clause for the events of a span in rows, without those that were erased.
func (p pieces) filter(s span) (*filter, error) {
	f := &filter{tenant: p.tenantID, args: []any{p.tenant}}
	f.text.WriteString(" FROM events WHERE tenant_id = ?")
	var w analytics.Window
	if s.from != math.MinInt64 {
		w.Start = time.UnixMicro(s.from)
	}
	if s.to != math.MaxInt64 {
		w.End = time.UnixMicro(s.to)
	}
	if p.hides {
		f.and(notErased, p.tenant)
	}
	return f, p.window(f, w)
}

// fewRows is below how many rows a step is not too large, whatever they are: 20 MB, at the largest size of an event.
const fewRows = 2000

// errTooLarge: the rows of a step take too much memory.
var errTooLarge = errors.New("the events of a step are too large")

// rowsAndDeltas returns the events of a span in rows, and the deltas that have some of them, by one statement. Errors: errTooLarge.
func (p pieces) rowsAndDeltas(ctx context.Context, s span, most int) (delta, []piece, error) {
	f, err := p.filter(s)
	if err != nil {
		return delta{}, nil, err
	}
	var (
		columns columnBuilder
		deltas  []piece
		bytes   int
	)
	query := "SELECT 1 AS kind, id, occurred_at AS last_at, " + builtColumns + f.text.String() +
		" UNION ALL SELECT 0, id, last_at, first_at, '', '', NULL, CAST(NULL AS DOUBLE PRECISION), NULL, NULL FROM deltas" +
		" WHERE tenant_id = ? AND last_at >= ? AND first_at < ? ORDER BY kind, id"
	err = p.in.Each(ctx, "reading events from rows", query, func(rows *sql.Rows) error {
		var (
			kind int
			d    piece
		)
		r, err := scanRow(rows, &kind, &d.id, &d.last)
		switch {
		case err != nil:
			return err
		case kind == 0:
			d.first = r.at
			deltas = append(deltas, d)
		default:
			columns.add(r)
			if bytes += len(r.properties); bytes > most {
				return errTooLarge
			}
		}
		return nil
	}, append(f.args, p.tenant, s.from, s.to)...)
	return columns.delta(), deltas, err
}
