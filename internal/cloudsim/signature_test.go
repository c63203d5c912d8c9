// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The vectors come from the vendor's SDK tests (A) and from a second implementation (B).
func TestSignatureVectors(t *testing.T) {
	const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, tc := range []struct {
		name, path, query, host, date, secret string
		signed                                []string
		wantHash, wantSignature               string
	}{
		{
			name: "A", path: "/path", query: "limit=1", host: "example.huaweicloud.com", date: "20060102T150405Z",
			secret: "SecretKey", signed: []string{"x-sdk-date"},
			wantSignature: "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624",
		},
		{
			name: "B", path: "/v3/p1/cas/environments", query: "limit=100&offset=0",
			host: "servicestage.ap-southeast-3.myhuaweicloud.com", date: "20260102T030405Z",
			secret: "SK-EXAMPLE", signed: []string{"host", "x-sdk-date"},
			wantHash:      "3ff05018eaa153c8120dead633f218aab5be8711f1d2582ba62b58e16f667710",
			wantSignature: "9a0be27cbfc16d549952f5c23a3600feda6bdc66924fa54178d48479a7d88519",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			headers := map[string]string{"host": tc.host, "x-sdk-date": tc.date}
			canonical := canonicalRequest(http.MethodGet, tc.path, tc.query, tc.signed, func(name string) string { return headers[name] }, emptyHash)
			if got := hexHash([]byte(canonical)); tc.wantHash != "" && got != tc.wantHash {
				t.Errorf("hash of the canonical request: %s, want %s\n%s", got, tc.wantHash, canonical)
			}
			if got := signatureOf(tc.secret, tc.date, canonical); got != tc.wantSignature {
				t.Errorf("signature: %s, want %s\n%s", got, tc.wantSignature, canonical)
			}
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+tc.host+tc.path+"?"+tc.query, http.NoBody)
			request.Header.Set("X-Sdk-Date", tc.date)
			auth := authorization{accessKey: "any", signedHeaders: tc.signed, signature: tc.wantSignature}
			if !signatureMatches(auth, request, nil, tc.secret) {
				t.Error("the verifier refuses the vector")
			}
			if signatureMatches(auth, request, []byte("x"), tc.secret) {
				t.Error("the verifier accepts the vector with another body")
			}
		})
	}
}

func TestCanonicalParts(t *testing.T) {
	for _, tc := range []struct{ name, got, want string }{
		{"root", canonicalPath("/"), "/"},
		{"a slash is added", canonicalPath("/a/b"), "/a/b/"},
		{"a slash is kept", canonicalPath("/a/b/"), "/a/b/"},
		{"segments are encoded once", canonicalPath("/a%20b/%E4%BD%A0/~x+"), "/a%20b/%E4%BD%A0/~x%2B/"},
		{"an encoded slash stays in its segment", canonicalPath("/a%2fb"), "/a%2Fb/"},
		{"no query", canonicalQuery(""), ""},
		{"names are sorted", canonicalQuery("b=2&a=1"), "a=1&b=2"},
		{"names are sorted raw, not encoded", canonicalQuery("a%5D=1&aA=2"), "aA=2&a%5D=1"},
		{"values of a name are sorted", canonicalQuery("a=2&a=1"), "a=1&a=2"},
		{"a name alone", canonicalQuery("bind&a=1"), "a=1&bind="},
		{"plus is a space", canonicalQuery("a=b+c&d=%2B"), "a=b%20c&d=%2B"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, tc.got, tc.want)
		}
	}
}

func TestParseAuthorization(t *testing.T) {
	got, err := parseAuthorization("SDK-HMAC-SHA256 Access=AK,SignedHeaders=X-Sdk-Date;host, Signature=00ff")
	if err != nil {
		t.Fatal(err)
	}
	if got.accessKey != "AK" || got.signature != "00ff" || len(got.signedHeaders) != 2 || got.signedHeaders[0] != "host" || got.signedHeaders[1] != "x-sdk-date" {
		t.Errorf("parsed %+v", got)
	}
	for _, bad := range []string{
		"", "Bearer x", "SDK-HMAC-SHA256", "SDK-HMAC-SHA256 Access=AK, SignedHeaders=a", "SDK-HMAC-SHA256 SignedHeaders=a, Signature=0",
	} {
		if _, err := parseAuthorization(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
