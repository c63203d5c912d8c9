// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

const (
	dialTimeout       = 10 * time.Second
	idleTimeout       = 90 * time.Second
	maxIdlePerHost    = 16
	maxResponseHeader = 64 << 10 // bytes; the largest known one is a token of 16 KB
)

// newHTTPClient returns a client that follows no redirect and connects only to what the policy allows. Proxies of the
// environment are not used: behind a proxy the addresses could not be checked when they are dialled.
func newHTTPClient(cfg Config) *http.Client {
	dialer := cfg.Dialer
	if dialer == nil {
		dialer = &net.Dialer{Timeout: dialTimeout}
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:       nil,
			DialContext: cfg.Policy.DialContext(dialer),
			TLSClientConfig: &tls.Config{
				MinVersion:         tls.VersionTLS12,
				RootCAs:            cfg.RootCAs,
				InsecureSkipVerify: cfg.InsecureSkipVerify, //nolint:gosec // G402: the account's owner asked for it
			},
			TLSHandshakeTimeout:    dialTimeout,
			IdleConnTimeout:        idleTimeout,
			MaxIdleConnsPerHost:    maxIdlePerHost,
			MaxResponseHeaderBytes: maxResponseHeader,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// errBroken marks failures of the connection, after which a request that is safe to repeat may be repeated.
var errBroken = errors.New("no reply")

// transportFailure turns a failure to get a reply into an error. Its message is the same from one try to the next: no
// ports, no times.
func transportFailure(ctx context.Context, err error, secrets []string) *clouderr.Error {
	var refusal *clouderr.Error
	if errors.As(err, &refusal) { // the policy's, when dialling
		return &clouderr.Error{Class: refusal.Class, Message: refusal.Message}
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	out := &clouderr.Error{Class: clouderr.Transient, Message: describe(ctx, err)}
	if ctx.Err() != nil {
		out.Err = ctx.Err()
		return out
	}
	out.Err = fmt.Errorf("%w: %s", errBroken, redact(err.Error(), secrets...))
	return out
}

func describe(ctx context.Context, err error) string {
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		timeout   net.Error
	)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return "the call was cancelled"
	case ctx.Err() != nil:
		return "the cloud did not answer in time"
	case errors.Is(err, errTooLarge):
		return errTooLarge.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("the host name %q does not resolve", dns.Name)
	case errors.As(err, &dns):
		return fmt.Sprintf("looking up the host name %q failed", dns.Name)
	case errors.As(err, &authority):
		return "the server's certificate is signed by an unknown authority; name its authority in the account's caBundle"
	case errors.As(err, &hostname):
		return "the server's certificate is for another host name"
	case errors.As(err, &invalid):
		return "the server's certificate is not valid (expired, or not yet valid, or not for servers)"
	case errors.As(err, &record):
		return "the server does not speak TLS on this port"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the reply was complete"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "connecting to the cloud took too long"
	default:
		return "the connection to the cloud failed"
	}
}
