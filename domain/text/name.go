package text

import (
	"unicode"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

const (
	zeroWidthNonJoiner      = '\u200c'
	zeroWidthJoiner         = '\u200d'
	mongolianVowelSeparator = '\u180e'
	blankBraille            = '\u2800'
	emptyNoteHead           = '\U0001d159'
)

// CheckName validates a display name: as Check does, and it rejects invisible and bidirectional control characters, with
// which two different names could look alike. Problems are added to c under field.
func CheckName(c *fault.Check, field, s string, shortest, longest int) {
	why := problem(s, shortest, longest)
	if why == "" && !isVisible(s) {
		why = "must not contain invisible characters or characters that change the text direction"
	}
	if why != "" {
		c.Add(field, why)
	}
}

// isVisible reports whether s contains invisible characters only where a script needs them.
func isVisible(s string) bool {
	var before rune // the letter or mark that an invisible character would follow; 0 if there is none
	for _, r := range s {
		switch {
		case isInvisible(r):
			if !mayFollow(before, r) {
				return false
			}
			before = 0 // never two in a row
		case !unicode.Is(unicode.Inherited, r): // vowel signs inherit the script of their letter
			before = r
		}
	}
	return true
}

// isInvisible reports whether r has no visible glyph, or no defined one.
func isInvisible(r rune) bool {
	return r == blankBraille || r == emptyNoteHead || !unicode.IsGraphic(r) || unicode.In(r,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// mayFollow reports whether an invisible character may follow a letter or mark. Joining scripts need the joiners
// (UAX #31 2.3), not only between letters: Malayalam and Kurdish names may end with one. Han and Mongolian use variation
// selectors.
func mayFollow(before, hidden rune) bool {
	if !unicode.In(before, unicode.Letter, unicode.Mark) {
		return false
	}
	switch {
	case hidden == zeroWidthNonJoiner, hidden == zeroWidthJoiner:
		return unicode.In(before,
			unicode.Arabic, unicode.Syriac, unicode.Mandaic, unicode.Nko, unicode.Adlam, unicode.Hanifi_Rohingya,
			unicode.Mongolian, unicode.Phags_Pa,
			unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil,
			unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Meetei_Mayek, unicode.Chakma,
			unicode.Tibetan, unicode.Myanmar, unicode.Khmer, unicode.Tai_Tham, unicode.Balinese, unicode.Javanese, unicode.Sundanese)
	case hidden == mongolianVowelSeparator:
		return unicode.Is(unicode.Mongolian, before)
	case unicode.Is(unicode.Variation_Selector, hidden):
		return unicode.In(before, unicode.Han, unicode.Mongolian)
	}
	return false
}
