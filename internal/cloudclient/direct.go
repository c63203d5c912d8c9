// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
)

// The services that an engine runs itself. They have no endpoint in an account.
const (
	Kie           Service = "kie"
	ServiceCenter Service = "servicecenter"
)

// What went wrong before there was a reply, in the chain of a Direct's errors.
var (
	// ErrNotSent marks a call of which the server saw nothing: no connection, or no trust in the server.
	ErrNotSent = errors.New("not sent")
	// ErrNoReply marks a call that ended without a reply.
	ErrNoReply = errBroken
	// ErrReplyTooLarge marks a call whose reply is larger than what is read.
	ErrReplyTooLarge = errTooLarge
)

// DirectConfig says how servers outside of an account are called.
type DirectConfig struct {
	// Account is the value of the metrics label "account".
	Account string
	// RootCAs are trusted instead of the system's where not nil.
	RootCAs            *x509.CertPool
	InsecureSkipVerify bool
	// UnknownAuthority is the message where nobody trusted signed the server's certificate; it names the way out.
	UnknownAuthority string
	// RateLimit holds for all calls together.
	RateLimit RateLimit
	// Policy says which hosts may be called. It is mandatory.
	Policy *endpoint.Policy
	// Timeout bounds one call; 30 s where zero.
	Timeout   time.Duration
	UserAgent string
	Metrics   *Metrics
	Clock     Clock
	// Dialer sets a resolver and timeouts for connections; a plain one with 10 s where nil. Its Control is not used.
	Dialer *net.Dialer
}

// Direct calls servers that are no services of the cloud and know nothing of its credentials, such as the ones that an
// engine runs: within the same bounds and with the same classes of errors and metrics as Client, but without signing
// and without repeating. It is safe for concurrent use.
type Direct struct {
	cfg     DirectConfig
	http    *http.Client
	limiter *Limiter
}

// NewDirect returns a Direct. It calls nobody.
func NewDirect(cfg DirectConfig) (*Direct, error) {
	if cfg.Policy == nil {
		return nil, clouderr.New(clouderr.Invalid, "a policy of the hosts that may be called is missing")
	}
	if cfg.RateLimit.RequestsPerSecond < 0 || cfg.RateLimit.Burst < 0 {
		return nil, clouderr.New(clouderr.Invalid, "rateLimit must not be negative")
	}
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	cfg.UserAgent = cmp.Or(cfg.UserAgent, defaultUserAgent)
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.Clock == nil {
		cfg.Clock = SystemClock()
	}
	return &Direct{
		cfg: cfg,
		http: newHTTPClient(Config{
			RootCAs: cfg.RootCAs, InsecureSkipVerify: cfg.InsecureSkipVerify, Policy: cfg.Policy, Dialer: cfg.Dialer,
		}),
		limiter: NewLimiter(cfg.RateLimit, cfg.Clock),
	}, nil
}

// SystemClock is the time of this machine.
func SystemClock() Clock { return systemClock{} }

// Close drops idle connections. Calls under way end as they would.
func (d *Direct) Close() { d.http.CloseIdleConnections() }

// DirectRequest is one call of one server.
type DirectRequest struct {
	// Operation names the call in errors and metrics. It must be a constant.
	Operation string
	// Service decides what error codes mean.
	Service Service
	Method  string
	// URL is absolute; Query is added to it.
	URL    *url.URL
	Query  url.Values
	Header http.Header
	// Body is sent as JSON where not nil.
	Body any
	// Out is filled from the JSON of a reply 200 to 299 where not nil.
	Out any
	// NotModified says that a reply 304 is a success.
	NotModified bool
	// Sensitive lists what must not show up in an error, should the server quote it.
	Sensitive []string
	// Wait is how much longer than usual the server may take.
	Wait time.Duration
}

// DirectReply is what a successful reply tells beside its body.
type DirectReply struct {
	Status int
	Header http.Header
}

// Do makes one call, once. Its error is a *clouderr.Error.
func (d *Direct) Do(ctx context.Context, request DirectRequest) (DirectReply, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout+request.Wait)
	defer cancel()
	got, err := d.send(ctx, request)
	if err != nil {
		return DirectReply{}, request.fail(err)
	}
	return DirectReply{Status: got.status, Header: got.header}, nil
}

func (d *Direct) send(ctx context.Context, request DirectRequest) (*reply, error) {
	built, err := d.build(ctx, request)
	if err != nil {
		return nil, err
	}
	if err := d.limiter.Wait(ctx, turnOf(request.Operation, request.Method)); err != nil {
		if clouderr.Is(err, clouderr.Throttled) {
			d.cfg.Metrics.throttle(d.cfg.Account, request.Service, throttledByClient)
		}
		return nil, err
	}
	clock := d.cfg.Clock
	started := clock.Now()
	got, err := d.roundTrip(built)
	code := noReply
	if got != nil {
		code = strconv.Itoa(got.status)
	}
	d.cfg.Metrics.observe(d.cfg.Account, request.Service, request.Operation, code, clock.Now().Sub(started))
	if got.accepted() {
		d.limiter.Accepted(started)
	}
	switch {
	case err != nil:
		return nil, d.transportFailure(ctx, err, request.secrets())
	case got.status == http.StatusNotModified && request.NotModified:
		return got, nil
	case got.success():
		if err := got.decode(request.Out); err != nil {
			failure := asError(err)
			failure.Status = got.status
			return nil, failure
		}
		return got, nil
	}
	failure := got.failure(request.Service, clock.Now())
	if failure.Class == clouderr.Throttled && failure.Status == http.StatusTooManyRequests {
		failure.RetryAfter = d.limiter.Refused(started, request.Operation, failure.RetryAfter, parseStated(failure.Message))
		d.cfg.Metrics.throttle(d.cfg.Account, request.Service, throttledByCloud)
	}
	return nil, failure
}

func (d *Direct) build(ctx context.Context, request DirectRequest) (*http.Request, error) {
	body, contentType, err := Request{Body: request.Body}.encodeBody()
	if err != nil {
		return nil, err
	}
	target := *request.URL
	if len(request.Query) > 0 {
		target.RawQuery = strings.ReplaceAll(request.Query.Encode(), "+", "%20")
	}
	built, err := http.NewRequestWithContext(ctx, request.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, clouderr.New(clouderr.Invalid, "the request's path %q is malformed", target.Path)
	}
	for name, values := range request.Header {
		built.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if contentType != "" {
		built.Header.Set("Content-Type", contentType)
	}
	built.Header.Set("Accept", "application/json")
	built.Header.Set("User-Agent", d.cfg.UserAgent)
	return built, nil
}

func (d *Direct) roundTrip(request *http.Request) (*reply, error) {
	response, err := d.http.Do(request)
	if err != nil {
		return nil, err
	}
	got, err := readReply(response)
	if err != nil {
		return nil, err
	}
	return got, nil
}

// transportFailure says in the chain of the error what the caller may do about it.
func (d *Direct) transportFailure(ctx context.Context, err error, secrets []string) *clouderr.Error {
	failure := transportFailure(ctx, err, secrets)
	var authority x509.UnknownAuthorityError
	if errors.As(err, &authority) && d.cfg.UnknownAuthority != "" && ctx.Err() == nil {
		failure.Message = d.cfg.UnknownAuthority
	}
	switch {
	case failure.Err == nil:
	case notSent(err):
		failure.Err = fmt.Errorf("%w: %w", ErrNotSent, failure.Err)
	case errors.Is(err, errTooLarge):
		failure.Err = errTooLarge
	}
	return failure
}

// notSent says whether a failure came before the server could see any of the request.
func notSent(err error) bool {
	var (
		operation   *net.OpError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
	)
	return errors.As(err, &operation) && operation.Op == "dial" || errors.As(err, &certificate) || errors.As(err, &record)
}

// fail names the call in an error and hides the secrets in what came from outside.
func (r DirectRequest) fail(err error) error {
	failure := *asError(err)
	failure.Service, failure.Operation = string(r.Service), r.Operation
	secrets := r.secrets()
	failure.Code = redact(failure.Code, secrets...)
	failure.Message = redact(failure.Message, secrets...)
	failure.RequestID = redact(failure.RequestID, secrets...)
	return &failure
}

func (r DirectRequest) secrets() []string {
	secrets := quotable(r.Sensitive)
	for _, value := range r.Header.Values("Authorization") {
		_, bare, _ := strings.Cut(value, " ")
		secrets = append(secrets, value, bare)
	}
	return secrets
}

// Redact hides values, and the forms in which JSON quotes them, in a text that came from outside. Values of fewer than
// 4 bytes stay: hiding them would make the text unreadable and protect nothing.
func Redact(text string, values ...string) string {
	fits := slices.DeleteFunc(slices.Clone(values), func(value string) bool { return len(value) > len(text) })
	return redact(text, quotable(fits)...)
}

// quotable adds to values how they look inside a JSON string, the longest first, so that no value is hidden in part.
func quotable(values []string) []string {
	forms := slices.Clone(values)
	for _, value := range values {
		quoted, err := json.Marshal(value)
		if err != nil {
			continue
		}
		if inner := string(quoted[1 : len(quoted)-1]); inner != value {
			forms = append(forms, inner)
		}
		if inner := strconv.Quote(value); inner[1:len(inner)-1] != value {
			forms = append(forms, inner[1:len(inner)-1])
		}
	}
	slices.SortStableFunc(forms, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return forms
}
