package session

import (
	"net/netip"
	"unicode"
	"unicode/utf8"
)

// MaxDeviceLength is the longest device name that is stored, in characters; longer ones are cut.
const MaxDeviceLength = 255

// Prefix lengths of the networks within which addresses are treated as those of one client, in bits.
const (
	nearbyIPv4 = 24
	nearbyIPv6 = 64
)

// Client identifies the program that presents a token.
type Client struct {
	Device  string // its User-Agent; see CleanDevice
	Address string
}

// SameClient reports whether two clients may be the same: the same device in the same network (IPv4 /24, IPv6 /64).
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

// AddressKey returns the part of a client's address that limits and remembered addresses use: for IPv6 the /64, since a client
// usually controls all 2^64 addresses of it.
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

// network returns the network of an address: for IPv4 with the given prefix length, for IPv6 the /64.
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

// CleanDevice returns a User-Agent in the form that is stored: cut to MaxDeviceLength, without invalid or control characters.
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
