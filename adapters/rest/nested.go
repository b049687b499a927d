package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// objectIn reads the object that a field of a body is into v, as strictly as a body. Faults name its fields with that of the body.
func objectIn(c *fault.Check, name string, raw json.RawMessage, v any) {
	if len(raw) > 0 {
		c.Take(within(name, decode(bytes.NewReader(raw), v)))
	}
}

// objectsIn reads a list of at most so many objects; none if it is not given.
func objectsIn[T any](c *fault.Check, name string, raw *json.RawMessage, most int) []T {
	var list []T
	each(c, name, raw, most, "a list of objects", func(i int, item jsontext.Value) {
		var v T
		objectIn(c, fmt.Sprintf("%s[%d]", name, i), json.RawMessage(item), &v)
		list = append(list, v)
	})
	return list
}

// textsIn reads a list of at most so many texts, or a single one if that is allowed; nil if it is not given.
func textsIn(c *fault.Check, name string, raw *json.RawMessage, most int, single bool) []string {
	if raw != nil && single && jsontext.Value(*raw).Kind() == '"' {
		return []string{textOf(jsontext.Value(*raw))}
	}
	var list []string
	if raw != nil {
		list = []string{}
	}
	each(c, name, raw, most, "a list of strings", func(i int, item jsontext.Value) {
		if item.Kind() != '"' {
			c.Add(fmt.Sprintf("%s[%d]", name, i), "must be a string")
			return
		}
		list = append(list, textOf(item))
	})
	return list
}

func textOf(quoted jsontext.Value) string {
	text, _ := jsontext.AppendUnquote(nil, quoted) // it was read before
	return string(text)
}

// each calls do with the items of a list, or adds what it should be.
func each(c *fault.Check, name string, raw *json.RawMessage, most int, what string, do func(i int, item jsontext.Value)) {
	if raw == nil {
		return
	}
	d := jsontext.NewDecoder(bytes.NewReader(*raw), jsontext.AllowDuplicateNames(true))
	if err := enter(d, '[', fault.ErrInvalid.OnField(name, "must be "+what)); err != nil {
		c.Take(err)
		return
	}
	for i := 0; d.PeekKind() != ']'; i++ {
		item, err := d.ReadValue()
		if err != nil { // can't happen: it was read before
			c.Take(readError(err))
			return
		}
		if i == most {
			c.Add(name, fmt.Sprintf("must have at most %d items", most))
			return
		}
		do(i, item)
	}
}

// within returns a fault about an object as one about a field of a body.
func within(name string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || len(f.Fields) == 0 {
		return err
	}
	inside := *f
	inside.Fields = nil
	for _, field := range f.Fields {
		if field.Name != "body" {
			field.Name = name + "." + field.Name
		} else {
			field.Name = name
		}
		inside.Fields = append(inside.Fields, field)
	}
	return &inside
}
