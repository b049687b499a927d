package user

import (
	"strings"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/fault"
	"github.com/muhammad-ali-dev0/secure-data-api/domain/text"
)

// MaxEmailLength is the longest e-mail address that can be delivered to (RFC 5321 4.5.3.1, errata 1690), in bytes.
const MaxEmailLength = 254

const maxLocalLength = 64 // RFC 5321 4.5.3.1.1

// Email is an e-mail address in lower case: addresses are unique across the service, case-insensitively.
// The zero Email means none.
type Email struct {
	address string
}

// ParseEmail parses an address of the form local@domain.tld: an ASCII dot-atom (RFC 5322 3.2.3) before the @, a host name after
// it. Surrounding ASCII white space is trimmed; only A to Z are converted to lower case. A fault names the field email.
func ParseEmail(s string) (Email, error) {
	s = text.LowerASCII(strings.Trim(s, " \t\n\v\f\r"))
	if s == "" {
		return Email{}, fault.ErrInvalid.OnField("email", "is required")
	}
	local, domain, found := strings.Cut(s, "@")
	ok := found && len(s) <= MaxEmailLength && len(local) <= maxLocalLength &&
		isDotAtom(local) && isHostName(domain)
	if !ok {
		return Email{}, fault.ErrInvalid.OnField("email", "must be an e-mail address, such as alice@example.com")
	}
	return Email{address: s}, nil
}

// String returns the address.
func (e Email) String() string { return e.address }

// Local returns the part before the @.
func (e Email) Local() string {
	local, _, _ := strings.Cut(e.address, "@")
	return local
}

func isDotAtom(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" {
			return false
		}
		for i := range len(atom) {
			if !isLowerAlphanumeric(atom[i]) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", rune(atom[i])) {
				return false
			}
		}
	}
	return true
}

func isHostName(s string) bool {
	labels := strings.Split(s, ".")
	if len(labels) < 2 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if !isLowerAlphanumeric(label[i]) && label[i] != '-' {
				return false
			}
		}
	}
	return true
}

func isLowerAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
}
