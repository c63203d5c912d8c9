// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func secret(name, value string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Data: map[string][]byte{"key": []byte(value)}}
}

func TestOverlayIsReadFirstAndWritesNothing(t *testing.T) {
	below := fake.NewClientBuilder().WithScheme(Scheme()).WithObjects(secret("both", "cluster"), secret("below", "cluster")).Build()
	overlay := NewOverlay(below)
	overlay.Put(secret("both", "hand"))
	overlay.Put(secret("above", "hand"))
	for name, want := range map[string]string{"both": "hand", "above": "hand", "below": "cluster"} {
		var got corev1.Secret
		if err := overlay.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, &got); err != nil || string(got.Data["key"]) != want {
			t.Errorf("%s = %s, %v, want %s", name, got.Data["key"], err, want)
		}
		got.Data["key"] = []byte("spoilt") // a copy: the next reader sees what was put
	}
	var again corev1.Secret
	if err := overlay.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "above"}, &again); err != nil || string(again.Data["key"]) != "hand" {
		t.Errorf("above = %s, %v after a reader changed its copy", again.Data["key"], err)
	}
	var configMap corev1.ConfigMap
	if err := overlay.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "above"}, &configMap); err == nil {
		t.Error("a Secret is read as a ConfigMap of the same name")
	}
	if err := overlay.Create(t.Context(), secret("new", "x")); err != nil {
		t.Fatal(err)
	}
	if err := overlay.Delete(t.Context(), secret("below", "")); err != nil {
		t.Fatal(err)
	}
	var left corev1.SecretList
	if err := below.List(t.Context(), &left); err != nil || len(left.Items) != 2 || left.Items[0].Name != "below" {
		t.Errorf("the cluster holds %d secrets (%v), want the two that it held", len(left.Items), err)
	}
}
