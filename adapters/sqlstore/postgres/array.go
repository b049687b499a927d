package postgres

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// column is a column of rows as an array: every stride-th value. lib/pq's own arrays look at each value by reflection, which
// takes longer than all the rest of storing an event.
type column struct {
	values []any
	stride int
}

func array(values []any, stride int) driver.Valuer { return column{values, stride} }

// Value returns the text of the array (PostgreSQL 8.15.2, "Array Value Input").
func (c column) Value() (driver.Value, error) {
	var b strings.Builder
	b.Grow(24 * (len(c.values)/c.stride + 1))
	separator := byte('{')
	for i := 0; i < len(c.values); i += c.stride {
		b.WriteByte(separator)
		separator = ','
		if err := writeElement(&b, c.values[i]); err != nil {
			return nil, err
		}
	}
	if separator == '{' {
		b.WriteByte(separator)
	}
	b.WriteByte('}')
	return b.String(), nil
}

var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func writeElement(b *strings.Builder, value any) error {
	if v, ok := value.(driver.Valuer); ok {
		plain, err := v.Value()
		if err != nil {
			return fmt.Errorf("converting an element of an array: %w", err)
		}
		value = plain
	}
	switch v := value.(type) {
	case nil:
		b.WriteString("NULL")
	case string:
		b.WriteByte('"')
		_, _ = quoted.WriteString(b, v) // a Builder never fails
		b.WriteByte('"')
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	case []byte:
		b.WriteString(`"\\x` + hex.EncodeToString(v) + `"`)
	case time.Time:
		b.WriteString(`"` + v.Format(time.RFC3339Nano) + `"`)
	default:
		return fmt.Errorf("an array can't have an element of type %T", value)
	}
	return nil
}
