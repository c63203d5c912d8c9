// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package valuefrom reads values that a spec takes from Secrets and ConfigMaps. They are read one by one from the API
// server and never cached; that they changed is noticed through metadata-only watches (package dependency).
package valuefrom

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/external"
)

// Once returns a reader that reads each object from live at most once, Secrets and ConfigMaps, for one pass over an
// object that takes many values from few of them. It must not outlive the pass, and is not safe for concurrent use.
func Once(live client.Reader) client.Reader { return &once{Reader: live, got: map[string]answer{}} }

type once struct {
	client.Reader
	got map[string]answer
}

type answer struct {
	object client.Object
	err    error
}

// Get returns what the first Get of the same object returned.
func (o *once) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	name := fmt.Sprintf("%T %s", into, key)
	known, found := o.got[name]
	if !found {
		known = answer{object: into, err: o.Reader.Get(ctx, key, into, options...)}
		o.got[name] = known
		return known.err
	}
	switch from := known.object.(type) {
	case *corev1.Secret:
		from.DeepCopyInto(into.(*corev1.Secret))
	case *corev1.ConfigMap:
		from.DeepCopyInto(into.(*corev1.ConfigMap))
	}
	return known.err
}

// Read returns the value that source selects in the namespace, and the version of the object that holds it. It returns
// an *external.WaitError that names the field while the object or the key is missing.
func Read(ctx context.Context, reader client.Reader, namespace, field string, source v1alpha1.ValueSource) (value, version string, err error) {
	if ref := source.SecretKeyRef; ref != nil {
		secret := &corev1.Secret{}
		if err := get(ctx, reader, types.NamespacedName{Namespace: namespace, Name: ref.Name}, secret, field, "Secret"); err != nil {
			return "", "", err
		}
		raw, found := secret.Data[ref.Key]
		if !found {
			return "", "", missing(external.NotFound, "%s: Secret %q has no key %q", field, ref.Name, ref.Key)
		}
		return string(raw), string(secret.UID) + "/" + secret.ResourceVersion, nil
	}
	if ref := source.ConfigMapKeyRef; ref != nil {
		configMap := &corev1.ConfigMap{}
		if err := get(ctx, reader, types.NamespacedName{Namespace: namespace, Name: ref.Name}, configMap, field, "ConfigMap"); err != nil {
			return "", "", err
		}
		found, ok := configMap.Data[ref.Key]
		if !ok {
			return "", "", missing(external.NotFound, "%s: ConfigMap %q has no key %q", field, ref.Name, ref.Key)
		}
		return found, string(configMap.UID) + "/" + configMap.ResourceVersion, nil
	}
	return "", "", missing(external.NotFound, "%s: set one of configMapKeyRef and secretKeyRef", field)
}

func get(ctx context.Context, reader client.Reader, key types.NamespacedName, into client.Object, field, kind string) error {
	if err := CheckName(field, kind, key.Name); err != nil {
		return err
	}
	err := reader.Get(ctx, key, into)
	if apierrors.IsNotFound(err) {
		return missing(external.NotFound, "%s: there is no %s %q in namespace %s", field, kind, key.Name, key.Namespace)
	}
	if err != nil {
		return fmt.Errorf("%s: read %s %s: %w", field, kind, key, err)
	}
	return nil
}

// CheckName returns an *external.WaitError that names the field where nothing can be called so, as with a slash. Clients
// refuse such a name with an error that reads like the API server's trouble, which passes by itself; this one does not.
func CheckName(field, kind, name string) error {
	problems := content.IsPathSegmentName(name)
	if len(problems) == 0 {
		return nil
	}
	return &external.WaitError{
		Cause: external.WaitForReference, Reason: external.NotFound, Stalled: true,
		Message: fmt.Sprintf("%s: no %s can be called %q: a name %s; correct the name", field, kind, name, strings.Join(problems, " and ")),
	}
}

func missing(reason external.WaitReason, format string, args ...any) error {
	return &external.WaitError{Cause: external.WaitForReference, Reason: reason, Message: fmt.Sprintf(format, args...)}
}
