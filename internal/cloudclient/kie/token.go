// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/wire"
)

const (
	// tokenLife is how long a token lives that does not tell (API reference 8.2.1).
	tokenLife = 12 * time.Hour
	// minTokenLife is the shortest life that is believed; clocks differ.
	minTokenLife = time.Minute
	// A token is renewed when 80 to 90 % of its life are over: early, and not at the same time everywhere.
	renewFrom, renewSpread = 0.8, 0.1
	// renewalPause is how long a token that is still good is used after a renewal failed, and how long one that was
	// never accepted is kept.
	renewalPause = time.Minute
	// blockFor is how long the service center blocks an account after three wrong logins.
	blockFor = 15 * time.Minute
	// failurePause is how long a login that failed for another reason than the password is not repeated.
	failurePause = 5 * time.Second
	maxToken     = 32 << 10
)

var (
	tokenPattern     = regexp.MustCompile(`^[\x21-\x7e]+$`)
	errNotTriedAgain = errors.New("not sent: the engine refused this password before")
)

// token is one token of the service center.
type token struct {
	value           string
	issued          time.Time
	renewAt, endsAt time.Time
	// proven says that the configuration center has accepted it.
	proven bool
}

// tokens logs in once for all requests. A login that was refused is never repeated; one that failed for another reason
// is repeated after a pause, so that many callers cost one login.
type tokens struct {
	cfg     Config
	centers *pool
	// login is held by the one caller that logs in.
	login chan struct{}

	mu      sync.Mutex
	current token
	// refusal stands for ever, failure until heldUntil.
	refusal   *clouderr.Error
	failure   *clouderr.Error
	heldUntil time.Time
}

func newTokens(cfg Config, centers *pool) *tokens {
	return &tokens{cfg: cfg, centers: centers, login: make(chan struct{}, 1)}
}

// refused returns the standing refusal, or nil.
func (t *tokens) refused() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refusal == nil {
		return nil
	}
	return t.refusal
}

// get returns the shared token, logging in where there is none or where it is about to end; "" for an engine without
// authentication.
func (t *tokens) get(ctx context.Context) (string, error) {
	if t.cfg.Password == "" {
		return "", nil
	}
	if value, done, err := t.known(); done {
		return value, err
	}
	select {
	case t.login <- struct{}{}:
	case <-ctx.Done():
		return "", clouderr.New(clouderr.Transient, "waiting for the engine's token: %w", ctx.Err())
	}
	defer func() { <-t.login }()
	if value, done, err := t.known(); done {
		return value, err
	}
	// A login whose answer nobody reads might be a wrong one that counts, so it outlives a caller that gives up.
	fetchCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.cfg.Timeout)
	defer cancel()
	fresh, err := t.fetch(fetchCtx)
	return t.settle(fresh, err)
}

// known returns the outcome where no login is needed or allowed.
func (t *tokens) known() (value string, done bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.cfg.Clock.Now()
	switch {
	case t.refusal != nil:
		return "", true, t.refusal
	case t.current.value != "" && now.Before(t.current.renewAt):
		return t.current.value, true, nil
	case now.Before(t.heldUntil):
		held := *t.failure
		held.RetryAfter = t.heldUntil.Sub(now)
		return "", true, &held
	default:
		return "", false, nil
	}
}

// settle takes note of how a login went.
func (t *tokens) settle(fresh token, err error) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.current, t.failure, t.heldUntil = fresh, nil, time.Time{}
		return fresh.value, nil
	}
	now := t.cfg.Clock.Now()
	failure := *asError(err)
	switch {
	case failure.Class == clouderr.Unauthorized:
		t.current = token{}
		standing := failure
		standing.Operation, standing.RequestID, standing.Err = "", "", errNotTriedAgain
		t.refusal = &standing
	case t.current.value != "" && now.Before(t.current.endsAt):
		t.current.renewAt = now.Add(renewalPause)
		return t.current.value, nil
	default:
		pause := cmp.Or(failure.RetryAfter, failurePause)
		if failure.Status == http.StatusForbidden {
			pause = blockFor
			failure.RetryAfter = pause
		}
		t.failure, t.heldUntil = &failure, now.Add(pause)
	}
	return "", &failure
}

// accepted notes that the configuration center took the token: success proves it, and so does a complaint about the
// request.
func (t *tokens) accepted(value string, err error) {
	if err != nil {
		status := asError(err).Status
		if status < 400 || status >= 500 || status == http.StatusTooManyRequests {
			return
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.value == value {
		t.current.proven = true
	}
}

// discard drops a token that was refused, and says whether another one can be had. One that was never accepted is kept
// for a while: a new one would fare no better, and every call would log in.
func (t *tokens) discard(value string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case value == "":
		return false
	case t.current.value != value: // somebody has renewed it already
		return true
	case !t.current.proven && t.cfg.Clock.Now().Before(t.current.issued.Add(renewalPause)):
		return false
	default:
		t.current = token{}
		return true
	}
}

// fetch logs in: one POST, never repeated.
func (t *tokens) fetch(ctx context.Context) (token, error) {
	const operation = "CreateToken"
	var out struct {
		Token wire.Text `json:"token"`
	}
	_, err := t.centers.do(ctx, cloudclient.DirectRequest{
		Operation: operation, Service: cloudclient.ServiceCenter, Method: http.MethodPost, URL: &url.URL{Path: "/v4/token"},
		Body: struct {
			Name     string `json:"name"`
			Password string `json:"password"`
		}{t.cfg.Username, t.cfg.Password},
		Out: &out, Sensitive: []string{t.cfg.Password},
	})
	if err != nil {
		failure := *asError(err)
		if failure.Code == cloudclient.CodeAccountBlocked {
			failure.Message = "the engine has blocked this account after three wrong logins from this address; it is tried again after 15 minutes (" + failure.Message + ")"
		}
		return token{}, &failure
	}
	value := string(out.Token)
	if len(value) > maxToken || !tokenPattern.MatchString(value) {
		return token{}, &clouderr.Error{
			Class: clouderr.Transient, Service: string(cloudclient.ServiceCenter), Operation: operation,
			Message: "the service center answered without a usable token",
		}
	}
	now := t.cfg.Clock.Now()
	life := lifeOf(value, now)
	return token{
		value: value, issued: now, endsAt: now.Add(life),
		renewAt: now.Add(time.Duration(float64(life) * (renewFrom + renewSpread*rand.Float64()))), //nolint:gosec // G404: jitter
	}, nil
}

// lifeOf returns how long a token lives: what it says itself within reason, else 12 hours. The token is not verified;
// a wrong answer costs a login.
func lifeOf(value string, now time.Time) time.Duration {
	parts := strings.Split(value, ".")
	if len(parts) != 3 {
		return tokenLife
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return tokenLife
	}
	var read struct {
		Expires wire.Integer `json:"exp"`
	}
	if err := json.Unmarshal(claims, &read); err != nil || read.Expires <= 0 {
		return tokenLife
	}
	life := time.Unix(int64(read.Expires), 0).Sub(now)
	if life < minTokenLife || life > tokenLife {
		return tokenLife
	}
	return life
}
