package text_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/text"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"plain", "Alice", true},
		{"other scripts", "张伟", true},
		{"counts characters, not bytes", strings.Repeat("é", 10), true},
		{"too long", strings.Repeat("é", 11), false},
		{"too short", "A", false},
		{"blank", "   ", false},
		{"empty", "", false},
		{"NUL", "a\x00b", false},
		{"newline", "a\nb", false},
		{"escape", "a\x1b[2Jb", false},
		{"not UTF-8", "a\xffb", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var check fault.Check
			text.Check(&check, "name", c.in, 2, 10)
			if err := check.Err(); (err == nil) != c.ok {
				t.Errorf("%q: %v", c.in, err)
			}
		})
	}
}

func TestLowerASCII(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "ACME-2": "acme-2", "@[`{": "@[`{", "\u212a": "\u212a", "İÉſ": "İÉſ", "A\xffB": "a\xffb",
	} {
		if got := text.LowerASCII(in); got != want {
			t.Errorf("%q in lower case is %q, want %q", in, got, want)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"plain", "Seán O’Casey-Ó Briain Jr.", true},
		{"accents of their own", "Zoe\u0308 Nguye\u0302\u0303n", true},
		{"Arabic", "عبد الرحمٰن", true},
		{"Hebrew with points", "שָׂרָה", true},
		{"Persian with ZWNJ", "علی\u200cرضا", true},
		{"Persian, ZWNJ after a vowel sign", "مَه\u200cدی", true},
		{"Kurdish, ZWNJ at the end", "ژاڵه\u200c", true},
		{"Sinhala with ZWJ", "ශ්\u200dරී ලාල්", true},
		{"Malayalam with an old chillu at the end", "അനില്\u200d", true},
		{"Hindi with ZWJ", "शर्\u200dमा", true},
		{"Bengali with ZWNJ", "উদ্\u200cযাপন", true},
		{"Mongolian with a vowel separator", "ᠰᠠᠷ\u180eᠠ", true},
		{"Mongolian with a variation selector", "ᠭ\u180bᠠᠨ", true},
		{"Japanese with a variant from the database", "葛\U000e0100城 太郎", true},
		{"Japanese with a variant of the standard", "神\ufe00田", true},
		{"Japanese with a wide space", "山田\u3000太郎", true},
		{"Chinese from a later plane", "𠮷野家", true},

		{"control character", "Al\x07ice", false},
		{"ZWNJ alone", "\u200c\u200c", false},
		{"ZWSP alone", "\u200b\u200b", false},
		{"ZWJ at the start", "\u200dعلی", false},
		{"ZWNJ twice", "علی\u200c\u200cرضا", false},
		{"ZWNJ and ZWJ", "علی\u200c\u200dرضا", false},
		{"ZWJ in a script that does not join", "Al\u200dice", false},
		{"ZWNJ after an accent of another script", "Ale\u0301\u200cx", false},
		{"ZWJ after a space", "علی \u200dرضا", false},
		{"ZWJ after a digit", "علی ٣\u200d", false},
		{"ZWSP", "Al\u200bice", false},
		{"word joiner", "Al\u2060ice", false},
		{"byte order mark", "\ufeffAlice", false},
		{"soft hyphen", "Al\u00adice", false},
		{"grapheme joiner", "Al\u034fice", false},
		{"Hangul fillers", "\u3164\u3164", false},
		{"halfwidth Hangul fillers", "\uffa0\uffa0", false},
		{"Khmer vowels without a sign", "\u17b4\u17b5", false},
		{"blank Braille", "\u2800\u2800", false},
		{"empty note heads", "\U0001d159\U0001d159", false},
		{"right-to-left override", "\u202eecilA", false},
		{"right-to-left embedding", "Al\u202bice", false},
		{"isolate", "\u2067Alice\u2069", false},
		{"right-to-left mark", "Alice\u200f", false},
		{"Arabic letter mark", "Alice\u061c", false},
		{"line separator", "Alice\u2028Admin", false},
		{"paragraph separator", "Alice\u2029Admin", false},
		{"private use", "Alice\ue000", false},
		{"private use of a later plane", "Alice\U00100000", false},
		{"tags", "Alice\U000e0041\U000e007f", false},
		{"reserved and ignored", "Alice\U000e0fff", false},
		{"variation selector in Latin", "Alice\ufe0f", false},
		{"variation selector twice", "葛\U000e0100\U000e0101", false},
		{"variation selector at the start", "\ufe00葛", false},
		{"Mongolian vowel separator in Latin", "Al\u180eice", false},
		{"not assigned", "\u0378\u0378", false},
		{"no character", "Al\uffffice", false},
		{"no character of a later plane", "\U000c0000\U000c0000", false},
		{"annotation", "\ufff9Alice\ufffb", false},
		{"too short", "张", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var check fault.Check
			text.CheckName(&check, "name", c.in, 2, 30)
			if err := check.Err(); (err == nil) != c.ok {
				t.Errorf("%q: %v", c.in, err)
			}
		})
	}
}

// FuzzCheckName holds each name that is taken against what no name may do: what is taken can be seen, and its invisible
// characters stand alone and after a letter or mark.
func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"Alice", "علی\u200cرضا", "അനില്\u200d", "葛\U000e0100城", "ᠰᠠᠷ\u180eᠠ", "\u202eecilA", "\u200b\u200b", "a\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var check fault.Check
		text.CheckName(&check, "name", s, 2, 150)
		if check.Err() != nil {
			return
		}
		seen := func(r rune) bool {
			return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
		}
		if !strings.ContainsFunc(s, seen) {
			t.Errorf("nothing of %q can be seen", s)
		}
		previous := ' '
		for _, r := range s {
			hidden := unicode.In(r, unicode.Cf, unicode.Variation_Selector)
			if hidden && !unicode.In(previous, unicode.Letter, unicode.Mark) || hidden && unicode.In(previous, unicode.Cf, unicode.Variation_Selector) {
				t.Errorf("%q holds %U after %U", s, r, previous)
			}
			if unicode.In(r, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs, unicode.Cc, unicode.Bidi_Control) {
				t.Errorf("%q holds %U", s, r)
			}
			previous = r
		}
	})
}
