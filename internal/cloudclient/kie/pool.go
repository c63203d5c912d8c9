// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
)

// pool is the addresses of one server. The one that answered last is called first.
type pool struct {
	direct    *cloudclient.Direct
	addresses []*url.URL
	preferred atomic.Int64
}

func newPool(direct *cloudclient.Direct, policy *endpoint.Policy, name string, addresses []string) (*pool, error) {
	p := &pool{direct: direct}
	for _, address := range addresses {
		parsed, err := policy.Parse(address)
		if err != nil {
			return nil, clouderr.New(clouderr.Invalid, "the engine's %s address: %s", name, clouderr.UserMessage(err))
		}
		p.addresses = append(p.addresses, parsed)
	}
	return p, nil
}

// do makes the call at the first address that can be reached. request.URL holds the path only. Where no address can be
// reached, the error is the first one's.
func (p *pool) do(ctx context.Context, request cloudclient.DirectRequest) (cloudclient.DirectReply, error) {
	var first error
	path := request.URL.Path
	start := int(p.preferred.Load())
	for i := range p.addresses {
		at := (start + i) % len(p.addresses)
		request.URL = p.addresses[at].JoinPath(path)
		reply, err := p.direct.Do(ctx, request)
		if err == nil || !goesOn(request, err) || ctx.Err() != nil {
			if err == nil && i > 0 {
				p.preferred.Store(int64(at))
			}
			return reply, err
		}
		if first == nil {
			first = err
		}
	}
	return cloudclient.DirectReply{}, first
}

// goesOn says whether a call that failed may be made at another address: where the server saw nothing of it, or where
// it does no harm twice.
func goesOn(request cloudclient.DirectRequest, err error) bool {
	return errors.Is(err, cloudclient.ErrNotSent) ||
		request.Method == http.MethodGet && request.Wait == 0 && errors.Is(err, cloudclient.ErrNoReply)
}

// asError returns the classified error in err's chain.
func asError(err error) *clouderr.Error {
	var failure *clouderr.Error
	if errors.As(err, &failure) {
		return failure
	}
	return clouderr.New(clouderr.Transient, "%w", err)
}
