// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options configure an engine. The zero value is an engine without RBAC on the machine's clock.
type Options struct {
	// RBAC demands a token for everything but health and version, see SetAuth.
	RBAC bool
	// RootPassword is that of the account root.
	RootPassword string
	// Clock is the engine's time; nil takes the machine's.
	Clock Clock
	// Quirks returns the switches as they stand; nil leaves all of them off.
	Quirks func() Quirks
}

// Quirks are the differences between the open-source servers and what the API reference or clients say.
type Quirks struct {
	// NoWait makes a list ignore wait, as an engine without long polls does.
	NoWait bool
	// Times is the form of create_time and update_time: "" is seconds as a number (transcript), "string" seconds in a
	// string (reference, tables), "millis" milliseconds as a number.
	Times string
	// Wrap puts the item that POST and PUT answer into {"kie": ...} (reference, tables).
	Wrap bool
	// SnakeErrors writes Kie's errors as {error_code, error_message, detail} (reference), else {errorCode, errorMessage,
	// detail} (transcript).
	SnakeErrors bool
	// DeleteOK answers DELETE of one item with 200 (reference, table), else 204.
	DeleteOK bool
	// TokenLifetime is the life of tokens issued from now on; 0 is 12 hours (documented).
	TokenLifetime time.Duration
	// ItemQuota caps the number of items of all projects; 0 is no cap.
	ItemQuota int
}

// Engine is one microservice engine. It is safe for concurrent use.
type Engine struct {
	clock    Clock
	quirks   func() Quirks
	items    *items
	access   *access
	registry registry
}

// New returns an engine without items.
func New(options Options) *Engine {
	if options.Clock == nil {
		options.Clock = machineClock{}
	}
	if options.Quirks == nil {
		options.Quirks = func() Quirks { return Quirks{} }
	}
	e := &Engine{clock: options.Clock, quirks: options.Quirks, items: newItems(), access: newAccess(options.Clock)}
	e.SetAuth(options.RBAC, options.RootPassword)
	return e
}

// SetAuth turns RBAC on or off and sets root's password; "" leaves the password. Tokens that were issued stay good.
func (e *Engine) SetAuth(rbac bool, rootPassword string) { e.access.setAuth(rbac, rootPassword) }

// RevokeTokens makes every token that was issued invalid.
func (e *Engine) RevokeTokens() { e.access.revoke() }

// ClearLocks forgets all wrong logins.
func (e *Engine) ClearLocks() { e.access.clearLocks() }

// Handler serves both components.
func (e *Engine) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			e.serve(kieRoutes, w, r)
			return
		}
		e.serve(serviceCenterRoutes, w, r)
	})
}

// ServiceCenterHandler serves the service center alone.
func (e *Engine) ServiceCenterHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.serve(serviceCenterRoutes, w, r) })
}

// KieHandler serves Kie alone.
func (e *Engine) KieHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.serve(kieRoutes, w, r) })
}

// exchange is one request on its way through an operation.
type exchange struct {
	request *http.Request
	params  map[string]string
	query   url.Values
	body    []byte
	quirks  Quirks
	// account is who asks; with RBAC off it may do everything.
	account identity
}

// address is the client's, without its port.
func (x *exchange) address() string {
	host, _, err := net.SplitHostPort(x.request.RemoteAddr)
	if err != nil {
		return x.request.RemoteAddr
	}
	return host
}

func (e *Engine) serve(table routeTable, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		// The client broke off in the middle of its request.
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	e.answer(table, &exchange{request: r, query: r.URL.Query(), body: body, quirks: e.quirks()}).write(w)
}

// answer is a component: route, credentials, operation.
func (e *Engine) answer(table routeTable, x *exchange) response {
	found, params, allowed := table.find(x.request.Method, x.request.URL.EscapedPath())
	if found == nil || (found.rbacOnly && !e.access.enabled()) {
		return table.unknown(allowed)
	}
	x.params = params
	if !found.public {
		account, refused := e.access.identify(x.request.Header.Get("Authorization"))
		if refused != nil {
			return table.unauthorized(refused)
		}
		x.account = account
	}
	return found.handle(e, x)
}
