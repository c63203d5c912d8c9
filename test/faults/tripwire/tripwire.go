// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tripwire puts itself between a program and the servers that it talks to, and acts at exactly one of the
// requests: it kills the program before or after the effect, or loses the answer.
package tripwire

import (
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Moment says on which side of a request's effect a trap acts.
type Moment string

const (
	// Before the server sees the request.
	Before Moment = "before"
	// After the server has answered, and before the program hears of it.
	After Moment = "after"
)

// Verdict says what becomes of the request at which a trap acted.
type Verdict int

const (
	// Pass lets it go its way.
	Pass Verdict = iota
	// Cut ends the connection without an answer.
	Cut
	// Hold keeps the connection open without an answer until the program gives up.
	Hold
)

// Trap acts at one request.
type Trap struct {
	// Nth counted request since the trap was armed; the first is 1.
	Nth  int
	When Moment
	// Spring acts; the request waits for it.
	Spring func(*http.Request) Verdict
}

// Wire counts the requests of several proxies in one row.
type Wire struct {
	mu     sync.Mutex
	steps  []string
	trap   *Trap
	sprung chan struct{}
}

// Arm forgets what was counted and sets a trap, or none. The channel is closed once the trap has acted.
func (w *Wire) Arm(trap *Trap) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps, w.trap, w.sprung = nil, trap, make(chan struct{})
	return w.sprung
}

// Steps returns what was counted since the wire was armed.
func (w *Wire) Steps() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.steps)
}

// count notes a step, and returns the trap where this is its step.
func (w *Wire) count(step string) (*Trap, chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps = append(w.steps, step)
	if w.trap == nil || len(w.steps) != w.trap.Nth {
		return nil, nil
	}
	return w.trap, w.sprung
}

// Proxy passes requests on to one server. It keeps their Host, which signatures cover.
type Proxy struct {
	// URL that the program is told in the place of the server's.
	URL string
	// CA is the certificate of an https URL, PEM.
	CA []byte

	wire     *Wire
	describe func(*http.Request) string
	forward  *httputil.ReverseProxy
	server   *httptest.Server

	mu     sync.Mutex
	filter func(*http.Request) Filter
}

// NewProxy starts a proxy in front of target, on a loopback address. It speaks TLS where the target does, with the
// certificate CA. describe names the requests that count, and returns "" for those that do not.
func (w *Wire) NewProxy(target string, transport *http.Transport, describe func(*http.Request) string) (*Proxy, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("tripwire: %w", err)
	}
	transport.DisableCompression = true // an answer goes on as it came
	p := &Proxy{wire: w, describe: describe}
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		Transport:     transport,
		FlushInterval: -1,
		// What the server does not answer is not answered here either.
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ModifyResponse: p.filterStream,
	}
	p.server = httptest.NewUnstartedServer(p)
	if to.Scheme == "https" {
		p.server.StartTLS()
		p.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	} else {
		p.server.Start()
	}
	p.URL = p.server.URL
	return p, nil
}

// Close ends every connection.
func (p *Proxy) Close() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// ServeHTTP passes a request on, or does what the trap says.
func (p *Proxy) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	step := p.describe(r)
	if step == "" {
		p.forward.ServeHTTP(rw, r)
		return
	}
	trap, sprung := p.wire.count(step)
	switch {
	case trap == nil:
		p.forward.ServeHTTP(rw, r)
	case trap.When == Before:
		act(trap, sprung, r)
		p.forward.ServeHTTP(rw, r)
	default:
		answer := httptest.NewRecorder()
		p.forward.ServeHTTP(answer, r)
		act(trap, sprung, r)
		maps.Copy(rw.Header(), answer.Header())
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes()) // who asked may be gone
	}
}

// act springs the trap, and does not return where the request is to have no answer.
func act(trap *Trap, sprung chan struct{}, r *http.Request) {
	verdict := trap.Spring(r)
	close(sprung)
	switch verdict {
	case Pass:
		return
	case Hold:
		<-r.Context().Done()
	case Cut:
	}
	panic(http.ErrAbortHandler)
}

// OneShotTransport returns a transport that sends every request on a connection of its own, so that nothing is
// repeated behind the program's back.
func OneShotTransport() *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext:       (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
	}
}
