// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// DialContext returns a dial function for an http.Transport. It refuses hosts that the policy does not allow, and
// looks at every resolved address just before the connection is made, so that a name cannot be pointed elsewhere
// between the check and the call. dialer may set timeouts and a resolver; nil is a plain net.Dialer.
func (p *Policy) DialContext(dialer *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	base := net.Dialer{}
	if dialer != nil {
		base = *dialer
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := splitHostPort(address)
		if err != nil {
			return nil, clouderr.New(clouderr.Invalid, "dialling %q: %v", address, err)
		}
		allowed, best := p.match(host, port)
		if !allowed {
			return nil, clouderr.New(clouderr.Invalid,
				"host %q is not allowed; the operator's flag %s names the hosts that may be called", host, flagName)
		}
		checked := base
		checked.Control = nil
		checked.ControlContext = func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
			return checkResolved(host, resolved, best)
		}
		return checked.DialContext(ctx, network, joinHostPort(host, port))
	}
}

// checkResolved judges the address that host resolved to, by how the host came to be allowed.
func checkResolved(host, resolved string, by standing) error {
	target, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return clouderr.New(clouderr.Invalid, "host %q resolved to %q, which is not an address", host, resolved)
	}
	address := target.Addr().WithZone("")
	if reason := neverAllowed(address); reason != "" {
		return clouderr.New(clouderr.Invalid, "host %q resolved to %s, which is %s and never called", host, address, reason)
	}
	opened := by == byName || by == byCloud && !embedded(address).IsLoopback()
	if reason := privateNetwork(address); reason != "" && !opened {
		return clouderr.New(clouderr.Invalid,
			"host %q resolved to %s, which is %s; the operator's flag %s must name this very host, without a wildcard",
			host, address, reason, flagName)
	}
	return nil
}

// network is a range with the words for it.
type network struct {
	prefix netip.Prefix
	what   string
}

func networks(what string, prefixes ...string) []network {
	out := make([]network, 0, len(prefixes))
	for _, prefix := range prefixes {
		out = append(out, network{netip.MustParsePrefix(prefix), what})
	}
	return out
}

// never lists what is never called, named or not. The metadata addresses are those of the large clouds; most hide
// among the link-local ones.
var never = slices.Concat(
	networks("a metadata address", "169.254.169.254/32", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32",
		"fd00:ec2::254/128", "fd20:ce::254/128"),
	networks("a link-local address", "169.254.0.0/16", "fe80::/10"),
	networks("an unspecified address", "0.0.0.0/8", "::/128"),
	networks("a multicast address", "224.0.0.0/4", "ff00::/8"),
	networks("a broadcast address", "255.255.255.255/32"),
)

// vendorInternal is where the vendor's private DNS, inside its own network, points its service names. It lies in the
// shared range, and the default patterns must reach it from a cluster that runs in the cloud.
var vendorInternal = netip.MustParsePrefix("100.125.0.0/16")

// private lists what only a host that was named exactly may resolve to.
var private = slices.Concat(
	networks("a loopback address", "127.0.0.0/8", "::1/128"),
	networks("in a private network", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"),
	networks("a reserved address", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "192.0.2.0/24", "198.51.100.0/24",
		"203.0.113.0/24", "2001:db8::/32", "100::/64", "2001::/32"),
)

// neverAllowed names why an address is never called, or "".
func neverAllowed(address netip.Addr) string {
	return find(never, embedded(address))
}

// privateNetwork names why an address needs its host to be named, or "".
func privateNetwork(address netip.Addr) string {
	address = embedded(address)
	if vendorInternal.Contains(address) {
		return ""
	}
	return find(private, address)
}

func find(list []network, address netip.Addr) string {
	for _, candidate := range list {
		if candidate.prefix.Contains(address) {
			return candidate.what
		}
	}
	return ""
}

// embedded returns the IPv4 address inside an IPv6 one that a gateway or the kernel would take out: mapped,
// compatible, NAT64 and 6to4. Every other address is returned as it is, without its zone.
func embedded(address netip.Addr) netip.Addr {
	address = address.WithZone("").Unmap()
	if address.Is4() {
		return address
	}
	bytes := address.As16()
	at := -1
	switch {
	case nat64.Contains(address), compatible.Contains(address) && address.Compare(loopback6) > 0:
		at = 12
	case sixToFour.Contains(address):
		at = 2
	}
	if at < 0 {
		return address
	}
	return netip.AddrFrom4([4]byte(bytes[at : at+4]))
}

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	compatible = netip.MustParsePrefix("::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	loopback6  = netip.IPv6Loopback()
)
