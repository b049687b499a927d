package block

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// nameOf returns the name of the column that a property has, if it has one of its own.
func nameOf(key string) string {
	quoted := event.QuotedKey(key)
	return propertyPrefix + quoted[1:len(quoted)-1]
}

// keyOf returns the key of a JSON string.
func keyOf(quoted string) (key string, err error) {
	err = json.Unmarshal([]byte(quoted), &key)
	return key, err
}

// ByKey returns the values that properties, which are JSON objects in canonical form, have for keys. An object that is not in this form
// has none.
func ByKey(properties analytics.Strings, keys ...string) map[string]analytics.Strings {
	columns := make(map[string]analytics.Strings, len(keys))
	if len(keys) == 0 {
		return columns
	}
	wanted := make([]string, len(keys))
	for i, key := range keys {
		wanted[i] = event.QuotedKey(key)
	}
	s := newSplitter(properties, wanted)
	decoder := jsontext.NewDecoder(&bytes.Buffer{})
	for code := range max(1, len(properties.Dictionary)) {
		var all []member
		if code > 0 {
			all, _ = members(properties.Dictionary[code], decoder)
		}
		s.addValues(all)
	}
	for i, key := range keys {
		columns[key] = s.ofEvents(&s.builders[i])
	}
	return columns
}
