// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kieconfig

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/controller/internal/connection"
	"servicestage.dev/operator/internal/controller/internal/items"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/inventory"
	"servicestage.dev/operator/internal/reconciler"
	"servicestage.dev/operator/internal/valuefrom"
)

// maxWritten is how many items status can remember.
const maxWritten = 2048

type kind struct {
	Options
	shared *Inventory
}

// Bind finds the way to the engine and resolves the values.
func (k kind) Bind(ctx context.Context, obj *v1alpha1.KieConfig, purpose external.Purpose) (external.Resource[observed], error) {
	r := &resource{object: client.ObjectKeyFromObject(obj), observing: observing(obj), written: map[string]bool{}, clock: k.Clock}
	if r.clock == nil {
		r.clock = cloudclient.SystemClock()
	}
	for _, identity := range obj.Status.Written {
		r.written[identity] = true
	}
	r.restored = obj.Status.ID == "" && len(r.written) == 0
	live := valuefrom.Once(k.Live)
	if purpose == external.ForDelete {
		return k.bindForDelete(ctx, live, obj, r)
	}
	r.fresh = reconciler.LookRequested(obj, obj.Status.LastHandledReconcileAt)
	if err := checkItems(&obj.Spec); err != nil {
		return nil, err
	}
	var err error
	if r.connection, err = k.connections().Find(ctx, live, obj, purpose); err != nil {
		return nil, err
	}
	if err := r.connection.Unrefused(obj.Status.RefusedCredentials); err != nil {
		return nil, err
	}
	if r.wanted, err = k.want(ctx, live, obj); err != nil {
		return nil, err
	}
	return r, k.subscribe(obj, r)
}

// bindForDelete needs no more than the way to the engine, for which the one that was used last will do.
func (k kind) bindForDelete(ctx context.Context, live client.Reader, obj *v1alpha1.KieConfig, r *resource) (external.Resource[observed], error) {
	gone, err := k.connections().Gone(ctx, obj)
	if err != nil {
		return nil, err
	}
	if gone {
		return &resource{gone: true}, nil
	}
	r.deleting = true
	r.wanted = wanted{items: map[string]items.Item{}}
	for _, item := range obj.Spec.Items { // what was written is known by these after a restore from a backup
		labels := merged(obj.Spec.Labels, item.Labels)
		r.wanted.items[items.Identity(item.Key, labels)] = items.Item{Key: item.Key, Labels: labels}
	}
	var wait *external.WaitError
	r.connection, err = k.connections().Find(ctx, live, obj, external.ForDelete)
	if errors.As(err, &wait) {
		feed, found := k.shared.Subscribed(r.object)
		if !found {
			return nil, err
		}
		r.feed, r.connection = feed, &connection.Connection{ID: obj.Status.ID}
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if err := r.connection.Unrefused(obj.Status.RefusedCredentials); err != nil {
		return nil, err
	}
	return r, k.subscribe(obj, r)
}

// connections finds the ways to engines.
func (k kind) connections() connection.Finder {
	return connection.Finder{Accounts: k.Accounts, Client: k.Client, Policy: k.Policy, Metrics: k.Metrics, UserAgent: k.UserAgent, Clock: k.Clock, ParallelWrites: k.ParallelWrites}
}

// want resolves the values, and finds out which items other objects keep.
func (k kind) want(ctx context.Context, live client.Reader, obj *v1alpha1.KieConfig) (wanted, error) {
	values := make([]string, len(obj.Spec.Items))
	for i, item := range obj.Spec.Items {
		var err error
		switch {
		case item.Value != nil:
			values[i] = *item.Value
		case item.ValueFrom != nil:
			if values[i], _, err = valuefrom.Read(ctx, live, obj.Namespace, fmt.Sprintf("spec.items[%d].valueFrom (%s)", i, item.Key), *item.ValueFrom); err != nil {
				return wanted{}, err
			}
		}
	}
	w, err := wantedOf(obj, values)
	if err != nil || observing(obj) {
		return w, err
	}
	w.kept, err = k.shared.keepers(ctx, obj, slices.Sorted(maps.Keys(w.items)))
	return w, err
}

// subscribe joins the objects that share the connection.
func (k kind) subscribe(obj *v1alpha1.KieConfig, r *resource) error {
	interval := k.ListInterval
	if own := obj.Spec.ResyncInterval; own != nil {
		interval = own.Duration
	}
	c := r.connection
	var err error
	r.feed, err = k.shared.Subscribe(r.object, inventory.Connection{Key: c.Key, Label: c.Label, Interval: interval}, c.Open)
	if err != nil {
		return c.Explain(err, r.deleting)
	}
	return nil
}

// Report copies what was observed into the status.
func (k kind) Report(obj *v1alpha1.KieConfig, o *observed) external.Health { return report(obj, o) }

// resource is a handle on an object's set of items.
type resource struct {
	object     inventory.Object
	wanted     wanted
	connection *connection.Connection
	feed       *inventory.Feed[items.Fingerprint, items.Store]
	// observing says whether nothing may be written, fresh whether a list was asked for, deleting whether the object is
	// to go.
	observing bool
	fresh     bool
	deleting  bool
	// gone is set where there is nothing to delete any more.
	gone bool
	// restored is set where nothing is written down of what the object wrote, so that its claim must tell.
	restored bool
	claim    external.Claim
	// write writes the record down.
	write func(ctx context.Context) error

	// The record: what the object wrote or is about to write, and the credentials that the engine refused.
	written map[string]bool
	refused string
	// raced is what was refused since it is there, with when it was written down.
	raced map[string]time.Time
	clock cloudclient.Clock
}

var (
	_ external.Keeper[*v1alpha1.KieConfig] = (*resource)(nil)
	_ external.Prober                      = (*resource)(nil)
)

// Keep takes the means to write the record down.
func (r *resource) Keep(write func(ctx context.Context) error) { r.write = write }

// Record copies the record into the status.
func (r *resource) Record(obj *v1alpha1.KieConfig) []external.Condition {
	if r.gone {
		return nil
	}
	obj.Status.RefusedCredentials = r.refused
	if !r.observing {
		obj.Status.Written = slices.Sorted(maps.Keys(r.written))
	}
	return valuesValid(r.wanted.unsound)
}

// Probe makes sure that the engine answers.
func (r *resource) Probe(ctx context.Context) error {
	_, err := r.look(ctx, inventory.Query{Fresh: r.fresh})
	return err
}

// Get observes the items. That of another engine than the one that is there now are gone.
func (r *resource) Get(ctx context.Context, id string) (*observed, error) {
	if id != r.connection.ID {
		return nil, clouderr.New(clouderr.NotFound, "the engine %s was replaced by %s", id, r.connection.ID)
	}
	return r.look(ctx, inventory.Query{Fresh: r.fresh})
}

// Find yields the set itself: what in it is the object's own, is told item by item.
func (r *resource) Find(_ context.Context, claim external.Claim) iter.Seq2[*observed, error] {
	return func(yield func(*observed, error) bool) {
		if r.gone {
			return
		}
		r.claim = claim
		yield(&observed{id: r.connection.ID}, nil)
	}
}

// Identity says that the set is the object's own.
func (r *resource) Identity(o *observed) external.Identity {
	return external.Identity{ID: o.id, Name: o.id, Claim: r.claim.Token, ClaimKnown: !r.claim.IsZero()}
}

// Diff compares.
func (r *resource) Diff(o *observed) external.Changes { return diff(r.wanted, o) }

// Create writes the set for the first time.
func (r *resource) Create(ctx context.Context, _ external.Claim) (*observed, *external.Operation, error) {
	r.restored = false
	o, err := r.look(ctx, inventory.Query{})
	if err != nil {
		return nil, nil, err
	}
	o, err = r.apply(ctx, o)
	return o, nil, err
}

// Update writes what differs.
func (r *resource) Update(ctx context.Context, before *observed, changes external.Changes, _ external.Claim) (*observed, *external.Operation, error) {
	if changes.Unmark {
		return before, nil, nil // items carry no claim
	}
	after, err := r.apply(ctx, before)
	return after, nil, err
}

// Delete deletes what the object wrote.
func (r *resource) Delete(ctx context.Context, _ string) (*external.Operation, error) {
	if r.gone {
		return nil, clouderr.New(clouderr.NotFound, "the engine is gone")
	}
	o, err := r.look(ctx, inventory.Query{})
	if err == nil && o.watch != watchLongPoll {
		o, err = r.look(ctx, inventory.Query{Fresh: true}) // what is known may be an interval old
	}
	if err != nil {
		return nil, err
	}
	p := planOf(wanted{}, o)
	if len(p.dropped) == 0 {
		return nil, nil
	}
	if !r.feed.Access().Removes() {
		return nil, clouderr.New(clouderr.Invalid, "%s, and %d are left; set spec.access: Engine to delete them, or spec.deletionPolicy: Orphan to leave them in the engine",
			items.CannotDelete, len(p.dropped))
	}
	writing := r.feed.Write(r.object)
	defer writing.End()
	return nil, r.explain(r.remove(ctx, writing, o, p.dropped))
}

// look reads what is known of the items that the object is about. A list may leave something out: what the object wrote, and
// what is not to be there any more, is struck from the record only where two lists in a row, the second one of everything, do
// not show it.
func (r *resource) look(ctx context.Context, q inventory.Query) (*observed, error) {
	view, err := r.read(ctx, q)
	if err != nil {
		return nil, err
	}
	if missed := r.missed(view); len(missed) > 0 && !q.Doubt {
		if view, err = r.read(ctx, inventory.Query{Doubt: true}); err != nil {
			return nil, err
		}
		if again := r.missed(view); !maps.Equal(missed, again) {
			return nil, clouderr.New(clouderr.Transient, "two lists of the engine's items in a row contradict each other")
		}
		maps.DeleteFunc(r.written, func(identity string, _ bool) bool { return missed[identity] })
	}
	for identity, since := range r.raced {
		if have, there := view.Items[identity]; there && !have.CreatedAt.Before(since) {
			r.written[identity] = true
		}
	}
	claim := r.claim
	if !r.restored {
		claim = external.Claim{}
	}
	o := &observed{id: r.connection.ID, items: view.Items, own: ownership(r.wanted, view.Items, r.written, claim), watch: watchLongPoll}
	if view.Waits == inventory.Unsupported {
		o.watch = watchInterval
	}
	for identity := range o.own {
		r.written[identity] = true
	}
	o.count(r.wanted)
	return o, nil
}

// read asks the feed.
func (r *resource) read(ctx context.Context, q inventory.Query) (inventory.View[items.Fingerprint], error) {
	q.Watch = slices.AppendSeq(slices.Collect(maps.Keys(r.wanted.items)), maps.Keys(r.written))
	view, err := r.feed.Read(ctx, r.object, q)
	if err != nil {
		return view, r.explain(err)
	}
	return view, nil
}

// missed returns what the object wrote, or may have written, and is to go, and is not listed.
func (r *resource) missed(view inventory.View[items.Fingerprint]) map[string]bool {
	written := maps.Clone(r.written)
	if r.deleting && r.restored {
		for identity := range r.wanted.items {
			written[identity] = true
		}
	}
	missed := map[string]bool{}
	for identity := range written {
		_, there := view.Items[identity]
		_, wanted := r.wanted.items[identity]
		if !there && (r.deleting || !wanted) {
			missed[identity] = true
		}
	}
	return missed
}

// explain says what can be done about an error, and remembers a refused password.
func (r *resource) explain(err error) error {
	if r.connection.Refuses(err) {
		r.refused = r.connection.Key
	}
	return r.connection.Explain(err, r.deleting)
}

// apply makes the engine hold what is wanted, as far as that is possible, and returns what it holds then. Where an item
// turns out to be other than what was known, it looks again, once.
func (r *resource) apply(ctx context.Context, o *observed) (*observed, error) {
	for again := false; ; again = true {
		p := planOf(r.wanted, o)
		o.failures = p.conflicts
		stale, err := r.carryOut(ctx, o, p)
		if stale && again {
			contradict(o.failures[len(p.conflicts):])
		}
		o.count(r.wanted)
		if err != nil || !stale || again {
			return o, errors.Join(err, r.explain(gravest(o.failures)))
		}
		if o, err = r.look(ctx, inventory.Query{Doubt: true}); err != nil {
			return nil, err
		}
	}
}

// contradict makes of the refusals of items that are there, and that a list of everything left out, what is tried again: the
// list may lag behind, and need not say what the next one says.
func contradict(failures []failure) {
	for i, f := range failures {
		if clouderr.Is(f.err, clouderr.Exists) {
			failures[i].err = clouderr.New(clouderr.Busy, "the engine refuses the item since it is there already, and does not list it: %w", f.err)
		}
	}
}

// carryOut deletes what is to be dropped and writes what is to be written. It says whether something was other than
// what was known.
func (r *resource) carryOut(ctx context.Context, o *observed, p plan) (stale bool, err error) {
	writing := r.feed.Write(r.object)
	defer writing.End()
	r.drop(ctx, writing, o, p)
	since := r.clock.Now().Truncate(time.Second) // as exact as the engine's times
	added, err := r.ahead(ctx, p)
	if err != nil {
		return false, err
	}
	var mu sync.Mutex
	r.feed.Access().Write(ctx, p.steps, func(w items.Written) {
		mu.Lock()
		defer mu.Unlock()
		identity := w.Identity()
		class := clouderr.ClassOf(w.Err)
		switch {
		case w.Err == nil:
			o.items[identity], o.own[identity] = w.Is, true
			writing.Put(identity, w.Is, w.Is.UpdateRevision)
		case class == clouderr.NotFound, class == clouderr.Exists && w.Have == nil:
			stale = true
			fallthrough
		default:
			o.failures = append(o.failures, failure{w.Key, w.Labels, w.Err})
		}
		if class == clouderr.Transient { // it may have been written
			writing.Lost()
		}
		if w.Err == nil || class == clouderr.Transient {
			delete(added, identity)
		}
	})
	// What was made since it was written down was made by who read that: another manager that still believes it leads.
	r.raced = map[string]time.Time{}
	for identity := range added {
		delete(r.written, identity)
		r.raced[identity] = since
	}
	return stale, nil
}

// ahead notes what is about to be written, where it was not noted before, and writes that down before the first call. It
// returns what it added.
func (r *resource) ahead(ctx context.Context, p plan) (map[string]bool, error) {
	added := map[string]bool{}
	for _, step := range p.steps {
		if identity := step.Identity(); !r.written[identity] {
			added[identity], r.written[identity] = true, true
		}
	}
	var err error
	switch {
	case len(added) == 0:
	case len(r.written) > maxWritten:
		err = clouderr.New(clouderr.Busy, "more than %d items would have to be remembered until those that were dropped are deleted", maxWritten)
	default:
		err = r.write(ctx)
	}
	if err != nil {
		for identity := range added {
			delete(r.written, identity)
		}
	}
	return added, err
}

// drop deletes what left the spec.
func (r *resource) drop(ctx context.Context, writing *inventory.Writing[items.Fingerprint, items.Store], o *observed, p plan) {
	if len(p.dropped) == 0 {
		return
	}
	err := r.remove(ctx, writing, o, p.dropped)
	if err == nil {
		return
	}
	if !r.feed.Access().Removes() {
		err = clouderr.New(clouderr.Invalid, "%s; delete it in the console, or set spec.access: Engine", items.CannotDelete)
	}
	for _, identity := range slices.Sorted(maps.Keys(p.dropped)) {
		have := p.dropped[identity]
		o.failures = append(o.failures, failure{have.Key, have.Labels, err})
	}
}

// remove deletes items.
func (r *resource) remove(ctx context.Context, writing *inventory.Writing[items.Fingerprint, items.Store], o *observed, dropped map[string]items.Fingerprint) error {
	var ids []string
	for _, identity := range slices.Sorted(maps.Keys(dropped)) {
		ids = append(ids, dropped[identity].ID)
	}
	if err := r.feed.Access().Remove(ctx, ids); err != nil {
		if clouderr.Is(err, clouderr.Transient) { // they may have been deleted
			writing.Lost()
		}
		return err
	}
	for identity := range dropped {
		delete(r.written, identity)
		delete(o.items, identity)
		delete(o.own, identity)
		writing.Drop(identity)
	}
	return nil
}
