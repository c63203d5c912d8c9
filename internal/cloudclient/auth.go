// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/sign"
)

// pass is what authenticates one request.
type pass struct {
	// apply adds it to a request that is complete otherwise.
	apply func(r *http.Request, body []byte, now time.Time)
	// token is set where the pass is a token, which can end before its time.
	token string
}

// authenticator turns an account's credentials into passes.
type authenticator interface {
	// prepare returns a pass. It may call IAM; force says that a standing refusal is to be ignored.
	prepare(ctx context.Context, force bool) (pass, error)
	// discard drops a token that was refused, and says whether another one can be had.
	discard(token string) bool
	// project returns the id of the project that the credentials are bound to, "" where they are not bound.
	project(ctx context.Context, force bool) (string, error)
	// secrets lists what must never be shown.
	secrets() []string
}

// keyAuth signs every request.
type keyAuth struct{ credentials Credentials }

func (a keyAuth) prepare(context.Context, bool) (pass, error) {
	key := sign.Key{
		AccessKey: a.credentials.AccessKey, SecretKey: a.credentials.SecretKey, SecurityToken: a.credentials.SecurityToken,
	}
	return pass{apply: func(r *http.Request, body []byte, now time.Time) { sign.Request(r, body, key, now) }}, nil
}

func (keyAuth) discard(string) bool { return false }

func (keyAuth) project(context.Context, bool) (string, error) { return "", nil }

func (a keyAuth) secrets() []string { return a.credentials.secrets() }

const (
	// A token is renewed when 80 to 90 % of its life are over: early, and not at the same time everywhere.
	renewFrom, renewSpread = 0.8, 0.1
	// assumedLife is the life of a token whose end the reply does not tell. Real ones live for 24 hours.
	assumedLife = time.Hour
	// renewalPause is how long a token that is still good is used after a renewal failed.
	renewalPause = time.Minute
	maxToken     = 32 << 10
)

var tokenPattern = regexp.MustCompile(`^[\x21-\x7e]+$`)

// token is one IAM token.
type token struct {
	value     string
	projectID string
	renewAt   time.Time
	endsAt    time.Time
}

// tokenAuth fetches tokens by password and shares them: one login for all requests.
type tokenAuth struct {
	client *Client
	// login is held by the one caller that logs in.
	login chan struct{}

	mu      sync.Mutex
	current token
}

func newTokenAuth(client *Client) *tokenAuth {
	return &tokenAuth{client: client, login: make(chan struct{}, 1)}
}

func (a *tokenAuth) prepare(ctx context.Context, force bool) (pass, error) {
	current, err := a.token(ctx, force)
	if err != nil {
		return pass{}, err
	}
	return pass{
		token: current.value,
		apply: func(r *http.Request, _ []byte, _ time.Time) { r.Header.Set("X-Auth-Token", current.value) },
	}, nil
}

func (a *tokenAuth) project(ctx context.Context, force bool) (string, error) {
	current, err := a.token(ctx, force)
	return current.projectID, err
}

func (a *tokenAuth) discard(value string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if value == "" {
		return false
	}
	if a.current.value == value { // otherwise somebody has renewed it already
		a.current = token{}
	}
	return true
}

func (a *tokenAuth) secrets() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append(a.client.cfg.Credentials.secrets(), a.current.value)
}

// cached returns the current token and whether it needs no renewal yet.
func (a *tokenAuth) cached() (current token, fresh bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current, a.current.value != "" && a.client.cfg.Clock.Now().Before(a.current.renewAt)
}

// token returns the shared token, logging in where there is none or where it is about to end.
func (a *tokenAuth) token(ctx context.Context, force bool) (token, error) {
	if current, fresh := a.cached(); fresh {
		return current, nil
	}
	select {
	case a.login <- struct{}{}:
	case <-ctx.Done():
		return token{}, clouderr.New(clouderr.Transient, "waiting for an IAM token: %w", ctx.Err())
	}
	defer func() { <-a.login }()
	old, fresh := a.cached()
	if fresh {
		return old, nil
	}
	// A login that was refused while this caller waited must not be repeated: logins lock accounts.
	if err := a.client.gate.refused(); err != nil && !force {
		return token{}, err
	}
	renewed, err := a.fetch(ctx)
	now := a.client.cfg.Clock.Now()
	switch {
	case err == nil:
	case clouderr.Is(err, clouderr.Unauthorized):
		a.client.gate.judge(err, force)
		renewed = token{}
	case old.value != "" && now.Before(old.endsAt):
		old.renewAt = now.Add(renewalPause)
		renewed, err = old, nil
	default:
		return token{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = renewed
	return renewed, err
}

// The bodies of POST /v3/auth/tokens (API reference 3.1).
type (
	named struct {
		Name string `json:"name"`
	}
	tokenUser struct {
		Name     string `json:"name"`
		Password string `json:"password"`
		Domain   named  `json:"domain"`
	}
	tokenProject struct {
		ID   string `json:"id,omitempty"`
		Name string `json:"name,omitempty"`
	}
	tokenRequest struct {
		Auth struct {
			Identity struct {
				Methods  []string `json:"methods"`
				Password struct {
					User tokenUser `json:"user"`
				} `json:"password"`
			} `json:"identity"`
			Scope struct {
				Project tokenProject `json:"project"`
			} `json:"scope"`
		} `json:"auth"`
	}
	tokenReply struct {
		Token struct {
			ExpiresAt string       `json:"expires_at"`
			Project   tokenProject `json:"project"`
		} `json:"token"`
	}
)

// fetch logs in: one POST, never repeated.
func (a *tokenAuth) fetch(ctx context.Context) (token, error) {
	cfg := a.client.cfg
	var body tokenRequest
	body.Auth.Identity.Methods = []string{"password"}
	body.Auth.Identity.Password.User = tokenUser{
		Name: cfg.Credentials.Username, Password: cfg.Credentials.Password, Domain: named{cfg.Credentials.DomainName},
	}
	body.Auth.Scope.Project = tokenProject{ID: cfg.ProjectID}
	if cfg.ProjectID == "" {
		body.Auth.Scope.Project.Name = cfg.ProjectName
	}
	var out tokenReply
	login := &exchange{
		client: a.client, pass: pass{apply: func(*http.Request, []byte, time.Time) {}},
		request: Request{
			Operation: "CreateToken", Service: IAM, Method: http.MethodPost, Path: "/v3/auth/tokens",
			Query: url.Values{"nocatalog": {"true"}}, Body: body, Out: &out,
		},
	}
	got, err := login.send(ctx)
	if err != nil {
		return token{}, err
	}
	value := got.header.Get("X-Subject-Token")
	if len(value) > maxToken || !tokenPattern.MatchString(value) {
		return token{}, login.fail(clouderr.New(clouderr.Transient, "IAM answered without a usable token"))
	}
	now := cfg.Clock.Now()
	ends, err := time.Parse(time.RFC3339, out.Token.ExpiresAt)
	if err != nil || !ends.After(now) {
		ends = now.Add(assumedLife)
	}
	life := float64(ends.Sub(now))
	projectID := out.Token.Project.ID
	if projectID == "" {
		projectID = cfg.ProjectID
	}
	return token{
		value: value, projectID: projectID, endsAt: ends,
		renewAt: now.Add(time.Duration(life * (renewFrom + renewSpread*rand.Float64()))), //nolint:gosec // G404: jitter
	}, nil
}
