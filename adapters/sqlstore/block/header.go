package block

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/parquet-go/parquet-go"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// How many bytes a cell and a set of users have at least.
const (
	minCellSize = 5 + 3*8
	minSeenSize = 3
)

// headerVersion is the first byte of a header in binary form.
const headerVersion = 1

// EncodeHeader returns a header in binary form: a byte for the version; compressed by Zstandard, integers as varints, hours and
// the numbers of users in a set as differences, and floating-point numbers in 8 bytes; and at the end the checksum of all
// before (CRC-32C).
func EncodeHeader(h *analytics.Header) ([]byte, error) {
	var w headerWriter
	w.int(h.First)
	w.int(h.Last - h.First)
	w.int(h.Events)
	w.texts(h.Types)
	w.texts(h.Sources)
	w.cells(h.Cells)
	w.seen(h.Seen)
	compressed, err := parquet.Zstd.Encode(nil, w.buffer)
	if err != nil {
		return nil, fmt.Errorf("encode header of a block: %w", err)
	}
	data := append([]byte{headerVersion}, compressed...)
	return binary.LittleEndian.AppendUint32(data, crc(data)), nil
}

// headerWriter appends to a buffer.
type headerWriter struct{ buffer []byte }

func (w *headerWriter) int(n int64)   { w.buffer = binary.AppendVarint(w.buffer, n) }
func (w *headerWriter) uint(n uint64) { w.buffer = binary.AppendUvarint(w.buffer, n) }
func (w *headerWriter) float(f float64) {
	w.buffer = binary.LittleEndian.AppendUint64(w.buffer, math.Float64bits(f))
}

func (w *headerWriter) texts(texts []string) {
	w.uint(uint64(len(texts)))
	for _, t := range texts {
		w.uint(uint64(len(t)))
		w.buffer = append(w.buffer, t...)
	}
}

// cells appends cells column by column, since that can be compressed best.
func (w *headerWriter) cells(cells []analytics.Cell) {
	w.uint(uint64(len(cells)))
	last := int64(0)
	for _, c := range cells {
		w.int(c.Hour - last)
		last = c.Hour
	}
	for _, number := range []func(c analytics.Cell) uint64{
		func(c analytics.Cell) uint64 { return uint64(c.Type) },
		func(c analytics.Cell) uint64 { return uint64(c.Source) },
		func(c analytics.Cell) uint64 { return uint64(c.Events) },
		func(c analytics.Cell) uint64 { return uint64(c.Values) },
	} {
		for _, c := range cells {
			w.uint(number(c))
		}
	}
	for _, number := range []func(c analytics.Cell) float64{
		func(c analytics.Cell) float64 { return c.Sum },
		func(c analytics.Cell) float64 { return c.Min },
		func(c analytics.Cell) float64 { return c.Max },
	} {
		for _, c := range cells {
			w.float(number(c))
		}
	}
}

func (w *headerWriter) seen(all []analytics.Seen) {
	w.uint(uint64(len(all)))
	last := int64(0)
	for _, s := range all {
		w.int(s.Hour - last)
		last = s.Hour
		w.uint(uint64(s.Type))
		w.uint(uint64(s.Users.Len()))
		next := uint32(0)
		for n := range s.Users.All() {
			w.uint(uint64(n - next))
			next = n + 1
		}
	}
}
