// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"servicestage.dev/operator/api/v1alpha1"
)

// tracker watches objects and notes when each is Ready in which generation, and when it is gone. It knows them by their
// names alone: objects of different kinds are not to share one.
type tracker struct {
	cancel context.CancelFunc
	done   chan error

	mu    sync.Mutex
	seen  map[string]sighting
	moved chan struct{} // closed and replaced whenever something moved
}

// sighting is what was last seen of an object.
type sighting struct {
	// generation that was Ready, and since when.
	generation int64
	ready      time.Time
	gone       time.Time
}

func newTracker(config *rest.Config) (*tracker, error) {
	c, err := cache.New(config, cache.Options{Scheme: newScheme(), DefaultTransform: cache.TransformStripManagedFields()})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &tracker{cancel: cancel, done: make(chan error, 1), seen: map[string]sighting{}, moved: make(chan struct{})}
	go func() { t.done <- c.Start(ctx) }()
	for _, o := range []object{&v1alpha1.Environment{}, &v1alpha1.Application{}, &v1alpha1.Component{}, &bare{}} {
		informer, err := c.GetInformer(ctx, o)
		if err == nil {
			_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
				AddFunc: t.saw, UpdateFunc: func(_, now any) { t.saw(now) }, DeleteFunc: t.lost,
			})
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("watch the objects: %w", err), t.stop())
		}
	}
	return t, nil
}

func (t *tracker) stop() error {
	t.cancel()
	return <-t.done
}

func key(namespace, name string) string { return namespace + "/" + name }

func (t *tracker) saw(seen any) {
	o, ok := seen.(object)
	if !ok {
		return
	}
	c, generation := meta.FindStatusCondition(o.CommonStatus().Conditions, v1alpha1.ConditionReady), o.GetGeneration()
	if c == nil || c.Status != "True" || c.ObservedGeneration != generation {
		return
	}
	t.change(key(o.GetNamespace(), o.GetName()), func(s *sighting) {
		if s.generation != generation {
			s.generation, s.ready = generation, time.Now()
		}
	})
}

func (t *tracker) lost(seen any) {
	if tombstone, ok := seen.(toolscache.DeletedFinalStateUnknown); ok {
		seen = tombstone.Obj
	}
	if o, ok := seen.(object); ok {
		t.change(key(o.GetNamespace(), o.GetName()), func(s *sighting) { s.gone = time.Now() })
	}
}

func (t *tracker) change(key string, change func(*sighting)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.seen[key]
	change(&s)
	t.seen[key] = s
	close(t.moved)
	t.moved = make(chan struct{})
}

// when waits until what was seen of an object is as wanted, and returns the sighting.
func (t *tracker) when(ctx context.Context, key string, wanted func(sighting) bool) (sighting, error) {
	for {
		t.mu.Lock()
		s, moved := t.seen[key], t.moved
		t.mu.Unlock()
		if wanted(s) {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("waiting for %s: %w", key, context.Cause(ctx))
		case <-moved:
		}
	}
}

// whenReady waits until an object is Ready in a generation.
func (t *tracker) whenReady(ctx context.Context, key string, generation int64) (time.Time, error) {
	s, err := t.when(ctx, key, func(s sighting) bool { return s.generation >= generation })
	return s.ready, err
}

// whenGone waits until an object is gone.
func (t *tracker) whenGone(ctx context.Context, key string) (time.Time, error) {
	s, err := t.when(ctx, key, func(s sighting) bool { return !s.gone.IsZero() })
	return s.gone, err
}

// ready returns how many of the named objects are Ready, and when the last of them became so.
func (t *tracker) ready(namespace string, names []string) (n int, last time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range names {
		if s := t.seen[key(namespace, name)]; s.generation > 0 {
			n++
			if s.ready.After(last) {
				last = s.ready
			}
		}
	}
	return n, last
}
