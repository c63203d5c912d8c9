// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/manager"
	"servicestage.dev/operator/test/rig"
)

// bare is an Environment to the API server, with the same schema, but of a group that no manager knows. What the API server
// takes for one, while managers run, is what it takes for an Environment whatever its manager does.
type bare struct{ v1alpha1.Environment }

// bareList is a list of them.
type bareList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []bare `json:"items"`
}

// bareGroup is the group of bare objects.
var bareGroup = schema.GroupVersion{Group: "bare.servicestage.dev", Version: v1alpha1.GroupVersion.Version}

// DeepCopyObject returns a copy.
func (b *bare) DeepCopyObject() runtime.Object { return &bare{*b.Environment.DeepCopy()} }

// DeepCopyObject returns a copy.
func (l *bareList) DeepCopyObject() runtime.Object {
	out := &bareList{TypeMeta: l.TypeMeta, ListMeta: *l.ListMeta.DeepCopy()}
	for i := range l.Items {
		out.Items = append(out.Items, bare{*l.Items[i].Environment.DeepCopy()})
	}
	return out
}

// newScheme returns the manager's, with bare objects.
func newScheme() *runtime.Scheme {
	scheme := manager.Scheme()
	scheme.AddKnownTypeWithName(bareGroup.WithKind("Environment"), &bare{})
	scheme.AddKnownTypeWithName(bareGroup.WithKind("EnvironmentList"), &bareList{})
	metav1.AddToGroupVersion(scheme, bareGroup)
	return scheme
}

// installBare gives an API server the kind of bare objects.
func installBare(config *rest.Config) error {
	root, err := rig.Root()
	if err != nil {
		return err
	}
	options := envtest.CRDInstallOptions{Paths: []string{filepath.Join(root, "config", "crd", "bases", "servicestage.dev_environments.yaml")}}
	if err := envtest.ReadCRDFiles(&options); err != nil {
		return err
	}
	options.Paths = nil
	for _, d := range options.CRDs {
		d.Name, d.Spec.Group = d.Spec.Names.Plural+"."+bareGroup.Group, bareGroup.Group
	}
	_, err = envtest.InstallCRDs(config, options)
	return err
}

// writeAsManagers makes the writes to the API server that an object takes, as its user and its manager make them: one create,
// one patch with finalizer and claim, one apply of status.
func (w *world) writeAsManagers(ctx context.Context, o client.Object, status map[string]any) error {
	kind, err := w.api.GroupVersionKindFor(o)
	if err != nil {
		return err
	}
	if err := w.api.Create(ctx, o); err != nil {
		return err
	}
	patch := `{"metadata":{"annotations":{"servicestage.dev/claim":"00112233445566778899aabbccddeeff@2026-01-02T03:04:05Z"},"finalizers":["servicestage.dev/floor"]}}`
	if err := w.api.Patch(ctx, o, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		return err
	}
	content, err := json.Marshal(map[string]any{
		"apiVersion": kind.GroupVersion().String(), "kind": kind.Kind,
		"metadata": map[string]any{"name": o.GetName(), "namespace": o.GetNamespace()},
		"status":   status,
	})
	if err != nil {
		return err
	}
	return w.api.Status().Patch(ctx, o, client.RawPatch("application/apply-patch+yaml", content), client.FieldOwner("bench"), client.ForceOwnership)
}

// createBare returns how long a bare object takes to be Ready: its writes, until a watch shows the last one.
func (w *world) createBare(ctx context.Context, namespace, name string) (time.Duration, error) {
	o := &bare{*environment(namespace, name)}
	began := time.Now()
	err := w.writeAsManagers(ctx, o, map[string]any{
		"id": "5589af1c-d65a-4ec7-ad6e-e09753d9e946", "observedGeneration": 1,
		"conditions": []any{map[string]any{
			"type": v1alpha1.ConditionReady, "status": "True", "observedGeneration": 1, "reason": "Available", "message": "",
			"lastTransitionTime": "2026-01-02T03:04:05Z",
		}},
	})
	if err != nil {
		return 0, err
	}
	ready, err := w.tracker.whenReady(ctx, key(namespace, name), 1)
	return ready.Sub(began), err
}
