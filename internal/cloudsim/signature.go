// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	signatureAlgorithm = "SDK-HMAC-SHA256"
	unsignedPayload    = "UNSIGNED-PAYLOAD"
	signatureTime      = "20060102T150405Z"
	// maxSkew is how far X-Sdk-Date may be off the gateway's clock.
	maxSkew = 15 * time.Minute
)

// authorization is a parsed Authorization header.
type authorization struct {
	accessKey     string
	signedHeaders []string // lower case, sorted
	signature     string
}

// parseAuthorization reads "SDK-HMAC-SHA256 Access=AK, SignedHeaders=a;b, Signature=hex".
func parseAuthorization(header string) (authorization, error) {
	algorithm, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	if algorithm != signatureAlgorithm {
		return authorization{}, errors.New("the algorithm of the Authorization header must be " + signatureAlgorithm)
	}
	var a authorization
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Access":
			a.accessKey = value
		case "SignedHeaders":
			for signed := range strings.SplitSeq(value, ";") {
				a.signedHeaders = append(a.signedHeaders, strings.ToLower(strings.TrimSpace(signed)))
			}
		case "Signature":
			a.signature = value
		}
	}
	slices.Sort(a.signedHeaders)
	if a.accessKey == "" || len(a.signedHeaders) == 0 || a.signature == "" {
		return authorization{}, errors.New("the Authorization header must have Access, SignedHeaders and Signature")
	}
	return a, nil
}

// canonicalRequest is the text whose hash is signed. header returns the value of a signed header by lower-case name.
func canonicalRequest(method, escapedPath, rawQuery string, signed []string, header func(string) string, payloadHash string) string {
	var headers strings.Builder
	for _, name := range signed {
		headers.WriteString(name + ":" + strings.TrimSpace(header(name)) + "\n")
	}
	return strings.Join([]string{
		method, canonicalPath(escapedPath), canonicalQuery(rawQuery), headers.String(), strings.Join(signed, ";"), payloadHash,
	}, "\n")
}

// canonicalPath encodes each segment and ends in a slash whatever the wire path ends in.
func canonicalPath(escapedPath string) string {
	segments := strings.Split(escapedPath, "/")
	for i, segment := range segments {
		if decoded, err := url.PathUnescape(segment); err == nil {
			segment = decoded
		}
		segments[i] = percentEncode(segment)
	}
	path := strings.Join(segments, "/")
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	return path
}

// canonicalQuery sorts by raw name, then by value; a name without a value is written "name=".
func canonicalQuery(rawQuery string) string {
	type pair struct{ name, value string }
	var pairs []pair
	for part := range strings.SplitSeq(rawQuery, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		pairs = append(pairs, pair{queryUnescape(name), queryUnescape(value)})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	encoded := make([]string, len(pairs))
	for i, p := range pairs {
		encoded[i] = percentEncode(p.name) + "=" + percentEncode(p.value)
	}
	return strings.Join(encoded, "&")
}

func queryUnescape(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// percentEncode keeps RFC 3986's unreserved characters and writes the rest in upper-case hex.
func percentEncode(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// signatureOf signs a canonical request with the secret key; date is the X-Sdk-Date text.
func signatureOf(secretKey, date, canonical string) string {
	mac := hmac.New(sha256.New, []byte(secretKey))
	// Writes to a hash never fail.
	_, _ = mac.Write([]byte(signatureAlgorithm + "\n" + date + "\n" + hexHash([]byte(canonical))))
	return hex.EncodeToString(mac.Sum(nil))
}

func hexHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// signatureMatches verifies a signed request against one secret key.
func signatureMatches(a authorization, r *http.Request, body []byte, secretKey string) bool {
	hash := hexHash(body)
	// Only the marker is taken at its word: a stated hash that is not the body's was signed for another body.
	if r.Header.Get("X-Sdk-Content-Sha256") == unsignedPayload {
		hash = unsignedPayload
	}
	canonical := canonicalRequest(r.Method, r.URL.EscapedPath(), r.URL.RawQuery, a.signedHeaders, func(name string) string {
		return requestHeader(r, name)
	}, hash)
	want := signatureOf(secretKey, r.Header.Get("X-Sdk-Date"), canonical)
	return hmac.Equal([]byte(want), []byte(a.signature))
}

// requestHeader reads a header by lower-case name, with those that net/http keeps outside the map.
func requestHeader(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	default:
		return strings.Join(r.Header.Values(name), ",")
	}
}
