// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/external"
)

// Definition is all that makes a kind.
type Definition[O Object, R any] struct {
	// Name of the controller, lower case, for example "environment": in logs, metrics and messages.
	Name string
	// New returns an empty object.
	New func() O
	// Kind realises objects in the cloud.
	Kind external.Kind[O, R]
	// References of the kind, but for spec.accountRef, which every kind has.
	References []dependency.Reference
	// Annotations of the kind by which users ask for something.
	Annotations []string
	// Unmarked kinds have cloud resources that can carry no claim: whose they are shows in their name and age alone.
	Unmarked bool
	// Publish says what an object has written to a ConfigMap or Secret of its namespace, from its own spec and status
	// alone; nil for kinds that write nothing. Pure.
	Publish func(O) Publication
	// Conditions of the kind's own, which its resources state as external.Keepers.
	Conditions []string
	// Keeps is set for kinds whose resources are external.Keepers: their status holds what nothing else tells. Before a pass
	// that has something to do the object is read past the cache, and its status is only written over what was read.
	Keeps bool
	// Inventory is set where lists that many objects share tell what moved in the cloud.
	Inventory Inventory
	// Fingerprint of what was observed, for kinds whose Inventory compares it with that of what is listed; "" where the
	// observation does not tell. Pure.
	Fingerprint func(*R) string
}

// Inventory knows from shared lists what moved in the cloud, and wakes the objects that it concerns.
type Inventory interface {
	// Moved says whether what the object is about has moved since it was last looked at. It is asked in every pass, before
	// the look, and twice where the cache was behind.
	Moved(object types.NamespacedName) bool
	// Watch is told at the end of a pass what the object's status is, and whether the pass looked at the cloud resource.
	// From then on the object is woken when that moves.
	Watch(ctx context.Context, object Object, looked bool) error
	// Forget is told of objects that are gone.
	Forget(object types.NamespacedName)
	// Wake adds to the kind's controller what wakes objects.
	Wake(b *builder.Builder)
}

// Accounts is told when the cloud refuses the credentials of an account.
type Accounts interface {
	ReportRefused(ctx context.Context, namespace string, ref v1alpha1.AccountReference)
}

// Metrics counts what the loop does.
type Metrics interface {
	// Reconciled counts a pass by the class of its outcome.
	Reconciled(controller, class string)
	// DriftRepaired counts fields that were changed behind the operator's back and set right.
	DriftRepaired(controller string, fields int)
	// OperationEnded records how long a job of the cloud took, and whether its result is of use.
	OperationEnded(controller, verb string, succeeded bool, took time.Duration)
}

// Runtime is what the loops of all kinds share.
type Runtime struct {
	Client client.Client
	// Live reads past every cache what is not kept in one: ConfigMaps and Secrets.
	Live     client.Reader
	Graph    *dependency.Graph
	Accounts Accounts
	Metrics  Metrics
	Recorder events.EventRecorder
	Clock    clock.PassiveClock
	// ClusterName tells in the cloud which cluster's objects these are; may be empty.
	ClusterName string
	// Selector of the objects that this manager works on, and others do not; all where nil.
	Selector labels.Selector
	// ResyncInterval of objects that name none themselves.
	ResyncInterval time.Duration
	// MaxConcurrentReconciles per kind.
	MaxConcurrentReconciles int
}

// Serves says whether an object is this manager's to work on.
func (rt Runtime) Serves(obj client.Object) bool {
	return rt.Selector == nil || rt.Selector.Matches(labels.Set(obj.GetLabels()))
}

// Controller is a kind's loop, ready to be set up.
type Controller interface {
	// Declare adds the kind's references to the graph. All kinds declare before the first is set up.
	Declare(graph *dependency.Graph) error
	// SetUp adds the kind's controller to the manager.
	SetUp(mgr ctrl.Manager, rt Runtime) error
}

var _ Controller = Definition[Object, struct{}]{}

// Declare adds the kind's references, those to its account, and those to where its objects publish, to the graph.
func (d Definition[O, R]) Declare(graph *dependency.Graph) error {
	references := append(accountReferences(d.New()), d.References...)
	if d.Publish != nil {
		references = append(references, publicationReferences(d.New(), d.Publish)...)
	}
	return graph.Add(references...)
}

// SetUp adds the kind's controller to the manager.
func (d Definition[O, R]) SetUp(mgr ctrl.Manager, rt Runtime) error {
	l := d.loop(rt)
	b := ctrl.NewControllerManagedBy(mgr).
		Named(d.Name).
		Watches(d.New(), enqueue{}, builder.WithPredicates(UserActed(d.Annotations...))).
		WithOptions(controller.Options{MaxConcurrentReconciles: rt.MaxConcurrentReconciles})
	if err := rt.Graph.Watch(b, d.New()); err != nil {
		return err
	}
	if d.Inventory != nil {
		d.Inventory.Wake(b)
	}
	if err := b.Complete(l); err != nil {
		return fmt.Errorf("set up the controller %s: %w", d.Name, err)
	}
	return nil
}

// Reconciler returns the kind's reconciler alone, for those that bring their own queue and clock.
func (d Definition[O, R]) Reconciler(rt Runtime) reconcile.Reconciler { return d.loop(rt) }

func (d Definition[O, R]) loop(rt Runtime) reconcile.Reconciler {
	return &loop[O, R]{Definition: d, Runtime: rt, noun: strings.ReplaceAll(d.Name, "-", " "), backoffs: newBackoffs()}
}

// UserActed passes what users do to an object: its spec, its deletion, and the annotations that ask for something. What
// the operator itself writes, and labels, wake nobody. A kind may have annotations of its own that ask for something.
func UserActed(annotations ...string) predicate.Predicate {
	asks := append([]string{v1alpha1.PausedAnnotation, v1alpha1.ReconcileRequestedAtAnnotation}, annotations...)
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() ||
			e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero() {
			return true
		}
		for _, key := range asks {
			if e.ObjectOld.GetAnnotations()[key] != e.ObjectNew.GetAnnotations()[key] {
				return true
			}
		}
		return false
	}}
}
