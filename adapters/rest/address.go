package rest

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// clientAddress returns a function that finds a client's address: the connection's, or, where that is a trusted proxy, the
// nearest hop in X-Forwarded-For that is not trusted. A hop that can't be parsed ends the search, since the hops before it
// may be forged (ASVS 4.1.3).
func clientAddress(trusted []netip.Prefix) echo.IPExtractor {
	return func(r *http.Request) string {
		client, err := parseHop(r.RemoteAddr)
		if err != nil {
			return ""
		}
		isTrusted := func(p netip.Prefix) bool { return p.Contains(client) }
		hops := strings.Split(strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ","), ",")
		for _, hop := range slices.Backward(hops) {
			if !slices.ContainsFunc(trusted, isTrusted) {
				break
			}
			next, err := parseHop(hop)
			if err != nil {
				break
			}
			client = next
		}
		return client.String()
	}
}

// parseHop parses an address with or without a port, which some proxies add. It drops the IPv6 zone, which has a meaning only
// on its own machine and may hold any text.
func parseHop(s string) (netip.Addr, error) {
	s = strings.TrimSpace(s)
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, err
		}
		a = withPort.Addr()
	}
	return a.WithZone("").Unmap(), nil
}
