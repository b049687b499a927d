package block

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// The columns of a file. A property that many events of the block have is a column of its own, which holds the property's
// value as JSON; its name is propertyPrefix and the property's key. All other properties are an object in propertiesColumn.
const (
	timeColumn       = "time"
	typeColumn       = "event_type"
	sourceColumn     = "source"
	userColumn       = "user"
	sessionColumn    = "session_id"
	valueColumn      = "value"
	propertiesColumn = "properties"
	propertyPrefix   = propertiesColumn + "."
)

// column is a column to be written.
type column struct {
	name string
	node parquet.Node
	// hasBounds is whether the file says which its least and its greatest value are. Of texts it does not, since they may be long.
	hasBounds bool
	// value returns the value of the i-th event.
	value func(i int) parquet.Value
}

// columns are all columns of a file, in its order.
type columns []column

// columnsOf returns a batch's columns.
func columnsOf(b *analytics.Batch) (columns, error) {
	for _, n := range []int{
		len(b.Types.Codes), len(b.Sources.Codes), len(b.Users), len(b.Sessions.Codes), len(b.Values), len(b.Properties.Codes),
	} {
		if n != b.Len() {
			return nil, fmt.Errorf("a column has %d values for %d events", n, b.Len())
		}
	}
	byName := map[string]column{
		timeColumn: {
			node:      parquet.Encoded(parquet.Timestamp(parquet.Microsecond), &parquet.DeltaBinaryPacked),
			hasBounds: true,
			value:     func(i int) parquet.Value { return parquet.Int64Value(b.Times[i]) },
		},
		userColumn: {
			node:      parquet.Encoded(parquet.Uint(32), &parquet.DeltaBinaryPacked),
			hasBounds: true,
			value:     func(i int) parquet.Value { return parquet.Int32Value(int32(b.Users[i])) },
		},
		valueColumn: {
			node:      parquet.Optional(parquet.Encoded(parquet.Leaf(parquet.DoubleType), &parquet.ByteStreamSplit)),
			hasBounds: true,
			value: func(i int) parquet.Value {
				if math.IsNaN(b.Values[i]) {
					return parquet.NullValue()
				}
				return parquet.DoubleValue(b.Values[i])
			},
		},
		typeColumn:    texts(parquet.String(), b.Types),
		sourceColumn:  texts(parquet.String(), b.Sources),
		sessionColumn: texts(parquet.String(), b.Sessions),
	}
	frequent, rest := split(b.Properties)
	byName[propertiesColumn] = texts(parquet.JSON(), rest)
	for key, values := range frequent {
		byName[propertyPrefix+key] = texts(parquet.JSON(), values)
	}
	return inOrder(byName), nil
}

// inOrder returns columns in the order that the library gives them.
func inOrder(byName map[string]column) columns {
	group := parquet.Group{}
	for name, c := range byName {
		group[name] = c.node
	}
	var all columns
	for _, field := range group.Fields() {
		c := byName[field.Name()]
		c.name = field.Name()
		all = append(all, c)
	}
	return all
}

// texts returns a column of texts. It has a dictionary if that makes it smaller, so not if most texts are there once.
func texts(node parquet.Node, s analytics.Strings) column {
	values := make([]parquet.Value, max(1, len(s.Dictionary)))
	for code := 1; code < len(values); code++ {
		text := s.Dictionary[code]
		values[code] = parquet.ByteArrayValue(unsafe.Slice(unsafe.StringData(text), len(text))) // it is read only
	}
	encoding := encoding.Encoding(&parquet.RLEDictionary)
	if 2*len(s.Dictionary) > len(s.Codes) {
		encoding = &parquet.DeltaLengthByteArray
	}
	return column{
		node:  parquet.Optional(parquet.Encoded(node, encoding)),
		value: func(i int) parquet.Value { return values[s.Codes[i]] },
	}
}

// options returns how the columns are written.
func (cs columns) options() []parquet.WriterOption {
	group := parquet.Group{}
	options := []parquet.WriterOption{
		parquet.Compression(&parquet.Zstd),
		parquet.DataPageStatistics(false), // they are in the footer
		parquet.KeyValueMetadata(checksumKey, noChecksums(len(cs)+1)),
	}
	for _, c := range cs {
		group[c.name] = c.node
		if !c.hasBounds {
			options = append(options, parquet.SkipPageBounds(c.name))
		}
	}
	return append(options, parquet.NewSchema("events", group))
}

// write writes the values of so many events.
func (c column) write(w *parquet.ColumnWriter, index, events int) error {
	const atOnce = 1024
	var values [atOnce]parquet.Value
	optional := c.node.Optional()
	for i := 0; i < events; {
		n := min(atOnce, events-i)
		for k := range n {
			v := c.value(i + k)
			level := 0
			if optional && !v.IsNull() {
				level = 1
			}
			values[k] = v.Level(0, level, index)
		}
		if _, err := w.WriteRowValues(values[:n]); err != nil {
			return err
		}
		i += n
	}
	return nil
}
