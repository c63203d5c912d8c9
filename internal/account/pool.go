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

// Pool keeps one session per account for the objects that use it, of credentials that the cloud has accepted, and
// beside it the one of credentials that are still to be tried.
type Pool struct {
	builder *Builder
	flight  singleflight.Group

	mu       sync.Mutex
	sessions map[Key]*entry
	untried  map[Key]*entry
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
		untried:  map[Key]*entry{},
		notices: map[v1alpha1.AccountKind]chan event.GenericEvent{
			v1alpha1.AccountKindNamespaced: make(chan event.GenericEvent, 1024),
			v1alpha1.AccountKindCluster:    make(chan event.GenericEvent, 1024),
		},
	}
}

// Session returns the session of the credentials that the cloud has accepted for this generation of the account. Where
// there is none yet, as after a restart, it is built from the Secret if that still holds what the account's status says
// was accepted; otherwise the error is a *ConfigError that waits for the account to be tried.
func (p *Pool) Session(ctx context.Context, account Object) (*Session, error) {
	key := client.ObjectKeyFromObject(account)
	if e := p.entry(key); e != nil && e.of(account) && e.generation == account.GetGeneration() {
		return e.session, nil
	}
	session, version, err := p.Rebuild(ctx, account)
	if err != nil {
		return nil, err
	}
	if version != account.AccountStatus().CredentialsVersion {
		return nil, errUntried
	}
	p.Accept(account, version)
	return session, nil
}

// errUntried ends with the account's next status.
var errUntried = &ConfigError{Waiting: true, Message: "its credentials have changed and were not tried yet"}

// Rebuild reads the account's Secret anew and returns a session that uses what it holds now, with the version that
// identifies it. It is the same one where nothing changed. Objects do not get it before Accept.
func (p *Pool) Rebuild(ctx context.Context, account Object) (*Session, string, error) {
	key := client.ObjectKeyFromObject(account)
	result, err, _ := p.flight.Do(key.String(), func() (any, error) {
		inputs, err := p.builder.read(ctx, account)
		if err != nil {
			return nil, err
		}
		if e := p.known(account, inputs.version); e != nil {
			return e, nil
		}
		session, err := p.builder.build(key, account, inputs, func() { p.notice(key) })
		if err != nil {
			return nil, err
		}
		e := &entry{uid: account.GetUID(), generation: account.GetGeneration(), version: inputs.version, session: session}
		p.mu.Lock()
		old := p.untried[key]
		p.untried[key] = e
		p.mu.Unlock()
		old.close()
		return e, nil
	})
	if err != nil {
		return nil, "", err
	}
	e := result.(*entry) //nolint:forcetypeassert // the function above returns nothing else
	return e.session, e.version, nil
}

// Accept hands the session of a version that the cloud has accepted out from now on, in place of the one before.
func (p *Pool) Accept(account Object, version string) {
	key := client.ObjectKeyFromObject(account)
	p.mu.Lock()
	e := p.untried[key]
	if e == nil || !e.of(account) || e.version != version {
		p.mu.Unlock()
		return // it is handed out already
	}
	old := p.sessions[key]
	p.sessions[key] = e
	delete(p.untried, key)
	p.mu.Unlock()
	old.close()
}

// Pooled returns the session that was handed out last, if any.
func (p *Pool) Pooled(key Key) (*Session, bool) {
	e := p.entry(key)
	if e == nil {
		return nil, false
	}
	return e.session, true
}

// Forget closes and drops the session of an account that is gone, and what was counted of it.
func (p *Pool) Forget(key Key) {
	p.mu.Lock()
	accepted, untried := p.sessions[key], p.untried[key]
	delete(p.sessions, key)
	delete(p.untried, key)
	p.mu.Unlock()
	accepted.close()
	untried.close()
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

// known returns the entry of a version of an account, tried or not; nil where there is none.
func (p *Pool) known(account Object, version string) *entry {
	key := client.ObjectKeyFromObject(account)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range []*entry{p.sessions[key], p.untried[key]} {
		if e != nil && e.of(account) && e.version == version {
			return e
		}
	}
	return nil
}

// of says whether the entry is the account's and not that of a namesake before it.
func (e *entry) of(account Object) bool { return e.uid == account.GetUID() }

// close ends the session's idle connections. Nil has none.
func (e *entry) close() {
	if e != nil {
		e.session.Cloud.Close()
	}
}
