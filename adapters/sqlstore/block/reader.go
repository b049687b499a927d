package block

import (
	"bytes"
	"fmt"
	"slices"
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

// Parts returns which parts of the file have what is needed, in ascending order.
func (r *Reader) Parts(needs analytics.Needs) []int {
	var parts []int
	for i, s := range r.columns {
		if r.isIn(s.name, needs) {
			parts = append(parts, i)
		}
	}
	return parts
}

// isIn reports whether a column of the file is needed. That with the rest of the properties is needed for a key without a column.
func (r *Reader) isIn(name string, needs analytics.Needs) bool {
	switch name {
	case timeColumn:
		return true
	case typeColumn:
		return needs.Columns&analytics.TypeColumn != 0
	case sourceColumn:
		return needs.Columns&analytics.SourceColumn != 0
	case userColumn:
		return needs.Columns&analytics.UserColumn != 0
	case sessionColumn:
		return needs.Columns&analytics.SessionColumn != 0
	case valueColumn:
		return needs.Columns&analytics.ValueColumn != 0
	}
	all := needs.Columns&(analytics.PropertiesColumn|analytics.KeysColumn) != 0
	if name == propertiesColumn {
		return all || len(r.without(needs.Keys)) > 0
	}
	return all || slices.ContainsFunc(needs.Keys, func(key string) bool { return nameOf(key) == name })
}

// without returns those of the keys that have no column of their own.
func (r *Reader) without(keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return slices.ContainsFunc(r.columns, func(s stored) bool { return s.name == nameOf(key) })
	})
}

// Read returns the file's events with what is needed. Parts has, by number, at least the parts that have it; see Parts. With
// KeysColumn, Properties has what is in no column of its own.
func (r *Reader) Read(needs analytics.Needs, parts map[int][]byte) (*analytics.Batch, error) {
	var (
		b        analytics.Batch
		frequent []property
		rest     analytics.Strings
	)
	for _, i := range r.Parts(needs) {
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
	if err := r.addProperties(&b, needs, frequent, rest); err != nil {
		return nil, fmt.Errorf("read properties of a block: %w", err)
	}
	return &b, nil
}

// addProperties adds what is needed of the properties.
func (r *Reader) addProperties(b *analytics.Batch, needs analytics.Needs, frequent []property, rest analytics.Strings) (err error) {
	if needs.Columns&analytics.PropertiesColumn != 0 {
		b.Properties, err = join(frequent, rest)
		return err
	}
	if len(needs.Keys) == 0 && needs.Columns&analytics.KeysColumn == 0 {
		return nil
	}
	b.ByKey = ByKey(rest, r.without(needs.Keys)...)
	for _, p := range frequent {
		key, err := keyOf(p.key)
		if err != nil {
			return err
		}
		b.ByKey[key] = p.values
	}
	if needs.Columns&analytics.KeysColumn != 0 {
		b.Properties = rest
	}
	return nil
}
