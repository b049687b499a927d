package exporting

import (
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// parquetRow is an event in a Parquet file.
type parquetRow struct {
	ID             string   `parquet:"id"`
	EventType      string   `parquet:"event_type,dict"`
	UserIdentifier string   `parquet:"user_identifier"`
	SessionID      *string  `parquet:"session_id,optional"`
	Value          *float64 `parquet:"value,optional"`
	Source         *string  `parquet:"source,optional,dict"`
	OccurredAt     int64    `parquet:"occurred_at,timestamp(microsecond)"` // UTC
	Properties     *string  `parquet:"properties,optional"`                // JSON
}

const (
	// rowGroup and rowGroupSize are how many events a row group has at most, and from how many bytes of them on it is complete:
	// the writer has one in memory.
	rowGroup     = 20_000
	rowGroupSize = 12 << 20
	// atOnce is how many events are given to the writer at a time.
	atOnce = 64
)

// columns writes events as a Parquet file, compressed by zstd.
type columns struct {
	to      *parquet.GenericWriter[parquetRow]
	waiting []parquetRow
	rows    int // of the row group
	size    int // of their texts, in bytes
}

// codec compresses pages with little memory: they are small.
type codec struct {
	parquetzstd.Codec
	encoder *zstd.Encoder
}

func (c *codec) Encode(to, page []byte) ([]byte, error) {
	return c.encoder.EncodeAll(page, to[:0]), nil
}

func newParquet(w io.Writer) (Writer, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(256<<10))
	if err != nil {
		return nil, err
	}
	return &columns{to: parquet.NewGenericWriter[parquetRow](w,
		parquet.Compression(&codec{encoder: encoder}), parquet.PageBufferSize(64<<10),
		// Bounds of texts stay in memory up to the end of the file.
		parquet.SkipPageBounds("properties"), parquet.SkipPageBounds("user_identifier"), parquet.SkipPageBounds("session_id"),
		parquet.SkipPageBounds("event_type"), parquet.SkipPageBounds("source"),
		parquet.CreatedBy("secure-data-api", "", ""),
	)}, nil
}

func (c *columns) Write(e event.Event) error {
	r := parquetRow{
		ID: string(e.ID), EventType: e.Type, UserIdentifier: e.UserIdentifier, SessionID: e.SessionID, Value: e.Value, Source: e.Source,
		OccurredAt: e.OccurredAt.UnixMicro(),
	}
	if e.Properties != "" {
		r.Properties = &e.Properties
	}
	c.waiting = append(c.waiting, r)
	c.rows++
	const fixed = 80 // bytes of an event besides its longer texts, more or less
	c.size += fixed + len(e.UserIdentifier) + len(e.Properties)
	if c.rows >= rowGroup || c.size >= rowGroupSize {
		return c.endGroup()
	}
	if len(c.waiting) < atOnce {
		return nil
	}
	return c.pass()
}

// pass gives the writer what waits.
func (c *columns) pass() error {
	_, err := c.to.Write(c.waiting)
	clear(c.waiting) // of their texts
	c.waiting = c.waiting[:0]
	return err
}

// endGroup writes the row group.
func (c *columns) endGroup() error {
	c.rows, c.size = 0, 0
	if err := c.pass(); err != nil {
		return err
	}
	return c.to.Flush()
}

func (c *columns) Close() error {
	if err := c.pass(); err != nil {
		return err
	}
	return c.to.Close()
}
