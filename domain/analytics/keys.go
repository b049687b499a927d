package analytics

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/id"
)

// Limits of what is told of properties.
const (
	MaxKeysTold      = 1000 // the most frequent ones
	MaxExamples      = 3    // of a key
	maxExampleLength = 200  // bytes of JSON; longer values are no examples
	maxKeys          = 100_000
)

// errTooManyKeys says what to narrow.
var errTooManyKeys = ErrTooExpensive.Saying(fmt.Sprintf("The events have more than %d keys of properties. Narrow the window.", maxKeys))

// PropertyKey is a key that properties of events have.
type PropertyKey struct {
	Key      string
	Events   int64
	Types    []string // the JSON types of its values: array, boolean, null, number, object or string, in this order
	Examples []string // values as JSON, in order
}

// PropertyKeys are the keys seen in a window, the most frequent first.
type PropertyKeys struct {
	TenantID id.Tenant
	Window   Window
	Keys     []PropertyKey
	Reading  Reading
}

// PropertyKeysQuestion is the Question of PropertyKeys.
type PropertyKeysQuestion struct {
	window Window
	span   span
	keys   map[string]*keySeen
}

// keySeen is what was seen of a key.
type keySeen struct {
	events   int64
	types    map[string]bool
	examples []string
}

// NewPropertyKeysQuestion returns the question for the keys in a window.
func NewPropertyKeysQuestion(w Window) *PropertyKeysQuestion {
	return &PropertyKeysQuestion{window: w, span: w.span(), keys: map[string]*keySeen{}}
}

// Window returns the window of the question.
func (q *PropertyKeysQuestion) Window() Window { return q.window }

// Identifiers returns nobody; see Question.
func (q *PropertyKeysQuestion) Identifiers() []string { return nil }

// Needs returns what is needed of a piece; see Question.
func (q *PropertyKeysQuestion) Needs(h *Header) Needs {
	if h != nil && q.span.misses(h) {
		return Needs{}
	}
	return Needs{Columns: KeysColumn}
}

// AddHeader adds a piece without events in the window.
func (q *PropertyKeysQuestion) AddHeader(*Header) {}

// Evaluate evaluates events; see Question.
func (q *PropertyKeysQuestion) Evaluate(b *Batch) (add func() error) {
	b = b.Between(q.span.from, q.span.to)
	seen := map[string]*keySeen{}
	for key, column := range b.ByKey {
		for code, n := range occurrences(column) {
			see(seen, key, column.Dictionary[code], n)
		}
	}
	for code, n := range occurrences(b.Properties) {
		var members map[string]json.RawMessage
		if json.Unmarshal([]byte(b.Properties.Dictionary[code]), &members) == nil {
			for key, value := range members {
				see(seen, key, string(value), n)
			}
		}
	}
	return func() error { return q.add(seen) }
}

// occurrences returns how many events have each text of a column, by its code.
func occurrences(s Strings) map[int]int64 {
	counts := make([]int64, max(1, len(s.Dictionary)))
	for _, code := range s.Codes {
		counts[code]++
	}
	found := map[int]int64{}
	for code, n := range counts {
		if code > 0 && n > 0 {
			found[code] = n
		}
	}
	return found
}

// see adds that so many events have a value.
func see(seen map[string]*keySeen, key, value string, events int64) {
	k := seen[key]
	if k == nil {
		k = &keySeen{types: map[string]bool{}}
		seen[key] = k
	}
	k.events += events
	k.types[jsonType(value)] = true
	k.addExamples(value)
}

// addExamples keeps the first values in order, so that the answer does not depend on how the events come.
func (k *keySeen) addExamples(values ...string) {
	for _, v := range values {
		i, there := slices.BinarySearch(k.examples, v)
		if !there && i < MaxExamples && len(v) <= maxExampleLength {
			k.examples = slices.Insert(k.examples, i, v)
			k.examples = k.examples[:min(len(k.examples), MaxExamples)]
		}
	}
}

func jsonType(value string) string {
	switch value[0] {
	case '[':
		return "array"
	case '{':
		return "object"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	default:
		return "number"
	}
}

func (q *PropertyKeysQuestion) add(seen map[string]*keySeen) error {
	for key, s := range seen {
		k := q.keys[key]
		if k == nil {
			q.keys[key] = s
			continue
		}
		k.events += s.events
		maps.Copy(k.types, s.types)
		k.addExamples(s.examples...)
	}
	if len(q.keys) > maxKeys {
		return errTooManyKeys
	}
	return nil
}

// Result returns the answer for the pieces that were added, as one of a tenant.
func (q *PropertyKeysQuestion) Result(tenant id.Tenant) PropertyKeys {
	list := make([]PropertyKey, 0, len(q.keys))
	for key, k := range q.keys {
		list = append(list, PropertyKey{key, k.events, slices.Sorted(maps.Keys(k.types)), k.examples})
	}
	slices.SortFunc(list, func(a, b PropertyKey) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.Key, b.Key))
	})
	return PropertyKeys{TenantID: tenant, Window: q.window, Keys: slices.Clip(list[:min(len(list), MaxKeysTold)])}
}
