// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// way is a server between the manager and the cloud. It sees what passes, and can answer in the cloud's place.
type way struct {
	URL string

	mu sync.Mutex
	// passed holds the signatures and tokens that went by, with what they are.
	passed map[string]string
	// answer may answer a request itself and says whether it did; nil answers none.
	answer func(http.ResponseWriter, *http.Request) bool
	// engines are what is asked under /v1/default/kie/ and /v4/, an engine's configuration center and service center.
	kie, serviceCenter *url.URL
}

func newWay(cloud string) *way {
	GinkgoHelper()
	w := &way{passed: map[string]string{}}
	target, err := url.Parse(cloud)
	Expect(err).NotTo(HaveOccurred())
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(w.target(r.In.URL.Path, target))
			r.Out.Host = r.In.Host // it is signed
		},
		Transport:      &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // engines sign their own
		ModifyResponse: w.watch,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		answer := w.answer
		w.mu.Unlock()
		if answer == nil || !answer(out, r) {
			proxy.ServeHTTP(out, r)
		}
	}))
	DeferCleanup(server.Close)
	DeferCleanup(server.CloseClientConnections)
	w.URL = server.URL
	return w
}

// target is where a request belongs.
func (w *way) target(path string, cloud *url.URL) *url.URL {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.kie != nil && strings.HasPrefix(path, "/v1/default/kie/"):
		return w.kie
	case w.serviceCenter != nil && strings.HasPrefix(path, "/v4/"):
		return w.serviceCenter
	}
	return cloud
}

// watch keeps what authenticated a request, and what a reply hands out to authenticate others.
func (w *way) watch(response *http.Response) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	note := func(what, value string) {
		if len(value) > 16 {
			w.passed[value] = what
		}
	}
	sent := response.Request.Header
	_, signature, _ := strings.Cut(sent.Get("Authorization"), "Signature=")
	note("a signature", signature)
	if bearer, found := strings.CutPrefix(sent.Get("Authorization"), "Bearer "); found {
		note("the token of an engine", bearer)
	}
	note("a token of IAM", sent.Get("X-Auth-Token"))
	note("a token of IAM", response.Header.Get("X-Subject-Token"))
	if !strings.HasSuffix(response.Request.URL.Path, "/v4/token") {
		return nil
	}
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	var issued struct{ Token string }
	if json.Unmarshal(body, &issued) == nil {
		note("the token of an engine", issued.Token)
	}
	return err
}

// secrets returns what passed so far.
func (w *way) secrets() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.passed)
}

// answers sets what answers in the cloud's place.
func (w *way) answers(answer func(http.ResponseWriter, *http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}
