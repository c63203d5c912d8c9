// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package servicestage calls the APIs of ServiceStage V3 (API reference 5.1 to 5.4) and its jobs (4.6.1).
//
// Errors are of the classes of package clouderr. NotFound is only ever reported for a resource that is gone for
// certain: ServiceStage answers 401 SVCSTG.00100401 for a missing one, the status that bad credentials have too, and
// then a list that succeeds must not hold it. Where it does, the class is Transient; where the list fails, it is
// Transient too, or Throttled, Unauthorized or Forbidden as the list was.
package servicestage

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"sync/atomic"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// Client calls ServiceStage for one account. It is safe for concurrent use.
type Client struct {
	cloud *cloudclient.Client
	// jobsOfV2 is set once the cloud turned out to know jobs at their V2 path only.
	jobsOfV2 atomic.Bool
}

// New returns a client that calls through cloud.
func New(cloud *cloudclient.Client) *Client { return &Client{cloud: cloud} }

// Label is a label of an environment, an application or a component.
type Label struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// EnterpriseProject returns the enterprise project that an id stands for: an empty one counts as the default, "0".
func EnterpriseProject(id string) string {
	if id == "" {
		return "0"
	}
	return id
}

const basePath = "/v3/{project_id}/cas"

// do makes one call of the service.
func (c *Client) do(ctx context.Context, operation, method, path string, query url.Values, body, out any) error {
	return c.cloud.Do(ctx, cloudclient.Request{
		Operation: operation, Service: cloudclient.ServiceStage, Method: method, Path: basePath + path, Query: query,
		Body: body, Out: out,
	})
}

// kind is what confirming needs to know about a kind of resource.
type kind struct {
	name string
	// missing is the code of the kind's own 404.
	missing string
	// listed says whether a complete list holds the id.
	listed func(ctx context.Context, id string) (bool, error)
}

// confirm turns the failure of a call about the resource id into what it means: NotFound where the resource is gone for
// certain, Transient where the cloud contradicts itself, and the failure as it is otherwise.
func (k kind) confirm(ctx context.Context, id string, err error) error {
	var failure *clouderr.Error
	if err == nil || !errors.As(err, &failure) {
		return err
	}
	switch {
	case suspected(failure):
		return cloudclient.ConfirmMissing(ctx, k.name, failure, func(ctx context.Context) (bool, error) { return k.listed(ctx, id) })
	case failure.Class == clouderr.NotFound && failure.Code != k.missing:
		// Something is missing, but not the resource that was asked for.
		other := *failure
		other.Class = clouderr.Invalid
		return &other
	default:
		return err
	}
}

// suspected says whether an answer is the one that a missing resource gets in practice.
func suspected(failure *clouderr.Error) bool {
	return failure.Status == http.StatusUnauthorized && failure.Code == cloudclient.CodeMissingOr401
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// checkID refuses what would change the meaning of a path: an empty id would list, a dotted one climb.
func checkID(what, id string) error {
	if !idPattern.MatchString(id) {
		return clouderr.New(clouderr.Invalid, "%s id %.80q is not an id (1 to 64 letters, digits, hyphens, underscores and dots)", what, id)
	}
	return nil
}

// checkIdentified makes sure that a reply about a resource carries its id; one that does not is garbage.
func checkIdentified(operation, id string) error {
	if id == "" {
		return &clouderr.Error{
			Class: clouderr.Transient, Service: string(cloudclient.ServiceStage), Operation: operation,
			Message: "the cloud's reply holds no id",
		}
	}
	return nil
}

// emptyNotNil makes a nil list marshal as [], which clears, and not as null.
func emptyNotNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Vacant returns nil where a call of an operation that changes something would be sent soon, and otherwise an error of
// class Throttled.
func (c *Client) Vacant(operation string) error {
	return c.cloud.Vacant(cloudclient.ServiceStage, operation)
}
