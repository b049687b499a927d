package block_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/muhammad-ali-dev0/secure-data-api/adapters/sqlstore/block"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/analytics"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
)

// row is one event of a batch, without codes.
type row struct {
	Time                              int64
	User                              uint32
	Type, Source, Session, Properties *string
	Value                             *float64
}

func batchOf(rows []row) *analytics.Batch {
	var (
		b                                    analytics.Batch
		types, sources, sessions, properties analytics.StringsBuilder
	)
	for _, r := range rows {
		b.Times = append(b.Times, r.Time)
		b.Users = append(b.Users, r.User)
		types.AddOptional(r.Type)
		sources.AddOptional(r.Source)
		sessions.AddOptional(r.Session)
		properties.AddOptional(r.Properties)
		value := math.NaN()
		if r.Value != nil {
			value = *r.Value
		}
		b.Values = append(b.Values, value)
	}
	b.Types, b.Sources, b.Sessions, b.Properties = types.Strings(), sources.Strings(), sessions.Strings(), properties.Strings()
	return &b
}

func rowsOf(b *analytics.Batch) []row {
	rows := make([]row, b.Len())
	for i := range rows {
		r := row{Time: b.Times[i]}
		for _, c := range []struct {
			to   **string
			from analytics.Strings
		}{{&r.Type, b.Types}, {&r.Source, b.Sources}, {&r.Session, b.Sessions}, {&r.Properties, b.Properties}} {
			if len(c.from.Codes) == 0 {
				continue
			}
			if text, ok := c.from.At(i); ok {
				*c.to = &text
			}
		}
		if len(b.Users) > 0 {
			r.User = b.Users[i]
		}
		if len(b.Values) > 0 && !math.IsNaN(b.Values[i]) {
			r.Value = &b.Values[i]
		}
		rows[i] = r
	}
	return rows
}

// only returns the rows with these columns.
func only(rows []row, columns analytics.Columns) []row {
	rows = slices.Clone(rows)
	for i := range rows {
		r := &rows[i]
		for column, clear := range map[analytics.Columns]func(){
			analytics.TypeColumn:       func() { r.Type = nil },
			analytics.SourceColumn:     func() { r.Source = nil },
			analytics.SessionColumn:    func() { r.Session = nil },
			analytics.PropertiesColumn: func() { r.Properties = nil },
			analytics.UserColumn:       func() { r.User = 0 },
			analytics.ValueColumn:      func() { r.Value = nil },
		} {
			if columns&column == 0 {
				clear()
			}
		}
	}
	return rows
}

// read reads columns of a file, given only the parts that the reader asks for.
func read(f block.File, columns analytics.Columns) (*analytics.Batch, error) {
	r, err := block.Open(f.Footer())
	if err != nil {
		return nil, err
	}
	parts := map[int][]byte{}
	needs := analytics.Needs{Columns: columns}
	for _, n := range r.Parts(needs) {
		parts[n] = f.Parts[n]
	}
	return r.Read(needs, parts)
}

func optional[T any](g *rapid.Generator[T]) *rapid.Generator[*T] { return rapid.Ptr(g, true) }

// properties generates properties in canonical form.
func properties(t *rapid.T) string {
	key := rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "A", "a.b", "a b", "a\"b", "a\\", "ü", "plan", "price", "\u2028", "\x00", "properties", "<&>"}),
		rapid.String(),
	)
	scalar := rapid.SampledFrom([]string{"1", "1.0", "-1e400", "0.1", "true", "false", "null", `""`, `"x"`, `{}`, `[]`, `{"b":1,"a":[2,{}]}`})
	object := map[string]json.RawMessage{}
	for _, k := range rapid.SliceOfN(key, 0, 6).Draw(t, "keys") {
		object[k] = json.RawMessage(scalar.Draw(t, "value"))
	}
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	text, err := event.ParseProperties(raw)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func rows(t *rapid.T) []row {
	text := optional(rapid.OneOf(rapid.SampledFrom([]string{"", "view", "buy"}), rapid.String()))
	generate := rapid.Custom(func(t *rapid.T) row {
		return row{
			Time:    rapid.Int64Range(-1<<50, 1<<52).Draw(t, "time"),
			User:    rapid.Uint32().Draw(t, "user"),
			Type:    text.Draw(t, "type"),
			Source:  text.Draw(t, "source"),
			Session: text.Draw(t, "session"),
			Value:   optional(rapid.Float64()).Draw(t, "number"),
			Properties: optional(rapid.OneOf(
				rapid.Custom(properties), rapid.SampledFrom([]string{"", "{", `{"b":1,"a":2}`, `{ }`, `{"a": 1}`, "[]"}),
			)).Draw(t, "properties"),
		}
	})
	all := rapid.SliceOfN(generate, 1, 60).Draw(t, "rows")
	slices.SortStableFunc(all, func(a, b row) int { return cmp.Compare(a.Time, b.Time) })
	return all
}

func TestAFileHasWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rows(t)
		f, err := block.Encode(batchOf(rows))
		if err != nil {
			t.Fatal(err)
		}
		columns := analytics.Columns(rapid.IntRange(0, int(analytics.AllColumns)).Draw(t, "columns"))
		for _, columns := range []analytics.Columns{columns, analytics.AllColumns} {
			b, err := read(f, columns)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := rowsOf(b), only(rows, columns); !reflect.DeepEqual(got, want) {
				g, _ := json.Marshal(got)
				w, _ := json.Marshal(want)
				t.Fatalf("columns %b: got\n%s, want\n%s", columns, g, w)
			}
		}
	})
}

func TestColumnsOfManyPages(t *testing.T) {
	want := day(60_000, 1000, someProperties)
	f, err := block.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(f, analytics.AllColumns)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(rowsOf(got), rowsOf(want)) {
		t.Error("the events are others")
	}
}

func TestAReaderIsShared(t *testing.T) {
	want := day(1000, 100, someProperties)
	f, err := block.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	r, err := block.Open(f.Footer())
	if err != nil {
		t.Fatal(err)
	}
	parts := map[int][]byte{}
	for n, part := range f.Parts {
		parts[n] = part
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if got, err := r.Read(analytics.Needs{Columns: analytics.AllColumns}, parts); err != nil || !reflect.DeepEqual(rowsOf(got), rowsOf(want)) {
					t.Errorf("other events, or an error: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func TestThePartsAreAParquetFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rows(t)
		f, err := block.Encode(batchOf(rows))
		if err != nil {
			t.Fatal(err)
		}
		whole := bytes.Join(f.Parts, nil)
		if len(whole) != f.Size() {
			t.Fatalf("Size() = %d of a file of %d bytes", f.Size(), len(whole))
		}
		file, err := parquet.OpenFile(bytes.NewReader(whole), int64(len(whole)))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(file.RowGroups()[0].ColumnChunks()); n != len(f.Parts)-1 {
			t.Fatalf("%d columns in %d parts", n, len(f.Parts))
		}
		got, err := parquet.Read[struct {
			Time    int64    `parquet:"time,timestamp(microsecond)"`
			User    uint32   `parquet:"user"`
			Type    *string  `parquet:"event_type,optional"`
			Session *string  `parquet:"session_id,optional"`
			Value   *float64 `parquet:"value,optional"`
		}](bytes.NewReader(whole), int64(len(whole)))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(rows) {
			t.Fatalf("%d rows, want %d", len(got), len(rows))
		}
		for i, r := range rows {
			g := got[i]
			if g.Time != r.Time || g.User != r.User || !reflect.DeepEqual(g.Type, r.Type) ||
				!reflect.DeepEqual(g.Session, r.Session) || !reflect.DeepEqual(g.Value, r.Value) {
				t.Fatalf("row %d is %+v, want %+v", i, g, r)
			}
		}
	})
}

func TestAHeaderIsWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		header := analytics.NewHeader(batchOf(rows(t)))
		data, err := block.EncodeHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := block.DecodeHeader(data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(decoded, header) {
			t.Fatalf("got %+v, want %+v", decoded, header)
		}
	})
}
