// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"

	"servicestage.dev/operator/internal/cloudclient/sign"
)

const (
	signerSeed     = 20260102
	signerRequests = 5000
)

// sample is a request in the terms that both signers understand.
type sample struct {
	method, endpoint, path string
	query                  map[string][]string
	contentType, body      string
	headers                map[string]string
	key                    sign.Key
	at                     time.Time
}

// TestSignerAgreesWithTheVendor signs random requests with our signer and with the SDK's.
func TestSignerAgreesWithTheVendor(t *testing.T) {
	t.Logf("seed %d, %d requests", signerSeed, signerRequests)
	random := rand.New(rand.NewPCG(signerSeed, signerSeed))
	shapes := map[string]int{}
	for i := range signerRequests {
		s := randomSample(random)
		ours, theirs := signOurs(t, s), signTheirs(t, s)
		if ours != theirs {
			t.Fatalf("request %d: %+v\nours   %s\ntheirs %s", i, s, ours, theirs)
		}
		shapes[s.shape()]++
	}
	// The samples must be worth comparing: every shape comes up often.
	for _, shape := range []string{"body", "no body", "multipart", "temporary key", "query", "no query", "odd path"} {
		total := 0
		for name, count := range shapes {
			if strings.Contains(name, "|"+shape+"|") {
				total += count
			}
		}
		if total < signerRequests/20 {
			t.Errorf("only %d of %d requests have the shape %q", total, signerRequests, shape)
		}
	}
}

// TestSignersDisagreeWhereTheyMust makes sure that the comparison sees a difference.
func TestSignersDisagreeWhereTheyMust(t *testing.T) {
	random := rand.New(rand.NewPCG(signerSeed, 1))
	for range 100 {
		s := randomSample(random)
		other := s
		other.path += "x"
		if signOurs(t, s) == signTheirs(t, other) {
			t.Fatalf("another path, the same signature: %+v", s)
		}
	}
}

func (s sample) shape() string {
	words := "|"
	add := func(condition bool, yes, no string) {
		if condition {
			words += yes + "|"
		} else if no != "" {
			words += no + "|"
		}
	}
	add(s.body != "", "body", "no body")
	add(strings.HasPrefix(s.contentType, "multipart"), "multipart", "")
	add(s.key.SecurityToken != "", "temporary key", "")
	add(len(s.query) > 0, "query", "no query")
	add(url.PathEscape(s.path) != strings.ReplaceAll(s.path, "/", "%2F"), "odd path", "")
	return words
}

// signOurs sends the request through the same steps as the client: the URL as text, then the signature.
func signOurs(t *testing.T, s sample) string {
	t.Helper()
	target := s.endpoint + (&url.URL{Path: s.path}).EscapedPath()
	if len(s.query) > 0 {
		target += "?" + strings.ReplaceAll(url.Values(s.query).Encode(), "+", "%20")
	}
	r, err := http.NewRequest(s.method, target, strings.NewReader(s.body))
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	if s.contentType != "" {
		r.Header.Set("Content-Type", s.contentType)
	}
	for name, value := range s.headers {
		r.Header.Set(name, value)
	}
	sign.Request(r, []byte(s.body), s.key, s.at)
	return r.Header.Get("Authorization")
}

func signTheirs(t *testing.T, s sample) string {
	t.Helper()
	builder := request.NewHttpRequestBuilder().WithEndpoint(s.endpoint).WithPath(s.path).WithMethod(s.method)
	for name, values := range s.query {
		if len(values) == 1 {
			builder.AddQueryParam(name, reflect.ValueOf(values[0]))
		} else {
			builder.AddQueryParam(name, reflect.ValueOf(values))
		}
	}
	if s.contentType != "" {
		builder.AddHeaderParam("Content-Type", s.contentType)
	}
	for name, value := range s.headers {
		builder.AddHeaderParam(name, value)
	}
	builder.AddHeaderParam("host", strings.TrimPrefix(s.endpoint, "https://"))
	builder.AddHeaderParam("X-Sdk-Date", s.at.UTC().Format("20060102T150405Z"))
	if s.key.SecurityToken != "" {
		builder.AddHeaderParam("X-Security-Token", s.key.SecurityToken)
	}
	if s.body != "" {
		builder.WithBody("body", s.body)
	}
	signed, err := signer.Sign(builder.Build(), s.key.AccessKey, s.key.SecretKey)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	return signed["Authorization"]
}

// alphabets from which texts are drawn; the later ones hold what canonical forms get wrong.
var alphabets = []string{
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
	"-_.~ab",
	" !\"#$%&'()*+,:;<=>?@[\\]^`{|}",
	"éüß漢字пример🎈ａ",
}

func text(random *rand.Rand, least, most int) string {
	var b strings.Builder
	for range least + random.IntN(most-least+1) {
		runes := []rune(alphabets[random.IntN(len(alphabets))])
		b.WriteRune(runes[random.IntN(len(runes))])
	}
	return b.String()
}

func plain(random *rand.Rand, length int) string {
	var b strings.Builder
	for range length {
		b.WriteByte(alphabets[0][random.IntN(len(alphabets[0]))])
	}
	return b.String()
}

func pick(random *rand.Rand, choices ...string) string { return choices[random.IntN(len(choices))] }

func randomSample(random *rand.Rand) sample {
	s := sample{
		method:   pick(random, "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"),
		endpoint: "https://" + pick(random, "iam", "servicestage", "cse") + ".region-" + fmt.Sprint(random.IntN(9)) + ".myhuaweicloud.com" + pick(random, "", "", ":8443"),
		query:    map[string][]string{},
		headers:  map[string]string{},
		key:      sign.Key{AccessKey: plain(random, 20), SecretKey: text(random, 1, 40)},
		at:       time.Unix(1_700_000_000+random.Int64N(200_000_000), random.Int64N(1e9)),
	}
	for range random.IntN(6) {
		s.path += "/" + text(random, 0, 8)
	}
	if s.path == "" || random.IntN(4) == 0 {
		s.path += "/"
	}
	for range random.IntN(5) {
		name := text(random, 1, 6)
		s.query[name] = nil
		for range 1 + random.IntN(3) {
			s.query[name] = append(s.query[name], text(random, 0, 6))
		}
	}
	for range random.IntN(4) {
		s.headers["X-"+plain(random, 1+random.IntN(8))] = pick(random, "", " ", "  ") + plain(random, random.IntN(10)) + pick(random, "", " ")
	}
	if random.IntN(3) == 0 {
		s.key.SecurityToken = plain(random, 100)
	}
	switch random.IntN(5) {
	case 0: // no body
	case 1:
		s.contentType, s.body = "application/json", `{"name":"`+text(random, 0, 30)+`"}`
	case 2:
		s.contentType, s.body = "application/json;charset=UTF-8", text(random, 1, 60)
	case 3:
		s.contentType, s.body = "multipart/form-data; boundary=b", text(random, 1, 60)
	case 4:
		s.contentType = "application/json"
	}
	return s
}
