package event_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/event"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// object returns an object with so many keys.
func object(keys int) string {
	var members []string
	for i := range keys {
		members = append(members, fmt.Sprintf(`"k%02d":%d`, i, i))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestParseProperties(t *testing.T) {
	for _, c := range []struct {
		name, in, want, message string // one of want and message
	}{
		{"empty", `{}`, `{}`, ""},
		{"sorted, without spaces", ` { "b" : [ 1 , true, null ], "a" : { "d" : "x", "c" : -0.50 } } `, `{"a":{"c":-0.50,"d":"x"},"b":[1,true,null]}`, ""},
		{"escapes", `{"\u0061":"\u00e9<&>\u0000\/"}`, `{"a":"é<&>\u0000/"}`, ""},
		{"large number", `{"a":1e400}`, `{"a":1e400}`, ""},
		{"64 keys", object(64), object(64), ""},
		{"65 keys", object(65), "", "at most 64 keys"},
		{"65 keys in all", `{"a":` + object(64) + `}`, "", "at most 64 keys"},
		{"5 levels", `{"a":[{"b":[{}]}]}`, `{"a":[{"b":[{}]}]}`, ""},
		{"6 levels", `{"a":[{"b":[{"c":[]}]}]}`, "", "5 levels"},
		{"deep", strings.Repeat(`{"a":`, 3000), "", "5 levels"},
		{"8 KiB", `{"a":"` + strings.Repeat("x", 8<<10-8) + `"}`, `{"a":"` + strings.Repeat("x", 8<<10-8) + `"}`, ""},
		{"more", `{"a":"` + strings.Repeat("x", 8<<10-7) + `"}`, "", "8192 bytes"},
		{"much more", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, "", "8192 bytes"},
		{"a key twice", `{"a":1,"\u0061":2}`, "", "key twice"},
		{"array", `[]`, "", "must be a JSON object"},
		{"text", `"a"`, "", "must be a JSON object"},
		{"nothing", ``, "", "must be a JSON object"},
		{"unfinished", `{"a":1`, "", "must be a JSON object"},
		{"two", `{} {}`, "", "must be a JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := event.ParseProperties([]byte(c.in))
			if got != c.want || (err == nil) != (c.message == "") {
				t.Fatalf("%q, %v", got, err)
			}
			if err != nil && (fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.message)) {
				t.Errorf("%v, want %q", err, c.message)
			}
		})
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add(`{"a":{"b":[1,"x",null]}}`)
	f.Add(`{"a":1,"a":2}`)
	f.Fuzz(func(t *testing.T, in string) {
		got, err := event.ParseProperties([]byte(in))
		if err != nil {
			return
		}
		if again, err := event.ParseProperties([]byte(got)); err != nil || again != got || !json.Valid([]byte(got)) || len(got) > event.MaxPropertiesSize {
			t.Errorf("%q became %q, and then %q, %v", in, got, again, err)
		}
	})
}
