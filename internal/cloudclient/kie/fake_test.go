// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
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

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
)

const testPassword = "Passw0rd!-very-secret"

// fakeClock stands still, and sleeping moves it.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{now: time.Now().Truncate(time.Second)} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.advance(d)
	return ctx.Err()
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fakeEngine is a service center and a configuration center. It checks tokens where it has a password, records the
// calls, and answers them as the test says.
type fakeEngine struct {
	t     testing.TB
	clock *fakeClock
	url   string

	mu       sync.Mutex
	password string
	// login answers instead of the usual where not nil.
	login  http.HandlerFunc
	logins int
	valid  map[string]bool
	// makeToken makes the n-th token.
	makeToken func(n int) string
	handler   http.HandlerFunc
	log       []string
}

func newFakeEngine(t testing.TB, handler http.HandlerFunc) *fakeEngine {
	t.Helper()
	e := &fakeEngine{
		t: t, clock: newFakeClock(), password: testPassword, valid: map[string]bool{}, handler: handler,
		makeToken: func(n int) string { return fmt.Sprintf("TOKEN-%04d", n) },
	}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	e.url = server.URL
	return e
}

func (e *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		e.t.Errorf("reading a request: %v", err)
	}
	e.mu.Lock()
	if r.URL.Path == "/v4/token" {
		answer := e.logIn(body)
		e.mu.Unlock()
		answer(w, r)
		return
	}
	e.log = append(e.log, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	allowed := e.password == "" && r.Header.Get("Authorization") == "" || found && e.valid[token]
	answer := e.handler
	e.mu.Unlock()
	if !allowed {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answer(w, r)
}

// logIn returns the answer to a login. The caller holds the lock.
func (e *fakeEngine) logIn(body []byte) http.HandlerFunc {
	e.logins++
	if e.login != nil {
		return e.login
	}
	var sent struct{ Name, Password string }
	if err := json.Unmarshal(body, &sent); err != nil || sent.Name != "root" || sent.Password != e.password {
		return reply(401, `{"errorCode":"401202","errorMessage":"User name or password is wrong"}`)
	}
	token := e.makeToken(e.logins)
	e.valid[token] = true
	return reply(200, `{"token":"`+token+`"}`)
}

func (e *fakeEngine) change(f func(*fakeEngine)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(e)
}

// revoke ends all tokens, as a restart with other keys does.
func (e *fakeEngine) revoke() { e.change(func(e *fakeEngine) { clear(e.valid) }) }

func (e *fakeEngine) loginCount() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.logins
}

func (e *fakeEngine) requests() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.log...)
}

func (e *fakeEngine) config(change ...func(*Config)) Config {
	e.t.Helper()
	policy, err := endpoint.NewPolicy([]string{"http://127.0.0.1"})
	if err != nil {
		e.t.Fatal(err)
	}
	cfg := Config{
		Account: "team/engine", KieAddresses: []string{e.url}, ServiceCenterAddresses: []string{e.url}, Password: testPassword,
		Policy: policy, Clock: e.clock, RateLimit: cloudclient.RateLimit{RequestsPerSecond: 1e6, Burst: 1e6},
	}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

func (e *fakeEngine) client(change ...func(*Config)) *Client {
	e.t.Helper()
	client, err := New(e.config(change...))
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(client.Close)
	return client
}

// without authentication.
func open(cfg *Config) { cfg.Password, cfg.ServiceCenterAddresses = "", nil }

func reply(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const oneItem = `{"id":"i1","key":"k1","value":"v1","value_type":"text","status":"enabled","create_revision":1,"update_revision":2}`

// together runs f n times at once and returns the errors.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}
