// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// service is one cloud service: it declares its collections and its operations.
type service interface {
	install(g *registry)
}

// services is the table of all services; a new one adds its line here.
func services(s *Server) []service {
	return []service{
		&iam{authority: s.authority},
		s.stage,
		s.cse,
		s.network,
	}
}

// registry is where a service puts its operations.
type registry struct{ router *router }

// handle adds an operation. GET and HEAD only read; everything else takes the exclusive lock.
func (g *registry) handle(method, pattern string, h handler, options ...func(*route)) {
	rt := &route{method: method, pattern: pattern, handle: h, changes: method != http.MethodGet && method != http.MethodHead}
	for _, option := range options {
		option(rt)
	}
	g.router.add(rt)
}

// call is one request on its way through a handler.
type call struct {
	request *http.Request
	params  map[string]string
	query   url.Values
	body    []byte
	caller  principal
	quirks  Quirks
	now     time.Time
}

// project is the project in the path.
func (c *call) project() string { return c.params["project_id"] }

// decode reads the JSON body into dst. The error names the field.
func (c *call) decode(dst any) error {
	mediaType, _, _ := strings.Cut(c.request.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(mediaType), "application/json") {
		return errors.New("Content-Type is mandatory and must be application/json")
	}
	err := json.Unmarshal(c.body, dst)
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return fmt.Errorf("%s must not be a JSON %s", wrongType.Field, wrongType.Value)
	}
	if err != nil {
		return errors.New("the request body must be a JSON object")
	}
	return nil
}
