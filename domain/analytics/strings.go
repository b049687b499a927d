package analytics

import "slices"

// Strings is a column of texts, many of which are equal: each event has the code of a text in the dictionary, which has every text once.
// Code 0 is no text at all, whatever the dictionary has there.
type Strings struct {
	Dictionary []string
	Codes      []uint32
}

// At returns the text of the i-th event, and whether it has one.
func (s Strings) At(i int) (text string, ok bool) {
	if s.Codes[i] == 0 {
		return "", false
	}
	return s.Dictionary[s.Codes[i]], true
}

func (s Strings) size() int { return 4*len(s.Codes) + sizeOf(s.Dictionary) }

// sizeOf returns how many bytes of memory the texts take.
func sizeOf(texts []string) int {
	const header = 16
	size := header * len(texts)
	for _, t := range texts {
		size += len(t)
	}
	return size
}

// codeOf returns the code of a text in a dictionary, or 0 if it is not there.
func codeOf(dictionary []string, text string) uint32 {
	if len(dictionary) == 0 {
		return 0
	}
	return uint32(slices.Index(dictionary[1:], text) + 1)
}

// StringsBuilder builds a column of texts. The zero value is ready to use.
type StringsBuilder struct {
	codes  map[string]uint32
	column Strings
}

// Add adds the text of the next event.
func (b *StringsBuilder) Add(text string) { b.column.Codes = append(b.column.Codes, b.code(text)) }

// AddBytes adds the text of the next event, which is copied only if it is new.
func (b *StringsBuilder) AddBytes(text []byte) {
	code, ok := b.codes[string(text)]
	if !ok {
		code = b.code(string(text))
	}
	b.column.Codes = append(b.column.Codes, code)
}

// AddOptional adds the text of the next event, or that it has none if text is nil.
func (b *StringsBuilder) AddOptional(text *string) {
	if text == nil {
		b.column.Codes = append(b.column.Codes, 0)
		return
	}
	b.Add(*text)
}

// Strings returns the column. The builder must not be used any more.
func (b *StringsBuilder) Strings() Strings { return b.column }

// code returns the code of a text, which is in the dictionary from then on.
func (b *StringsBuilder) code(text string) uint32 {
	code, ok := b.codes[text]
	if ok {
		return code
	}
	if b.codes == nil {
		b.codes = map[string]uint32{}
		b.column.Dictionary = []string{""} // code 0
	}
	code = uint32(len(b.column.Dictionary))
	b.codes[text] = code
	b.column.Dictionary = append(b.column.Dictionary, text)
	return code
}

// translate returns a column's codes as those of the same texts in the dictionary of b.
func (b *StringsBuilder) translate(s Strings) []uint32 {
	var (
		to    = make([]uint32, len(s.Dictionary)) // by code; 0: not met yet
		codes = make([]uint32, len(s.Codes))
	)
	for i, code := range s.Codes {
		if code == 0 {
			continue
		}
		if to[code] == 0 {
			to[code] = b.code(s.Dictionary[code])
		}
		codes[i] = to[code]
	}
	return codes
}
