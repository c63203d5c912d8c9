// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudsim"
)

const (
	testProject = "p1"
	envsPath    = "/v3/p1/cas/environments"
	appsPath    = "/v3/p1/cas/applications"
)

// start is when every test begins; startMillis is what the cloud calls it.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const startMillis = 1767323045000

// cloud is a simulator behind a real listener, on a clock that the test moves.
type cloud struct {
	*cloudsim.Server
	t     *testing.T
	clock *cloudsim.ManualClock
	url   string
	key   keys
}

func newCloud(t *testing.T, change ...func(*cloudsim.Options)) *cloud {
	t.Helper()
	clock := cloudsim.NewManualClock(start)
	options := cloudsim.Options{AccessKey: "AK1", SecretKey: "SK1", ProjectID: testProject, Username: "bot", Password: "pw", DomainName: "acme", Clock: clock}
	for _, f := range change {
		f(&options)
	}
	server := cloudsim.New(options)
	listener := httptest.NewServer(server.Handler())
	t.Cleanup(listener.Close)
	t.Cleanup(server.Close)
	return &cloud{
		Server: server, t: t, clock: clock, url: listener.URL,
		key: keys{access: options.AccessKey, secret: options.SecretKey, token: options.SecurityToken},
	}
}

// keys sign requests. It is written apart from the verifier, over net/url's own encoding.
type keys struct{ access, secret, token string }

func (k keys) sign(r *http.Request, body []byte, now time.Time, alsoSigned ...string) {
	signed := append([]string{"x-sdk-date"}, alsoSigned...)
	if k.token != "" {
		r.Header.Set("X-Security-Token", k.token)
		signed = append(signed, "x-security-token")
	}
	k.signOnly(r, body, now, signed)
}

// signOnly signs exactly the headers named.
func (k keys) signOnly(r *http.Request, body []byte, now time.Time, signed []string) {
	r.Header.Set("X-Sdk-Date", now.UTC().Format("20060102T150405Z"))
	sort.Strings(signed)
	hash := fmt.Sprintf("%x", sha256.Sum256(body))
	if marker := r.Header.Get("X-Sdk-Content-Sha256"); marker != "" {
		hash = marker
	}
	var lines []string
	for _, name := range signed {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.URL.Host
		}
		lines = append(lines, name+":"+value+"\n")
	}
	query := strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20")
	canonical := strings.Join([]string{
		r.Method, strings.TrimRight(r.URL.EscapedPath(), "/") + "/", query, strings.Join(lines, ""), strings.Join(signed, ";"), hash,
	}, "\n")
	mac := hmac.New(sha256.New, []byte(k.secret))
	fmt.Fprintf(mac, "SDK-HMAC-SHA256\n%s\n%x", r.Header.Get("X-Sdk-Date"), sha256.Sum256([]byte(canonical)))
	r.Header.Set("Authorization", fmt.Sprintf("SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%x", k.access, strings.Join(signed, ";"), mac.Sum(nil)))
}

// answer is a reply that has been read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) field(name string) any {
	var body map[string]any
	if json.Unmarshal([]byte(a.body), &body) != nil {
		return nil
	}
	return body[name]
}

func (c *cloud) request(method, path, body string) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// try sends a request over a connection of its own, so that no transport repeats it.
func (c *cloud) try(r *http.Request) (answer, error) {
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, err
}

func (c *cloud) send(r *http.Request) answer {
	c.t.Helper()
	a, err := c.try(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return a
}

// signed is a request signed with the cloud's own key.
func (c *cloud) signed(method, path, body string) *http.Request {
	c.t.Helper()
	r := c.request(method, path, body)
	c.key.sign(r, []byte(body), c.clock.Now(), "host")
	return r
}

// call sends a signed request.
func (c *cloud) call(method, path, body string) answer {
	c.t.Helper()
	return c.send(c.signed(method, path, body))
}

// sim calls the admin API.
func (c *cloud) sim(method, path, body string, wantStatus int) answer {
	c.t.Helper()
	a := c.send(c.request(method, "/_sim/"+path, body))
	if a.status != wantStatus {
		c.t.Fatalf("%s /_sim/%s: %d %s, want %d", method, path, a.status, a.body, wantStatus)
	}
	return a
}

func (c *cloud) put(collection, document string) {
	c.t.Helper()
	var object cloudsim.Object
	if err := json.Unmarshal([]byte(document), &object); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.PutResource("servicestage", collection, object); err != nil {
		c.t.Fatal(err)
	}
}

// check compares an answer with the status and the whole JSON body wanted; "*" in want stands for anything, and ""
// for no body at all.
func check(t *testing.T, got answer, status int, want string) {
	t.Helper()
	if got.status != status {
		t.Fatalf("status %d, want %d; body %s", got.status, status, got.body)
	}
	if want == "" {
		if got.body != "" {
			t.Errorf("body %s, want none", got.body)
		}
		return
	}
	compareJSON(t, got.body, want)
}

func compareJSON(t *testing.T, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("not JSON: %s", got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("the wanted document is not JSON: %s", want)
	}
	if diff := cmp.Diff(w, wildcards(w, g)); diff != "" {
		t.Errorf("unexpected document (-want +got):\n%s", diff)
	}
}

// wildcards copies got, with "*" wherever want has it.
func wildcards(want, got any) any {
	switch w := want.(type) {
	case string:
		if w == "*" && got != nil {
			return "*"
		}
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			out := map[string]any{}
			for name, value := range g {
				out[name] = wildcards(w[name], value)
			}
			return out
		}
	case []any:
		if g, ok := got.([]any); ok && len(g) == len(w) {
			out := make([]any, len(g))
			for i := range g {
				out[i] = wildcards(w[i], g[i])
			}
			return out
		}
	}
	return got
}

// step is one operation read as before -> after.
type step struct {
	name   string
	quirks string
	before map[string][]string // collection -> documents
	method string
	path   string
	body   string
	status int
	want   string
	after  map[string]string // "collection/id" -> document, "" for none
}

func runSteps(t *testing.T, steps []step) {
	t.Helper()
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			c := newCloud(t)
			if s.quirks != "" {
				if err := c.MergeQuirks([]byte(s.quirks)); err != nil {
					t.Fatal(err)
				}
			}
			for collection, documents := range s.before {
				for _, document := range documents {
					c.put(collection, document)
				}
			}
			c.clock.Advance(time.Second)
			check(t, c.call(s.method, s.path, s.body), s.status, s.want)
			for key, want := range s.after {
				collection, id, _ := strings.Cut(key, "/")
				got, err := c.GetResource("servicestage", collection, id)
				if want == "" {
					if err == nil {
						t.Errorf("%s is still there: %v", key, got)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", key, err)
					continue
				}
				var buffer bytes.Buffer
				if err := json.NewEncoder(&buffer).Encode(got); err != nil {
					t.Fatal(err)
				}
				compareJSON(t, buffer.String(), want)
			}
		})
	}
}

func mustQuery(pairs ...string) string {
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Add(pairs[i], pairs[i+1])
	}
	return "?" + query.Encode()
}
