package user

import (
	_ "embed"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
)

// Limits of a password, in characters (NIST SP 800-63B-4 3.1.1.2, ASVS 6.2.1 and 6.2.9).
const (
	MinPasswordLength = 8
	MaxPasswordLength = 128
)

// product are words that an attacker who knows the service tries first, besides the user's own data.
var product = []string{"secure-data-api", "securedataapi", "securedata", "dataapi"}

// The list holds the 17,950 most common passwords of 8 or more characters found in public breaches, in lower case.
// It is @zxcvbn-ts/language-common 4.1.3, passwords.json (MIT licence, Dan Wheeler, Dropbox and zxcvbn-ts).
//
//go:embed common_passwords.txt
var commonPasswords string

// PasswordPolicy decides which passwords may be chosen: any composition, but no common password, and none derived from the
// user's own data (ASVS 6.2.4, 6.2.5, 6.2.11).
type PasswordPolicy struct {
	minLength int
	common    map[string]struct{}
}

// NewPasswordPolicy returns a policy with the given minimum length in characters.
// It fails if the length is out of range.
func NewPasswordPolicy(minLength int) (*PasswordPolicy, error) {
	if minLength < MinPasswordLength || minLength > MaxPasswordLength {
		return nil, fmt.Errorf("must be %d to %d characters", MinPasswordLength, MaxPasswordLength)
	}
	common := make(map[string]struct{}, strings.Count(commonPasswords, "\n"))
	for word := range strings.Lines(commonPasswords) {
		common[strings.TrimSuffix(word, "\n")] = struct{}{}
	}
	return &PasswordPolicy{minLength: minLength, common: common}, nil
}

// Check validates a password; known is the user's own data: e-mail, name, tenant. Problems are added to c under field.
func (p *PasswordPolicy) Check(c *fault.Check, field, password string, known ...string) {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password):
		c.Add(field, "must be valid UTF-8")
	case n < p.minLength:
		c.Add(field, fmt.Sprintf("must have at least %d characters", p.minLength))
	case n > MaxPasswordLength:
		c.Add(field, fmt.Sprintf("must have at most %d characters", MaxPasswordLength))
	case p.isCommon(password):
		c.Add(field, "is one of the most common passwords, which attackers try first")
	case isMadeOf(password, known):
		c.Add(field, "must not be made of your e-mail, your name, the tenant or the name of this service")
	}
}

func (p *PasswordPolicy) isCommon(password string) bool {
	_, found := p.common[strings.ToLower(password)]
	return found
}

// isMadeOf reports whether the password consists mainly of known words: at most three letters remain once those words are
// removed.
func isMadeOf(password string, known []string) bool {
	rest := strings.ToLower(password)
	for _, word := range contextWords(known) {
		rest = strings.ReplaceAll(rest, word, " ")
	}
	if rest == strings.ToLower(password) {
		return false
	}
	letters := 0
	for _, r := range rest {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	return letters <= 3
}

// contextWords returns the known texts and their parts, longest first, without words of fewer than three characters.
func contextWords(known []string) []string {
	const shortest = 3
	var whole, parts []string
	for _, text := range known {
		text = strings.ToLower(text)
		whole = append(whole, text)
		parts = append(parts, strings.FieldsFunc(text, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r)
		})...)
	}
	words := make([]string, 0, len(whole)+len(product)+len(parts))
	for _, list := range [][]string{whole, product, parts} {
		for _, word := range list {
			if utf8.RuneCountInString(word) >= shortest {
				words = append(words, word)
			}
		}
	}
	return words
}
