package rest

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// FuzzDecode: the texts of an accepted body are valid UTF-8, and a body that is refused is a client error.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"event_type":"view","user_identifier":"u","value":1.5}`, `{}`, `[]`, `null`, ``, `{"event_type":"a","event_type":"b"}`,
		`{"value":1e400}`, "{\"event_type\":\"\xff\"}", `{"event_type":"\u0000"}`, strings.Repeat("[", 20_000), `{"a":{"b":[1,2,{"c":null}]}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var draft contract.EventDraft
		err := decode(strings.NewReader(body), &draft)
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.Malformed {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		if !utf8.ValidString(draft.EventType) || !utf8.ValidString(draft.UserIdentifier) {
			t.Errorf("%q was read as %+v", body, draft)
		}
	})
}

// TestDecode: objects and integers are those of JSON (RFC 8259 3, 6).
func TestDecode(t *testing.T) {
	for _, c := range []struct {
		body  string
		limit int
		field string // the invalid one
	}{
		{`{}`, 0, ""},
		{` {"limit":7}`, 7, ""},
		{`{"limit":1.0}`, 1, ""},
		{`{"limit":1e2}`, 100, ""},
		{`{"limit":1.5E+1}`, 15, ""},
		{`{"limit":100e-2}`, 1, ""},
		{`{"limit":-0.0}`, 0, ""},
		{`{"limit":9007199254740992}`, 1 << 53, ""},
		{`{"limit":1.5}`, 0, "limit"},
		{`{"limit":1e300}`, 0, "limit"},
		{`{"limit":1e400}`, 0, "limit"},
		{`{"limit":9007199254740994}`, 0, "limit"},
		{`{"limit":-1e19}`, 0, "limit"},
		{`{"limit":"1"}`, 0, "limit"},
		{`{"limit":true}`, 0, "limit"},
		{`null`, 0, "body"},
		{" null\n", 0, "body"},
		{`null{}`, 0, "body"},
		{`true`, 0, "body"},
		{`[null]`, 0, "body"},
		{`nul`, 0, "body"},
	} {
		var q contract.QueryRequest
		err := decode(strings.NewReader(c.body), &q)
		var f *fault.Error
		switch {
		case c.field == "" && (err != nil || value(q.Limit) != c.limit):
			t.Errorf("%s: limit %d, %v, want %d", c.body, value(q.Limit), err, c.limit)
		case c.field != "" && (!errors.As(err, &f) || len(f.Fields) != 1 || f.Fields[0].Name != c.field):
			t.Errorf("%s: %v, want an error of %s", c.body, err, c.field)
		}
	}
	for body, want := range map[string]string{`null`: "must be an object", `{"limit":1.5}`: "must be a whole number", `{"limit":1e400}`: "must be a whole number"} {
		err := decode(strings.NewReader(body), &contract.QueryRequest{})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

// TestDecode_cost: what a client makes up costs little to refuse, however much of it a body holds.
func TestDecode_cost(t *testing.T) {
	var names strings.Builder
	for i := range 50_000 {
		names.WriteString(`,"` + strconv.Itoa(i) + `":1`)
	}
	for name, body := range map[string]string{
		"unknown fields":            `{"z":1` + names.String() + `}`,
		"names in an unknown one":   `{"z":{"y":1` + names.String() + `}}`,
		"names in a known one":      `{"event_type":{"y":1` + names.String() + `}}`,
		"items of a list":           `{"event_type":[0` + strings.Repeat(",0", 100_000) + `]}`,
		"objects within each other": `{"event_type":` + strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000) + `}`,
	} {
		var err error
		allocations := testing.AllocsPerRun(3, func() {
			err = decode(strings.NewReader(body), &contract.EventDraft{})
		})
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || len(f.Fields) > maxUnknown {
			t.Errorf("%s: %v", name, err)
		}
		if most := 4.0 * maxUnknown; allocations > most {
			t.Errorf("%s: %.0f allocations, want at most %.0f", name, allocations, most)
		}
	}
}

// FuzzDecodeInt compares integers with what strconv reads.
func FuzzDecodeInt(f *testing.F) {
	for _, s := range []string{"1", "1.0", "1e2", "1.5", "-0", "1e400", "1e-400", "12345678901234567890", "0.1e1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, number string) {
		var q contract.QueryRequest
		if err := decode(strings.NewReader(`{"limit":`+number+`}`), &q); err != nil || q.Limit == nil {
			return
		}
		same, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || same != float64(*q.Limit) {
			t.Errorf("%q was read as %d", number, *q.Limit)
		}
	})
}
