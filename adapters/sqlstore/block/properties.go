package block

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// Which properties are columns of their own: those that at least one of minShare events has, but at most maxFrequent, and not
// those with long keys, since a file's footer has all names of columns.
const (
	minShare     = 20
	maxFrequent  = 50
	maxKeyLength = 128 // bytes
)

// member is a member of a JSON object: its key as a JSON string, and its value as JSON.
type member struct{ key, value string }

// errNotCanonical is that a text is no JSON object in canonical form.
var errNotCanonical = errors.New("not a JSON object in canonical form")

// members returns the members of a JSON object in canonical form: with its keys in order, each once, and without spaces between.
func members(text string, d *jsontext.Decoder) ([]member, error) {
	d.Reset(strings.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != jsontext.KindBeginObject {
		return nil, errNotCanonical
	}
	var (
		all  []member
		size = len("{}")
	)
	for d.PeekKind() == jsontext.KindString {
		m := member{key: readValue(d, text), value: readValue(d, text)}
		if m.key == "" || m.value == "" || len(all) > 0 && all[len(all)-1].key >= m.key {
			return nil, errNotCanonical
		}
		if len(all) > 0 {
			size += len(",")
		}
		size += len(m.key) + len(":") + len(m.value)
		all = append(all, m)
	}
	if t, err := d.ReadToken(); err != nil || t.Kind() != jsontext.KindEndObject || size != len(text) {
		return nil, errNotCanonical
	}
	return all, nil
}

// readValue reads the next value of a text and returns it as it is there, or nothing if there is none.
func readValue(d *jsontext.Decoder, text string) string {
	value, err := d.ReadValue()
	if err != nil {
		return ""
	}
	end := int(d.InputOffset())
	return text[end-len(value) : end]
}

// appendObject appends the JSON object of members.
func appendObject(text []byte, members []member) []byte {
	text = append(text, '{')
	for i, m := range members {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(text, m.key...), ':'), m.value...)
	}
	return append(text, '}')
}

// split returns the properties that many events have, by the text of their keys' JSON strings, and an object of the other ones.
// A text that is not in canonical form is among the others as it is. An event that has no other properties has no object,
// except that an empty object stays one.
func split(properties analytics.Strings) (frequent map[string]analytics.Strings, rest analytics.Strings) {
	texts := max(1, len(properties.Dictionary)) // code 0 is there in any case
	all := make([][]member, texts)
	events := make([]int, texts)
	for _, code := range properties.Codes {
		events[code]++
	}
	decoder := jsontext.NewDecoder(&bytes.Buffer{})
	for code, n := range events {
		if code > 0 && n > 0 {
			all[code], _ = members(properties.Dictionary[code], decoder)
		}
	}
	s := newSplitter(properties, frequentKeys(all, events, len(properties.Codes)))
	for code := range all {
		s.add(code, all[code])
	}
	frequent = make(map[string]analytics.Strings, len(s.columns))
	for key, i := range s.columns {
		frequent[key[1:len(key)-1]] = s.ofEvents(&s.builders[i])
	}
	return frequent, s.ofEvents(&s.rest)
}

// frequentKeys returns which keys have a column of their own.
func frequentKeys(texts [][]member, events []int, total int) []string {
	counts := map[string]int{}
	for code, members := range texts {
		for _, m := range members {
			counts[m.key] += events[code]
		}
	}
	maps.DeleteFunc(counts, func(key string, n int) bool { return n*minShare < total || len(key) > maxKeyLength })
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	return keys[:min(len(keys), maxFrequent)]
}

// splitter splits each text of a dictionary into columns.
type splitter struct {
	texts    analytics.Strings
	columns  map[string]int // by key
	builders []analytics.StringsBuilder
	values   []*string // of one text, by column
	rest     analytics.StringsBuilder
}

func newSplitter(texts analytics.Strings, keys []string) *splitter {
	s := &splitter{
		texts: texts, columns: make(map[string]int, len(keys)),
		builders: make([]analytics.StringsBuilder, len(keys)), values: make([]*string, len(keys)),
	}
	for i, key := range keys {
		s.columns[key] = i
	}
	return s
}

// add adds the text with the next code.
func (s *splitter) add(code int, all []member) {
	rest := s.addValues(all)
	switch {
	case code == 0 || len(all) > 0 && len(rest) == 0:
		s.rest.AddOptional(nil)
	case len(all) == len(rest):
		s.rest.Add(s.texts.Dictionary[code])
	default:
		s.rest.AddBytes(appendObject(nil, rest))
	}
}

// addValues adds the values that have columns, and returns the other members.
func (s *splitter) addValues(all []member) (rest []member) {
	clear(s.values)
	for i, m := range all {
		if column, ok := s.columns[m.key]; ok {
			s.values[column] = &all[i].value
		} else {
			rest = append(rest, m)
		}
	}
	for i, value := range s.values {
		s.builders[i].AddOptional(value)
	}
	return rest
}

// ofEvents returns the column of all events for one with the texts of the dictionary.
func (s *splitter) ofEvents(b *analytics.StringsBuilder) analytics.Strings {
	ofTexts := b.Strings()
	codes := make([]uint32, len(s.texts.Codes))
	for i, code := range s.texts.Codes {
		if code > 0 {
			codes[i] = ofTexts.Codes[code]
		}
	}
	return analytics.Strings{Dictionary: ofTexts.Dictionary, Codes: codes}
}

// property is a column of a property.
type property struct {
	key    string // as a JSON string
	values analytics.Strings
}

// join is the reverse of split.
func join(frequent []property, rest analytics.Strings) (analytics.Strings, error) {
	slices.SortFunc(frequent, func(a, b property) int { return strings.Compare(a.key, b.key) })
	var (
		b       analytics.StringsBuilder
		text    []byte
		present []member
		decoder = jsontext.NewDecoder(&bytes.Buffer{})
		others  = make([][]member, len(rest.Dictionary)) // by code
	)
	for i, code := range rest.Codes {
		present = present[:0]
		for _, p := range frequent {
			if value, ok := p.values.At(i); ok {
				present = append(present, member{p.key, value})
			}
		}
		switch {
		case len(present) == 0 && code == 0:
			b.AddOptional(nil)
			continue
		case len(present) == 0:
			b.Add(rest.Dictionary[code])
			continue
		case code != 0 && others[code] == nil:
			var err error
			if others[code], err = members(rest.Dictionary[code], decoder); err != nil {
				return analytics.Strings{}, err
			}
		}
		if code != 0 {
			present = append(present, others[code]...)
			slices.SortFunc(present, func(a, b member) int { return strings.Compare(a.key, b.key) })
		}
		text = appendObject(text[:0], present)
		b.AddBytes(text)
	}
	return b.Strings(), nil
}
