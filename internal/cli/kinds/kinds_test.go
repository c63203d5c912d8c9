// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/controller/kieconfig"
)

// Every kind that stands for a cloud resource has its row: those of the scheme that have the common parts.
func TestEveryKindHasARow(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, k := range All() {
		rows[k.Name] = true
		if got := fmt.Sprintf("%T", k.New()); got != "*v1alpha1."+k.Name {
			t.Errorf("the row %s makes a %s", k.Name, got)
		}
		if got := fmt.Sprintf("%T", k.NewList()); got != "*v1alpha1."+k.Name+"List" {
			t.Errorf("the row %s lists a %s", k.Name, got)
		}
		if k.Resource == "" || k.Plan == nil || k.Import == nil || k.Parent == nil || k.Facts == nil {
			t.Errorf("the row %s is incomplete", k.Name)
		}
		k.Facts(k.New()) // an empty status has no facts, and breaks nothing
		k.Parent(k.New())
	}
	found := 0
	for name := range scheme.KnownTypes(v1alpha1.GroupVersion) {
		obj, err := scheme.New(v1alpha1.GroupVersion.WithKind(name))
		if err != nil {
			t.Fatal(err)
		}
		if _, stands := obj.(interface {
			CommonSpec() *v1alpha1.ResourceSpec
		}); stands {
			found++
			if !rows[name] {
				t.Errorf("%s has no row", name)
			}
		}
	}
	if found == 0 || found != len(rows) {
		t.Errorf("%d kinds, %d rows", found, len(rows))
	}
}

func TestPeersAreFoundWithoutAnIndex(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	config := func(namespace, name, key string) *v1alpha1.KieConfig {
		k := &v1alpha1.KieConfig{}
		k.Namespace, k.Name = namespace, name
		k.Spec.EngineRef = &v1alpha1.ObjectReference{Name: "shop"}
		k.Spec.Items = []v1alpha1.KieItem{{Key: key}}
		return k
	}
	asked := config("a", "asked", "x")
	c := peers{fake.NewClientBuilder().WithScheme(scheme).WithObjects(config("a", "same", "x"), config("a", "other", "y"), config("b", "elsewhere", "x")).Build()}
	var list v1alpha1.KieConfigList
	err := c.List(t.Context(), &list, client.InNamespace("a"), client.MatchingFields{kieconfig.PeersIndex: kieconfig.Peers(asked)[0]})
	if err != nil || len(list.Items) != 1 || list.Items[0].Name != "same" {
		t.Errorf("listed %v, %v", list.Items, err)
	}
}
