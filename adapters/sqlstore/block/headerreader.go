package block

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/parquet-go/parquet-go"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// DecodeHeader is the reverse of EncodeHeader. Bytes that EncodeHeader did not make are an error.
func DecodeHeader(data []byte) (*analytics.Header, error) {
	content, err := headerContent(data)
	if err != nil {
		return nil, fmt.Errorf("decode header of a block: %w", err)
	}
	r := headerReader{rest: content}
	h := r.header()
	if !r.failed && len(r.rest) == 0 {
		return h, nil
	}
	return nil, fmt.Errorf("decode header of a block: %w", errCorrupt)
}

// headerContent checks the version and the checksum of an encoded header and returns what is between, uncompressed.
func headerContent(data []byte) ([]byte, error) {
	end := len(data) - crc32.Size
	if end < 1 {
		return nil, fmt.Errorf("%w: only %d bytes", errCorrupt, len(data))
	}
	if crc(data[:end]) != binary.LittleEndian.Uint32(data[end:]) {
		return nil, fmt.Errorf("%w: wrong checksum", errCorrupt)
	}
	if data[0] != headerVersion {
		return nil, fmt.Errorf("unknown version %d", data[0])
	}
	return parquet.Zstd.Decode(nil, data[1:end])
}

// headerReader reads what headerWriter wrote. Once it has failed, it returns zero values.
type headerReader struct {
	rest   []byte
	failed bool
}

func (r *headerReader) fail() { r.rest, r.failed = nil, true }

func (r *headerReader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	data := r.rest[:n]
	r.rest = r.rest[n:]
	return data
}

func (r *headerReader) int() int64 {
	n, length := binary.Varint(r.rest)
	if length <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[length:]
	return n
}

func (r *headerReader) uint() uint64 {
	n, length := binary.Uvarint(r.rest)
	if length <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[length:]
	return n
}

func (r *headerReader) float() float64 {
	data := r.bytes(8)
	if data == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(data))
}

// count reads how many items follow, each of which has at least so many bytes.
func (r *headerReader) count(least int) int {
	n := r.uint()
	if n > uint64(len(r.rest)/least) {
		r.fail()
		return 0
	}
	return int(n)
}

// code reads a code of a dictionary. Code 0 is there in any case.
func (r *headerReader) code(dictionary []string) uint32 {
	code := r.uint()
	if code >= uint64(max(1, len(dictionary))) {
		r.fail()
		return 0
	}
	return uint32(code)
}

func (r *headerReader) header() *analytics.Header {
	h := &analytics.Header{First: r.int()}
	h.Last = h.First + r.int()
	h.Events = r.int()
	h.Types, h.Sources = r.texts(), r.texts()
	h.Cells = r.cells(h.Types, h.Sources)
	h.Seen = r.seen(h.Types)
	return h
}

func (r *headerReader) texts() []string {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	texts := make([]string, n)
	for i := range texts {
		texts[i] = string(r.bytes(r.uint()))
	}
	return texts
}

func (r *headerReader) cells(types, sources []string) []analytics.Cell {
	cells := make([]analytics.Cell, r.count(minCellSize))
	hour := int64(0)
	for i := range cells {
		hour += r.int()
		cells[i].Hour = hour
	}
	for _, read := range []func(c *analytics.Cell){
		func(c *analytics.Cell) { c.Type = r.code(types) },
		func(c *analytics.Cell) { c.Source = r.code(sources) },
		func(c *analytics.Cell) { c.Events = int64(r.uint()) },
		func(c *analytics.Cell) { c.Values = int64(r.uint()) },
		func(c *analytics.Cell) { c.Sum = r.float() },
		func(c *analytics.Cell) { c.Min = r.float() },
		func(c *analytics.Cell) { c.Max = r.float() },
	} {
		for i := range cells {
			read(&cells[i])
		}
	}
	return cells
}

func (r *headerReader) seen(types []string) []analytics.Seen {
	all := make([]analytics.Seen, r.count(minSeenSize))
	hour := int64(0)
	for i := range all {
		hour += r.int()
		all[i] = analytics.Seen{Hour: hour, Type: r.code(types), Users: r.users()}
	}
	return all
}

func (r *headerReader) users() analytics.Users {
	numbers := make([]uint32, r.count(1))
	next, rest := uint64(0), r.rest
	for i := range numbers {
		difference, length := binary.Uvarint(rest)
		if length <= 0 || difference > math.MaxUint32-next {
			r.fail()
			return analytics.Users{}
		}
		rest = rest[length:]
		numbers[i] = uint32(next + difference)
		next += difference + 1
	}
	r.rest = rest
	return analytics.UsersOf(numbers)
}
