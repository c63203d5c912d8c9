// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/cloudclient/sign"
)

const (
	testAccessKey = "AKTESTKEY"
	testSecretKey = "sk-very-secret-value"
	testPassword  = "Passw0rd-very-secret"
	testProject   = "0a1b2c3d4e5f"
	testRegion    = "ap-southeast-3"
)

// fakeClock stands still, and sleeping moves it.
type fakeClock struct {
	mu     sync.Mutex
	now    time.Time
	sleeps []time.Duration
}

func newFakeClock() *fakeClock { return &fakeClock{now: time.Now().Truncate(time.Second)} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sleeps = append(c.sleeps, d)
	c.now = c.now.Add(d)
	return nil
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *fakeClock) slept() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Duration(nil), c.sleeps...)
}

// seenRequest is a request as the server got it.
type seenRequest struct {
	Method, URI string
	Header      http.Header
	Host, Body  string
}

func (r seenRequest) line() string { return r.Method + " " + r.URI }

// fakeCloud is a server that records what it gets and answers as the test says.
type fakeCloud struct {
	*httptest.Server
	mu      sync.Mutex
	seen    []seenRequest
	handler http.HandlerFunc
}

func newFakeCloud(t testing.TB, handler http.HandlerFunc) *fakeCloud {
	t.Helper()
	cloud := &fakeCloud{handler: handler}
	cloud.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading a request: %v", err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		cloud.mu.Lock()
		cloud.seen = append(cloud.seen, seenRequest{r.Method, r.URL.RequestURI(), r.Header.Clone(), r.Host, string(body)})
		handler := cloud.handler
		cloud.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(cloud.Close)
	return cloud
}

// answer changes how the server answers from now on.
func (c *fakeCloud) answer(handler http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handler = handler
}

func (c *fakeCloud) requests() []seenRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]seenRequest(nil), c.seen...)
}

// lines returns the method and URI of every request.
func (c *fakeCloud) lines() []string {
	var lines []string
	for _, r := range c.requests() {
		lines = append(lines, r.line())
	}
	return lines
}

// reply answers with a status, a body and headers given as "Name: value".
func replyWith(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// config returns a configuration of a key for the server, with a clock that stands still.
func (c *fakeCloud) config(t testing.TB, change ...func(*Config)) Config {
	t.Helper()
	policy, err := endpoint.NewPolicy([]string{"http://127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Account: "team/default", Region: testRegion, ProjectID: testProject,
		Credentials: Credentials{AccessKey: testAccessKey, SecretKey: testSecretKey},
		Endpoints:   map[Service]string{IAM: c.URL, ServiceStage: c.URL},
		RateLimit:   RateLimit{RequestsPerSecond: 1000, Burst: 1000},
		Policy:      policy, Clock: newFakeClock(), Timeout: 20 * time.Second,
	}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

func (c *fakeCloud) client(t testing.TB, change ...func(*Config)) *Client {
	t.Helper()
	client, err := New(c.config(t, change...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func withUser(cfg *Config) {
	cfg.Credentials = Credentials{DomainName: "acme", Username: "bot", Password: testPassword}
}

func withoutProject(cfg *Config) { cfg.ProjectID = "" }

func withClock(clock Clock) func(*Config) { return func(cfg *Config) { cfg.Clock = clock } }

// get is a plain read of one environment.
func get(out any) Request {
	return Request{
		Operation: "GetEnvironment", Service: ServiceStage, Method: http.MethodGet,
		Path: "/v3/{project_id}/cas/environments/e1", Out: out,
	}
}

func post() Request {
	return Request{
		Operation: "CreateEnvironment", Service: ServiceStage, Method: http.MethodPost,
		Path: "/v3/{project_id}/cas/environments", Body: map[string]string{"name": "dev"},
	}
}

// signedBy says whether the request's Authorization is what the key makes of it.
func signedBy(r seenRequest, key sign.Key) error {
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URI, nil)
	if err != nil {
		return err
	}
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-") || name == "Content-Type" {
			again.Header[name] = values
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Sdk-Date"))
	if err != nil {
		return err
	}
	sign.Request(again, []byte(r.Body), key, at)
	if got, want := r.Header.Get("Authorization"), again.Header.Get("Authorization"); got != want {
		return fmt.Errorf("Authorization\n got %s\nwant %s", got, want)
	}
	return nil
}

const refusedBody = `{"error_code":"APIG.0301","error_msg":"Incorrect IAM authentication information: verify aksk signature fail","request_id":"r-401"}`

// keyCloud answers requests by one access key and refuses all others.
func keyCloud(accessKey string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "Access="+accessKey+",") {
			replyWith(401, refusedBody)(w, r)
			return
		}
		replyWith(200, `{"id":"e1"}`)(w, r)
	}
}

// tokenCloud is an IAM and a service behind it, with tokens that can be ended.
type tokenCloud struct {
	clock Clock
	life  time.Duration

	mu       sync.Mutex
	logins   int
	password string
	down     bool
	valid    map[string]bool
}

func newTokenCloud(clock Clock) *tokenCloud {
	return &tokenCloud{clock: clock, life: 24 * time.Hour, password: testPassword, valid: map[string]bool{}}
}

func (c *tokenCloud) handle(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.URL.Path != "/v3/auth/tokens" {
		if !c.valid[r.Header.Get("X-Auth-Token")] {
			replyWith(401, `{"error_code":"APIG.0301","error_msg":"Incorrect IAM authentication information: decrypt token fail"}`)(w, r)
			return
		}
		replyWith(200, `{"id":"e1"}`)(w, r)
		return
	}
	c.logins++
	var body tokenRequest
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		replyWith(400, `{"error":{"code":400,"message":"The request body is invalid"}}`)(w, r)
		return
	}
	switch {
	case c.down:
		replyWith(503, "")(w, r)
	case body.Auth.Identity.Password.User.Password != c.password:
		replyWith(401, `{"error":{"code":401,"message":"The username or password is wrong.","title":"Unauthorized"}}`)(w, r)
	default:
		value := fmt.Sprintf("TOKEN-%04d", c.logins)
		c.valid[value] = true
		ends := c.clock.Now().Add(c.life).UTC().Format("2006-01-02T15:04:05.000000Z")
		replyWith(201, `{"token":{"expires_at":"`+ends+`","project":{"id":"`+testProject+`","name":"`+testRegion+`"}}}`,
			"X-Subject-Token: "+value)(w, r)
	}
}

func (c *tokenCloud) change(f func(*tokenCloud)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c)
}

func (c *tokenCloud) loginCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logins
}

// together runs f n times at once and returns the errors.
func together(n int, f func() error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f()
		})
	}
	close(start)
	wg.Wait()
	return errs
}
