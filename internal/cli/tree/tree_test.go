// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/reconciler"
)

func conditions(ready metav1.ConditionStatus, reason, message string) []metav1.Condition {
	return []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: ready, Reason: reason, Message: message},
		{Type: v1alpha1.ConditionSynced, Status: ready, Reason: reason},
	}
}

func environment(namespace, name string) *v1alpha1.Environment {
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	e.Spec.ManagementPolicy = v1alpha1.ManagementPolicyManage
	e.Status.DeployMode = "container"
	e.Status.Conditions = conditions(metav1.ConditionTrue, "Available", "fine")
	return e
}

func component(namespace, name, application string) *v1alpha1.Component {
	c := &v1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	c.Spec.ManagementPolicy = v1alpha1.ManagementPolicyManage
	c.Spec.ApplicationRef.Name, c.Spec.EnvironmentRef.Name = application, "dev"
	return c
}

func TestTree(t *testing.T) {
	shop := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "shop", Generation: 2}}
	shop.Spec.ManagementPolicy = v1alpha1.ManagementPolicyObserve
	shop.Status.ID, shop.Status.ComponentCount, shop.Status.ObservedGeneration = "app-1", 2, 1
	shop.Status.Drift = []string{"spec.description"}
	shop.Status.Conditions = append(conditions(metav1.ConditionFalse, "CloudUnavailable", "the cloud\x1b[2J fails"), metav1.Condition{Type: v1alpha1.ConditionPaused, Status: metav1.ConditionTrue})
	web := component("b", "web", "shop")
	web.Status.Phase, web.Status.Version, web.Status.ReadyReplicas = v1alpha1.PhaseGraying, "1.1.0", "1/2"
	web.Status.GrayWeight, web.Status.Batch, web.Status.Batches = new(int32(10)), 1, 3
	web.Status.Conditions = conditions(metav1.ConditionFalse, "Updating", "held")
	roots := Build(map[string][]reconciler.Object{
		"Environment": {environment("b", "dev"), environment("a", "prod")},
		"Application": {shop},
		"Component":   {web, component("b", "worker", "shop"), component("b", "stray", "elsewhere"), component("a", "other", "shop")},
	})
	var out bytes.Buffer
	if err := Print(&out, roots); err != nil {
		t.Fatal(err)
	}
	want := `NAME                    READY  REASON            SYNCED  STATUS
namespace/a
├─ environment/prod     True   Available         True    container
└─ component/other      -      -                 -
namespace/b
├─ environment/dev      True   Available         True    container
├─ application/shop     False  CloudUnavailable  False   2 components in the cloud, Observe, the spec was not looked at yet, paused, differs in spec.description, the cloud [2J fails
│  ├─ component/web     False  Updating          False   Graying, 1.1.0, 1/2 replicas, batch 1 of 3, 10 % of the traffic, in dev, held
│  └─ component/worker  -      -                 -
└─ component/stray      -      -                 -
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}
