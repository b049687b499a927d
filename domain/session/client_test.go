package session_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/muhammad-ali-dev0/secure-data-api/domain/session"
)

func TestResembles(t *testing.T) {
	for _, c := range []struct {
		one, other string
		want       bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.254", true},
		{"192.0.2.1", "::ffff:192.0.2.254", true},
		{"192.0.2.1", "192.0.3.1", false},
		{"2001:db8::1", "2001:db8::2:3", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"192.0.2.1", "2001:db8::1", false},
		{"", "", true},
		{"", "192.0.2.1", false},
		{"unknown", "192.0.2.1", false},
	} {
		one, other := session.Client{Device: "d", Address: c.one}, session.Client{Device: "d", Address: c.other}
		if got := one.SameClient(other); got != c.want {
			t.Errorf("%q and %q: %t, want %t", c.one, c.other, got, c.want)
		}
		if other.Device = "e"; one.SameClient(other) {
			t.Errorf("%q and %q, on two devices, are taken for one", c.one, c.other)
		}
	}
}

func TestAddressKey(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::9": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "nonsense": "nonsense",
	} {
		if got := session.AddressKey(in); got != want {
			t.Errorf("%s is counted as %s, want %s", in, got, want)
		}
	}
}

func TestCleanDevice(t *testing.T) {
	for _, in := range []string{"curl/8.0", "evil\r\n{\"event\":\"fake\"}", "bad \xff\x00 bytes", strings.Repeat("é", 1000)} {
		got := session.CleanDevice(in)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > session.MaxDeviceLength || strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("CleanDevice(%q) = %q", in, got)
		}
	}
}
