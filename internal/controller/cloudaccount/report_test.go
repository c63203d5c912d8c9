// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudaccount

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/conditions"
)

func newAccount() *v1alpha1.CloudAccount {
	a := &v1alpha1.CloudAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "default", Generation: 2}}
	a.Spec.Credentials.SecretRef.Name = "keys"
	return a
}

// says returns the conditions as "Status/Reason" by type, and checks that they are what tools expect.
func says(t *testing.T, a *v1alpha1.CloudAccount) map[string]string {
	t.Helper()
	if err := conditions.Check(conditions.Observed{
		Generation: a.Generation, ObservedGeneration: a.Status.ObservedGeneration, Conditions: a.Status.Conditions,
	}); err != nil {
		t.Errorf("the status is not what tools expect: %v", err)
	}
	got := map[string]string{}
	for _, c := range a.Status.Conditions {
		got[c.Type] = string(c.Status) + "/" + c.Reason
	}
	return got
}

func TestTriedByClass(t *testing.T) {
	for _, tc := range []struct {
		class clouderr.Class
		after time.Duration
		want  map[string]string
		again time.Duration
		words string
	}{
		{clouderr.Unauthorized, 0, map[string]string{"Ready": "False/CredentialsNotReady", "Stalled": "True/CredentialsNotReady"}, 10 * time.Minute, `Correct Secret "keys" in namespace team`},
		{clouderr.Forbidden, 0, map[string]string{"Ready": "False/Forbidden", "Stalled": "True/Forbidden"}, 10 * time.Minute, "Grant the user"},
		{clouderr.Invalid, 0, map[string]string{"Ready": "False/Rejected", "Stalled": "True/Rejected"}, 10 * time.Minute, "no luck"},
		{clouderr.NotFound, 0, map[string]string{"Ready": "False/Rejected", "Stalled": "True/Rejected"}, 10 * time.Minute, "no luck"},
		{clouderr.Throttled, 0, map[string]string{"Ready": "False/Throttled", "Reconciling": "True/Throttled"}, 15 * time.Second, "no luck"},
		{clouderr.Throttled, time.Minute, map[string]string{"Ready": "False/Throttled", "Reconciling": "True/Throttled"}, time.Minute, "no luck"},
		{clouderr.Transient, 0, map[string]string{"Ready": "False/CloudUnavailable", "Reconciling": "True/CloudUnavailable"}, 15 * time.Second, "could not be tried: no luck"},
		{clouderr.Busy, 0, map[string]string{"Ready": "False/CloudUnavailable", "Reconciling": "True/CloudUnavailable"}, 15 * time.Second, "no luck"},
	} {
		t.Run(string(tc.class), func(t *testing.T) {
			a := newAccount()
			v := tried(a, &clouderr.Error{Class: tc.class, Message: "no luck", RetryAfter: tc.after, RequestID: "0123456789"}, "v1")
			report(a, v)
			if diff := cmp.Diff(tc.want, says(t, a)); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			if v.again != tc.again || !strings.Contains(v.message, tc.words) || strings.Contains(v.message, "0123456789") {
				t.Errorf("again in %s with %q, want in %s with %q", v.again, v.message, tc.again, tc.words)
			}
		})
	}
}

func TestConfigured(t *testing.T) {
	v, err := configured(fmt.Errorf("wrapped: %w", &account.ConfigError{Waiting: true, Message: "there is no Secret"}))
	if err != nil || v.ready || v.stalled || v.reason != v1alpha1.ReasonCredentialsNotReady || v.message != "there is no Secret" || v.again != 0 {
		t.Errorf("something that may appear: %+v, %v", v, err)
	}
	v, err = configured(&account.ConfigError{Message: "spec.endpoints.iam: not allowed"})
	if err != nil || v.ready || !v.stalled || v.reason != v1alpha1.ReasonRejected {
		t.Errorf("something that must be corrected: %+v, %v", v, err)
	}
	down := errors.New("etcd is down")
	if _, err = configured(down); !errors.Is(err, down) {
		t.Errorf("an error of the API server: %v", err)
	}
}

func TestReportBeforeAndAfter(t *testing.T) {
	a := newAccount()
	a.Annotations = map[string]string{v1alpha1.ReconcileRequestedAtAnnotation: "now"}

	report(a, tried(a, clouderr.New(clouderr.Unauthorized, "wrong key"), "v1"))
	if a.Status.ProjectID != "" || a.Status.LastHandledReconcileAt != "now" || a.Status.ObservedGeneration != 2 {
		t.Errorf("status %+v", a.Status)
	}

	report(a, accepted("project", "v2"))
	if diff := cmp.Diff(map[string]string{"Ready": "True/Available"}, says(t, a)); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	if a.Status.ProjectID != "project" || a.Status.CredentialsVersion != "v2" {
		t.Errorf("status %+v", a.Status)
	}
}

func TestVerified(t *testing.T) {
	for _, tc := range []struct {
		name    string
		version string
		change  func(*v1alpha1.CloudAccount)
		want    bool
	}{
		{"accepted before", "v1", func(*v1alpha1.CloudAccount) {}, true},
		{"another version", "v2", func(*v1alpha1.CloudAccount) {}, false},
		{"another spec", "v1", func(a *v1alpha1.CloudAccount) { a.Generation++ }, false},
		{"refused before", "v1", func(a *v1alpha1.CloudAccount) { report(a, tried(a, clouderr.New(clouderr.Unauthorized, "x"), "v1")) }, false},
		{"asked for", "v1", func(a *v1alpha1.CloudAccount) {
			a.Annotations = map[string]string{v1alpha1.ReconcileRequestedAtAnnotation: "now"}
		}, false},
		{"asked for and handled", "v1", func(a *v1alpha1.CloudAccount) {
			a.Annotations = map[string]string{v1alpha1.ReconcileRequestedAtAnnotation: "now"}
			a.Status.LastHandledReconcileAt = "now"
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newAccount()
			report(a, accepted("project", "v1"))
			tc.change(a)
			if got := verified(a, tc.version); got != tc.want {
				t.Errorf("verified = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestHeldBackBy(t *testing.T) {
	users := []string{"Application shop", "Environment dev"}
	a := newAccount()
	report(a, accepted("project", "v1").heldBackBy(users))
	c := a.Status.Conditions[0]
	if c.Status != metav1.ConditionTrue || c.Reason != v1alpha1.ReasonDeletionBlocked || !strings.Contains(c.Message, "Application shop, Environment dev") {
		t.Errorf("a good account: %+v", c)
	}
	report(a, tried(a, clouderr.New(clouderr.Transient, "down."), "v1").heldBackBy(users))
	c = a.Status.Conditions[0]
	if c.Reason != v1alpha1.ReasonCloudUnavailable || !strings.HasSuffix(c.Message, "down. The account is still used by Application shop, Environment dev; delete them first.") {
		t.Errorf("one in trouble: %+v", c)
	}
	says(t, a)
}

func TestTriesAreRare(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	key, other := types.NamespacedName{Name: "one"}, types.NamespacedName{Name: "other"}
	tries := newTries(clock)
	pass := func(d time.Duration) { clock.SetTime(clock.Now().Add(d)) }
	due := func(step string, key types.NamespacedName, version string, want bool) {
		t.Helper()
		if got := tries.due(key, version); got != want {
			t.Errorf("%s: due %t, want %t", step, got, want)
		}
	}
	due("the refusal that brought us here was the try", key, "v1", false)
	pass(10*time.Minute - 1)
	due("a moment too early", key, "v1", false)
	pass(1)
	due("after ten minutes", key, "v1", true)
	tries.record(key, "v1")
	due("right after the try", key, "v1", false)
	pass(time.Hour)
	due("another version starts anew", key, "v2", false)
	due("another account is counted on its own", other, "v2", false)
	pass(10 * time.Minute)
	due("and so is this one", key, "v2", true)
	tries.forget(key)
	due("a namesake starts anew", key, "v2", false)
}

func TestReferences(t *testing.T) {
	selector := &v1alpha1.KeySelector{Name: "trust", Key: "ca.pem"}
	team := func(name string) []types.NamespacedName {
		return []types.NamespacedName{{Namespace: "team", Name: name}}
	}
	for name, tc := range map[string]struct {
		tls  *v1alpha1.TLS
		want map[string][]types.NamespacedName
	}{
		"no bundle":           {nil, map[string][]types.NamespacedName{"spec.credentials.secretRef": team("keys")}},
		"TLS without bundle":  {&v1alpha1.TLS{InsecureSkipVerify: true}, map[string][]types.NamespacedName{"spec.credentials.secretRef": team("keys")}},
		"from a Secret":       {&v1alpha1.TLS{CABundleRef: &v1alpha1.ValueSource{SecretKeyRef: selector}}, map[string][]types.NamespacedName{"spec.credentials.secretRef": team("keys"), "spec.tls.caBundleRef.secretKeyRef": team("trust")}},
		"bundle in ConfigMap": {&v1alpha1.TLS{CABundleRef: &v1alpha1.ValueSource{ConfigMapKeyRef: selector}}, map[string][]types.NamespacedName{"spec.credentials.secretRef": team("keys"), "spec.tls.caBundleRef.configMapKeyRef": team("trust")}},
	} {
		a := newAccount()
		a.Spec.TLS = tc.tls
		got := map[string][]types.NamespacedName{}
		for _, r := range Namespaced(nil).References {
			if targets := r.Targets(a); targets != nil {
				got[r.Field] = targets
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: targets (-want +got):\n%s", name, diff)
		}
	}
	cluster := &v1alpha1.ClusterCloudAccount{}
	cluster.Spec.Credentials.SecretRef = v1alpha1.NamespacedObjectReference{Namespace: "vault", Name: "keys"}
	want := []types.NamespacedName{{Namespace: "vault", Name: "keys"}}
	if diff := cmp.Diff(want, Cluster(nil).References[0].Targets(cluster)); diff != "" {
		t.Errorf("targets of a ClusterCloudAccount (-want +got):\n%s", diff)
	}
}
