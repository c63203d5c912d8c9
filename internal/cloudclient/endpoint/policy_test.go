// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"net"
	"strings"
	"testing"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint/endpointtest"
)

func mustPolicy(t testing.TB, patterns ...string) *Policy {
	t.Helper()
	policy, err := NewPolicy(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func TestNewPolicyRefusesBadPatterns(t *testing.T) {
	for _, pattern := range []string{
		"", "*", "*.", "**.example.com", "a.*.com", "host/path", "http://*.example.com", "ftp://host", "user@host",
		"host:", "host:0", "host:65536", "host:http", "host:080", "2130706433", "0x7f.1", "127.1", "0177.0.0.1",
		"*.10.0.0.1", "169.254.169.254", "http://169.254.169.254", "[fe80::1]", "[fe80::1%25eth0]", "[::1", "[host]",
		"[::]", "0.0.0.0", "224.0.0.1", "-a.example", "a..b", "exämple.com", "host?x", "host#x",
	} {
		_, err := NewPolicy([]string{pattern})
		if err == nil {
			t.Errorf("pattern %q is accepted, want an error", pattern)
			continue
		}
		if !strings.Contains(err.Error(), "--allow-endpoint-host") {
			t.Errorf("pattern %q: the error does not name the flag: %v", pattern, err)
		}
	}
}

func TestCheck(t *testing.T) {
	vendor := DefaultPatterns()
	tests := []struct {
		name     string
		patterns []string
		url      string
		want     string // part of the refusal, "" where the URL is allowed
	}{
		{"the vendor", vendor, "https://servicestage.ap-southeast-3.myhuaweicloud.com", ""},
		{"the vendor in Europe", vendor, "https://iam.eu-west-101.myhuaweicloud.eu/", ""},
		{"mixed case", vendor, "https://IAM.MyHuaweiCloud.COM", ""},
		{"a trailing dot", vendor, "https://iam.myhuaweicloud.com.", ""},
		{"two trailing dots", vendor, "https://iam.myhuaweicloud.com..", "not a DNS name"},
		{"a port", vendor, "https://iam.myhuaweicloud.com:8443", ""},
		{"a path", vendor, "https://iam.myhuaweicloud.com/gateway/", ""},
		{"the suffix itself", vendor, "https://myhuaweicloud.com", "is not allowed"},
		{"a longer name that ends alike", vendor, "https://evilmyhuaweicloud.com", "is not allowed"},
		{"the suffix inside", vendor, "https://iam.myhuaweicloud.com.evil.example", "is not allowed"},
		{"a stranger", vendor, "https://example.com", "--allow-endpoint-host"},
		{"punycode of a lookalike", vendor, "https://iam.xn--myhuawecloud-9hb.com", "is not allowed"},
		{"another script", vendor, "https://iam.myhuaweіcloud.com", "punycode"},
		{"full width digits", vendor, "https://１２７.0.0.1", "punycode"},
		{"http to the vendor", vendor, "http://iam.myhuaweicloud.com", "plain http is not allowed"},
		{"no scheme", vendor, "iam.myhuaweicloud.com", "scheme"},
		{"another scheme", vendor, "file:///etc/passwd", "scheme"},
		{"opaque", vendor, "https:iam.myhuaweicloud.com", "not a URL"},
		{"user information", vendor, "https://me:hunter2@iam.myhuaweicloud.com", "user name or password"},
		{"user information that looks like the host", vendor, "https://iam.myhuaweicloud.com@evil.example", "user name or password"},
		{"a backslash", vendor, `https://evil.example\.myhuaweicloud.com`, "endpoint"},
		{"a query", vendor, "https://iam.myhuaweicloud.com?x=1", "query"},
		{"an empty query", vendor, "https://iam.myhuaweicloud.com?", "query"},
		{"a fragment", vendor, "https://iam.myhuaweicloud.com#x", "fragment"},
		{"an empty fragment", vendor, "https://iam.myhuaweicloud.com#", "fragment"},
		{"dot segments", vendor, "https://iam.myhuaweicloud.com/a/../b", "dot segments"},
		{"an escape in the path", vendor, "https://iam.myhuaweicloud.com/a%2Fb", "escapes"},
		{"no host", vendor, "https://", "empty"},
		{"a space", vendor, "https://iam.myhuaweicloud.com /", "not a URL"},
		{"port zero", vendor, "https://iam.myhuaweicloud.com:0", "port"},
		{"an empty port", vendor, "https://iam.myhuaweicloud.com:", "port"},

		{"an address", vendor, "https://10.1.2.3", "is not allowed"},
		{"decimal", vendor, "https://2130706433", "odd spelling"},
		{"octal", vendor, "https://0177.0.0.1", "odd spelling"},
		{"hexadecimal", vendor, "https://0x7f.0.0.0x1", "odd spelling"},
		{"short", vendor, "https://127.1", "odd spelling"},
		{"metadata", vendor, "https://169.254.169.254", "never called"},
		{"metadata, mapped", vendor, "https://[::ffff:169.254.169.254]", "never called"},
		{"metadata, mapped in hex", vendor, "https://[::ffff:a9fe:a9fe]", "never called"},
		{"metadata, NAT64", vendor, "https://[64:ff9b::a9fe:a9fe]", "never called"},
		{"metadata, 6to4", vendor, "https://[2002:a9fe:a9fe::1]", "never called"},
		{"metadata, compatible", vendor, "https://[::a9fe:a9fe]", "never called"},
		{"Alibaba's metadata", vendor, "https://100.100.100.200", "never called"},
		{"Azure's metadata", vendor, "https://168.63.129.16", "never called"},
		{"metadata of IPv6", vendor, "https://[fd00:ec2::254]", "never called"},
		{"metadata of IPv6, spelt in full", vendor, "https://[fd00:0ec2:0:0:0:0:0:0254]", "never called"},
		{"metadata, decimal", vendor, "https://2852039166", "odd spelling"},
		{"metadata, hexadecimal", vendor, "https://0xa9fea9fe", "odd spelling"},
		{"metadata, octal", vendor, "https://0251.0376.0251.0376", "odd spelling"},
		{"metadata, with a trailing dot", vendor, "https://169.254.169.254.", "odd spelling"},
		{"metadata after user information", vendor, "https://iam.myhuaweicloud.com:x@169.254.169.254/", "user name or password"},
		{"loopback of IPv6", vendor, "https://[::1]", "is not allowed"},
		{"loopback, mapped", vendor, "https://[::ffff:7f00:1]", "is not allowed"},
		{"localhost", vendor, "https://localhost", "is not allowed"},
		{"a name for loopback", vendor, "https://localhost.", "is not allowed"},
		{"a private range", vendor, "https://192.168.0.1", "is not allowed"},
		{"the API server", vendor, "https://kubernetes.default.svc", "is not allowed"},
		{"a zone", vendor, "https://[fe80::1%25eth0]", "zone id"},

		{"a named host", []string{"cloud.internal"}, "https://cloud.internal:9443", ""},
		{"a named host by http", []string{"cloud.internal"}, "http://cloud.internal", "http://cloud.internal"},
		{"a host named for http", []string{"http://cloud.internal"}, "http://cloud.internal:8080", ""},
		{"a host named for http by https", []string{"http://cloud.internal"}, "https://cloud.internal", ""},
		{"a named port", []string{"cloud.internal:8443"}, "https://cloud.internal:8443", ""},
		{"the default port, named", []string{"cloud.internal:443"}, "https://cloud.internal", ""},
		{"another port", []string{"cloud.internal:8443"}, "https://cloud.internal", "is not allowed"},
		{"http on a port, https on another", []string{"http://h:80", "h:443"}, "http://h:443", "plain http"},
		{"a named address", []string{"http://127.0.0.1"}, "http://127.0.0.1:40123/", ""},
		{"a named address, mapped", []string{"http://127.0.0.1"}, "http://[::ffff:127.0.0.1]:1", ""},
		{"a named IPv6 address, spelt otherwise", []string{"http://[::1]"}, "http://[0:0:0:0:0:0:0:1]:1", ""},
		{"an address under a wildcard", []string{"*.0.0.1x"}, "https://127.0.0.1", "is not allowed"},
		{"nothing is allowed", nil, "https://iam.myhuaweicloud.com", "is not allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := mustPolicy(t, tt.patterns...).Check(tt.url)
			if tt.want == "" {
				if err != nil {
					t.Fatalf("Check(%q) = %v, want nil", tt.url, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Check(%q) = %v, want %q in it", tt.url, err, tt.want)
			}
			if !clouderr.Is(err, clouderr.Invalid) {
				t.Errorf("class = %s, want Invalid", clouderr.ClassOf(err))
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the refusal holds the password: %v", err)
			}
		})
	}
}

func TestTold(t *testing.T) {
	policy := mustPolicy(t, "*.myhuaweicloud.com")
	told, err := policy.Told([]string{"https://192.168.0.169:30110", "https://engine.internal:30100"})
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"https://192.168.0.169:30110": "", "https://engine.internal:30100/v4": "", "https://iam.myhuaweicloud.com": "",
		"http://192.168.0.169:30110": "plain http", "https://192.168.0.169:443": "is not allowed", "https://192.168.0.170:30110": "is not allowed",
	} {
		if err := told.Check(url); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Check(%q) = %v, want %q", url, err, want)
		}
	}
	if policy.Check("https://192.168.0.169:30110") == nil {
		t.Error("what the cloud told is allowed to others, too")
	}
	dial := told.DialContext(&net.Dialer{Resolver: endpointtest.ResolverAnswering("127.0.0.1")})
	if _, err := dial(t.Context(), "tcp", "engine.internal:30100"); !clouderr.Is(err, clouderr.Invalid) || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("dialling a host that the cloud told and that leads to loopback: %v, want a refusal", err)
	}
	for _, address := range []string{"https://169.254.169.254", "https://[fd00:ec2::254]:443", "https://*.internal", "192.168.0.169", "https://", "https://2130706433"} {
		if _, err := policy.Told([]string{address}); !clouderr.Is(err, clouderr.Invalid) {
			t.Errorf("Told(%q) = %v, want class Invalid", address, err)
		}
	}
}

func TestParseReturnsTheCanonicalURL(t *testing.T) {
	policy := mustPolicy(t, "*.myhuaweicloud.com", "http://127.0.0.1")
	for raw, want := range map[string]string{
		"https://IAM.MyHuaweiCloud.com.":     "https://iam.myhuaweicloud.com",
		"https://iam.myhuaweicloud.com:443/": "https://iam.myhuaweicloud.com:443",
		"https://iam.myhuaweicloud.com/gw/":  "https://iam.myhuaweicloud.com/gw",
		"http://[::ffff:127.0.0.1]:80":       "http://127.0.0.1:80",
	} {
		got, err := policy.Parse(raw)
		if err != nil {
			t.Errorf("Parse(%q): %v", raw, err)
			continue
		}
		if got.String() != want {
			t.Errorf("Parse(%q) = %q, want %q", raw, got, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		"https://iam.myhuaweicloud.com", "https://[::1]:1", "http://0x7f.1", "https://a@b", "https://a%2e.myhuaweicloud.com",
		"https://evil.example\\.myhuaweicloud.com", "https://evil.example:80#.myhuaweicloud.com",
	} {
		f.Add(seed)
	}
	policy, err := NewPolicy(DefaultPatterns())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		parsed, err := policy.Parse(raw)
		if err != nil {
			return
		}
		host := parsed.Hostname()
		if parsed.Scheme != "https" || !strings.HasSuffix(host, ".myhuaweicloud.com") && !strings.HasSuffix(host, ".myhuaweicloud.eu") {
			t.Errorf("Parse(%q) allows %q", raw, parsed)
		}
		again, err := policy.Parse(parsed.String())
		if err != nil || again.String() != parsed.String() {
			t.Errorf("Parse(%q) = %q, parsed again %v, %v", raw, parsed, again, err)
		}
	})
}
