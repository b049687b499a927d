package rest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/rest/contract"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// short is a buffer size with which few bytes are a line that is too long.
const short = 64

// readLines reads all lines with a lineReader.
func readLines(t *testing.T, from io.Reader) (items []event.Item, next int) {
	t.Helper()
	r := &lineReader{from: bufio.NewReaderSize(from, short), events: newEventReader()}
	for {
		got, err := r.read()
		items = append(items, got...)
		if errors.Is(err, io.EOF) {
			return items, r.next
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// readLinesSimply does the same from a text that is there as a whole, event by event.
func readLinesSimply(text string) (items []event.Item, next int) {
	for line := range strings.Lines(text) {
		content := strings.TrimSuffix(line, "\n")
		trimmed := strings.Trim(content, " \t\r\n")
		switch {
		case len(content) >= short:
			items = append(items, event.Item{Index: next, Fault: errEventTooLarge})
		case trimmed != "":
			var body contract.EventDraft
			item := event.Item{Index: next}
			if err := decode(strings.NewReader(trimmed), &body); err != nil {
				errors.As(err, &item.Fault)
			} else {
				item.Draft = draft(&body)
			}
			items = append(items, item)
		}
		next++
	}
	return items, next
}

// describe shows items without their pointers.
func describe(items []event.Item) string {
	var b strings.Builder
	for _, i := range items {
		d := i.Draft
		fmt.Fprintf(&b, "%d %q %q %q %q %v %q %v %q", i.Index, value(d.EventID), d.Type, d.UserIdentifier, value(d.SessionID),
			value(d.Value), value(d.Source), value(d.OccurredAt), d.Properties)
		if i.Fault != nil {
			fmt.Fprint(&b, " ", i.Fault.Code, i.Fault.Fields)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// FuzzLines: however a stream is cut into pieces, its lines are those of the text as a whole, and what is wrong with one does not
// show in the next.
func FuzzLines(f *testing.F) {
	const view = `{"event_type":"v","user_identifier":"u"}`
	for _, text := range []string{
		"", "\n", view, view + "\n", view + "\r\n\n" + view, "x\n" + view + "\n", view + view, "{}\n" + view + "\n" + strings.Repeat("x", 200) + "\n" + view,
		`{"a":1,"a":2}` + "\n" + `{"a":1}`, "\xff\n\x00\n\ufeff" + view, `{"properties":{"a":[1,{}]}}` + "\n" + view, `{"event_type":"v"`, strings.Repeat("y", short-1) + "\n" + view,
		strings.Repeat("y", short) + "\n" + view, strings.Repeat("y", 3*short), `{"value":1e400}` + "\n" + `{"value":"\ud800"}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text)-strings.LastIndexByte(text, '\n')-1 == short {
			return // the last line fits if its end is known by then
		}
		want, lines := readLinesSimply(text)
		for name, from := range map[string]io.Reader{
			"whole": strings.NewReader(text), "halves": iotest.HalfReader(strings.NewReader(text)),
			"bytes": iotest.OneByteReader(strings.NewReader(text)), "data with EOF": iotest.DataErrReader(strings.NewReader(text)),
		} {
			got, next := readLines(t, from)
			if next != lines || describe(got) != describe(want) {
				t.Fatalf("%q read by %s: %d lines\n%swant %d\n%s", text, name, next, describe(got), lines, describe(want))
			}
		}
		for _, item := range want {
			if item.Fault == nil && !(utf8.ValidString(item.Draft.Type) && utf8.ValidString(item.Draft.UserIdentifier)) {
				t.Errorf("%q was accepted", text)
			}
		}
	})
}

// TestLines_failure: what was read before a failure is not lost, and half a line is no event.
func TestLines_failure(t *testing.T) {
	broken := errors.New("the connection is broken")
	const view = `{"event_type":"v","user_identifier":"u"}` + "\n"
	from := io.MultiReader(strings.NewReader(view+"\n"+view+view[:len(view)-1]), iotest.ErrReader(broken))
	r := &lineReader{from: bufio.NewReaderSize(from, maxLine), events: newEventReader()}
	items, err := r.read()
	if err != nil || len(items) != 2 || r.next != 3 {
		t.Errorf("%d items up to line %d, %v", len(items), r.next, err)
	}
	if items, err = r.read(); len(items) != 0 || !errors.Is(err, broken) || r.next != 3 {
		t.Errorf("%d items up to line %d, %v", len(items), r.next, err)
	}
}

// TestLines_endless: reading comes back from lines without end, and takes no more memory than its buffer.
func TestLines_endless(t *testing.T) {
	for name, pattern := range map[string]string{"one line": "x", "blank lines": "\n", "blanks": " ", "deep": "["} {
		from := &endless{pattern: pattern}
		r := &lineReader{from: bufio.NewReaderSize(from, maxLine), events: newEventReader()}
		r.events.read(0, nil)
		var read int
		allocations := testing.AllocsPerRun(1, func() {
			from.n, read = 0, 0
			for range 10 {
				items, err := r.read()
				if err != nil {
					t.Fatal(err)
				}
				read += len(items)
			}
		})
		if from.n > 11*maxEvent || read > 1 || allocations > 100 {
			t.Errorf("%s: %d bytes were read, %d items, %.0f allocations", name, from.n, read, allocations)
		}
	}
}

// endless is a text without end.
type endless struct {
	pattern string
	n       int
}

func (e *endless) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat([]byte(e.pattern), len(p)))
	e.n += len(p)
	return len(p), nil
}

// TestDocument: what is wrong with a batch as a whole, and what only with one of its events.
func TestDocument(t *testing.T) {
	const view = `{"event_type":"v","user_identifier":"u"}`
	many := func(n int) string { return `{"events":[` + strings.TrimSuffix(strings.Repeat(view+",", n), ",") + `]}` }
	for _, c := range []struct {
		name, body   string
		items, wrong int
		code, field  string // of the fault of the whole
	}{
		{"none", `{"events":[]}`, 0, 0, "", ""},
		{"one", many(1), 1, 0, "", ""},
		{"spaces", " {\n\"events\" : [ " + view + " ] } \n", 1, 0, "", ""},
		{"the most", many(1000), 1000, 0, "", ""},
		{"more", many(1001), 0, 0, "invalid_request", "events"},
		{"bad ones", `{"events":[null,7,"x",[],{},` + view + `]}`, 6, 5, "", ""},
		{"unknown field of one", `{"events":[{"event_type":"v","user_identifier":"u","x":[1,{"y":2}]},` + view + `]}`, 2, 1, "", ""},
		{"a field twice in one", `{"events":[{"event_type":"v","user_identifier":"u","event_type":"w"},` + view + `]}`, 2, 1, "", ""},
		{"too large one", `{"events":[{"event_type":"` + strings.Repeat("x", maxEvent) + `"},` + view + `]}`, 2, 1, "", ""},
		{"nothing", ``, 0, 0, "malformed_json", "body"},
		{"null", `null`, 0, 0, "invalid_request", "body"},
		{"an array", `[` + view + `]`, 0, 0, "invalid_request", "body"},
		{"an event", view, 0, 0, "invalid_request", "event_type"},
		{"no events", `{}`, 0, 0, "invalid_request", "events"},
		{"null for events", `{"events":null}`, 0, 0, "invalid_request", "events"},
		{"an object for events", `{"events":{}}`, 0, 0, "invalid_request", "events"},
		{"events twice", `{"events":[],"events":[]}`, 0, 0, "malformed_json", "events"},
		{"unknown field", `{"events":[],"atomic":true}`, 0, 0, "invalid_request", "atomic"},
		{"capitals", `{"Events":[]}`, 0, 0, "invalid_request", "Events"},
		{"cut off", `{"events":[` + view, 0, 0, "malformed_json", "body"},
		{"cut off after the events", `{"events":[` + view + `]`, 0, 0, "malformed_json", "body"},
		{"two documents", many(1) + many(1), 0, 0, "malformed_json", "body"},
		{"lines", view + "\n" + view, 0, 0, "invalid_request", "event_type"},
		{"no comma", `{"events":[` + view + view + `]}`, 0, 0, "malformed_json", "body"},
		{"comma at the end", `{"events":[` + view + `,]}`, 0, 0, "malformed_json", "body"},
		{"invalid UTF-8", `{"events":[{"event_type":"` + "\xff" + `"}]}`, 0, 0, "malformed_json", "body"},
		{"NUL", `{"events":[{"event_type":"` + "\x00" + `"}]}`, 0, 0, "malformed_json", "body"},
		{"deep", `{"events":` + strings.Repeat("[", 1<<20), 0, 0, "malformed_json", "body"},
		{"deep name", strings.Repeat(`{"events":`, 1<<18), 0, 0, "malformed_json", "body"},
		{"too large", `{"events":[` + strings.Repeat(" ", MaxBatchBody) + `]}`, 0, 0, "body_too_large", ""},
		{"too large string", `{"events":["` + strings.Repeat("x", MaxBatchBody) + `"]}`, 0, 0, "body_too_large", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			items, err := readDocumentOf(strings.NewReader(c.body))
			var f *fault.Error
			if errors.As(err, &f); err != nil && f == nil || (err == nil) != (c.code == "") || len(items) != c.items {
				t.Fatalf("%d items, %v", len(items), err)
			}
			if f != nil && (f.Code != c.code || c.field != "" && f.Fields[0].Name != c.field) {
				t.Errorf("%v", err)
			}
			wrong := 0
			for i, item := range items {
				if item.Index != i {
					t.Errorf("the item %d has the index %d", i, item.Index)
				}
				if item.Fault != nil {
					wrong++
				}
			}
			if wrong != c.wrong {
				t.Errorf("%d are wrong: %s", wrong, describe(items))
			}
		})
	}
}

// FuzzDocument: a batch is read as items with a draft or a fault, or refused with a client error.
func FuzzDocument(f *testing.F) {
	for _, s := range []string{
		`{"events":[{"event_type":"v","user_identifier":"u"}]}`, `{"events":[null]}`, `{"events":[],"events":[]}`, `[`, ``, `{"events":[{"a":"\ud800"}]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		items, err := readDocumentOf(strings.NewReader(body))
		if kind := fault.KindOf(err); err != nil && kind != fault.Invalid && kind != fault.Malformed {
			t.Errorf("%q: %v", body, err)
		}
		for i, item := range items {
			if item.Index != i || item.Fault == nil && (item.Draft.Type == "" || item.Draft.UserIdentifier == "") {
				t.Errorf("%q: %+v", body, item)
			}
		}
	})
}

// FuzzDecompress: whatever the body, what comes out is bounded by what was sent, and a failure is a client error.
func FuzzDecompress(f *testing.F) {
	f.Add("gzip", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"))
	f.Add("zstd", []byte("\x28\xb5\x2f\xfd\x04\x00\x09\x00\x00x"))
	f.Add("zstd", []byte("\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"))
	f.Add("", []byte("x"))
	f.Fuzz(func(t *testing.T, encoding string, body []byte) {
		if encoding != "gzip" && encoding != "zstd" {
			encoding = ""
		}
		var n int64
		err := decompress(encoding, bytes.NewReader(body), func(plain io.Reader) (err error) {
			n, err = io.Copy(io.Discard, plain)
			return err
		})
		if n > freeExpansion+maxRatio*int64(len(body)) {
			t.Errorf("%d bytes became %d", len(body), n)
		}
		if err != nil && fault.KindOf(err) != fault.Malformed {
			t.Errorf("%v", err)
		}
	})
}
