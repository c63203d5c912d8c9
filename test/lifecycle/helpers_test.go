// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/reconciler"
)

// timeoutForMany is how long a thousand objects may take on a small and busy machine.
const timeoutForMany = 3 * time.Minute

// timeoutForJobs is how long jobs of the cloud may take, polled as in earnest.
const timeoutForJobs = time.Minute

const vpc = "29d55020-ae0e-4a18-871c-93e6976ee7bd"

// env is an Environment, changed as the spec needs it.
func (w *world) env(name string, changes ...func(*v1alpha1.Environment)) *v1alpha1.Environment {
	e := &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec:       v1alpha1.EnvironmentSpec{VPCID: vpc, DeployMode: v1alpha1.DeployModeContainer},
	}
	for _, change := range changes {
		change(e)
	}
	return e
}

// app is an Application, changed as the spec needs it.
func (w *world) app(name string, changes ...func(*v1alpha1.Application)) *v1alpha1.Application {
	a := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	for _, change := range changes {
		change(a)
	}
	return a
}

// condition returns "Status/Reason" of a condition of what the API server holds, or "" where there is none.
func condition(obj reconciler.Object, conditionType string) string {
	if c := meta.FindStatusCondition(obj.CommonStatus().Conditions, conditionType); c != nil {
		return string(c.Status) + "/" + c.Reason
	}
	return ""
}

// message returns a condition's message.
func message(obj reconciler.Object, conditionType string) string {
	if c := meta.FindStatusCondition(obj.CommonStatus().Conditions, conditionType); c != nil {
		return c.Message
	}
	return ""
}

// becomes waits until Ready of the object's generation is "Status/Reason", checks that the status is what tools expect,
// and leaves what the API server holds in obj.
func becomes(obj reconciler.Object, ready string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(obj), obj)).To(Succeed())
		g.Expect(condition(obj, v1alpha1.ConditionReady)).To(Equal(ready), "%s", message(obj, v1alpha1.ConditionReady))
		g.Expect(obj.CommonStatus().ObservedGeneration).To(Equal(obj.GetGeneration()))
	}).Should(Succeed())
	conforms(obj)
}

// conforms checks that the status is what tools expect, and records the state for those tools.
func conforms(obj reconciler.Object) {
	GinkgoHelper()
	status := obj.CommonStatus()
	checked(obj, conditions.Observed{
		Generation: obj.GetGeneration(), ObservedGeneration: status.ObservedGeneration, Conditions: status.Conditions,
		Required: []string{v1alpha1.ConditionSynced},
	})
}

// checked checks and records what was observed of an object.
func checked(obj client.Object, o conditions.Observed) {
	GinkgoHelper()
	Expect(conditions.Check(o)).To(Succeed())
	record(obj, o)
}

// available waits until the object is Ready and Synced.
func available(obj reconciler.Object) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(obj), obj)).To(Succeed())
		g.Expect(condition(obj, v1alpha1.ConditionReady)).To(Equal("True/Available"), "%s", message(obj, v1alpha1.ConditionReady))
		g.Expect(condition(obj, v1alpha1.ConditionSynced)).To(HavePrefix("True/"), "%s", message(obj, v1alpha1.ConditionSynced))
		g.Expect(obj.CommonStatus().ObservedGeneration).To(Equal(obj.GetGeneration()))
	}).Should(Succeed())
	conforms(obj)
	Expect(obj.CommonStatus().ID).NotTo(BeEmpty())
}

// gone waits until the API server holds the object no longer.
func gone(obj client.Object) {
	GinkgoHelper()
	Eventually(func() bool {
		return apierrors.IsNotFound(k8s.Get(context.Background(), client.ObjectKeyFromObject(obj), obj))
	}).Should(BeTrue(), "%s is still there", obj.GetName())
}

// accountBecomes waits until an account's Ready is "Status/Reason".
func accountBecomes(a account.Object, ready string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(a), a)).To(Succeed())
		c := meta.FindStatusCondition(a.AccountStatus().Conditions, v1alpha1.ConditionReady)
		g.Expect(c).NotTo(BeNil())
		g.Expect(string(c.Status)+"/"+c.Reason).To(Equal(ready), "%s", c.Message)
		g.Expect(a.AccountStatus().ObservedGeneration).To(Equal(a.GetGeneration()))
	}).Should(Succeed())
	status := a.AccountStatus()
	checked(a, conditions.Observed{
		Generation: a.GetGeneration(), ObservedGeneration: status.ObservedGeneration, Conditions: status.Conditions,
	})
}

// events lists the reasons of the events about an object, oldest first, each once.
func (w *world) events(obj client.Object) []string {
	GinkgoHelper()
	list := &eventsv1.EventList{}
	Expect(k8s.List(context.Background(), list, client.InNamespace(w.namespace))).To(Succeed())
	var reasons []string
	for _, e := range list.Items {
		if e.Regarding.UID == obj.GetUID() && !slices.Contains(reasons, e.Reason) {
			reasons = append(reasons, e.Reason)
		}
	}
	return reasons
}

// labelsOf returns the labels of a record of the cloud, but for the claim.
func labelsOf(record cloudsim.Object) map[string]string {
	labels := map[string]string{}
	list, _ := record["labels"].([]any)
	for _, l := range list {
		entry, _ := l.(map[string]any)
		key, _ := entry["key"].(string)
		value, _ := entry["value"].(string)
		if !strings.HasPrefix(key, "servicestage-dev-") {
			labels[key] = value
		}
	}
	return labels
}

// record returns a record of the cloud.
func (w *world) record(collection, id string) cloudsim.Object {
	GinkgoHelper()
	record, err := w.cloud.GetResource("servicestage", collection, id)
	Expect(err).NotTo(HaveOccurred())
	return record
}

// behindOurBack changes a record of the cloud.
func (w *world) behindOurBack(collection, id string, patch cloudsim.Object) {
	GinkgoHelper()
	_, err := w.cloud.PatchResource("servicestage", collection, id, patch)
	Expect(err).NotTo(HaveOccurred())
}

// request asks for a reconciliation.
func request[O client.Object](obj O, value string) {
	GinkgoHelper()
	edit(obj, func(o O) { annotate(o, v1alpha1.ReconcileRequestedAtAnnotation, value) })
}

func annotate(obj client.Object, key, value string) {
	annotations := maps.Clone(obj.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	obj.SetAnnotations(annotations)
}

// haveCalls matches the world's calls to the cloud, in order.
func haveCalls(calls ...string) types.GomegaMatcher { return Equal(calls) }
