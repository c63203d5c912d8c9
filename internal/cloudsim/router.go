// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"net/url"
	"strings"
)

// handler answers one call. It runs under the state's lock: shared for routes that only read, exclusive for others,
// so that a check and the change it guards are one step.
type handler func(c *call) (reply, error)

// route is one operation of one service.
type route struct {
	method  string
	pattern string
	handle  handler
	// public operations need no credentials.
	public bool
	// secretBody keeps the request body out of the call log.
	secretBody bool
	// iamErrors words refused credentials as IAM does.
	iamErrors bool
	// changes takes the exclusive lock.
	changes bool
}

// operation names the route in the call log.
func (r *route) operation() string { return r.method + " " + r.pattern }

// router finds routes by path segment; literals go before {parameters}.
type router struct{ root node }

type node struct {
	children  map[string]*node
	parameter *node
	name      string
	routes    map[string]*route
}

func (r *router) add(rt *route) {
	n := &r.root
	for _, segment := range splitPath(rt.pattern) {
		if strings.HasPrefix(segment, "{") {
			if n.parameter == nil {
				n.parameter = &node{}
			}
			n = n.parameter
			n.name = strings.Trim(segment, "{}")
			continue
		}
		if n.children == nil {
			n.children = map[string]*node{}
		}
		if n.children[segment] == nil {
			n.children[segment] = &node{}
		}
		n = n.children[segment]
	}
	if n.routes == nil {
		n.routes = map[string]*route{}
	}
	n.routes[rt.method] = rt
}

// find returns the route and its parameters, or nil where no service has such an operation. A trailing slash is
// tolerated: the reference itself writes GET /v3/projects/.
func (r *router) find(method, escapedPath string) (*route, map[string]string) {
	segments := splitPath(escapedPath)
	for i, segment := range segments {
		if decoded, err := url.PathUnescape(segment); err == nil {
			segments[i] = decoded
		}
	}
	params := map[string]string{}
	if rt := r.root.find(method, segments, params); rt != nil {
		return rt, params
	}
	return nil, nil
}

func (n *node) find(method string, segments []string, params map[string]string) *route {
	if len(segments) == 0 {
		return n.routes[method]
	}
	if child := n.children[segments[0]]; child != nil {
		if rt := child.find(method, segments[1:], params); rt != nil {
			return rt
		}
	}
	if n.parameter == nil || segments[0] == "" {
		return nil
	}
	rt := n.parameter.find(method, segments[1:], params)
	if rt != nil {
		params[n.parameter.name] = segments[0]
	}
	return rt
}

func splitPath(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}
