// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint/endpointtest"
)

func TestCheckResolved(t *testing.T) {
	tests := []struct {
		resolved                    string
		wildcardOK, toldOK, namedOK bool
	}{
		{"8.8.8.8:443", true, true, true},
		{"[2600::1]:443", true, true, true},
		{"100.125.1.250:443", true, true, true}, // the vendor's own inner network

		{"127.0.0.1:443", false, false, true},
		{"127.255.0.9:443", false, false, true},
		{"[::ffff:127.0.0.1]:443", false, false, true},
		{"[64:ff9b::127.0.0.1]:443", false, false, true},
		{"[::1]:443", false, false, true},
		{"10.0.0.1:443", false, true, true},
		{"172.31.255.255:443", false, true, true},
		{"192.168.1.1:443", false, true, true},
		{"100.64.0.1:443", false, true, true},
		{"[fd00::1]:443", false, true, true},
		{"[::ffff:10.0.0.1]:443", false, true, true},
		{"[64:ff9b::10.0.0.1]:443", false, true, true},
		{"198.18.0.1:443", false, true, true},

		{"169.254.169.254:80", false, false, false},
		{"169.254.1.1:80", false, false, false},
		{"[fe80::1%lo]:80", false, false, false},
		{"[fd00:ec2::254]:80", false, false, false},
		{"100.100.100.200:80", false, false, false},
		{"[::ffff:169.254.169.254]:80", false, false, false},
		{"[64:ff9b::a9fe:a9fe]:80", false, false, false},
		{"0.0.0.0:80", false, false, false},
		{"[::]:80", false, false, false},
		{"224.0.0.1:80", false, false, false},
		{"[ff02::1]:80", false, false, false},
		{"255.255.255.255:80", false, false, false},
		{"not an address", false, false, false},
	}
	for _, tt := range tests {
		for by, want := range map[standing]bool{byWildcard: tt.wildcardOK, byCloud: tt.toldOK, byName: tt.namedOK} {
			err := checkResolved("h.example", tt.resolved, by)
			if (err == nil) != want {
				t.Errorf("checkResolved(%s, standing %d) = %v, want allowed %v", tt.resolved, by, err, want)
			}
			if err != nil && !clouderr.Is(err, clouderr.Invalid) {
				t.Errorf("checkResolved(%s): class %s, want Invalid", tt.resolved, clouderr.ClassOf(err))
			}
		}
	}
}

// TestDialChecksWhatTheNameResolvesTo points names at a listener on loopback, as an attacker's DNS server would.
func TestDialChecksWhatTheNameResolvesTo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	accepted := make(chan struct{}, 8)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_ = connection.Close()
			accepted <- struct{}{}
		}
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name    string
		pattern string
		host    string
		answer  string
		want    string // part of the refusal, "" where the connection is made
	}{
		{"a named host on loopback", "rebound.cloud.example", "rebound.cloud.example", "127.0.0.1", ""},
		{"a named host, other spelling", "rebound.cloud.example", "Rebound.Cloud.Example.", "127.0.0.1", ""},
		{"the loopback address, named", "http://127.0.0.1", "127.0.0.1", "", ""},
		{"a wildcard on loopback", "*.cloud.example", "rebound.cloud.example", "127.0.0.1", "loopback"},
		{"a wildcard on metadata", "*.cloud.example", "rebound.cloud.example", "169.254.169.254", "metadata"},
		{"a named host on metadata", "rebound.cloud.example", "rebound.cloud.example", "169.254.169.254", "metadata"},
		{"a host that is not allowed", "*.cloud.example", "other.example", "127.0.0.1", "--allow-endpoint-host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dial := mustPolicy(t, tt.pattern).DialContext(&net.Dialer{Resolver: endpointtest.ResolverAnswering(tt.answer)})
			connection, err := dial(t.Context(), "tcp", net.JoinHostPort(tt.host, port))
			if tt.want == "" {
				if err != nil {
					t.Fatalf("dial = %v, want a connection", err)
				}
				_ = connection.Close()
				<-accepted
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("dial = %v, want %q in it", err, tt.want)
			}
			if !clouderr.Is(err, clouderr.Invalid) {
				t.Errorf("class = %s, want Invalid", clouderr.ClassOf(err))
			}
		})
	}
	if len(accepted) != 0 {
		t.Errorf("%d refused connections arrived", len(accepted))
	}
}

// TestDialChecksEveryAnswer has a name lead to the outside when it is first looked up, and inwards from then on.
func TestDialChecksEveryAnswer(t *testing.T) {
	policy := mustPolicy(t, "*.cloud.example")
	if err := policy.Check("https://rebound.cloud.example"); err != nil {
		t.Fatal(err)
	}
	for i, tc := range []struct {
		answer, want string
		timeout      time.Duration
	}{
		{"192.0.43.8", "", 20 * time.Millisecond}, // it is called, in vain
		{"127.0.0.1", "loopback", time.Minute}, {"169.254.169.254", "metadata", time.Minute}, {"10.0.0.1", "private", time.Minute},
	} {
		dial := policy.DialContext(&net.Dialer{Resolver: endpointtest.ResolverAnswering(tc.answer), Timeout: tc.timeout})
		_, err := dial(t.Context(), "tcp", "rebound.cloud.example:1")
		var refusal *clouderr.Error
		if refused := errors.As(err, &refusal); refused != (tc.want != "") || refused && !strings.Contains(refusal.Message, tc.want) {
			t.Errorf("look-up %d: %v, want a refusal for %q", i, err, tc.want)
		}
	}
}
