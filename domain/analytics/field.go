package analytics

import (
	"math"
	"strings"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/text"
)

// MaxKeyLength is the longest key of a property that can be asked for, in characters.
const MaxKeyLength = 255

// propertyPrefix begins the name of the field of a property.
const propertyPrefix = "properties."

// Field is what a question can ask for of an event.
type Field struct {
	name string
}

// The fields, besides those of properties.
var (
	eventTypeField = Field{"event_type"}
	sourceField    = Field{"source"}
	userField      = Field{"user_identifier"}
	sessionField   = Field{"session_id"}
	valueField     = Field{"value"}
)

// parseField returns the field with a name that is one of others or begins with properties.
func parseField(name string, others ...Field) (Field, bool) {
	for _, f := range others {
		if f.name == name {
			return f, true
		}
	}
	key, isProperty := strings.CutPrefix(name, propertyPrefix)
	return Field{name}, isProperty && text.Valid(key, 1, MaxKeyLength)
}

// String returns the field's name.
func (f Field) String() string { return f.name }

// key returns the key of the property, and whether the field is one.
func (f Field) key() (string, bool) { return strings.CutPrefix(f.name, propertyPrefix) }

// needs returns what the field reads.
func (f Field) needs() Needs {
	switch f {
	case eventTypeField:
		return Needs{Columns: TypeColumn}
	case sourceField:
		return Needs{Columns: SourceColumn}
	case userField:
		return Needs{Columns: IdentifierColumn}
	case sessionField:
		return Needs{Columns: SessionColumn}
	case valueField:
		return Needs{Columns: ValueColumn}
	}
	key, _ := f.key()
	return Needs{Keys: []string{key}}
}

// column returns the field of the events of a batch, and what its codes mean. It is not for value.
func (f Field) column(b *Batch) (codes []uint32, dictionary func(code int) Scalar, size int) {
	var s Strings
	parse := Text
	switch f {
	case eventTypeField:
		s = b.Types
	case sourceField:
		s = b.Sources
	case userField:
		s = b.Identifiers
	case sessionField:
		s = b.Sessions
	default:
		key, _ := f.key()
		s, parse = b.ByKey[key], parseScalar
	}
	if len(s.Codes) == 0 {
		s.Codes = make([]uint32, b.Len())
	}
	return s.Codes, func(code int) Scalar {
		if code == 0 {
			return Scalar{}
		}
		return parse(s.Dictionary[code])
	}, max(1, len(s.Dictionary))
}

// numbers returns the numbers that metrics of the field are of, NaN for none.
func (f Field) numbers(b *Batch) []float64 {
	if f == valueField {
		return b.Values
	}
	codes, scalar, size := f.column(b)
	byCode := make([]float64, size)
	byCode[0] = math.NaN()
	for code := 1; code < size; code++ {
		byCode[code] = scalar(code).metric()
	}
	return gather(byCode, codes)
}

// gather returns what a table has for codes.
func gather[T any](table []T, codes []uint32) []T {
	list := make([]T, len(codes))
	for i, code := range codes {
		list[i] = table[code]
	}
	return list
}
