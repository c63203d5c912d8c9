// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package external

import (
	"strings"
	"testing"
	"time"
)

const token = "00112233445566778899aabbccddeeff"

var minted = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func TestNewClaim(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		c := NewClaim(minted.Add(123 * time.Millisecond).In(time.FixedZone("elsewhere", 3600)))
		if len(c.Token) != 32 || strings.Trim(c.Token, "0123456789abcdef") != "" {
			t.Fatalf("token %q is not 32 hexadecimal digits", c.Token)
		}
		if !c.MintedAt.Equal(minted) {
			t.Fatalf("minted at %s, want %s", c.MintedAt, minted)
		}
		if seen[c.Token] || c.IsZero() {
			t.Fatalf("claim %s is there twice, or none", c)
		}
		seen[c.Token] = true
	}
}

func TestParseClaim(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Claim
		err      string
	}{
		{name: "none", in: ""},
		{name: "a claim", in: token + "@2026-03-04T05:06:07Z", want: Claim{Token: token, MintedAt: minted}},
		{name: "no time", in: token, err: "not a time"},
		{name: "a bad time", in: token + "@yesterday", err: "not a time"},
		{name: "not hexadecimal", in: strings.Repeat("z", 32) + "@2026-03-04T05:06:07Z", err: "restore the annotation from a backup, or remove it"},
		{name: "too short", in: "0011@2026-03-04T05:06:07Z", err: "32 hexadecimal digits"},
		{name: "too long", in: token + "00@2026-03-04T05:06:07Z", err: "32 hexadecimal digits"},
		{name: "only a time", in: "@2026-03-04T05:06:07Z", err: "32 hexadecimal digits"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseClaim(tc.in)
			if tc.err == "" {
				if err != nil || got.Token != tc.want.Token || !got.MintedAt.Equal(tc.want.MintedAt) {
					t.Errorf("ParseClaim = %v, %v, want %v", got, err, tc.want)
				}
				if got.String() != tc.in {
					t.Errorf("written again it is %q, want %q", got, tc.in)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.err) || !got.IsZero() {
				t.Errorf("ParseClaim = %v, %v, want an error with %q", got, err, tc.err)
			}
		})
	}
}

func TestOwner(t *testing.T) {
	long := strings.Repeat("n", 60)
	for _, tc := range []struct{ cluster, namespace, name, label, claimant string }{
		{"", "shop", "dev", "shop_dev", "shop/dev"},
		{"eu-1", "shop", "dev.one", "eu-1_shop_dev.one", "eu-1/shop/dev.one"},
		{"eu-1", "shop", long, "eu-1_shop_" + long[:33], "eu-1/shop/" + long[:33]},
	} {
		label := OwnerOf(tc.cluster, tc.namespace, tc.name)
		if label != tc.label || len(label) > 43 {
			t.Errorf("the label of %s %s %s is %q, want %q", tc.cluster, tc.namespace, tc.name, label, tc.label)
		}
		if got := (Identity{Owner: label}).Claimant(); got != tc.claimant {
			t.Errorf("%q claims it, want %q", got, tc.claimant)
		}
	}
	if got := (Identity{}).Claimant(); got != "another object" {
		t.Errorf("%q claims it where nothing tells who", got)
	}
}

func FuzzParseClaim(f *testing.F) {
	f.Add("")
	f.Add(token + "@2026-03-04T05:06:07Z")
	f.Add(token + "@2026-03-04T05:06:07.5+01:00")
	f.Add("@")
	f.Fuzz(func(t *testing.T, in string) {
		c, err := ParseClaim(in)
		if err != nil {
			if !c.IsZero() {
				t.Errorf("%q is refused and read all the same", in)
			}
			return
		}
		if c.IsZero() != (in == "") {
			t.Errorf("%q is read as %v", in, c)
		}
		again, err := ParseClaim(c.String())
		if err != nil || again.Token != c.Token || again.MintedAt.Unix() != c.MintedAt.Unix() {
			t.Errorf("%q is read as %v, and written and read again as %v, %v", in, c, again, err)
		}
	})
}

func TestChanges(t *testing.T) {
	c := Changes{Paths: []string{"spec.description", "spec.labels[tier]", "spec.resources.cce"}}
	for path, want := range map[string]struct{ has, within bool }{
		"spec.description":  {true, true},
		"spec.labels":       {false, true},
		"spec.labels[tier]": {true, true},
		"spec.resources":    {false, true},
		"spec.desc":         {false, false},
		"spec.label":        {false, false},
		"spec.name":         {false, false},
	} {
		if c.Has(path) != want.has || c.Within(path) != want.within {
			t.Errorf("%s: Has %t, Within %t, want %+v", path, c.Has(path), c.Within(path), want)
		}
	}
	for name, tc := range map[string]struct {
		changes Changes
		want    bool
	}{
		"nothing":             {Changes{}, true},
		"a path":              {Changes{Paths: []string{"a"}}, false},
		"an immutable path":   {Changes{Immutable: []string{"a"}}, false},
		"the mark is missing": {Changes{Mark: true}, false},
	} {
		if got := tc.changes.Empty(); got != tc.want {
			t.Errorf("%s: Empty = %t, want %t", name, got, tc.want)
		}
	}
}

func TestWaitErrorSaysItsMessage(t *testing.T) {
	if got := (&WaitError{Message: "spec.thingRef: there is none"}).Error(); got != "spec.thingRef: there is none" {
		t.Errorf("Error() = %q", got)
	}
}
