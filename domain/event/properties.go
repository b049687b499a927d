package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// Limits of the properties of an event.
const (
	MaxPropertiesSize = 8 << 10 // bytes, in canonical form
	MaxPropertyKeys   = 64      // in all objects together
	MaxPropertyDepth  = 5       // of objects and arrays, the outermost included
)

// Rules that properties can break, as messages about the field.
var (
	errPropertiesForm  = errors.New("must be a JSON object")
	errPropertiesSize  = fmt.Errorf("must have at most %d bytes as JSON", MaxPropertiesSize)
	errPropertiesKeys  = fmt.Errorf("must have at most %d keys, those of nested objects included", MaxPropertyKeys)
	errPropertiesDepth = fmt.Errorf("must be nested at most %d levels deep", MaxPropertyDepth)
	errPropertiesTwice = errors.New("must not have a key twice in an object")
)

// ParseProperties validates the properties of an event and returns them in canonical form: without spaces, keys in order, so
// that equal properties are equal texts. Numbers stay as they are written. A fault names the field properties.
func ParseProperties(raw []byte) (string, error) {
	if len(raw) > 4*MaxPropertiesSize { // spaces and escapes may make it longer than its canonical form
		return "", fault.ErrInvalid.OnField("properties", errPropertiesSize.Error())
	}
	p := propertyReader{decoder: json.NewDecoder(bytes.NewReader(raw))}
	p.decoder.UseNumber()
	text, err := p.read()
	switch {
	case err == nil && len(text) > MaxPropertiesSize:
		err = errPropertiesSize
	case err == nil && text[0] != '{':
		err = errPropertiesForm
	}
	if err != nil {
		return "", fault.ErrInvalid.OnField("properties", err.Error())
	}
	return text, nil
}

// propertyReader reads JSON into its canonical form.
type propertyReader struct {
	decoder *json.Decoder
	depth   int
	keys    int
}

// read reads the one value of the input.
func (p *propertyReader) read() (string, error) {
	text, err := p.value()
	if err != nil {
		return "", err
	}
	if _, err := p.decoder.Token(); !errors.Is(err, io.EOF) {
		return "", errPropertiesForm
	}
	return text, nil
}

// value reads a value.
func (p *propertyReader) value() (string, error) {
	token, err := p.decoder.Token()
	if err != nil {
		return "", errPropertiesForm
	}
	delim, nested := token.(json.Delim)
	if !nested {
		return encode(token)
	}
	if p.depth++; p.depth > MaxPropertyDepth {
		return "", errPropertiesDepth
	}
	defer func() { p.depth-- }()
	if delim == '[' {
		return p.array()
	}
	return p.object()
}

// array reads what follows an opening bracket.
func (p *propertyReader) array() (string, error) {
	var items []string
	for p.decoder.More() {
		item, err := p.value()
		if err != nil {
			return "", err
		}
		items = append(items, item)
	}
	if _, err := p.decoder.Token(); err != nil {
		return "", errPropertiesForm
	}
	return "[" + strings.Join(items, ",") + "]", nil
}

// member is a key, as JSON, with its value.
type member struct{ key, value string }

// object reads what follows an opening brace.
func (p *propertyReader) object() (string, error) {
	var members []member
	for p.decoder.More() {
		m, err := p.member()
		if err != nil {
			return "", err
		}
		members = append(members, m)
	}
	if _, err := p.decoder.Token(); err != nil {
		return "", errPropertiesForm
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	texts := make([]string, len(members))
	for i, m := range members {
		if i > 0 && members[i-1].key == m.key {
			return "", errPropertiesTwice
		}
		texts[i] = m.key + ":" + m.value
	}
	return "{" + strings.Join(texts, ",") + "}", nil
}

func (p *propertyReader) member() (member, error) {
	if p.keys++; p.keys > MaxPropertyKeys {
		return member{}, errPropertiesKeys
	}
	token, err := p.decoder.Token()
	if err != nil {
		return member{}, errPropertiesForm
	}
	key, err := encode(token)
	if err != nil {
		return member{}, err
	}
	value, err := p.value()
	return member{key, value}, err
}

// QuotedKey returns a key as a JSON string, as the canonical form of properties has it.
func QuotedKey(key string) string {
	quoted, err := encode(key)
	if err != nil { // can't happen: a string can be encoded
		return `""`
	}
	return quoted
}

// encode writes a string, a number, a boolean or null, without escaping characters of HTML.
func encode(scalar json.Token) (string, error) {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(scalar); err != nil {
		return "", errPropertiesForm
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}
