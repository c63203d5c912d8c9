// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
)

var (
	namespaced = v1alpha1.AccountReference{Kind: v1alpha1.AccountKindNamespaced, Name: "default"}
	cluster    = v1alpha1.AccountReference{Kind: v1alpha1.AccountKindCluster, Name: "shared"}
)

func TestRefKey(t *testing.T) {
	if got := RefKey("team", namespaced); got != (Key{Namespace: "team", Name: "default"}) {
		t.Errorf("key of a CloudAccount is %s", got)
	}
	if got := RefKey("team", cluster); got != (Key{Name: "shared"}) {
		t.Errorf("key of a ClusterCloudAccount is %s", got)
	}
}

func TestResolveNamespaced(t *testing.T) {
	w := newWorld(t)
	resolver := NewResolver(w.api, w.pool)

	_, err := resolver.Resolve(t.Context(), "team", namespaced, external.ForSync)
	waits(t, err, external.NotFound, false, `there is no CloudAccount "default" in namespace team`, "create it")

	w.put(w.account(func(a *v1alpha1.CloudAccount) { a.Status = v1alpha1.AccountStatus{ObservedGeneration: -1} }))
	_, err = resolver.Resolve(t.Context(), "team", namespaced, external.ForSync)
	waits(t, err, external.NotReady, false, `CloudAccount "default" is not ready: it was not checked yet`)

	w.put(w.account(func(a *v1alpha1.CloudAccount) { a.Status = ready(metav1.ConditionFalse, "the keys are wrong") }))
	_, err = resolver.Resolve(t.Context(), "team", namespaced, external.ForSync)
	waits(t, err, external.NotReady, false, "the keys are wrong")

	w.put(w.account(func(a *v1alpha1.CloudAccount) {
		a.Status = ready(metav1.ConditionFalse, "the keys are wrong")
		conditions.SetOrRemove(&a.Status.Conditions, v1alpha1.ConditionStalled, "R", "m", 1)
	}))
	_, err = resolver.Resolve(t.Context(), "team", namespaced, external.ForSync)
	waits(t, err, external.NotReady, true, "the keys are wrong")

	w.put(w.account(func(a *v1alpha1.CloudAccount) { a.Generation = 2 }))
	_, err = resolver.Resolve(t.Context(), "team", namespaced, external.ForSync)
	waits(t, err, external.NotReady, false, "it was not checked yet")

	w.put(w.accepted(w.account()))
	session, err := resolver.Resolve(t.Context(), "team", namespaced, external.ForSync)
	if err != nil || session.EnterpriseProjectID != "ep" {
		t.Fatalf("Resolve = %+v, %v", session, err)
	}
	if err := session.Cloud.Verify(t.Context()); err != nil {
		t.Errorf("the session does not work: %v", err)
	}

	if _, err = resolver.Resolve(t.Context(), "others", namespaced, external.ForSync); err == nil {
		t.Error("an object uses the account of another namespace")
	}
}

func TestResolveCluster(t *testing.T) {
	shared := func(w *world, allowed *v1alpha1.AllowedNamespaces) *v1alpha1.ClusterCloudAccount {
		a := w.account()
		return &v1alpha1.ClusterCloudAccount{
			ObjectMeta: metav1.ObjectMeta{Name: "shared", UID: "uid-of-shared", Generation: 1},
			Spec: v1alpha1.ClusterCloudAccountSpec{
				AccountSpec: a.Spec.AccountSpec, AllowedNamespaces: allowed,
				Credentials: v1alpha1.ClusterCredentials{SecretRef: v1alpha1.NamespacedObjectReference{Namespace: "team", Name: "keys"}},
			},
			Status: ready(metav1.ConditionTrue, "accepted"),
		}
	}
	for _, tc := range []struct {
		name    string
		allowed *v1alpha1.AllowedNamespaces
		// refusal is part of the message; "" where the namespace may use the account.
		refusal string
	}{
		{"nobody is named", nil, "does not allow namespace apps"},
		{"an empty list", &v1alpha1.AllowedNamespaces{}, "add it to the account's spec.allowedNamespaces"},
		{"others are named", &v1alpha1.AllowedNamespaces{Names: []string{"team", "app"}}, "does not allow namespace apps"},
		{"it is named", &v1alpha1.AllowedNamespaces{Names: []string{"team", "apps"}}, ""},
		{"all are named", &v1alpha1.AllowedNamespaces{Names: []string{"*"}}, ""},
		{"it is selected", &v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"cloud": "yes"}}}, ""},
		{"others are selected", &v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"cloud": "no"}}}, "does not allow namespace apps"},
		{"named, and others are selected", &v1alpha1.AllowedNamespaces{Names: []string{"apps"}, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"cloud": "no"}}}, ""},
		{
			"a selector that is none", &v1alpha1.AllowedNamespaces{Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Resembles"}}}},
			"spec.allowedNamespaces.selector",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "apps", Labels: map[string]string{"cloud": "yes"}}})
			w.put(w.accepted(shared(w, tc.allowed)))
			for _, purpose := range []external.Purpose{external.ForSync, external.ForDelete} {
				session, err := NewResolver(w.api, w.pool).Resolve(t.Context(), "apps", cluster, purpose)
				if tc.refusal != "" {
					waits(t, err, external.NotAllowed, true, tc.refusal, `ClusterCloudAccount "shared"`)
				} else if err != nil || session == nil {
					t.Errorf("Resolve = %v, %v", session, err)
				}
			}
		})
	}
	t.Run("not there", func(t *testing.T) {
		w := newWorld(t)
		_, err := NewResolver(w.api, w.pool).Resolve(t.Context(), "apps", cluster, external.ForSync)
		waits(t, err, external.NotFound, false, `there is no ClusterCloudAccount "shared" in the cluster`)
	})
}

func TestNamespacedOnlyRefusesClusterAccountsWithoutALook(t *testing.T) {
	w := newWorld(t)
	w.put(w.accepted(w.account()))
	resolver := NewResolver(w.api, w.pool).NamespacedOnly()
	for _, purpose := range []external.Purpose{external.ForSync, external.ForDelete} {
		_, err := resolver.Resolve(t.Context(), "team", cluster, purpose)
		waits(t, err, external.NotAllowed, true, `ClusterCloudAccount "shared"`, "--cluster-accounts=false", "CloudAccount of namespace team")
		if session, err := resolver.Resolve(t.Context(), "team", namespaced, purpose); err != nil || session == nil {
			t.Errorf("Resolve a CloudAccount = %v, %v", session, err)
		}
	}
}

func TestResolveForDeletionMakesDoWithTheLastSession(t *testing.T) {
	w := newWorld(t)
	resolver := NewResolver(w.api, w.pool)
	broken := func(a *v1alpha1.CloudAccount) { a.Status = ready(metav1.ConditionFalse, "there is no Secret") }

	// Without a session there is nothing to make do with.
	w.put(w.account(broken))
	_, err := resolver.Resolve(t.Context(), "team", namespaced, external.ForDelete)
	waits(t, err, external.NotReady, false, "there is no Secret")

	// A session that worked is enough, for deletion alone.
	w.put(w.accepted(w.account()))
	last, err := resolver.Resolve(t.Context(), "team", namespaced, external.ForSync)
	if err != nil {
		t.Fatal(err)
	}
	w.put(w.account(broken))
	if session, err := resolver.Resolve(t.Context(), "team", namespaced, external.ForDelete); err != nil || session != last {
		t.Errorf("Resolve for deletion = %v, %v, want the last session", session, err)
	}
	_, err = resolver.Resolve(t.Context(), "team", namespaced, external.ForSync)
	waits(t, err, external.NotReady, false, "there is no Secret")

	// One that was refused is not.
	if err := w.cloud.SetAccounts([]cloudsim.Account{{AccessKey: cloudsim.DefaultAccessKey, SecretKey: "another"}}); err != nil {
		t.Fatal(err)
	}
	if err := last.Cloud.Verify(t.Context()); !clouderr.Is(err, clouderr.Unauthorized) {
		t.Fatalf("Verify returned %v, want a refusal", err)
	}
	_, err = resolver.Resolve(t.Context(), "team", namespaced, external.ForDelete)
	waits(t, err, external.NotReady, false, "there is no Secret")
}

func TestResolveWithASecretThatIsNoGood(t *testing.T) {
	w := newWorld(t)
	w.put(w.account(func(a *v1alpha1.CloudAccount) { a.Spec.Credentials.SecretRef.Name = "nowhere" }))
	_, err := NewResolver(w.api, w.pool).Resolve(t.Context(), "team", namespaced, external.ForSync)
	waits(t, err, external.NotReady, true, `there is no Secret "nowhere" in namespace team`)
}
