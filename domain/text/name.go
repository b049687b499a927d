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

// CheckName notes under the field's name what is wrong with a name that people read: all that Check notes, and
// characters that are invisible or turn the text around, since two names must not look alike by them.
func CheckName(c *fault.Check, field, s string, shortest, longest int) {
	why := problem(s, shortest, longest)
	if why == "" && !isVisible(s) {
		why = "must not hold characters that are invisible or turn the text around"
	}
	if why != "" {
		c.Add(field, why)
	}
}

// isVisible reports whether s holds hidden characters only where a script needs them to be written.
func isVisible(s string) bool {
	var before rune // the letter or the mark that a hidden character would belong to; 0 where there is none
	for _, r := range s {
		switch {
		case isInvisible(r):
			if !mayFollow(before, r) {
				return false
			}
			before = 0 // never two in a row
		case !unicode.Is(unicode.Inherited, r): // vowel signs have the script of their letter
			before = r
		}
	}
	return true
}

// isInvisible reports whether r is drawn as nothing, or as nobody knows what.
func isInvisible(r rune) bool {
	return r == blankBraille || r == emptyNoteHead || !unicode.IsGraphic(r) || unicode.In(r,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// mayFollow reports whether a hidden character may follow a letter or a mark. Scripts whose letters join need the joiners
// (UAX #31 2.3), and not between letters alone: Malayalam and Kurdish names end with one. Han and Mongolian choose
// among the forms of a letter.
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
