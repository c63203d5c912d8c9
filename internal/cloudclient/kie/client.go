// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kie calls the configuration center that an engine runs (Kie, API reference 8.7), with a token of the engine's
// service center (8.2). These are the engine's own addresses, not the cloud's: no request is signed, and nothing of an
// account is sent to them.
//
// Errors are of the classes of package clouderr, and never hold the value of an item or the password.
package kie

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
)

// DefaultUsername is the account that every engine with authentication has.
const DefaultUsername = "root"

const (
	defaultTimeout           = 30 * time.Second
	defaultRequestsPerSecond = 50
	defaultBurst             = 100
)

// Config says which engine is called, and how.
type Config struct {
	// Account is the value of the metrics label "account".
	Account string
	// KieAddresses are the base URLs of the configuration center, the preferred one first, for example
	// "https://192.168.0.169:30110". The others are tried where it cannot be reached.
	KieAddresses []string
	// ServiceCenterAddresses are the base URLs of the service center; not needed without a password.
	ServiceCenterAddresses []string
	// Username and Password are those of an account of the engine. Both are empty where the engine asks for none, and
	// Username is "root" where only that is.
	Username, Password string
	// RootCAs are trusted instead of the system's where not nil. Engines have self-signed certificates.
	RootCAs            *x509.CertPool
	InsecureSkipVerify bool
	// Policy says which hosts may be called. Nil allows exactly the hosts of the addresses, as ones that the cloud told
	// (endpoint.Policy.Told): not fit for addresses that a user writes.
	Policy *endpoint.Policy
	// Dialer sets a resolver and timeouts for connections. Its Control is not used.
	Dialer *net.Dialer
	// RateLimit holds for the engine; 50 requests per second and a burst of 100 where zero.
	RateLimit cloudclient.RateLimit
	// Timeout bounds one call with everything it needs, the time of a long poll apart; 30 s where zero.
	Timeout   time.Duration
	UserAgent string
	// Metrics may be shared by clients; nil counts nowhere.
	Metrics *cloudclient.Metrics
	// Clock is the system's where nil.
	Clock cloudclient.Clock
}

// Client calls one engine. It is safe for concurrent use. Its password cannot be changed: a changed secret means a new
// client.
type Client struct {
	cfg    Config
	kie    *pool
	tokens *tokens
	direct *cloudclient.Direct
}

// New returns a client, or an error of class Invalid that names the field that is wrong. It calls nobody.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	direct, err := cloudclient.NewDirect(cloudclient.DirectConfig{
		Account: cfg.Account, RootCAs: cfg.RootCAs, InsecureSkipVerify: cfg.InsecureSkipVerify,
		UnknownAuthority: "the engine's certificate is signed by an unknown authority; name its authority in caBundle, or set insecureSkipVerify",
		RateLimit:        cfg.RateLimit, Policy: cfg.Policy, Timeout: cfg.Timeout, UserAgent: cfg.UserAgent,
		Metrics: cfg.Metrics, Clock: cfg.Clock, Dialer: cfg.Dialer,
	})
	if err != nil {
		return nil, err
	}
	centers, err := newPool(direct, cfg.Policy, "serviceCenter", cfg.ServiceCenterAddresses)
	if err != nil {
		return nil, err
	}
	configs, err := newPool(direct, cfg.Policy, "kie", cfg.KieAddresses)
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, kie: configs, tokens: newTokens(cfg, centers), direct: direct}, nil
}

func (cfg Config) withDefaults() (Config, error) {
	invalid := func(format string, args ...any) (Config, error) {
		return Config{}, clouderr.New(clouderr.Invalid, format, args...)
	}
	switch {
	case len(cfg.KieAddresses) == 0:
		return invalid("an address of the configuration center (kie) is missing")
	case cfg.Username != "" && cfg.Password == "":
		return invalid("the engine's credentials hold a username without a password")
	case cfg.Password != "" && len(cfg.ServiceCenterAddresses) == 0:
		return invalid("an address of the service center (serviceCenter), which checks the password, is missing")
	case strings.ContainsFunc(cfg.Username+cfg.Password, unicode.IsControl):
		return invalid("the engine's credentials hold a line break or another control character; write them without a trailing newline")
	}
	if cfg.Password != "" {
		cfg.Username = cmp.Or(cfg.Username, DefaultUsername)
	}
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	cfg.RateLimit.RequestsPerSecond = cmp.Or(cfg.RateLimit.RequestsPerSecond, defaultRequestsPerSecond)
	cfg.RateLimit.Burst = cmp.Or(cfg.RateLimit.Burst, defaultBurst)
	if cfg.Clock == nil {
		cfg.Clock = cloudclient.SystemClock()
	}
	if cfg.Policy == nil {
		policy, err := (&endpoint.Policy{}).Told(slices.Concat(cfg.KieAddresses, cfg.ServiceCenterAddresses))
		if err != nil {
			return invalid("the engine's address: %s", clouderr.UserMessage(err))
		}
		cfg.Policy = policy
	}
	return cfg, nil
}

// Close drops idle connections. Calls under way end as they would.
func (c *Client) Close() { c.direct.Close() }

// Refused returns the refusal that stands: an error of class Unauthorized once the engine has refused the password, and
// nil otherwise. No login is tried again after a refusal: three wrong ones lock the account for 15 minutes.
func (c *Client) Refused() error { return c.tokens.refused() }

// Format keeps the password out of everything that prints a client.
func (c *Client) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "kie.Client{Account: %q, KieAddresses: %q}", c.cfg.Account, c.cfg.KieAddresses)
}

// basePath holds the project, of which an engine has one.
const basePath = "/v1/default/kie"

// do makes one call of the configuration center with the shared token; where that token had ended, once more with a new
// one.
func (c *Client) do(ctx context.Context, request cloudclient.DirectRequest) (cloudclient.DirectReply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout+request.Wait)
	defer cancel()
	request.Service = cloudclient.Kie
	for renewed := false; ; renewed = true {
		token, err := c.tokens.get(ctx)
		if err != nil {
			return cloudclient.DirectReply{}, err
		}
		request.Header = http.Header{}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		reply, err := c.kie.do(ctx, request)
		if !clouderr.Is(err, clouderr.Unauthorized) {
			c.tokens.accepted(token, err)
			return reply, err
		}
		if renewed || !c.tokens.discard(token) {
			return cloudclient.DirectReply{}, unaccepted(token, err)
		}
	}
}

// unaccepted explains a refusal that is not about the password, because no password was sent or because the service
// center has just accepted it.
func unaccepted(token string, err error) error {
	failure := *asError(err)
	if token == "" {
		failure.Message = "the engine asks for a login; name a secret with its password"
		return &failure
	}
	failure.Class = clouderr.Forbidden
	failure.Message = "the configuration center does not accept the token that the service center has issued; check that both addresses belong to the same engine"
	return &failure
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// itemPath refuses ids that would change the meaning of the path: an empty one would name all items.
func itemPath(id string) (string, error) {
	if !idPattern.MatchString(id) {
		return "", clouderr.New(clouderr.Invalid, "item id %.80q is not an id (1 to 64 letters, digits, hyphens and underscores)", id)
	}
	return basePath + "/kv/" + id, nil
}
