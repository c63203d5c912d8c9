// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// minSensitive is the length in bytes from which a sensitive value is hidden. Shorter ones are mostly words ("true",
// "prod") that messages use on their own account.
const minSensitive = 8

// maxSignedBody is the largest body that the gateway takes with a signature, in bytes.
const maxSignedBody = 12 << 20

// Request is one call of a service.
type Request struct {
	// Operation names the call in errors and metrics, for example "CreateEnvironment". It must be a constant.
	Operation string
	Service   Service
	Method    string
	// Path is escaped and starts with a slash; "{project_id}" in it is replaced.
	Path   string
	Query  url.Values
	Header http.Header
	// Body is sent as JSON where not nil, or as it is where it is a Payload.
	Body any
	// Out is filled from the JSON reply where not nil.
	Out any
	// Sensitive lists values in Body that must not show up in an error, should the cloud quote them.
	Sensitive []string
}

// Payload is a body that is not JSON, for example a multipart form. Its content is not signed.
type Payload struct {
	ContentType string
	Data        []byte
}

// encodeBody returns the body's bytes and content type.
func (r Request) encodeBody() (data []byte, contentType string, err error) {
	switch body := r.Body.(type) {
	case nil:
	case Payload:
		data, contentType = body.Data, body.ContentType
	default:
		contentType = "application/json;charset=UTF-8"
		if data, err = json.Marshal(body); err != nil {
			return nil, "", clouderr.New(clouderr.Invalid, "the request cannot be written as JSON")
		}
	}
	if len(data) > maxSignedBody {
		return nil, "", clouderr.New(clouderr.Invalid, "the request is larger than the %d MiB that the cloud takes", maxSignedBody>>20)
	}
	return data, contentType, nil
}

// exchange is one request with its reply.
type exchange struct {
	client    *Client
	request   Request
	projectID string
	pass      pass
	signature string
}

// call makes the exchanges that a request needs: again with a new token where the old one had ended, and again after a
// pause where nothing came back and the request is safe to repeat.
func (c *Client) call(ctx context.Context, request Request, force bool) error {
	const maxRetries = 2
	renewed := false
	for retries := 0; ; {
		used, err := c.exchange(ctx, request, force)
		switch {
		case err == nil:
			return nil
		case !renewed && clouderr.Is(err, clouderr.Unauthorized) && c.auth.discard(used.pass.token):
			renewed = true
		case request.Method == http.MethodGet && retries < maxRetries && repeatable(request, err):
			if c.cfg.Clock.Sleep(ctx, backoff(retries)) != nil {
				return err
			}
			retries++
		default:
			return err
		}
	}
}

// exchange authenticates a request and sends it once.
func (c *Client) exchange(ctx context.Context, request Request, force bool) (*exchange, error) {
	one := &exchange{client: c, request: request}
	if !request.Service.global() {
		id, err := c.resolveProject(ctx, force)
		if err != nil {
			return one, one.fail(err)
		}
		one.projectID = id
	}
	pass, err := c.auth.prepare(ctx, force)
	if err != nil {
		return one, one.fail(err)
	}
	one.pass = pass
	_, err = one.send(ctx)
	return one, err
}

// turn says when the call may be sent.
func (e *exchange) turn() turn {
	t := turnOf(e.request.Operation, e.request.Method)
	if t.urgency == ordinary {
		t.urgency, t.patient = e.client.urgency, e.client.patient
	}
	return t
}

// send waits for its turn, sends, reads and judges.
func (e *exchange) send(ctx context.Context) (*reply, error) {
	request, body, err := e.build(ctx)
	if err != nil {
		return nil, e.fail(err)
	}
	limiter := e.client.limiters[request.URL.Host]
	if err := limiter.Wait(ctx, e.turn()); err != nil {
		if clouderr.Is(err, clouderr.Throttled) {
			e.client.cfg.Metrics.throttle(e.client.cfg.Account, e.request.Service, throttledByClient)
		}
		return nil, e.fail(err)
	}
	clock := e.client.cfg.Clock
	e.pass.apply(request, body, clock.Now())
	_, e.signature, _ = strings.Cut(request.Header.Get("Authorization"), "Signature=")

	started := clock.Now()
	got, err := e.roundTrip(request)
	code := noReply
	if got != nil {
		code = strconv.Itoa(got.status)
	}
	e.client.cfg.Metrics.observe(e.client.cfg.Account, e.request.Service, e.request.Operation, code, clock.Now().Sub(started))
	if got.accepted() {
		limiter.Accepted(started)
	}
	if err != nil {
		return nil, e.fail(transportFailure(ctx, err, e.secrets()))
	}
	if got.success() {
		if err := got.decode(e.request.Out); err != nil {
			failure := asError(err)
			failure.Status, failure.RequestID = got.status, got.header.Get("X-Request-Id")
			return nil, e.fail(failure)
		}
		return got, nil
	}
	failure := got.failure(e.request.Service, clock.Now())
	if failure.Class == clouderr.Throttled {
		failure.RetryAfter = limiter.Refused(started, e.request.Operation, failure.RetryAfter, parseStated(failure.Message))
		e.client.cfg.Metrics.throttle(e.client.cfg.Account, e.request.Service, throttledByCloud)
	}
	return nil, e.fail(failure)
}

func (e *exchange) roundTrip(request *http.Request) (*reply, error) {
	response, err := e.client.http.Do(request)
	if err != nil {
		return nil, err
	}
	got, err := readReply(response)
	if err != nil {
		return nil, err
	}
	return got, nil
}

// build writes the HTTP request, all but what authenticates it.
func (e *exchange) build(ctx context.Context) (*http.Request, []byte, error) {
	base, found := e.client.endpoints[e.request.Service]
	if !found {
		return nil, nil, clouderr.New(clouderr.Invalid,
			"the default host of %s is not allowed by --allow-endpoint-host; set endpoints.%[1]s", e.request.Service)
	}
	body, contentType, err := e.request.encodeBody()
	if err != nil {
		return nil, nil, err
	}
	path := strings.ReplaceAll(e.request.Path, "{project_id}", url.PathEscape(e.projectID))
	target := base.String() + path
	if len(e.request.Query) > 0 {
		target += "?" + strings.ReplaceAll(e.request.Query.Encode(), "+", "%20")
	}
	request, err := http.NewRequestWithContext(ctx, e.request.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, nil, clouderr.New(clouderr.Invalid, "the request's path %q is malformed", path)
	}
	for name, values := range e.request.Header {
		request.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if contentType == "" {
		contentType = "application/json;charset=UTF-8" // mandatory on every call, with or without a body
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", e.client.cfg.UserAgent)
	if e.projectID != "" {
		request.Header.Set("X-Project-Id", e.projectID)
	}
	return request, body, nil
}

// fail names the call in an error and hides the secrets in what came from outside.
func (e *exchange) fail(err error) error {
	failure := *asError(err)
	if failure.Operation == "" {
		failure.Service, failure.Operation = string(e.request.Service), e.request.Operation
	}
	secrets := e.secrets()
	failure.Code = redact(failure.Code, secrets...)
	failure.Message = redact(failure.Message, secrets...)
	failure.RequestID = redact(failure.RequestID, secrets...)
	return &failure
}

// secrets lists what must not be shown, also as it looks where a body is quoted.
func (e *exchange) secrets() []string {
	secrets := append(e.client.auth.secrets(), e.pass.token, e.signature)
	for _, value := range e.request.Sensitive {
		if len(value) >= minSensitive {
			secrets = append(secrets, value)
		}
	}
	return quotable(secrets)
}

// repeatable says whether a GET may be sent again: the connection failed, or a gateway could not reach the service. A
// failure of a call made on its behalf, a login or the look-up of the project, is not its own.
func repeatable(request Request, err error) bool {
	failure := asError(err)
	if failure.Operation != request.Operation {
		return false
	}
	switch failure.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return failure.Class == clouderr.Transient && failure.RetryAfter == 0
	}
	return errors.Is(err, errBroken)
}

// backoff is the pause before a retry, doubled each time, with jitter: 100 to 300 ms, then 200 to 600 ms.
func backoff(retries int) time.Duration {
	base := 200 * time.Millisecond << retries
	return time.Duration(float64(base) * (0.5 + rand.Float64())) //nolint:gosec // G404: jitter
}

// asError returns the classified error in err's chain, or one of class Transient around err.
func asError(err error) *clouderr.Error {
	var failure *clouderr.Error
	if errors.As(err, &failure) {
		return failure
	}
	return &clouderr.Error{Class: clouderr.Transient, Message: fmt.Sprint(err), Err: err}
}
