package send

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// TestWithName: the name comes where it belongs, and nothing else changes.
func TestWithName(t *testing.T) {
	for _, c := range []struct{ event, want string }{
		{`{}`, `{"event_id":"k"}`},
		{` { "a": 1 }`, ` {"event_id":"k", "a": 1 }`},
		{`{"a":{"event_id":"x"}}`, `{"event_id":"k","a":{"event_id":"x"}}`},
		{`{"a":1,"event_id": null ,"b":2}`, `{"a":1,"event_id": "k" ,"b":2}`},
		{`{"event_id":null}`, `{"event_id":"k"}`},
		{`{"\u0065vent_id":null}`, `{"\u0065vent_id":"k"}`},
		{`{"event_id":"own","a":1}`, ""},
		{`{"event_id":7}`, ""}, // for the service to refuse
		{`[]`, ""}, {`null`, ""}, {`{"a":1`, ""}, {`{"a"}`, ""}, {`{"a":1,"a":2}`, ""}, {`{} {}`, ""}, {"{\"a\":\"\xff\"}", ""},
	} {
		m, valid := object([]byte(c.event))
		got := ""
		if valid && !m.named {
			got = string(withName([]byte(c.event), m, "k"))
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.event, got, c.want)
		}
	}
}

// TestTable: how a line of a CSV file becomes an event, or why it does not.
func TestTable(t *testing.T) {
	const header = "event_type,value,properties.a.b,properties.c"
	for _, c := range []struct{ header, line, want, wrong string }{
		{header, "click,1.5,x,y", `{"event_type":"click","value":1.5,"properties":{"a.b":"x","c":"y"}}`, ""},
		{header, "click,,,", `{"event_type":"click"}`, ""},
		{header, ",,,", `{}`, ""},
		{header, `"a ""b"", c",-1e3,,`, `{"event_type":"a \"b\", c","value":-1e3}`, ""},
		{header, "click,much,,", `{"event_type":"click","value":"much"}`, ""},
		{header, "click, 1,,007", `{"event_type":"click","value":" 1","properties":{"c":"007"}}`, ""},
		{header, "click,01,,", `{"event_type":"click","value":"01"}`, ""},
		{header, "click,1", "", "has 2 cells, and the header has 4 columns"},
		{header, `"click,1,,`, "", "is no CSV"},
		{header, `cl"ick,1,,`, "", "is no CSV"},
		{header, "cl\xe9,1,,", "", "is not UTF-8 in the column event_type"},
		{`"event_type","source"`, "a,b", `{"event_type":"a","source":"b"}`, ""},
		{"id,event_type", "0190a5e4-7b1c-8a11-b2c3-d4e5f6a7b8c9,a", `{"event_id":"0190a5e4-7b1c-8a11-b2c3-d4e5f6a7b8c9","event_type":"a"}`, ""},
		{"event_type,properties", `a,"{""b"":[1,null]}"`, `{"event_type":"a","properties":{"b":[1,null]}}`, ""},
		{"event_type,properties", `a,7`, `{"event_type":"a","properties":"7"}`, ""},
		{"event_type,value", `'=a,-1`, `{"event_type":"=a","value":-1}`, ""},
		{"event_type,source", `''=a,'`, `{"event_type":"'=a","source":""}`, ""},
		{"event_type,source", `'a,''`, `{"event_type":"'a","source":"'"}`, ""},
		{"id,event_id", "", "", "twice"},
		{"properties,properties.a", "", "", "the column properties and also"},
		{"event_type;value", "", "", `the column "event_type;value", which must be one of`},
		{"event_type,", "", "", `the column ""`},
		{"event_type,properties.", "", "", `the column "properties."`},
		{"event_type,event_type", "", "", "twice"},
		{`"event_type`, "", "", "the header is no CSV"},
	} {
		table, err := newTable([]byte(c.header))
		var got []byte
		if err == nil {
			_, _ = table.event([]byte(`a,"b`)) // which leaves no trace
			got, err = table.event([]byte(c.line))
		}
		if string(got) != c.want || (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s, %s: %s, %v", c.header, c.line, got, err)
		}
	}
}

// FuzzTable: an event that a line is converted to is a JSON object on one line with the texts of the cells; a line that is not
// does not change what the next becomes.
func FuzzTable(f *testing.F) {
	for _, line := range []string{"click,1.5,x", `"a ""b""",,`, `"`, "\xff,1,", "a,1e400,\u2028", "a,-,b", "\r,\t,\x00"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.ContainsRune(text, '\n') {
			return
		}
		table, err := newTable([]byte("event_type,value,properties.p"))
		if err != nil {
			t.Fatal(err)
		}
		event, err := table.event(text)
		if err == nil {
			var e struct {
				Type       string         `json:"event_type"`
				Value      any            `json:"value"`
				Properties map[string]any `json:"properties"`
			}
			decoder := json.NewDecoder(bytes.NewReader(event))
			decoder.UseNumber()
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&e); err != nil || bytes.ContainsRune(event, '\n') {
				t.Fatalf("%q became %q: %v", text, event, err)
			}
			cells, err := table.record(text)
			if err != nil {
				t.Fatal(err)
			}
			value, _ := e.Value.(string)
			if number, is := e.Value.(json.Number); is {
				value = number.String()
			}
			property, _ := e.Properties["p"].(string)
			cells = []string{unguarded(cells[0]), unguarded(cells[1]), unguarded(cells[2])}
			if got := []string{e.Type, value, property}; !reflect.DeepEqual(got, cells) {
				t.Errorf("%q became %q", cells, got)
			}
		}
		if next, err := table.event([]byte("a,1,b")); err != nil || string(next) != `{"event_type":"a","value":1,"properties":{"p":"b"}}` {
			t.Errorf("after %q: %s, %v", text, next, err)
		}
	})
}

// TestSource: how lines are read.
func TestSource(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, c := range []struct {
		name, input     string
		events, refused []int64 // their lines
	}{
		{"nothing", "", nil, nil},
		{"no line end", "{}", []int64{1}, nil},
		{"blank lines", "\n \n{}\r\n\n\t{}\n\n", []int64{3, 5}, nil},
		{"a byte order mark", "\ufeff{}", []int64{1}, nil},
		{"no JSON, for the service to refuse", "{\n{}", []int64{1, 2}, nil},
		{"the longest", long + "\r\n{}", []int64{1, 2}, nil},
		{"too long", long + "x\n{}\n" + long + long, []int64{2}, []int64{1, 3}},
	} {
		s := newSource(strings.NewReader(c.input), NDJSON)
		p, err := s.piece()
		if !errors.Is(err, io.EOF) && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var events, refused []int64
		for _, l := range p.lines {
			events = append(events, l.number)
		}
		for _, r := range p.refused {
			refused = append(refused, r.Line)
		}
		if !reflect.DeepEqual(events, c.events) || !reflect.DeepEqual(refused, c.refused) || s.read != int64(len(c.input)) {
			t.Errorf("%s: %v and %v, of %d bytes", c.name, events, refused, s.read)
		}
	}
}

// TestSourceFails: what was read before an error is sent.
func TestSourceFails(t *testing.T) {
	out := make(chan piece, 2)
	newSource(io.MultiReader(strings.NewReader("{}\n{"), brokenReader{}), NDJSON).pieces(t.Context(), out)
	if p := <-out; len(p.lines) != 1 || !errors.Is(p.err, errBroken) {
		t.Errorf("%d lines, %v", len(p.lines), p.err)
	}
}

var errBroken = errors.New("broken")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func TestCheckURL(t *testing.T) {
	for _, c := range []struct {
		url            string
		anyHTTP, valid bool
	}{
		{"http://localhost:8000", false, true}, {"http://127.0.0.1:8000/", false, true}, {"http://[::1]", false, true},
		{"https://analytics.example.com/base", false, true}, {"http://analytics.example.com", true, true},
		{"http://analytics.example.com", false, false}, {"http://localhost.example.com", false, false}, {"http://10.0.0.1", false, false},
		{"ftp://localhost", true, false}, {"localhost:8000", true, false}, {"https://", false, false}, {"", false, false},
		{"https://ann:secret@example.com", false, false}, {"https://example.com?x=1", false, false}, {"https://example.com#x", false, false},
	} {
		err := CheckURL(c.url, c.anyHTTP)
		if (err == nil) != c.valid || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", c.url, err)
		}
	}
}
