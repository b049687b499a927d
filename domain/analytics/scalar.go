package analytics

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Scalar is a value that events are filtered or grouped by: a text, a number, a boolean or, of a property, other JSON. The zero Scalar
// is no value; null is none, too. Equal values are equal Scalars.
type Scalar struct {
	kind   scalarKind
	text   string  // a text as it is; anything else as JSON in canonical form
	number float64 // of a number; infinite if it is too great
}

type scalarKind uint8

// The kinds of scalars, in their order.
const (
	noScalar scalarKind = iota
	boolScalar
	numberScalar
	textScalar
	otherScalar
)

// Text returns the scalar of a text.
func Text(text string) Scalar { return Scalar{kind: textScalar, text: text} }

// parseScalar returns the scalar of a JSON value in canonical form.
func parseScalar(value string) Scalar {
	if value == "" {
		return Scalar{}
	}
	switch value[0] {
	case 'n':
		return Scalar{}
	case 't', 'f':
		return Scalar{kind: boolScalar, text: value}
	case '"':
		return Text(parseText(value))
	case '{', '[':
		return Scalar{kind: otherScalar, text: value}
	default:
		return parseNumber(value)
	}
}

// parseText returns the text of a JSON string.
func parseText(value string) string {
	if strings.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1]
	}
	var text string
	if err := json.Unmarshal([]byte(value), &text); err != nil {
		return value // not in canonical form
	}
	return text
}

// parseNumber returns the scalar of a JSON number. Numbers are equal if they are the same number, however they are written; integers
// also beyond what floating point tells apart.
func parseNumber(value string) Scalar {
	const longestInteger = 1e21
	s := Scalar{kind: numberScalar, text: value}
	s.number, _ = strconv.ParseFloat(value, 64) // too great: infinite
	switch {
	case s.number == 0:
		s.text, s.number = "0", 0 // not -0
	case !strings.ContainsAny(value, ".eE") || math.IsInf(s.number, 0):
	case s.number == math.Trunc(s.number) && math.Abs(s.number) < longestInteger:
		s.text = strconv.FormatFloat(s.number, 'f', -1, 64)
	default:
		s.text = strconv.FormatFloat(s.number, 'g', -1, 64)
	}
	return s
}

// IsNone reports whether there is no value.
func (s Scalar) IsNone() bool { return s.kind == noScalar }

// MarshalJSON returns the value as JSON.
func (s Scalar) MarshalJSON() ([]byte, error) {
	switch s.kind {
	case noScalar:
		return []byte("null"), nil
	case textScalar:
		return json.Marshal(s.text)
	default:
		return []byte(s.text), nil
	}
}

// compare orders scalars: booleans, numbers, texts by their bytes, and other JSON; no value comes last.
func (s Scalar) compare(o Scalar) int {
	if s.kind != o.kind {
		if s.kind == noScalar || o.kind == noScalar {
			return cmp.Compare(o.kind, s.kind)
		}
		return cmp.Compare(s.kind, o.kind)
	}
	return cmp.Or(cmp.Compare(s.number, o.number), strings.Compare(s.text, o.text))
}

// maxSummand bounds the numbers that metrics are of, so that their sums stay finite.
const maxSummand = 1e290

// metric returns the number that a metric is of, or NaN if there is none.
func (s Scalar) metric() float64 {
	if s.kind != numberScalar || math.Abs(s.number) > maxSummand {
		return math.NaN()
	}
	return s.number
}
