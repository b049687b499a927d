package rest

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// TestClientAddress: the client is the nearest hop that is not trusted, in every format that proxies use (ASVS 4.1.3).
func TestClientAddress(t *testing.T) {
	networks := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::/10"),
	}
	for _, c := range []struct {
		name      string
		trusted   []netip.Prefix
		peer      string
		forwarded []string
		want      string
	}{
		{"no trusted proxies", nil, "10.0.0.1:1234", []string{"203.0.113.9"}, "10.0.0.1"},
		{"peer is not trusted", networks, "192.0.2.1:1234", []string{"203.0.113.9"}, "192.0.2.1"},
		{"no header", networks, "10.0.0.1:1234", nil, "10.0.0.1"},
		{"an empty header", networks, "10.0.0.1:1234", []string{""}, "10.0.0.1"},
		{"an address", networks, "10.0.0.1:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		{"an address and a port", networks, "10.0.0.1:1234", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"IPv6", networks, "10.0.0.1:1234", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", networks, "10.0.0.1:1234", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 and a port", networks, "10.0.0.1:1234", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"IPv4 within IPv6", networks, "[::ffff:10.0.0.1]:1234", []string{"::ffff:203.0.113.9, ::ffff:10.0.0.2"}, "203.0.113.9"},
		{"a zone is not kept", networks, "[fe80::1%eth0]:1234", []string{"2001:db8::1%x y"}, "2001:db8::1"},
		{"a hop that the client forged", networks, "10.0.0.1:1234", []string{"198.51.100.7, 203.0.113.9"}, "203.0.113.9"},
		{"several proxies", networks, "10.0.0.1:1234", []string{"203.0.113.9:4711, fd00::7,10.0.0.2:80"}, "203.0.113.9"},
		{"several headers", networks, "10.0.0.1:1234", []string{"198.51.100.7", "203.0.113.9, 10.0.0.3", "10.0.0.2"}, "203.0.113.9"},
		{"all hops are trusted", networks, "10.0.0.1:1234", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"invalid hop before a proxy", networks, "10.0.0.1:1234", []string{"203.0.113.9, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"invalid hop before the client", networks, "10.0.0.1:1234", []string{"invalid, 203.0.113.9"}, "203.0.113.9"},
		{"invalid port", networks, "10.0.0.1:1234", []string{"203.0.113.9:99999"}, "10.0.0.1"},
		{"a peer without an address", networks, "@", []string{"203.0.113.9"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.RemoteAddr = c.peer
			r.Header["X-Forwarded-For"] = c.forwarded
			if got := clientAddress(c.trusted)(r); got != c.want {
				t.Errorf("the client is %q, want %q", got, c.want)
			}
		})
	}
}
