// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cse

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
)

// script answers requests by "METHOD /path?query", the project left out of the path, and records all of them with their
// enterprise project and their bodies. A request that is not in the script fails the test.
type script struct {
	t       testing.TB
	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	log     []string
	headers []http.Header
}

func newScript(t testing.TB, answers map[string]http.HandlerFunc) (*script, *Client) {
	t.Helper()
	s := &script{t: t, answers: answers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	policy, err := endpoint.NewPolicy([]string{"http://127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := cloudclient.New(cloudclient.Config{
		Region: "ap-southeast-3", ProjectID: "p1", Policy: policy,
		Credentials: cloudclient.Credentials{AccessKey: "AK", SecretKey: "SK"},
		Endpoints:   map[cloudclient.Service]string{cloudclient.CSE: server.URL},
		RateLimit:   cloudclient.RateLimit{RequestsPerSecond: 10000, Burst: 10000},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	return s, New(cloud)
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Errorf("reading a request: %v", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	line := r.Method + " " + strings.Replace(r.URL.RequestURI(), "/p1/", "/", 1)
	entry := line
	if project := r.Header.Get("X-Enterprise-Project-Id"); project != "" {
		entry += " [" + project + "]"
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") && len(body) > 0 {
		entry += " " + string(body)
	}
	s.mu.Lock()
	s.log = append(s.log, entry)
	s.headers = append(s.headers, r.Header.Clone())
	answer := s.answers[line]
	s.mu.Unlock()
	if answer == nil {
		s.t.Errorf("a request that is not in the script: %s", entry)
		http.Error(w, "", http.StatusTeapot)
		return
	}
	answer(w, r)
}

func (s *script) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.log...)
}

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func failure(status int, code string) http.HandlerFunc {
	return reply(status, fmt.Sprintf(`{"errorCode":%q,"errorMessage":"words"}`, code))
}

func pointer[T any](value T) *T { return &value }
