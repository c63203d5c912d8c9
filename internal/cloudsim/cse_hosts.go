// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"

	"servicestage.dev/operator/internal/cloudsim/kie"
)

// engineHosts runs what is inside the engines: for each that is published a kie.Engine with two listeners, one for its
// service center and one for its Kie, as real engines have on two ports.
type engineHosts struct {
	server      *Server
	host        string
	certificate func() *engineCertificate

	mu      sync.Mutex
	running map[string]*engineHost
}

type engineHost struct {
	engine        *kie.Engine
	serviceCenter *engineListener
	kie           *engineListener
}

// engineListener is one component's address.
type engineListener struct {
	url    string
	server *http.Server
}

func newEngineHosts(server *Server) *engineHosts {
	return &engineHosts{
		server: server, host: server.options.EngineHost, running: map[string]*engineHost{},
		certificate: sync.OnceValue(func() *engineCertificate { return newEngineCertificate(server.options.EngineHost) }),
	}
}

// follow makes what runs agree with an engine's record; it is called with every change of one, under the state's lock.
func (h *engineHosts) follow(before, after *engine) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if after == nil {
		h.stop(before.ID)
		return
	}
	if !after.published() {
		return
	}
	running, ok := h.running[after.ID]
	if !ok {
		running = h.start(after)
		h.running[after.ID] = running
		return
	}
	if before == nil || before.AuthType != after.AuthType || before.RootPassword != after.RootPassword {
		running.engine.SetAuth(after.AuthType == authRBAC, after.RootPassword)
	}
}

func (h *engineHosts) start(of *engine) *engineHost {
	inside := kie.New(kie.Options{
		RBAC: of.AuthType == authRBAC, RootPassword: of.RootPassword, Clock: h.server.clock,
		Quirks: func() kie.Quirks { return h.server.Quirks().engine() },
	})
	return &engineHost{
		engine:        inside,
		serviceCenter: h.listen(of.ID, inside.ServiceCenterHandler()),
		kie:           h.listen(of.ID, inside.KieHandler()),
	}
}

// listen panics where the machine has no port left: there is nobody to tell.
func (h *engineHosts) listen(id string, component http.Handler) *engineListener {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(h.host, "0"))
	if err != nil {
		panic("cloudsim: an engine needs a port: " + err.Error())
	}
	scheme := "https"
	if h.server.Quirks().PlainEngines {
		scheme = "http"
	}
	handler := h.server.engineHandler(id, component)
	if front := h.server.options.EngineFront; front != nil {
		handler = front(id, handler)
	}
	l := &engineListener{
		url: fmt.Sprintf("%s://%s", scheme, listener.Addr()),
		server: &http.Server{
			Handler: handler, ReadHeaderTimeout: 10 * time.Second,
			// Clients that do not trust the certificate are nothing to report.
			ErrorLog: log.New(io.Discard, "", 0),
		},
	}
	if scheme == "https" {
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{h.certificate().pair}, MinVersion: tls.VersionTLS12})
	}
	go func() {
		// Serve ends with the server's Close alone, and says so.
		_ = l.server.Serve(listener)
	}()
	return l
}

func (h *engineHosts) stop(id string) {
	running, ok := h.running[id]
	if !ok {
		return
	}
	delete(h.running, id)
	for _, l := range []*engineListener{running.serviceCenter, running.kie} {
		// The connections end whether or not the listener closes well.
		_ = l.server.Close()
	}
}

// close stops all engines.
func (h *engineHosts) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id := range h.running {
		h.stop(id)
	}
}

// find returns what runs of an engine, nil for nothing.
func (h *engineHosts) find(id string) *engineHost {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running[id]
}

// addresses are "" for an engine that is not published.
func (h *engineHosts) addresses(id string) (serviceCenter, kieAddress string) {
	running := h.find(id)
	if running == nil {
		return "", ""
	}
	return running.serviceCenter.url, running.kie.url
}

// engineCertificate is the self-signed one of all engines.
type engineCertificate struct {
	pair tls.Certificate
	pem  []byte
}

// newEngineCertificate is good at any time that a simulator may pretend to have.
func newEngineCertificate(host string) *engineCertificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic("cloudsim: no key for the engines: " + err.Error())
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "simulated microservice engine"},
		NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = append(template.IPAddresses, ip)
	} else {
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic("cloudsim: no certificate for the engines: " + err.Error())
	}
	return &engineCertificate{
		pair: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}
}

// engineHandler takes a request to an engine's own address through the same faults, latencies, limits and call log as
// those to the cloud.
func (s *Server) engineHandler(id string, component http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		entry := s.newEntry(r)
		entry.Engine, entry.Operation = id, kie.Operation(r)
		// Whatever goes to /v4/ speaks of accounts and passwords.
		if len(r.URL.Path) >= 4 && r.URL.Path[:4] != "/v4/" {
			entry.Body = loggableBody(body)
		}
		s.answer(w, r, body, entry, func(_ Quirks) rendered { return s.askEngine(id, component, entry.Operation, r) })
	})
}

// askEngine: an engine that does not serve answers 503 without a body (inferred), a throttled one 429 without a body
// (observed).
func (s *Server) askEngine(id string, component http.Handler, operation string, r *http.Request) rendered {
	s.state.mu.RLock()
	of, ok := s.cse.engines.find(id)
	s.state.mu.RUnlock()
	if !ok || !of.serves() {
		return rendered{status: http.StatusServiceUnavailable, header: http.Header{}}
	}
	keys := map[string]string{LimitAPI: operation, LimitIP: clientIP(r)}
	if refused := s.limits.take(r.Method, r.URL.Path, keys, s.Quirks().RetryAfter); refused != nil {
		header := refused.header
		if header == nil {
			header = http.Header{}
		}
		return rendered{status: refused.status, header: header}
	}
	recorded := &recorder{rendered{status: http.StatusOK, header: http.Header{}}}
	component.ServeHTTP(recorded, r)
	return recorded.rendered
}

// recorder is an http.ResponseWriter that keeps the answer.
type recorder struct{ rendered }

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(data []byte) (int, error) {
	r.body = append(r.body, data...)
	return len(data), nil
}

// Close stops the engines' own addresses. The cloud itself has none: who serves it, stops it.
func (s *Server) Close() { s.hosts.close() }

// EngineCA returns the certificate that engines show at their addresses, PEM-encoded.
func (s *Server) EngineCA() []byte { return bytes.Clone(s.hosts.certificate().pem) }

// Engine returns what runs inside an engine; nil where it is not published.
func (s *Server) Engine(id string) *kie.Engine {
	running := s.hosts.find(id)
	if running == nil {
		return nil
	}
	return running.engine
}

// EngineInfo is an engine with what is inside it.
type EngineInfo struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
	// ServiceCenter and Kie are addresses, "" until the engine is published.
	ServiceCenter string `json:"serviceCenter"`
	Kie           string `json:"kie"`
	// Revision is Kie's, Items how many there are, Waiting how many long polls wait.
	Revision int64 `json:"revision"`
	Items    int   `json:"items"`
	Waiting  int   `json:"waiting"`
}

// Engines returns the engines of all projects in the order of their creation.
func (s *Server) Engines() []EngineInfo {
	s.state.mu.RLock()
	engines := s.cse.engines.everywhere()
	s.state.mu.RUnlock()
	list := []EngineInfo{}
	for _, e := range engines {
		info := EngineInfo{ID: e.ID, Name: e.Name, Status: e.Status}
		if running := s.hosts.find(e.ID); running != nil {
			info.ServiceCenter, info.Kie = running.serviceCenter.url, running.kie.url
			info.Revision, info.Items, info.Waiting = running.engine.Revision(), len(running.engine.Items()), running.engine.Waiting()
		}
		list = append(list, info)
	}
	return list
}

// RevokeEngineTokens makes the tokens that an engine has issued invalid, ClearEngineLocks forgets its wrong logins.
func (s *Server) RevokeEngineTokens(id string) error {
	return s.inEngine(id, (*kie.Engine).RevokeTokens)
}

// ClearEngineLocks forgets an engine's wrong logins.
func (s *Server) ClearEngineLocks(id string) error { return s.inEngine(id, (*kie.Engine).ClearLocks) }

func (s *Server) inEngine(id string, do func(*kie.Engine)) error {
	inside := s.Engine(id)
	if inside == nil {
		return fmt.Errorf("%w: engine %s, or it has no addresses yet", ErrNotFound, id)
	}
	do(inside)
	return nil
}

// SetEngineFlavors replaces the flavors of engines; nil brings DefaultEngineFlavors back.
func (s *Server) SetEngineFlavors(list []EngineFlavor) error { return s.flavors.set(list) }

// EngineFlavors returns the flavors of engines.
func (s *Server) EngineFlavors() []EngineFlavor { return s.flavors.list() }

// installEngines adds what the admin API has of engines.
func (a *admin) installEngines(mux *http.ServeMux) {
	s := a.server
	handleList(mux, "flavors", func() any { return s.EngineFlavors() }, s.SetEngineFlavors)
	mux.HandleFunc("GET /_sim/engines", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, s.Engines())
	})
	mux.HandleFunc("GET /_sim/engine-ca", func(w http.ResponseWriter, _ *http.Request) {
		rendered{status: http.StatusOK, header: http.Header{"Content-Type": {"application/x-pem-file"}}, body: s.EngineCA()}.write(w)
	})
	for name, do := range map[string]func(string) error{"tokens": s.RevokeEngineTokens, "locks": s.ClearEngineLocks} {
		mux.HandleFunc("DELETE /_sim/engines/{id}/"+name, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r.PathValue("id")); err != nil {
				answerError(w, statusOf(err), err)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})
	}
}
