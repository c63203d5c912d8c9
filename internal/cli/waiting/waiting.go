// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package waiting waits until objects are Ready, and shows how far they are.
package waiting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/internal/cli/cluster"
	"servicestage.dev/operator/internal/cli/exit"
	"servicestage.dev/operator/internal/cli/kinds"
	"servicestage.dev/operator/internal/cli/output"
	"servicestage.dev/operator/internal/cli/screen"
	"servicestage.dev/operator/internal/reconciler"
)

// Options of a wait.
type Options struct {
	// Args name objects as kubectl get takes them; all that are in the namespace now where empty.
	Args []string
	// Selector of labels, for Args.
	Selector string
	// Timeout bounds the wait; 0 does not.
	Timeout time.Duration
	// KeepGoing waits for the others when an object stalls, and for the stalled one to move again.
	KeepGoing bool
	Format    output.Format
}

// waiter is one wait.
type waiter struct {
	options Options
	screen  *screen.Screen
	// order of the objects, and how each stands.
	order []string
	lines map[string]Line
	uids  map[types.UID]string
}

// change is an object that changed, or went.
type change struct {
	obj  reconciler.Object
	gone bool
}

// Run waits.
func Run(ctx context.Context, c *cluster.Cluster, o Options, streams genericiooptions.IOStreams) error {
	objects, err := c.Select(o.Args, o.Selector)
	if err != nil {
		return err
	}
	if len(objects) == 0 {
		return fmt.Errorf("no objects found in namespace %s", c.Namespace)
	}
	w := &waiter{options: o, lines: map[string]Line{}, uids: map[types.UID]string{}}
	if w.screen = screen.New(streams.Out); o.Format != output.Text {
		w.screen = screen.New(streams.ErrOut)
	}
	defer w.screen.Clear()
	limited := ctx
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	for _, obj := range objects {
		w.uids[obj.GetUID()] = kinds.Title(obj)
		w.order = append(w.order, kinds.Title(obj))
		w.update(Judge(obj))
	}
	end := w.wait(limited, c, objects)
	w.screen.Clear()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if o.Format != output.Text {
		if err := output.Write(streams.Out, o.Format, map[string]any{"objects": w.ordered()}); err != nil {
			return err
		}
	} else if w.screen.Live() {
		for _, l := range w.ordered() {
			w.screen.Say(l.text())
		}
	}
	return end
}

// wait follows the objects until all are Ready, one stalls, or time is up.
func (w *waiter) wait(ctx context.Context, c *cluster.Cluster, objects []reconciler.Object) error {
	if done, err := w.done(); done {
		return err
	}
	changes, failures, err := watch(ctx, c, objects)
	if err != nil {
		return w.overtime(ctx, err)
	}
	for {
		select {
		case <-ctx.Done():
			return w.overtime(ctx, ctx.Err())
		case err := <-failures:
			return err
		case ch := <-changes:
			title, ours := w.uids[ch.obj.GetUID()]
			if !ours {
				continue // of the same name perhaps, and made later
			}
			line := Judge(ch.obj)
			if ch.gone {
				line = Line{Object: title, State: Gone, Message: "deleted while it was waited for"}
			}
			w.update(line)
			if done, err := w.done(); done {
				return err
			}
		}
	}
}

// overtime turns the end of the time into what is still missing.
func (w *waiter) overtime(ctx context.Context, err error) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	code := exit.TimedOut
	if len(w.in(Stalled)) > 0 {
		code = exit.Stalled
	}
	missing := slices.Concat(w.in(Waiting), w.in(Stalled))
	return &exit.Error{Code: code, Message: fmt.Sprintf("not Ready after %s: %s", w.options.Timeout, strings.Join(missing, ", "))}
}

// update shows how an object stands.
func (w *waiter) update(l Line) {
	before, known := w.lines[l.Object]
	if known && before == l {
		return
	}
	w.lines[l.Object] = l
	if w.screen.Live() {
		var texts []string
		for _, l := range w.ordered() {
			texts = append(texts, l.text())
		}
		w.screen.Show(texts...)
		return
	}
	w.screen.Say(l.text())
}

// done says whether the wait is over, and how.
func (w *waiter) done() (bool, error) {
	if gone := w.in(Gone); len(gone) > 0 {
		return true, &exit.Error{Code: exit.Failed, Message: "deleted: " + strings.Join(gone, ", ")}
	}
	if stalled := w.in(Stalled); len(stalled) > 0 && !w.options.KeepGoing {
		return true, &exit.Error{Code: exit.Stalled, Message: "someone must act: " + strings.Join(stalled, ", ") + " (--keep-going waits on)"}
	}
	return len(w.in(Ready)) == len(w.order) && len(w.lines) == len(w.order), nil
}

func (w *waiter) in(state State) []string {
	var titles []string
	for _, l := range w.ordered() {
		if l.State == state {
			titles = append(titles, l.Object)
		}
	}
	return titles
}

func (w *waiter) ordered() []Line {
	var lines []Line
	for _, title := range w.order {
		if l, known := w.lines[title]; known {
			lines = append(lines, l)
		}
	}
	return lines
}

// watch delivers every change of objects of these kinds, and once how each is now, until ctx ends; and why it cannot, where
// the user may not watch them.
func watch(ctx context.Context, c *cluster.Cluster, objects []reconciler.Object) (<-chan change, <-chan error, error) {
	config := *c.Config
	config.Timeout = 0 // a watch lasts
	changes, failures := make(chan change), make(chan error, 1)
	informers, err := cache.New(&config, cache.Options{
		Scheme: cluster.Scheme(), Mapper: c.Client.RESTMapper(), DefaultNamespaces: map[string]cache.Config{c.Namespace: {}},
		DefaultWatchErrorHandler: func(_ context.Context, _ *toolscache.Reflector, err error) {
			if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
				select {
				case failures <- fmt.Errorf("watch the objects: %w", err):
				default:
				}
			}
		},
	})
	if err != nil {
		return nil, nil, err
	}
	send := func(o any, gone bool) {
		if last, is := o.(toolscache.DeletedFinalStateUnknown); is {
			o = last.Obj
		}
		if obj, ok := o.(reconciler.Object); ok {
			select {
			case changes <- change{obj: obj, gone: gone}:
			case <-ctx.Done():
			}
		}
	}
	handler := toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { send(o, false) }, UpdateFunc: func(_, o any) { send(o, false) }, DeleteFunc: func(o any) { send(o, true) },
	}
	watched := map[string]bool{}
	for _, obj := range objects {
		k, err := kinds.Of(obj)
		if err != nil {
			return nil, nil, err
		}
		if watched[k.Name] {
			continue
		}
		watched[k.Name] = true
		informer, err := informers.GetInformer(ctx, k.New(), cache.BlockUntilSynced(false))
		if err != nil {
			return nil, nil, fmt.Errorf("watch the %s: %w", k.Resource, err)
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, nil, fmt.Errorf("watch the %s: %w", k.Resource, err)
		}
	}
	go func() {
		_ = informers.Start(ctx) // it ends with ctx, and without an error
	}()
	go func() {
		// What went before the watch began shows in no event.
		if !informers.WaitForCacheSync(ctx) {
			return
		}
		for _, obj := range objects {
			now, ok := obj.DeepCopyObject().(reconciler.Object)
			if ok && apierrors.IsNotFound(informers.Get(ctx, client.ObjectKeyFromObject(obj), now)) {
				send(obj, true)
			}
		}
	}()
	return changes, failures, nil
}
