// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cloudclient calls the cloud's APIs for one account: it signs or brings a token, finds the project, keeps to
// rate limits, bounds time and size, repeats what is safe to repeat, measures, and turns every failure into one of the
// classes of package clouderr. A package per service stands on it.
package cloudclient

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

// Client calls the cloud for one account. It is safe for concurrent use. Credentials cannot be changed: a changed
// secret means a new client.
type Client struct {
	cfg       Config
	endpoints map[Service]*url.URL
	http      *http.Client
	auth      authenticator
	gate      *gate
	project   *projectLookup
	limiters  map[string]*Limiter // by host
	// urgency of looks, and whether they are held for as long as it takes.
	urgency urgency
	patient bool
}

var errNotTriedAgain = errors.New("not sent: these credentials were refused before")

// New returns a client, or an error of class Invalid that names the field that is wrong. It calls nobody.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	endpoints, err := cfg.endpointURLs()
	if err != nil {
		return nil, err
	}
	client := &Client{
		cfg:       cfg,
		endpoints: endpoints,
		http:      newHTTPClient(cfg),
		gate:      newGate(),
		project:   newProjectLookup(cfg.ProjectID),
		limiters:  map[string]*Limiter{},
		urgency:   ordinary,
	}
	for _, base := range endpoints {
		if client.limiters[base.Host] == nil {
			limiter := NewLimiter(cfg.RateLimit, cfg.Clock)
			if cfg.LimitsChanged != nil {
				limiter.changed = cfg.LimitsChanged
			}
			client.limiters[base.Host] = limiter
		}
	}
	if cfg.Credentials.usesKey() {
		client.auth = keyAuth{cfg.Credentials}
	} else {
		client.auth = newTokenAuth(client)
	}
	return client, nil
}

// Polling returns the client for looks that nobody waits for: their turn comes after that of all others.
func (c *Client) Polling() *Client {
	polling := *c
	polling.urgency = idle
	return &polling
}

// Listing returns the client for lists of many pages, which nobody waits for. They are held until their turn comes: a
// list that is cut short has to begin anew.
func (c *Client) Listing() *Client {
	listing := c.Polling()
	listing.patient = true
	return listing
}

// Close drops idle connections. Calls under way end as they would.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Do makes one call. Its error is a *clouderr.Error.
//
// Once the cloud has refused the credentials, Do fails at once with class Unauthorized and sends nothing, until Verify
// succeeds.
func (c *Client) Do(ctx context.Context, request Request) error {
	return c.guarded(ctx, request, false, func(ctx context.Context) error { return c.call(ctx, request, false) })
}

// ProjectID returns the project that the client works in: the one configured, else the token's, else the one that IAM
// knows by the project's name. It is looked up once. Where none or several match, the error is of class Invalid and
// names projectName.
func (c *Client) ProjectID(ctx context.Context) (string, error) {
	var id string
	if id = c.project.known(); id != "" {
		return id, nil
	}
	named := Request{Service: IAM, Operation: "ListProjects"}
	err := c.guarded(ctx, named, false, func(ctx context.Context) (err error) {
		id, err = c.resolveProject(ctx, false)
		return err
	})
	return id, err
}

// Verify tries the credentials: it fetches a token and finds the project where that is needed, and lists one
// environment. It goes out even after a refusal, and lifts it where the cloud accepts the credentials now. A refusal
// for lack of permission is an error of class Forbidden and proves the credentials all the same.
func (c *Client) Verify(ctx context.Context) error {
	request := Request{
		Operation: "ListEnvironments", Service: ServiceStage, Method: http.MethodGet,
		Path: "/v3/{project_id}/cas/environments", Query: url.Values{"limit": {"1"}},
	}
	return c.guarded(ctx, request, true, func(ctx context.Context) error { return c.call(ctx, request, true) })
}

// Vacant returns nil where a call of a service that changes something would be sent soon, and otherwise an error of class
// Throttled: for whoever writes something down before the call.
func (c *Client) Vacant(service Service, operation string) error {
	base, known := c.endpoints[service]
	if !known {
		return nil
	}
	if err := c.limiters[base.Host].Vacant(operation); err != nil {
		c.cfg.Metrics.throttle(c.cfg.Account, service, throttledByClient)
		return (&exchange{client: c, request: Request{Service: service, Operation: operation}}).fail(err)
	}
	return nil
}

// Refused returns the refusal that stands: an error of class Unauthorized once the cloud has refused the credentials,
// until Verify succeeds; nil otherwise.
func (c *Client) Refused() error { return c.gate.refused() }

// guarded runs a call behind the gate, within the time that a call may take, and draws the conclusions.
func (c *Client) guarded(ctx context.Context, request Request, force bool, run func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	named := &exchange{client: c, request: request}
	leave, err := c.gate.enter(ctx, force)
	if err != nil {
		return named.fail(err)
	}
	defer leave()
	err = run(ctx)
	c.gate.judge(err, force)
	if err != nil {
		return named.fail(err)
	}
	return nil
}

// Limit is a rate limit of an endpoint that is kept to: one that it stated in a 429, or that was found because it stated
// none.
type Limit struct {
	// Endpoint is the host, with its port where it is not the default one.
	Endpoint string
	// OperationLimit is zero where the limit was found.
	OperationLimit
	// Found is the rate that was found, in requests per second; 0 where the limit was stated.
	Found float64
}

// String reads like "servicestage.example: 10 per 1m0s (user)".
func (l Limit) String() string {
	switch {
	case l.Found > 0:
		return fmt.Sprintf("%s: about %.2g per 1s (found)", l.Endpoint, l.Found)
	case l.Operation != "":
		return fmt.Sprintf("%s: %s of %s", l.Endpoint, l.StatedLimit, l.Operation)
	default:
		return fmt.Sprintf("%s: %s", l.Endpoint, l.StatedLimit)
	}
}

// Limits returns the limits that endpoints have stated, and those that were found, sorted by endpoint.
func (c *Client) Limits() []Limit {
	var limits []Limit
	for _, host := range slices.Sorted(maps.Keys(c.limiters)) {
		for _, stated := range c.limiters[host].Stated() {
			limits = append(limits, Limit{Endpoint: host, OperationLimit: stated})
		}
		if rate, found := c.limiters[host].Found(); found {
			limits = append(limits, Limit{Endpoint: host, Found: rate})
		}
	}
	return limits
}

// Format keeps credentials and tokens out of everything that prints a client.
func (c *Client) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "cloudclient.Client{Account: %q, Region: %q}", c.cfg.Account, c.cfg.Region)
}
