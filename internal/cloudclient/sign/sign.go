// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sign authenticates requests with an access key: the SDK-HMAC-SHA256 scheme of Huawei Cloud's API gateway.
package sign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The headers that the scheme knows.
const (
	HeaderDate          = "X-Sdk-Date"
	HeaderSecurityToken = "X-Security-Token"
	HeaderContentHash   = "X-Sdk-Content-Sha256"
)

// UnsignedPayload stands for the body's hash where the body is not signed: everything that is not JSON.
const UnsignedPayload = "UNSIGNED-PAYLOAD"

const (
	algorithm  = "SDK-HMAC-SHA256"
	dateFormat = "20060102T150405Z"
)

// Key is an access key. SecurityToken is set for temporary keys only.
type Key struct {
	AccessKey, SecretKey, SecurityToken string
}

// Request signs r at the time now: it sets X-Sdk-Date, X-Security-Token for a temporary key, X-Sdk-Content-Sha256 for
// a body that is not JSON, and Authorization. The signature covers the method, the path, the query, the body, the
// host and every X- header, so r must be sent as it is.
func Request(r *http.Request, body []byte, key Key, now time.Time) {
	r.Header.Set(HeaderDate, now.UTC().Format(dateFormat))
	if key.SecurityToken != "" {
		r.Header.Set(HeaderSecurityToken, key.SecurityToken)
	}
	if contentType := r.Header.Get("Content-Type"); contentType != "" && !strings.Contains(contentType, "application/json") {
		r.Header.Set(HeaderContentHash, UnsignedPayload)
	}

	names, headers := canonicalHeaders(r)
	signedHeaders := strings.Join(names, ";")
	canonical := strings.Join([]string{
		r.Method, canonicalPath(r.URL.Path), canonicalQuery(r.URL.Query()), headers, signedHeaders, payloadHash(r, body),
	}, "\n")
	toSign := algorithm + "\n" + r.Header.Get(HeaderDate) + "\n" + hexHash([]byte(canonical))
	mac := hmac.New(sha256.New, []byte(key.SecretKey))
	mac.Write([]byte(toSign))
	r.Header.Set("Authorization", algorithm+" Access="+key.AccessKey+", SignedHeaders="+signedHeaders+
		", Signature="+hex.EncodeToString(mac.Sum(nil)))
}

// payloadHash is what X-Sdk-Content-Sha256 says, literally, or else the hash of the body.
func payloadHash(r *http.Request, body []byte) string {
	if stated := r.Header.Get(HeaderContentHash); stated != "" {
		return stated
	}
	return hexHash(body)
}

// canonicalPath encodes every segment of a decoded path and ends in a slash, which the path on the wire need not.
func canonicalPath(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = escape(segment)
	}
	encoded := strings.Join(segments, "/")
	if !strings.HasSuffix(encoded, "/") {
		encoded += "/"
	}
	return encoded
}

// canonicalQuery is sorted by the raw key and, within a key, by the raw value; a key without a value keeps its "=".
func canonicalQuery(query url.Values) string {
	keys := make([]string, 0, len(query))
	for key := range query {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var pairs []string
	for _, key := range keys {
		values := slices.Sorted(slices.Values(query[key]))
		for _, value := range values {
			pairs = append(pairs, escape(key)+"="+escape(value))
		}
	}
	return strings.Join(pairs, "&")
}

// canonicalHeaders returns the names of the signed headers, sorted, and the block that holds their values: host and
// every X- header. A name with an underscore is left out, because proxies drop such headers.
func canonicalHeaders(r *http.Request) (names []string, block string) {
	values := map[string][]string{"host": {host(r)}}
	for name, value := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-") && !strings.Contains(lower, "_") {
			values[lower] = slices.Sorted(slices.Values(value))
		}
	}
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		for _, value := range values[name] {
			b.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
		}
	}
	return names, b.String()
}

func host(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

func hexHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// escape percent-encodes every byte but the unreserved ones of RFC 3986, with upper-case digits.
func escape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
