// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
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

// script answers requests by "METHOD /path?query" below /v3/p1/cas, and records all of them with their bodies. A
// request that is not in the script fails the test.
type script struct {
	t       testing.TB
	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	log     []string
}

func newScript(t testing.TB, answers map[string]http.HandlerFunc) (*script, *Client) {
	t.Helper()
	s := &script{t: t, answers: answers}
	return s, newAnyAnswer(t, s)
}

// newAnyAnswer returns a client of a server that answers as the handler does.
func newAnyAnswer(t testing.TB, handler http.Handler) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	policy, err := endpoint.NewPolicy([]string{"http://127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := cloudclient.New(cloudclient.Config{
		Region: "ap-southeast-3", ProjectID: "p1", Policy: policy,
		Credentials: cloudclient.Credentials{AccessKey: "AK", SecretKey: "SK"},
		Endpoints:   map[cloudclient.Service]string{cloudclient.ServiceStage: server.URL},
		RateLimit:   cloudclient.RateLimit{RequestsPerSecond: 10000, Burst: 10000},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	return New(cloud)
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Errorf("reading a request: %v", err)
	}
	line := r.Method + " " + strings.TrimPrefix(r.URL.RequestURI(), "/v3/p1/cas")
	s.mu.Lock()
	entry := line
	if len(body) > 0 {
		entry += " " + string(body)
	}
	s.log = append(s.log, entry)
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
	return reply(status, fmt.Sprintf(`{"error_code":%q,"error_msg":"words"}`, code))
}

func pointer[T any](value T) *T { return &value }
