package session

import (
	"net/netip"
	"unicode"
	"unicode/utf8"
)

// MaxDeviceLength is how much is kept of what a client says it is, in characters.
const MaxDeviceLength = 255

// Sizes of the networks within which addresses are taken for one client's, in bits.
const (
	nearbyIPv4 = 24
	nearbyIPv6 = 64
)

// Client is what is known of the program that presents a token.
type Client struct {
	Device  string // as it calls itself; see CleanDevice
	Address string
}

// SameClient reports whether two clients may be one: the same device in the same network (/24 of IPv4, /64 of IPv6).
func (c Client) SameClient(other Client) bool {
	if c.Device != other.Device {
		return false
	}
	if c.Address == other.Address {
		return true
	}
	one, known := network(c.Address, nearbyIPv4)
	two, alsoKnown := network(other.Address, nearbyIPv4)
	return known && alsoKnown && one == two
}

// AddressKey returns the part of a client's address that is counted and remembered: of IPv6 the /64, since whoever has
// one address there has 2^64 of them.
func AddressKey(address string) string {
	n, known := network(address, 32)
	switch {
	case !known:
		return address
	case n.IsSingleIP():
		return n.Addr().String()
	default:
		return n.String()
	}
}

// network returns the network of an address: of IPv4 with so many bits, of IPv6 the /64.
func network(address string, ipv4Bits int) (netip.Prefix, bool) {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}, false
	}
	a = a.Unmap().WithZone("")
	bits := nearbyIPv6
	if a.Is4() {
		bits = ipv4Bits
	}
	return netip.PrefixFrom(a, bits).Masked(), true
}

// CleanDevice returns what is kept of a client's name for itself: short, valid and printable.
func CleanDevice(s string) string {
	kept := make([]rune, 0, min(len(s), MaxDeviceLength))
	for _, r := range s {
		if len(kept) == MaxDeviceLength {
			break
		}
		if r != utf8.RuneError && !unicode.IsControl(r) {
			kept = append(kept, r)
		}
	}
	return string(kept)
}
