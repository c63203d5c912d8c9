// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/dependency"
)

// Publication is what an object has written to a ConfigMap or Secret of its namespace, for Pods to mount.
type Publication struct {
	// Field of the spec that asks for it, for messages and indexes.
	Field string
	// Target is where the data is to be; empty where the spec asks for none.
	Target Target
	// Data that is to be there, and nothing else. While it is empty, what is there stays as it is.
	Data map[string]string
	// Written is where the object's status says that data was written.
	Written Target
	// Record notes in the object's status where data is written; an empty target says nowhere.
	Record func(Target)
}

// Target is a ConfigMap or a Secret.
type Target struct {
	// Kind is KindConfigMap or KindSecret.
	Kind string
	Name string
}

// The kinds that data can be published in.
const (
	KindConfigMap = "ConfigMap"
	KindSecret    = "Secret"
)

// SecretsRole is the ClusterRole that a namespace binds to let the operator publish in Secrets.
const SecretsRole = "servicestage-operator-connection-secrets"

// ManagedByLabel is on everything that the operator publishes.
const ManagedByLabel = "app.kubernetes.io/managed-by"

// publish brings what the object publishes up to date, in every pass, also in one that does not look at the cloud. It
// returns the outcome of the pass, which becomes one in which someone must act where publishing was refused, and the API
// server's errors.
func (p *pass[O, R]) publish(ctx context.Context, o outcome) (outcome, error) {
	if p.Publish == nil || p.paused() || !p.obj.GetDeletionTimestamp().IsZero() {
		return o, nil
	}
	publication := p.Publish(p.obj)
	if publication.Target == (Target{}) && publication.Written == (Target{}) {
		return o, nil
	}
	fresh := o.untouched
	if fresh { // status is written where publishing changes it
		o.untouched, o.keepReady, o.keepSynced = false, true, true
	}
	err := p.bringUpToDate(ctx, publication)
	var refusal *publishError
	if !errors.As(err, &refusal) {
		return o, err
	}
	if fresh || o.ready.status == metav1.ConditionTrue {
		o = o.unpublished(refusal)
	}
	return o, nil
}

// unpublished is the outcome where all is well but that publishing was refused.
func (o outcome) unpublished(refusal *publishError) outcome {
	told := stuck(refusal.reason, refusal.reason, refusal.message, o.wait.after)
	o.class, o.keepReady, o.ready, o.stalled = told.class, false, told.ready, told.stalled
	o.events = append(o.events, told.events...)
	if refusal.reason == v1alpha1.ReasonForbidden {
		o.wait.after = min(o.wait.after, humanInterval) // no watch tells that a right was granted
	}
	return o
}

// publishError says that someone must act before something can be published.
type publishError struct{ reason, message string }

func (e *publishError) Error() string { return e.message }

// bringUpToDate removes what is not wanted any more and writes what differs.
func (p *pass[O, R]) bringUpToDate(ctx context.Context, publication Publication) error {
	if old := publication.Written; old != (Target{}) && old != publication.Target {
		if err := p.unpublish(ctx, publication.Field, old); err != nil {
			return err
		}
		publication.Record(Target{})
	}
	if publication.Target == (Target{}) || len(publication.Data) == 0 {
		return nil
	}
	if err := p.write(ctx, publication); err != nil {
		return err
	}
	publication.Record(publication.Target)
	return nil
}

// unpublish deletes what was published, unless it is someone else's by now.
func (p *pass[O, R]) unpublish(ctx context.Context, field string, target Target) error {
	existing, found, err := p.read(ctx, target)
	if err != nil || !found || !metav1.IsControlledBy(existing, p.obj) {
		return err
	}
	log.FromContext(ctx).Info("Deleting what was published", "kind", target.Kind, "name", target.Name)
	err = p.Client.Delete(ctx, existing, client.Preconditions{UID: new(existing.GetUID()), ResourceVersion: new(existing.GetResourceVersion())},
		client.DisableReadYourWritesConsistency)
	return explained(field, "delete", target, p.obj.GetNamespace(), client.IgnoreNotFound(err))
}

// write creates or corrects what is to be published. Nothing is written where all is as it should be.
//
// The client must not wait for its own writes here: it would keep a cache of every ConfigMap and Secret for that.
func (p *pass[O, R]) write(ctx context.Context, publication Publication) error {
	target := publication.Target
	existing, found, err := p.read(ctx, target)
	if err != nil {
		return err
	}
	wanted, ok := existing.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("a copy of %T is no object", existing)
	}
	owned := metav1.IsControlledBy(existing, p.obj)
	if found && !owned && !restored(existing) {
		return &publishError{reason: v1alpha1.ReasonAlreadyExists, message: fmt.Sprintf(
			"%s: the %s %q exists and does not belong to this object, so it is left as it is: delete it, or choose another name.", publication.Field, target.Kind, target.Name)}
	}
	labels := maps.Clone(existing.GetLabels())
	if labels == nil {
		labels = map[string]string{}
	}
	labels[ManagedByLabel] = FieldOwner
	wanted.SetLabels(labels)
	setData(wanted, publication.Data)
	if !owned {
		// Without blockOwnerDeletion, which would need a right on the owner's finalizers.
		if err := controllerutil.SetControllerReference(p.obj, wanted, p.Client.Scheme(), controllerutil.WithBlockOwnerDeletion(false)); err != nil {
			return fmt.Errorf("%s: %w", publication.Field, err)
		}
	}
	if !found {
		log.FromContext(ctx).Info("Publishing", "kind", target.Kind, "name", target.Name)
		err = p.Client.Create(ctx, wanted, client.FieldOwner(FieldOwner), client.DisableReadYourWritesConsistency)
		return explained(publication.Field, "create", target, p.obj.GetNamespace(), err)
	}
	if owned && maps.Equal(existing.GetLabels(), labels) && holds(existing, publication.Data) {
		return nil
	}
	log.FromContext(ctx).Info("Correcting what is published", "kind", target.Kind, "name", target.Name)
	err = p.Client.Patch(ctx, wanted, client.MergeFromWithOptions(existing, client.MergeFromWithOptimisticLock{}),
		client.FieldOwner(FieldOwner), client.DisableReadYourWritesConsistency)
	return explained(publication.Field, "patch", target, p.obj.GetNamespace(), err)
}

// restored says whether a ConfigMap or Secret was published, and belongs to no object: a restore from a backup brings such
// back without the owner, whose uid is another now.
func restored(obj client.Object) bool {
	return obj.GetLabels()[ManagedByLabel] == FieldOwner && metav1.GetControllerOf(obj) == nil
}

// read reads a target past every cache.
func (p *pass[O, R]) read(ctx context.Context, target Target) (client.Object, bool, error) {
	meta := metav1.ObjectMeta{Namespace: p.obj.GetNamespace(), Name: target.Name}
	var obj client.Object = &corev1.ConfigMap{ObjectMeta: meta}
	if target.Kind == KindSecret {
		obj = &corev1.Secret{ObjectMeta: meta}
	}
	err := p.Live.Get(ctx, client.ObjectKeyFromObject(obj), obj)
	if apierrors.IsNotFound(err) {
		return obj, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the %s %s: %w", target.Kind, target.Name, err)
	}
	return obj, true, nil
}

// setData makes the data the object's only data.
func setData(obj client.Object, data map[string]string) {
	switch obj := obj.(type) {
	case *corev1.ConfigMap:
		obj.Data, obj.BinaryData = maps.Clone(data), nil
	case *corev1.Secret:
		obj.Data = map[string][]byte{}
		for key, value := range data {
			obj.Data[key] = []byte(value)
		}
	}
}

// holds says whether the object holds the data and nothing else.
func holds(obj client.Object, data map[string]string) bool {
	switch obj := obj.(type) {
	case *corev1.ConfigMap:
		return maps.Equal(obj.Data, data) && len(obj.BinaryData) == 0
	case *corev1.Secret:
		return maps.EqualFunc(obj.Data, data, func(have []byte, want string) bool { return string(have) == want })
	}
	return false
}

// serviceAccount finds in a refusal whom the API server refused.
var serviceAccount = regexp.MustCompile(`system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)`)

// explained turns a refusal of the API server into what is to be done about it.
func explained(field, verb string, target Target, namespace string, err error) error {
	what := fmt.Sprintf("%s: the operator may not %s the %s %q", field, verb, target.Kind, target.Name)
	switch {
	case err == nil, apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil // in a namespace that ends nothing is needed any more
	case apierrors.IsInvalid(err):
		return &publishError{reason: v1alpha1.ReasonRejected, message: fmt.Sprintf(
			"%s: the API server refuses to %s the %s %q; delete it, or choose another name: %v", field, verb, target.Kind, target.Name, err)}
	case apierrors.IsForbidden(err) && target.Kind == KindSecret:
		account := "servicestage-system:servicestage-operator"
		if found := serviceAccount.FindStringSubmatch(err.Error()); found != nil {
			account = found[1] + ":" + found[2]
		}
		return &publishError{reason: v1alpha1.ReasonForbidden, message: fmt.Sprintf(
			"%s. Allow it in this namespace: kubectl create rolebinding %s --namespace=%s --clusterrole=%s --serviceaccount=%s", what, SecretsRole, namespace, SecretsRole, account)}
	case apierrors.IsForbidden(err):
		return &publishError{reason: v1alpha1.ReasonForbidden, message: fmt.Sprintf("%s. Give the operator back the right that its role lacks: %v", what, err)}
	default:
		return fmt.Errorf("%s: %s the %s %s: %w", field, verb, target.Kind, target.Name, err)
	}
}

// publicationReferences wake an object when someone else changes or deletes what it published, or frees the name that it
// wants. They are no inputs: a changed ConfigMap costs a look at the ConfigMap, and no call to the cloud.
func publicationReferences[O Object](prototype O, publish func(O) Publication) []dependency.Reference {
	targets := func(kind string) func(O) []types.NamespacedName {
		return func(obj O) []types.NamespacedName {
			target := publish(obj).Target
			if target.Kind != kind {
				return nil
			}
			return []types.NamespacedName{{Namespace: obj.GetNamespace(), Name: target.Name}}
		}
	}
	field := publish(prototype).Field
	var references []dependency.Reference
	for _, kind := range []string{KindConfigMap, KindSecret} {
		metadata := &metav1.PartialObjectMetadata{}
		metadata.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: kind})
		references = append(references, dependency.New(field, prototype, metadata, targets(kind), publishedVersion))
	}
	return references
}

// publishedVersion changes with every change of what the operator published. What is someone else's may change as often
// as it likes.
func publishedVersion(m *metav1.PartialObjectMetadata) string {
	owner := metav1.GetControllerOf(m)
	if owner == nil || schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).Group != v1alpha1.GroupVersion.Group {
		return string(m.UID)
	}
	return string(m.UID) + "/" + m.ResourceVersion
}
