// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package endpoint decides which hosts may be called. Endpoints are user input, and whoever may write an account must
// not be able to make the operator talk to a metadata service, to its neighbours or to a stranger, with or without
// credentials. A Policy checks the URL first, and the address that the name resolves to again when it is dialled.
package endpoint

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// flagName is the way out that refusals name.
const flagName = "--allow-endpoint-host"

// DefaultPatterns are the vendor's domains: China and international, and Europe.
func DefaultPatterns() []string { return []string{"*.myhuaweicloud.com", "*.myhuaweicloud.eu"} }

// Policy is a list of hosts that may be called. It is safe for concurrent use.
type Policy struct {
	patterns []pattern
}

// pattern is one parsed element of the list.
type pattern struct {
	host      string // canonical; for a wildcard the suffix with its leading dot
	port      string // "" for any port
	standing  standing
	plainHTTP bool
}

// standing is how a host came to be allowed, and thereby into which networks its name may lead.
type standing int

const (
	byWildcard standing = iota // nowhere private
	byCloud                    // into private networks, where the cloud's own servers are, but not to the operator's own host
	byName                     // anywhere but to what is never called
)

// NewPolicy parses patterns: "host", "host:port", "*.suffix", "http://host" or "http://host:port". Without a port any
// port matches. Plain http may be used only where a pattern says http://, which cannot be a wildcard. Addresses match
// only where they are named, and hosts in loopback and private networks are reachable only where they are named
// without a wildcard. An error names the pattern and what is wrong with it.
func NewPolicy(patterns []string) (*Policy, error) {
	policy := &Policy{}
	for _, text := range patterns {
		parsed, err := parsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("%s: pattern %q: %w", flagName, text, err)
		}
		policy.patterns = append(policy.patterns, parsed)
	}
	return policy, nil
}

func parsePattern(text string) (pattern, error) {
	parsed := pattern{standing: byName}
	rest := strings.TrimSpace(text)
	if scheme, after, found := strings.Cut(rest, "://"); found {
		switch strings.ToLower(scheme) {
		case "http":
			parsed.plainHTTP = true
		case "https":
		default:
			return pattern{}, fmt.Errorf("scheme %q is not http or https", scheme)
		}
		rest = strings.TrimSuffix(after, "/")
	}
	if suffix, found := strings.CutPrefix(rest, "*."); found {
		parsed.standing = byWildcard
		rest = suffix
	}
	if strings.ContainsAny(rest, "*/?#@ \t") || rest == "" {
		return pattern{}, fmt.Errorf("want host, host:port, *.suffix, http://host or http://host:port")
	}
	if parsed.standing == byWildcard && parsed.plainHTTP {
		return pattern{}, fmt.Errorf("plain http cannot be allowed for a wildcard: name the host")
	}
	host, port, err := splitHostPort(rest)
	if err != nil {
		return pattern{}, err
	}
	address, isAddress := asAddress(host)
	if isAddress && parsed.standing == byWildcard {
		return pattern{}, fmt.Errorf("a wildcard cannot stand before an address")
	}
	if isAddress {
		if reason := neverAllowed(address); reason != "" {
			return pattern{}, fmt.Errorf("%s is %s, which is never called", address, reason)
		}
	}
	parsed.host, parsed.port = host, port
	if parsed.standing == byWildcard {
		parsed.host = "." + host
	}
	return parsed, nil
}

// Told returns a policy that also allows the hosts of addresses that the cloud told, over https: in private networks, where
// the cloud's own servers are, but on loopback and the like only where p names them. The error is of class Invalid.
func (p *Policy) Told(addresses []string) (*Policy, error) {
	with := &Policy{patterns: slices.Clone(p.patterns)}
	for _, address := range addresses {
		parsed, err := url.Parse(address)
		if err != nil || parsed.Host == "" {
			return nil, clouderr.New(clouderr.Invalid, "the address is not a URL; want https://host:port")
		}
		told, err := parsePattern(parsed.Host)
		if err != nil || told.standing == byWildcard {
			return nil, clouderr.New(clouderr.Invalid, "address %q may not be called: %w", parsed.Host, err)
		}
		told.standing = byCloud
		with.patterns = append(with.patterns, told)
	}
	return with, nil
}

// Check says whether rawURL may be an endpoint: https (or http where the policy names the host with http://), a host
// that the policy allows, and nothing but an optional path after it. The error is of class Invalid and names what is
// wrong and the way out.
func (p *Policy) Check(rawURL string) error {
	_, err := p.Parse(rawURL)
	return err
}

// Parse checks rawURL and returns it with its host in canonical form: lower case, no trailing dot, addresses in their
// usual spelling.
func (p *Policy) Parse(rawURL string) (*url.URL, error) {
	refuse := func(format string, args ...any) (*url.URL, error) {
		return nil, clouderr.New(clouderr.Invalid, "endpoint %q: %s", redactUserinfo(rawURL), fmt.Sprintf(format, args...))
	}
	parsed, err := url.Parse(rawURL)
	if err != nil || parsed.Opaque != "" {
		return refuse("not a URL; want https://host[:port][/path]")
	}
	switch {
	case parsed.Scheme != "https" && parsed.Scheme != "http":
		return refuse("the scheme must be https")
	case parsed.User != nil:
		return refuse("must not hold a user name or password; credentials belong in the account's secret")
	case parsed.RawQuery != "" || parsed.ForceQuery:
		return refuse("must not hold a query")
	case parsed.Fragment != "" || strings.Contains(rawURL, "#"):
		return refuse("must not hold a fragment")
	case parsed.RawPath != "" || hasDotSegment(parsed.Path) || strings.ContainsAny(parsed.Path, "{}\\"):
		return refuse("the path must be plain, without dot segments or escapes")
	}
	host, port, err := splitHostPort(parsed.Host)
	if err != nil {
		return refuse("%v", err)
	}
	if address, isAddress := asAddress(host); isAddress {
		if reason := neverAllowed(address); reason != "" {
			return refuse("%s is %s, which is never called", address, reason)
		}
	}
	allowed, httpAllowed := false, false
	for _, candidate := range p.patterns {
		if candidate.matches(host, effectivePort(parsed.Scheme, port)) {
			allowed = true
			httpAllowed = httpAllowed || candidate.plainHTTP
		}
	}
	if !allowed {
		return refuse("host %q is not allowed; the operator's flag %s names the hosts that may be called", parsed.Host, flagName)
	}
	if parsed.Scheme == "http" && !httpAllowed {
		return refuse("plain http is not allowed for this host; use https, or name it as http://%s in the operator's flag %s",
			parsed.Host, flagName)
	}
	canonical := *parsed
	canonical.Host = joinHostPort(host, port)
	canonical.Path = strings.TrimRight(parsed.Path, "/")
	return &canonical, nil
}

// matches tells whether the pattern allows the canonical host and the port.
func (c pattern) matches(host, port string) bool {
	if c.port != "" && c.port != port {
		return false
	}
	if c.standing == byWildcard {
		_, isAddress := asAddress(host)
		return !isAddress && strings.HasSuffix(host, c.host)
	}
	return host == c.host
}

// match says whether a canonical host and port may be dialled, and the best standing that a pattern gives it.
func (p *Policy) match(host, port string) (allowed bool, best standing) {
	for _, candidate := range p.patterns {
		if candidate.matches(host, port) {
			allowed, best = true, max(best, candidate.standing)
		}
	}
	return allowed, best
}

// splitHostPort takes an authority apart and brings the host into canonical form.
func splitHostPort(authority string) (host, port string, err error) {
	host = authority
	switch {
	case strings.HasPrefix(authority, "["):
		end := strings.IndexByte(authority, ']')
		if end < 0 {
			return "", "", fmt.Errorf("host %q lacks a closing bracket", authority)
		}
		host = authority[1:end]
		rest := authority[end+1:]
		if rest != "" && !strings.HasPrefix(rest, ":") {
			return "", "", fmt.Errorf("host %q is malformed", authority)
		}
		port = strings.TrimPrefix(rest, ":")
		if !strings.Contains(host, ":") {
			return "", "", fmt.Errorf("brackets are for IPv6 addresses only")
		}
		if rest == ":" {
			return "", "", fmt.Errorf("the port is empty")
		}
	case strings.Count(authority, ":") == 1:
		host, port, _ = strings.Cut(authority, ":")
		if port == "" {
			return "", "", fmt.Errorf("the port is empty")
		}
	}
	if port != "" {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 || strconv.FormatUint(number, 10) != port {
			return "", "", fmt.Errorf("port %q is not a number from 1 to 65535", port)
		}
	}
	host, err = canonicalHost(host)
	return host, port, err
}

// canonicalHost brings a host into the one spelling that is compared: lower case, without the root's dot, addresses as
// netip prints them. Spellings that some resolvers read as addresses (decimal, octal, hexadecimal, short) and zone
// ids are refused, because what is checked must be what is dialled.
func canonicalHost(host string) (string, error) {
	if strings.Contains(host, "%") {
		return "", fmt.Errorf("host %q holds a zone id or an escape", host)
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Unmap().String(), nil
	}
	if strings.Contains(host, ":") {
		return "", fmt.Errorf("host %q is not an IPv6 address", host)
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || len(host) > 253 {
		return "", fmt.Errorf("the host is empty or longer than 253 characters")
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return "", fmt.Errorf("host %q is not a DNS name; names in other scripts must be written in punycode (xn--)", host)
		}
	}
	if last := labels[len(labels)-1]; looksNumeric(last) {
		return "", fmt.Errorf("host %q is an odd spelling of an address; write it as four decimal numbers", host)
	}
	return host, nil
}

// isLabel accepts letters, digits, hyphens inside, and the underscore that some private names use.
func isLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// looksNumeric is how URL parsers of browsers recognise an address: the last label is a number in any base.
func looksNumeric(label string) bool {
	if _, err := strconv.ParseUint(label, 0, 64); err == nil {
		return true
	}
	for i := range len(label) {
		if label[i] < '0' || label[i] > '9' {
			return strings.HasPrefix(label, "0x")
		}
	}
	return true
}

func asAddress(host string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(host)
	return address, err == nil
}

func effectivePort(scheme, port string) string {
	switch {
	case port != "":
		return port
	case scheme == "http":
		return "80"
	default:
		return "443"
	}
}

func joinHostPort(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" {
		return host
	}
	return host + ":" + port
}

func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// redactUserinfo hides what stands before an @, which may be a password.
func redactUserinfo(rawURL string) string {
	before, after, found := strings.Cut(rawURL, "://")
	if !found {
		before, after = "", rawURL
	} else {
		before += "://"
	}
	authority, rest := after, ""
	if i := strings.IndexAny(after, "/?#\\"); i >= 0 {
		authority, rest = after[:i], after[i:]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = "[redacted]" + authority[i:]
	}
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		rest = rest[:i] + "?[redacted]"
	}
	return before + authority + rest
}
