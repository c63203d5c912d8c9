// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cse calls CSE's management of microservice engines (API reference 7.3), and the import and export of their
// configuration (7.2).
//
// Every call about one engine carries the engine's enterprise project, which must be the same each time; an empty one is
// the default project, "0".
//
// Errors are of the classes of package clouderr. NotFound is only ever reported for an engine (with import and export also
// an item, with jobs also a job) that is gone for certain: CSE also answers 401 SVCSTG.00501125 for a missing one, and then a list that succeeds must not hold it. Where it does,
// the class is Transient; where the list fails, it is Transient too, or Throttled, Unauthorized or Forbidden as the list
// was.
package cse

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// Client calls CSE for one account. It is safe for concurrent use.
type Client struct{ cloud *cloudclient.Client }

// New returns a client that calls through cloud.
func New(cloud *cloudclient.Client) *Client { return &Client{cloud: cloud} }

const (
	enginesPath = "/v2/{project_id}/enginemgr/engines"
	flavorsPath = "/v2/{project_id}/enginemgr/flavors"
	kiePath     = "/v1/{project_id}/kie"
)

// DefaultEnterpriseProject is the id that an empty enterprise project stands for.
const DefaultEnterpriseProject = "0"

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// checkID refuses what would change the meaning of a path or a header: an empty id would list.
func checkID(what, id string) error {
	if !idPattern.MatchString(id) {
		return clouderr.New(clouderr.Invalid, "%s id %.80q is not an id (1 to 64 letters, digits, hyphens and underscores)", what, id)
	}
	return nil
}

// target is the engine that a call is about, in the enterprise project that the call must name.
type target struct{ enterpriseProjectID, id string }

func (t target) check() error {
	if t.enterpriseProjectID != "" {
		if err := checkID("enterprise project", t.enterpriseProjectID); err != nil {
			return err
		}
	}
	return checkID("engine", t.id)
}

func enterpriseProject(id string) http.Header {
	return http.Header{"X-Enterprise-Project-Id": {cmp.Or(id, DefaultEnterpriseProject)}}
}

func (t target) path(below string) string { return enginesPath + "/" + url.PathEscape(t.id) + below }

// about makes a call about one engine.
func (c *Client) about(ctx context.Context, engine target, request cloudclient.Request) error {
	if err := engine.check(); err != nil {
		return err
	}
	header := enterpriseProject(engine.enterpriseProjectID)
	for name, values := range request.Header {
		header[name] = values
	}
	request.Service, request.Header = cloudclient.CSE, header
	return c.confirm(ctx, engine.id, c.cloud.Do(ctx, request))
}

// confirm turns the answer that a missing engine often gets into what it means.
func (c *Client) confirm(ctx context.Context, id string, err error) error {
	var failure *clouderr.Error
	if !errors.As(err, &failure) || failure.Code != cloudclient.CodeEngineMissingOr401 {
		return err
	}
	return cloudclient.ConfirmMissing(ctx, "engine", failure, func(ctx context.Context) (bool, error) {
		found := false
		for engine, err := range c.ListEngines(ctx) {
			if err != nil {
				return false, err
			}
			found = found || engine.ID == id && engine.Status != StatusDeleted
		}
		return found, nil
	})
}

// garbage is the error for a reply that lacks what makes it one.
func garbage(operation, lack string) error {
	return &clouderr.Error{
		Class: clouderr.Transient, Service: string(cloudclient.CSE), Operation: operation,
		Message: "the cloud's reply holds no " + lack,
	}
}

// asError returns the classified error in err's chain.
func asError(err error) *clouderr.Error {
	var failure *clouderr.Error
	if errors.As(err, &failure) {
		return failure
	}
	return clouderr.New(clouderr.Transient, "%w", err)
}

// Vacant returns nil where a call of an operation that changes something would be sent soon, and otherwise an error of
// class Throttled.
func (c *Client) Vacant(operation string) error { return c.cloud.Vacant(cloudclient.CSE, operation) }
