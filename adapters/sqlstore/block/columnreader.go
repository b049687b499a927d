package block

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
)

// columnReader reads a column by its pages.
type columnReader struct {
	stored
	part   []byte
	events int
}

// ReadAt reads the column from the file, of which no other column is here.
func (c *columnReader) ReadAt(p []byte, offset int64) (int, error) {
	offset -= c.start
	if offset < 0 || offset >= int64(len(c.part)) {
		return 0, io.EOF
	}
	n := copy(p, c.part[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// pages calls do for each page, with which of its events have a value (nil: all), and checks that there are as many
// events as there should be.
func (c *columnReader) pages(do func(p parquet.Page, levels []byte) error) error {
	pages := c.chunk.PagesFrom(c)
	defer pages.Close()
	events := 0
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		events += int(page.NumValues())
		err = do(page, page.DefinitionLevels())
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
	if events != c.events {
		return fmt.Errorf("%w: a column has %d values for %d events", errCorrupt, events, c.events)
	}
	return nil
}

// times reads a column of integers.
func (c *columnReader) times() ([]int64, error) {
	times := make([]int64, 0, c.events)
	err := c.pages(func(p parquet.Page, _ []byte) error {
		data := p.Data()
		times = append(times, data.Int64()...)
		return nil
	})
	return times, err
}

// users reads a column of numbers.
func (c *columnReader) users() ([]uint32, error) {
	users := make([]uint32, 0, c.events)
	err := c.pages(func(p parquet.Page, _ []byte) error {
		data := p.Data()
		users = append(users, data.Uint32()...)
		return nil
	})
	return users, err
}

// doubles reads an optional column of numbers. NaN is none.
func (c *columnReader) doubles() ([]float64, error) {
	doubles := make([]float64, 0, c.events)
	none := math.Float64bits(math.NaN())
	err := c.pages(func(p parquet.Page, levels []byte) error {
		data := p.Data()
		values, err := ofLevels(data.Double(), levels)
		if err != nil {
			return err
		}
		next := 0
		for _, level := range levels {
			bits := math.Float64bits(values[next])
			if level == 0 {
				bits = none
			}
			doubles = append(doubles, math.Float64frombits(bits))
			next += int(level)
		}
		return nil
	})
	return doubles, err
}

// ofLevels checks that a page has as many values as it should have, by the levels of its events: 1 for those with a value, 0 for
// the others. It returns the values with one more, so that a loop over the events can load the next value without asking whether
// there is one: which events have a value is often random, and a branch that can't be predicted takes longer than all else.
func ofLevels[T any](values []T, levels []byte) ([]T, error) {
	present := bytes.Count(levels, []byte{1})
	if present > len(values) || present+bytes.Count(levels, []byte{0}) != len(levels) {
		return nil, fmt.Errorf("%w: a page has %d of %d values", errCorrupt, len(values), present)
	}
	return append(values[:present:present], *new(T)), nil
}

// strings reads an optional column of texts, with or without a dictionary.
func (c *columnReader) strings() (analytics.Strings, error) {
	s := analytics.Strings{Codes: make([]uint32, 0, c.events)}
	var b analytics.StringsBuilder
	err := c.pages(func(p parquet.Page, levels []byte) error {
		if p.Dictionary() == nil {
			return addTexts(&b, p, levels)
		}
		if s.Dictionary == nil {
			s.Dictionary = dictionary(p.Dictionary())
		}
		return addCodes(&s, p, levels)
	})
	if s.Dictionary == nil {
		s = b.Strings()
	}
	if err == nil && len(s.Codes) != c.events {
		return s, fmt.Errorf("%w: some of the pages have a dictionary", errCorrupt)
	}
	return s, err
}

// addTexts adds the texts of a page without a dictionary.
func addTexts(b *analytics.StringsBuilder, p parquet.Page, levels []byte) error {
	data := p.Data()
	raw, offsets := data.ByteArray()
	texts := string(raw) // one allocation for all
	for _, level := range levels {
		if level == 0 {
			b.AddOptional(nil)
			continue
		}
		if len(offsets) < 2 || offsets[0] > offsets[1] || int64(offsets[1]) > int64(len(texts)) {
			return errCorrupt
		}
		b.Add(texts[offsets[0]:offsets[1]])
		offsets = offsets[1:]
	}
	return nil
}

// addCodes adds the codes of a page with a dictionary, which begins with 0 in the file and with 1 in s.
func addCodes(s *analytics.Strings, p parquet.Page, levels []byte) error {
	data := p.Data()
	indexes := data.Uint32()
	if len(indexes) > 0 && int64(slices.Max(indexes)) >= int64(len(s.Dictionary)-1) {
		return fmt.Errorf("%w: a code that the dictionary does not have", errCorrupt)
	}
	indexes, err := ofLevels(indexes, levels)
	if err != nil {
		return err
	}
	next := 0
	for _, level := range levels {
		s.Codes = append(s.Codes, (indexes[next]+1)*uint32(level))
		next += int(level)
	}
	return nil
}

// dictionary returns the texts of a dictionary in the form of analytics.Strings.
func dictionary(d parquet.Dictionary) []string {
	data := d.Page().Data()
	raw, offsets := data.ByteArray()
	all := string(raw)
	texts := make([]string, 1, d.Len()+1)
	for i := range d.Len() {
		texts = append(texts, all[offsets[i]:offsets[i+1]])
	}
	return texts
}
