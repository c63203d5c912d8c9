// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// response is a whole answer.
type response struct {
	status int
	header http.Header
	body   []byte
}

func (r response) write(w http.ResponseWriter) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.status)
	// A client that is gone is no error of the engine.
	_, _ = w.Write(r.body)
}

func contentType(mediaType string) http.Header {
	return http.Header{"Content-Type": {mediaType}}
}

// marshal encodes what this package built itself: values that always have a JSON form.
func marshal(v any, indent string) []byte {
	encode := json.Marshal
	if indent != "" {
		encode = func(v any) ([]byte, error) { return json.MarshalIndent(v, "", indent) }
	}
	encoded, err := encode(v)
	if err != nil {
		panic("kie: an answer has no JSON form: " + err.Error())
	}
	return encoded
}

// plain is the text answer of Kie's web framework.
func plain(status int, text string) response {
	return response{status: status, header: contentType("text/plain; charset=utf-8"), body: []byte(text)}
}

// route is one operation of a component.
type route struct {
	method, pattern string
	handle          func(e *Engine, x *exchange) response
	// public operations need no token, rbacOnly ones do not exist without RBAC.
	public, rbacOnly bool
}

// routeTable is a component's operations and how it words what has none.
type routeTable struct {
	routes       []route
	unknown      func(allowed []string) response
	unauthorized func(refused *refusal) response
}

// find returns the operation and its parameters; without one, the methods that the path has.
func (t routeTable) find(method, escapedPath string) (*route, map[string]string, []string) {
	segments := strings.Split(strings.Trim(escapedPath, "/"), "/")
	var allowed []string
	for i := range t.routes {
		params, ok := matchSegments(t.routes[i].pattern, segments)
		if !ok {
			continue
		}
		if t.routes[i].method == method {
			return &t.routes[i], params, nil
		}
		allowed = append(allowed, t.routes[i].method)
	}
	return nil, nil, allowed
}

func matchSegments(pattern string, segments []string) (map[string]string, bool) {
	wanted := strings.Split(strings.Trim(pattern, "/"), "/")
	if len(wanted) != len(segments) {
		return nil, false
	}
	params := map[string]string{}
	for i, want := range wanted {
		if !strings.HasPrefix(want, "{") {
			if want != segments[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(segments[i])
		if err != nil || value == "" {
			return nil, false
		}
		params[strings.Trim(want, "{}")] = value
	}
	return params, true
}

// Operation names what a request asks of an engine, "GET /v1/{project}/kie/kv"; "" for nothing that it has.
func Operation(r *http.Request) string {
	for _, table := range []routeTable{kieRoutes, serviceCenterRoutes} {
		if found, _, _ := table.find(r.Method, r.URL.EscapedPath()); found != nil {
			return found.method + " " + found.pattern
		}
	}
	return ""
}

var kieRoutes, serviceCenterRoutes routeTable

func init() {
	kieRoutes = routeTable{
		unknown:      unknownKie,
		unauthorized: func(*refusal) response { return response{status: http.StatusUnauthorized} },
		routes: []route{
			{method: http.MethodGet, pattern: "/v1/health", handle: (*Engine).health, public: true},
			{method: http.MethodPost, pattern: "/v1/{project}/kie/kv", handle: (*Engine).createItem},
			{method: http.MethodGet, pattern: "/v1/{project}/kie/kv", handle: (*Engine).listItems},
			{method: http.MethodDelete, pattern: "/v1/{project}/kie/kv", handle: (*Engine).deleteItems},
			{method: http.MethodPut, pattern: "/v1/{project}/kie/kv/{kv_id}", handle: (*Engine).updateItem},
			{method: http.MethodGet, pattern: "/v1/{project}/kie/kv/{kv_id}", handle: (*Engine).getItem},
			{method: http.MethodDelete, pattern: "/v1/{project}/kie/kv/{kv_id}", handle: (*Engine).deleteItem},
			{method: http.MethodPost, pattern: "/v1/{project}/kie/file", handle: (*Engine).importItems},
			{method: http.MethodGet, pattern: "/v1/{project}/kie/revision/{kv_id}", handle: (*Engine).itemHistory},
			{method: http.MethodGet, pattern: "/v1/{project}/kie/track", handle: (*Engine).track},
		},
	}
	serviceCenterRoutes = routeTable{
		unknown:      unknownServiceCenter,
		unauthorized: (*refusal).serviceCenter,
		routes: []route{
			{method: http.MethodGet, pattern: "/version", handle: (*Engine).version, public: true},
			{method: http.MethodPost, pattern: "/v4/token", handle: (*Engine).login, public: true, rbacOnly: true},
			{method: http.MethodGet, pattern: "/v4/accounts", handle: (*Engine).listAccounts, rbacOnly: true},
			{method: http.MethodPost, pattern: "/v4/accounts", handle: (*Engine).createAccount, rbacOnly: true},
			{method: http.MethodDelete, pattern: "/v4/accounts/{name}", handle: (*Engine).deleteAccount, rbacOnly: true},
			{method: http.MethodPost, pattern: "/v4/accounts/{name}/password", handle: (*Engine).changePassword, rbacOnly: true},
			{method: http.MethodGet, pattern: "/v4/roles", handle: (*Engine).listRoles, rbacOnly: true},
			{method: http.MethodPost, pattern: "/v4/roles", handle: (*Engine).createRole, rbacOnly: true},
			{method: http.MethodDelete, pattern: "/v4/roles/{name}", handle: (*Engine).deleteRole, rbacOnly: true},
			{method: http.MethodGet, pattern: "/v4/account-locks", handle: (*Engine).listLocks, rbacOnly: true},
			{method: http.MethodGet, pattern: "/v4/self-perms", handle: (*Engine).selfPermissions, rbacOnly: true},
			{method: http.MethodGet, pattern: "/v4/{project}/registry/health", handle: (*Engine).registryHealth, public: true},
			{method: http.MethodGet, pattern: "/v4/{project}/registry/microservices", handle: (*Engine).listServices},
			{method: http.MethodPost, pattern: "/v4/{project}/registry/microservices", handle: (*Engine).createService},
		},
	}
}

func unknownKie(allowed []string) response {
	if len(allowed) == 0 {
		return plain(http.StatusNotFound, "404: Page Not Found")
	}
	refused := plain(http.StatusMethodNotAllowed, "405: Method Not Allowed")
	refused.header.Set("Allow", strings.Join(allowed, ", "))
	return refused
}

func unknownServiceCenter(allowed []string) response {
	status, text := http.StatusNotFound, "404 page not found\n"
	if len(allowed) > 0 {
		status, text = http.StatusMethodNotAllowed, "Method Not Allowed\n"
	}
	return registered(plain(status, text))
}

// refusal is an error of the service center.
type refusal struct {
	status        int
	code, message string
	detail        string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s %s: %s", r.code, r.message, r.detail) }
