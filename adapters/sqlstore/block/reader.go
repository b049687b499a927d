package block

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// Reader reads columns of a file. It may be shared by goroutines.
type Reader struct {
	events  int
	columns []stored
}

// stored is a column that is in a file.
type stored struct {
	name     string
	checksum string
	chunk    *parquet.FileColumnChunk
	start    int64 // where in the file its part begins
}

// Open returns the reader of a file by its footer.
func Open(footer []byte) (*Reader, error) {
	sums, err := readChecksums(footer)
	if err != nil {
		return nil, fmt.Errorf("open block: %w", err)
	}
	// The footer's end is the file's end, and nothing but the end is read here.
	file, err := parquet.OpenFile(bytes.NewReader(footer), int64(len(footer)),
		parquet.SkipMagicBytes(true), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("open block: %w", err)
	}
	if len(file.RowGroups()) != 1 || len(file.Root().Columns()) != len(sums) {
		return nil, fmt.Errorf("open block: %w: a footer of another form", errCorrupt)
	}
	r := &Reader{events: int(file.NumRows())}
	for i, c := range file.RowGroups()[0].ColumnChunks() {
		s := stored{name: file.Root().Columns()[i].Name(), checksum: sums[i], chunk: c.(*parquet.FileColumnChunk)}
		if i > 0 { // the first part begins with the file
			s.start, _ = extent(&file.Metadata().RowGroups[0].Columns[i])
		}
		r.columns = append(r.columns, s)
	}
	return r, nil
}

// Parts returns which parts of the file have these columns, in ascending order.
func (r *Reader) Parts(columns analytics.Columns) []int {
	var parts []int
	for i, s := range r.columns {
		if isIn(s.name, columns) {
			parts = append(parts, i)
		}
	}
	return parts
}

// isIn reports whether a column of a file is needed for these columns of a batch.
func isIn(name string, columns analytics.Columns) bool {
	switch name {
	case timeColumn:
		return true
	case typeColumn:
		return columns&analytics.TypeColumn != 0
	case sourceColumn:
		return columns&analytics.SourceColumn != 0
	case userColumn:
		return columns&analytics.UserColumn != 0
	case sessionColumn:
		return columns&analytics.SessionColumn != 0
	case valueColumn:
		return columns&analytics.ValueColumn != 0
	default:
		return columns&analytics.PropertiesColumn != 0
	}
}

// Read returns the file's events with these columns. Parts has, by number, at least the parts that have them; see Parts.
func (r *Reader) Read(columns analytics.Columns, parts map[int][]byte) (*analytics.Batch, error) {
	var (
		b        analytics.Batch
		frequent []property
		rest     analytics.Strings
	)
	for _, i := range r.Parts(columns) {
		s := r.columns[i]
		if checksum(parts[i]) != s.checksum {
			return nil, fmt.Errorf("read column %s of a block: %w: wrong checksum", s.name, errCorrupt)
		}
		c := columnReader{stored: s, part: parts[i], events: r.events}
		var err error
		switch s.name {
		case timeColumn:
			b.Times, err = c.times()
		case typeColumn:
			b.Types, err = c.strings()
		case sourceColumn:
			b.Sources, err = c.strings()
		case userColumn:
			b.Users, err = c.users()
		case sessionColumn:
			b.Sessions, err = c.strings()
		case valueColumn:
			b.Values, err = c.doubles()
		case propertiesColumn:
			rest, err = c.strings()
		default:
			p := property{key: `"` + strings.TrimPrefix(s.name, propertyPrefix) + `"`}
			p.values, err = c.strings()
			frequent = append(frequent, p)
		}
		if err != nil {
			return nil, fmt.Errorf("read column %s of a block: %w", s.name, err)
		}
	}
	if columns&analytics.PropertiesColumn != 0 {
		var err error
		if b.Properties, err = join(frequent, rest); err != nil {
			return nil, fmt.Errorf("read properties of a block: %w", err)
		}
	}
	return &b, nil
}
