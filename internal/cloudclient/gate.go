// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"context"
	"sync"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// gate keeps refused credentials from being tried again and again: five wrong signatures in a row lock an access key
// for five minutes. Until some call was accepted, calls go one at a time, so that many callers with a wrong key cost
// one refusal; after a refusal no call goes out until a forced one (Verify) is accepted.
type gate struct {
	// slot is held by the one caller that tries credentials of which nothing is known.
	slot chan struct{}

	mu      sync.Mutex
	proven  bool
	refusal *clouderr.Error
}

func newGate() *gate { return &gate{slot: make(chan struct{}, 1)} }

// enter waits until the caller may call, and returns what to do afterwards. A caller that forces its way is let in
// although the credentials were refused, one at a time.
func (g *gate) enter(ctx context.Context, force bool) (leave func(), err error) {
	open := func() (bool, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if force {
			return false, nil
		}
		if g.refusal != nil {
			return false, g.refusal
		}
		return g.proven, nil
	}
	if proven, err := open(); proven || err != nil {
		return func() {}, err
	}
	select {
	case g.slot <- struct{}{}:
	case <-ctx.Done():
		return nil, clouderr.New(clouderr.Transient, "waiting for the first call with these credentials to be answered: %w", ctx.Err())
	}
	leave = func() { <-g.slot }
	if proven, err := open(); proven || err != nil {
		leave() // what was unknown is known now: nobody needs to wait
		return func() {}, err
	}
	return leave, nil
}

// refused returns the standing refusal, or nil.
func (g *gate) refused() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refusal == nil {
		return nil
	}
	return g.refusal
}

// judge takes note of what a call showed about the credentials. A call that was forced may lift a refusal; another
// one, which was under way when the refusal came, may not.
func (g *gate) judge(err error, force bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case clouderr.Is(err, clouderr.Unauthorized):
		g.proven = false
		g.refusal = standing(err)
	case accepts(err) && (g.refusal == nil || force):
		g.proven = true
		g.refusal = nil
	}
}

// accepts says whether an outcome proves that the credentials are good: success, an answer of the service behind the
// gateway, or a refusal for lack of permission. Silence, throttling and server errors prove nothing.
func accepts(err error) bool {
	if err == nil {
		return true
	}
	failure := asError(err)
	return failure.Status == 403 || failure.Status != 0 && failure.Status < 500 && isServiceCode(failure.Code)
}

// standing is the refusal as later callers get it: the same class, code and message, so that their conditions agree,
// without the id of a request that was not theirs.
func standing(err error) *clouderr.Error {
	failure := *asError(err)
	failure.Operation = ""
	failure.RequestID = ""
	failure.Err = errNotTriedAgain
	return &failure
}
