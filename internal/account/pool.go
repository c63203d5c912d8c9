// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"sync"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"servicestage.dev/operator/api/v1alpha1"
)

// Pool keeps one session per account.
type Pool struct {
	builder *Builder
	flight  singleflight.Group

	mu       sync.Mutex
	sessions map[Key]*entry
	notices  map[v1alpha1.AccountKind]chan event.GenericEvent
}

type entry struct {
	uid        types.UID
	generation int64
	version    string
	session    *Session
}

// NewPool returns an empty pool whose sessions builder makes.
func NewPool(builder *Builder) *Pool {
	return &Pool{
		builder:  builder,
		sessions: map[Key]*entry{},
		notices: map[v1alpha1.AccountKind]chan event.GenericEvent{
			v1alpha1.AccountKindNamespaced: make(chan event.GenericEvent, 1024),
			v1alpha1.AccountKindCluster:    make(chan event.GenericEvent, 1024),
		},
	}
}

// Session returns the account's session, building it where there is none for this generation of the account.
func (p *Pool) Session(ctx context.Context, account Object) (*Session, error) {
	key := client.ObjectKeyFromObject(account)
	if e := p.entry(key); e != nil && e.uid == account.GetUID() && e.generation == account.GetGeneration() {
		return e.session, nil
	}
	session, _, err := p.Rebuild(ctx, account)
	return session, err
}

// Rebuild reads the account's Secret anew and returns a session that uses what it holds now, with the version that
// identifies it. The session in the pool is kept where nothing changed.
func (p *Pool) Rebuild(ctx context.Context, account Object) (*Session, string, error) {
	key := client.ObjectKeyFromObject(account)
	result, err, _ := p.flight.Do(key.String(), func() (any, error) {
		inputs, err := p.builder.read(ctx, account)
		if err != nil {
			return nil, err
		}
		if e := p.entry(key); e != nil && e.uid == account.GetUID() && e.version == inputs.version {
			return e, nil
		}
		session, err := p.builder.build(key, account, inputs, func() { p.notice(key) })
		if err != nil {
			return nil, err
		}
		e := &entry{uid: account.GetUID(), generation: account.GetGeneration(), version: inputs.version, session: session}
		p.replace(key, e)
		return e, nil
	})
	if err != nil {
		return nil, "", err
	}
	e := result.(*entry) //nolint:forcetypeassert // the function above returns nothing else
	return e.session, e.version, nil
}

// Pooled returns the session that was used last, if any.
func (p *Pool) Pooled(key Key) (*Session, bool) {
	e := p.entry(key)
	if e == nil {
		return nil, false
	}
	return e.session, true
}

// Forget closes and drops the session of an account that is gone, and what was counted of it.
func (p *Pool) Forget(key Key) {
	p.replace(key, nil)
	if p.builder.Metrics != nil {
		p.builder.Metrics.ForgetAccount(metricsName(key))
	}
}

// ReportRefused tells the account's controller that the cloud refused the account's credentials. It never blocks: while
// a thousand reports wait unread, one more adds nothing.
func (p *Pool) ReportRefused(_ context.Context, namespace string, ref v1alpha1.AccountReference) {
	p.notice(RefKey(namespace, ref))
}

// notice tells the account's controller that there is something to report.
func (p *Pool) notice(key Key) {
	kind := v1alpha1.AccountKindNamespaced
	if key.Namespace == "" {
		kind = v1alpha1.AccountKindCluster
	}
	account := &v1alpha1.CloudAccount{}
	account.SetNamespace(key.Namespace)
	account.SetName(key.Name)
	select {
	case p.notices[kind] <- event.GenericEvent{Object: account}:
	default:
	}
}

// Notices delivers accounts of one kind whose credentials the cloud refused, or whose rate limits have changed.
func (p *Pool) Notices(kind v1alpha1.AccountKind) <-chan event.GenericEvent { return p.notices[kind] }

// Limits returns the rate limits of the cloud that an account keeps to, in words.
func (p *Pool) Limits(key Key) []string {
	session, ok := p.Pooled(key)
	if !ok {
		return nil
	}
	var limits []string
	for _, limit := range session.Cloud.Limits() {
		limits = append(limits, limit.String())
	}
	return limits
}

func (p *Pool) entry(key Key) *entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[key]
}

func (p *Pool) replace(key Key, e *entry) {
	p.mu.Lock()
	old := p.sessions[key]
	if e == nil {
		delete(p.sessions, key)
	} else {
		p.sessions[key] = e
	}
	p.mu.Unlock()
	if old != nil {
		old.session.Cloud.Close()
	}
}
