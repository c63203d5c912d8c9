// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

var signingTime = time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("CET", 3600)).Add(time.Hour)

func request(t *testing.T, method, rawURL, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, rawURL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The vector is the one worked out from the documented algorithm; the vendor's signer is compared on random requests
// in test/conformance.
func TestVector(t *testing.T) {
	r := request(t, "GET", "https://servicestage.ap-southeast-3.myhuaweicloud.com/v3/p1/cas/environments?limit=100&offset=0", "")
	Request(r, nil, Key{AccessKey: "AK-EXAMPLE", SecretKey: "SK-EXAMPLE"}, signingTime)

	if got, want := r.Header.Get(HeaderDate), "20260102T030405Z"; got != want {
		t.Errorf("%s = %q, want %q", HeaderDate, got, want)
	}
	want := "SDK-HMAC-SHA256 Access=AK-EXAMPLE, SignedHeaders=host;x-sdk-date, " +
		"Signature=9a0be27cbfc16d549952f5c23a3600feda6bdc66924fa54178d48479a7d88519"
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("Authorization\n got %s\nwant %s", got, want)
	}
}

func TestSignedHeaders(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		key    Key
		want   string
	}{
		{"plain", http.Header{}, Key{}, "host;x-sdk-date"},
		{"project", http.Header{"X-Project-Id": {"p"}}, Key{}, "host;x-project-id;x-sdk-date"},
		{"temporary key", http.Header{}, Key{SecurityToken: "t"}, "host;x-sdk-date;x-security-token"},
		{"what proxies change is left out", http.Header{
			"Content-Type": {"application/json"}, "User-Agent": {"u"}, "Accept": {"a"}, "X-Odd_Name": {"x"},
		}, Key{}, "host;x-sdk-date"},
		{"multipart", http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}, Key{}, "host;x-sdk-content-sha256;x-sdk-date"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, "POST", "https://h/", "body")
			r.Header = tt.header
			Request(r, []byte("body"), tt.key, signingTime)
			_, after, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
			got, _, _ := strings.Cut(after, ",")
			if got != tt.want {
				t.Errorf("signed headers = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSignatureCoversEverything(t *testing.T) {
	base := func() *http.Request {
		r := request(t, "PUT", "https://h.example/v3/p/x?a=1", "")
		r.Header.Set("X-Project-Id", "p")
		return r
	}
	sign := func(r *http.Request, body string, key Key, now time.Time) string {
		Request(r, []byte(body), key, now)
		return r.Header.Get("Authorization")
	}
	key := Key{AccessKey: "a", SecretKey: "s"}
	before := sign(base(), "b", key, signingTime)
	if again := sign(base(), "b", key, signingTime); again != before {
		t.Fatalf("the same request is signed differently: %s, %s", before, again)
	}
	changes := map[string]func() string{
		"method": func() string { r := base(); r.Method = "POST"; return sign(r, "b", key, signingTime) },
		"path":   func() string { r := base(); r.URL.Path += "y"; return sign(r, "b", key, signingTime) },
		"query":  func() string { r := base(); r.URL.RawQuery = "a=2"; return sign(r, "b", key, signingTime) },
		"host":   func() string { r := base(); r.Host = "other"; return sign(r, "b", key, signingTime) },
		"header": func() string { r := base(); r.Header.Set("X-Project-Id", "q"); return sign(r, "b", key, signingTime) },
		"body":   func() string { return sign(base(), "c", key, signingTime) },
		"secret": func() string { return sign(base(), "b", Key{AccessKey: "a", SecretKey: "t"}, signingTime) },
		"time":   func() string { return sign(base(), "b", key, signingTime.Add(time.Second)) },
	}
	for name, change := range changes {
		if after := change(); after == before {
			t.Errorf("a changed %s keeps the signature", name)
		}
	}
}

func TestUnsignedPayload(t *testing.T) {
	sign := func(body string) string {
		r := request(t, "POST", "https://h/", body)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		Request(r, []byte(body), Key{AccessKey: "a", SecretKey: "s"}, signingTime)
		if got := r.Header.Get(HeaderContentHash); got != UnsignedPayload {
			t.Fatalf("%s = %q, want %q", HeaderContentHash, got, UnsignedPayload)
		}
		return r.Header.Get("Authorization")
	}
	if one, other := sign("one"), sign("other"); one != other {
		t.Error("the body of a multipart request changes its signature")
	}
}

func TestCanonicalForms(t *testing.T) {
	for path, want := range map[string]string{
		"": "/", "/": "/", "/a": "/a/", "/a/": "/a/", "/a b/é~": "/a%20b/%C3%A9~/", "/a%2F+=": "/a%252F%2B%3D/", "//": "//",
	} {
		if got := canonicalPath(path); got != want {
			t.Errorf("canonicalPath(%q) = %q, want %q", path, got, want)
		}
	}
	query := url.Values{"b": {"2", "1", ""}, "a b": {"x/y"}, "B": {""}, "é": {"+"}}
	if got, want := canonicalQuery(query), "B=&a%20b=x%2Fy&b=&b=1&b=2&%C3%A9=%2B"; got != want {
		t.Errorf("canonicalQuery = %q, want %q", got, want)
	}
	r := httptest.NewRequest("GET", "http://h/", nil)
	r.Header = http.Header{"X-B": {" 2 ", "1"}, "X-A": {"a"}}
	names, block := canonicalHeaders(r)
	if got, want := strings.Join(names, ";"), "host;x-a;x-b"; got != want {
		t.Errorf("names = %q, want %q", got, want)
	}
	if want := "host:h\nx-a:a\nx-b:2\nx-b:1\n"; block != want {
		t.Errorf("block = %q, want %q", block, want)
	}
}
