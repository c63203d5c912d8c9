// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/cluster"
	"servicestage.dev/operator/internal/cli/kinds"
	"servicestage.dev/operator/internal/reconciler"
)

// fromCluster reads the objects that the arguments name, or all of the namespace.
func fromCluster(c *cluster.Cluster, o Options) ([]subject, error) {
	objects, err := c.Select(o.Args, o.Selector)
	if err != nil {
		return nil, err
	}
	var subjects []subject
	for _, obj := range objects {
		k, err := kinds.Of(obj)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, subject{kind: k, namespace: obj.GetNamespace(), name: obj.GetName(), obj: obj})
	}
	return subjects, nil
}

// fromFiles reads objects of files as they would be once applied. Secrets and ConfigMaps among them are used for values;
// other objects do not matter.
func fromFiles(ctx context.Context, c *cluster.Cluster, overlay *cluster.Overlay, o Options) ([]subject, error) {
	infos, err := resource.NewBuilder(o.Getter).Unstructured().Local().ContinueOnError().
		FilenameParam(false, &o.Files).Flatten().Do().Infos()
	if err != nil {
		return nil, err
	}
	var subjects []subject
	for _, info := range infos {
		u, ok := info.Object.(*unstructured.Unstructured)
		if !ok {
			return nil, fmt.Errorf("%s: %T is no object", info.Source, info.Object)
		}
		if u.GetNamespace() == "" {
			u.SetNamespace(c.Namespace)
		}
		if err := putValues(overlay, u); err != nil {
			return nil, fmt.Errorf("%s: %w", info.Source, err)
		}
		k, ok := kindOf(u.GroupVersionKind())
		if !ok {
			continue
		}
		s := subject{kind: k, namespace: u.GetNamespace(), name: u.GetName()}
		if s.obj, s.err = applied(ctx, c.Client, k, u); s.err == nil {
			overlay.Put(s.obj)
		}
		subjects = append(subjects, s)
	}
	if len(subjects) == 0 {
		return nil, fmt.Errorf("the files hold no object that stands for a cloud resource; there are %s", oneOf())
	}
	return subjects, nil
}

func oneOf() string {
	names := ""
	for _, k := range kinds.All() {
		names += ", " + k.Name
	}
	return names[2:]
}

func kindOf(gvk schema.GroupVersionKind) (kinds.Kind, bool) {
	for _, k := range kinds.All() {
		if gvk == v1alpha1.GroupVersion.WithKind(k.Name) {
			return k, true
		}
	}
	return kinds.Kind{}, false
}

// putValues lays a Secret or a ConfigMap over what the cluster holds.
func putValues(overlay *cluster.Overlay, u *unstructured.Unstructured) error {
	switch u.GroupVersionKind() {
	case corev1.SchemeGroupVersion.WithKind("Secret"):
		secret := &corev1.Secret{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, secret); err != nil {
			return err
		}
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		for key, value := range secret.StringData {
			secret.Data[key] = []byte(value)
		}
		overlay.Put(secret)
	case corev1.SchemeGroupVersion.WithKind("ConfigMap"):
		configMap := &corev1.ConfigMap{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, configMap); err != nil {
			return err
		}
		overlay.Put(configMap)
	}
	return nil
}

// applied is an object of a file as the API server would hold it afterwards: checked, with every default filled in, and
// with the status of the object that is there. The spec of the file is taken as the whole spec.
func applied(ctx context.Context, c client.Client, k kinds.Kind, u *unstructured.Unstructured) (reconciler.Object, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(u.GroupVersionKind())
	err := c.Get(ctx, client.ObjectKeyFromObject(u), live)
	switch {
	case apierrors.IsNotFound(err):
		live = u.DeepCopy()
		err = c.Create(ctx, live, client.DryRunAll, client.FieldValidation("Strict"))
	case err == nil:
		live.Object["spec"] = u.Object["spec"]
		live.SetAnnotations(merged(live.GetAnnotations(), u.GetAnnotations()))
		live.SetLabels(merged(live.GetLabels(), u.GetLabels()))
		err = c.Update(ctx, live, client.DryRunAll, client.FieldValidation("Strict"))
	}
	if err != nil {
		return nil, err
	}
	obj := k.New()
	return obj, runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, obj)
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	return all
}
