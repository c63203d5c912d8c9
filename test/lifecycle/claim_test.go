// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/external"
)

// stranger is an environment that no object made.
func (w *world) stranger(name string, fields cloudsim.Object) string {
	GinkgoHelper()
	record := cloudsim.Object{"id": "stranger-" + name, "name": name, "vpc_id": vpc, "deploy_mode": "container", "enterprise_project_id": "0"}
	for key, value := range fields {
		record[key] = value
	}
	_, err := w.cloud.PutResource("servicestage", "environments", record)
	Expect(err).NotTo(HaveOccurred())
	id, _ := record["id"].(string)
	return id
}

var _ = Describe("Finding and adopting", func() {
	var w *world
	BeforeEach(func() {
		w = newWorld()
		accountBecomes(w.account("default"), "True/Available")
	})

	for _, fault := range []cloudsim.Fault{
		{Name: "reset", Action: "resetAfter"},
		{Name: "500", Action: "statusAfter", Status: 500},
		{Name: "garbage", Action: "garbage"},
	} {
		It("takes back its own environment when the reply to its creation was lost: "+fault.Name, func() {
			fault.Nth, fault.Match = 1, cloudsim.Match{Method: "POST", Path: "/v3/*/cas/environments"}
			Expect(w.cloud.SetFaults([]cloudsim.Fault{fault})).To(Succeed())
			e := w.env("lost")
			w.create(e)
			available(e)
			Expect(w.items("environments")).To(HaveLen(1))
			Expect(e.Status.ID).To(Equal(w.items("environments")[0]["id"]))
		})
	}

	It("takes back its own when its status was lost, as a restore from a backup loses it", func() {
		e := w.env("restored", func(e *v1alpha1.Environment) { e.Spec.Description = new("mine") })
		w.create(e)
		available(e)
		id := e.Status.ID
		w.stop()
		Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(e), e)).To(Succeed())
		edit(e, func(e *v1alpha1.Environment) { e.Finalizers = nil })
		w.delete(e)
		gone(e)
		restored := w.env("restored", func(r *v1alpha1.Environment) {
			r.Spec = e.Spec
			r.Annotations = e.Annotations
		})
		w.create(restored)
		w.start()
		available(restored)
		Expect(restored.Status.ID).To(Equal(id))
		Expect(w.items("environments")).To(HaveLen(1))
		w.delete(restored)
		gone(restored)
		Expect(w.items("environments")).To(BeEmpty())
	})

	It("finds its own by the claim even when the name in the spec changed meanwhile", func() {
		Expect(w.cloud.SetFaults([]cloudsim.Fault{{
			Name: "lost", Nth: 1, Match: cloudsim.Match{Method: "POST", Path: "/v3/*/cas/environments"}, Action: "resetAfter",
		}, {Name: "down", Match: cloudsim.Match{Method: "GET", Path: "/v3/*/cas/environments"}, Action: "status", Status: 503}})).To(Succeed())
		e := w.env("first")
		w.create(e)
		becomes(e, "False/CloudUnavailable")
		Expect(w.items("environments")).To(HaveLen(1))
		edit(e, func(e *v1alpha1.Environment) { e.Spec.Name = "second" })
		Expect(w.cloud.SetFaults(nil)).To(Succeed())
		available(e)
		Expect(w.items("environments")).To(ConsistOf(HaveKeyWithValue("name", "second")))
	})

	It("refuses a stranger of the same name, says how to adopt it, and adopts it when told to", func() {
		id := w.stranger("Taken", nil)
		e := w.env("taken", func(e *v1alpha1.Environment) { e.Spec.Description = new("mine") })
		w.create(e)
		becomes(e, "False/AlreadyExists")
		Expect(condition(e, v1alpha1.ConditionStalled)).To(Equal("True/AlreadyExists"))
		Expect(message(e, v1alpha1.ConditionReady)).To(And(ContainSubstring(id), ContainSubstring("spec.import")))
		Expect(w.items("environments")).To(HaveLen(1))
		Expect(w.record("environments", id)).NotTo(HaveKeyWithValue("description", "mine"))

		edit(e, func(e *v1alpha1.Environment) { e.Spec.Import = &v1alpha1.Import{ByName: true} })
		available(e)
		Expect(e.Status.ID).To(Equal(id))
		Expect(w.record("environments", id)).To(HaveKeyWithValue("description", "mine"))
		Eventually(func() []string { return w.events(e) }).Should(ContainElement("Adopted"))
	})

	It("asks which one is meant where several fit, and adopts the one that is left", func() {
		first := w.stranger("twin", nil)
		second := w.stranger("twin", cloudsim.Object{"id": "stranger-other-twin"})
		e := w.env("twin", func(e *v1alpha1.Environment) { e.Spec.Import = &v1alpha1.Import{ByName: true} })
		w.create(e)
		becomes(e, "False/Ambiguous")
		Expect(condition(e, v1alpha1.ConditionStalled)).To(Equal("True/Ambiguous"))
		Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring("spec.import.id"))
		Expect(w.cloud.DeleteResource("servicestage", "environments", first)).To(Succeed())
		request(e, "now")
		available(e)
		Expect(e.Status.ID).To(Equal(second))
	})

	It("adopts by id, marks what it adopted, and refuses what another object claims", func() {
		id := w.stranger("legacy", cloudsim.Object{"labels": []any{map[string]any{"key": "old", "value": "1"}}})
		first := w.env("first", func(e *v1alpha1.Environment) {
			e.Spec.Name, e.Spec.Import = "legacy", &v1alpha1.Import{ID: id}
		})
		w.create(first)
		available(first)
		record := w.record("environments", id)
		Expect(labelsOf(record)).To(Equal(map[string]string{"old": "1"}), "labels are not managed")
		Expect(record["labels"]).To(ContainElement(HaveKeyWithValue("key", external.LabelKey)))

		second := w.env("second", func(e *v1alpha1.Environment) {
			e.Spec.Name, e.Spec.Import = "legacy", &v1alpha1.Import{ID: id}
		})
		w.create(second)
		becomes(second, "False/AlreadyExists")
		Expect(message(second, v1alpha1.ConditionReady)).To(ContainSubstring(w.namespace + "/first claims it"))

		w.delete(second)
		gone(second)
		Expect(w.items("environments")).To(HaveLen(1))
	})

	It("says so where there is nothing to adopt, and creates nothing", func() {
		byID := w.env("by-id", func(e *v1alpha1.Environment) { e.Spec.Import = &v1alpha1.Import{ID: "no-such-id"} })
		byName := w.env("by-name", func(e *v1alpha1.Environment) { e.Spec.Import = &v1alpha1.Import{ByName: true} })
		for _, e := range []*v1alpha1.Environment{byID, byName} {
			w.create(e)
			becomes(e, "False/NotFound")
			Expect(condition(e, v1alpha1.ConditionStalled)).To(Equal("True/NotFound"))
			Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring("spec.import"))
		}
		Expect(w.items("environments")).To(BeEmpty())
		edit(byName, func(e *v1alpha1.Environment) { e.Spec.Import = nil })
		available(byName)
	})

	It("observes without writing anything to the cloud", func() {
		e := w.env("seen", func(e *v1alpha1.Environment) {
			e.Spec.ManagementPolicy = v1alpha1.ManagementPolicyObserve
			e.Spec.Description = new("wanted")
		})
		w.create(e)
		becomes(e, "False/NotFound")
		id := w.stranger("seen", nil)
		w.cloud.ResetCalls()
		request(e, "1")
		becomes(e, "True/Available")
		Expect(condition(e, v1alpha1.ConditionSynced)).To(Equal("False/Drifted"))
		Expect(e.Status.Drift).To(Equal([]string{"spec.description"}))
		Expect(e.Status.ID).To(Equal(id))
		Expect(e.Finalizers).To(BeEmpty())
		Expect(e.Annotations).NotTo(HaveKey(v1alpha1.ClaimAnnotation))

		w.behindOurBack("environments", id, cloudsim.Object{"description": "wanted"})
		request(e, "2")
		Eventually(func() string {
			becomes(e, "True/Available")
			return condition(e, v1alpha1.ConditionSynced)
		}).Should(Equal("True/Observed"))
		Expect(w.cloudCalls()).To(HaveEach(HavePrefix("GET ")))
		w.delete(e)
		gone(e)
		Expect(w.items("environments")).To(HaveLen(1))
	})

	It("pauses, resumes, and orphans", func() {
		e := w.env("paused", func(e *v1alpha1.Environment) {
			e.Spec.Description = new("before")
			e.Annotations = map[string]string{v1alpha1.PausedAnnotation: "true"}
		})
		w.create(e)
		becomes(e, "Unknown/NotYetObserved")
		Expect(condition(e, v1alpha1.ConditionPaused)).To(Equal("True/Annotation"))
		Expect(w.items("environments")).To(BeEmpty())

		edit(e, func(e *v1alpha1.Environment) { delete(e.Annotations, v1alpha1.PausedAnnotation) })
		available(e)
		Expect(condition(e, v1alpha1.ConditionPaused)).To(BeEmpty())

		edit(e, func(e *v1alpha1.Environment) {
			annotate(e, v1alpha1.PausedAnnotation, "true")
			e.Spec.Description = new("after")
		})
		Eventually(func() string {
			Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(e), e)).To(Succeed())
			return condition(e, v1alpha1.ConditionPaused)
		}).Should(Equal("True/Annotation"))
		conforms(e)
		Expect(condition(e, v1alpha1.ConditionReady)).To(Equal("True/Available"))
		Expect(e.Status.ObservedGeneration).To(BeNumerically("<", e.Generation), "the edit was not looked at")
		Expect(w.record("environments", e.Status.ID)).To(HaveKeyWithValue("description", "before"))
		w.delete(e)
		edit(e, func(e *v1alpha1.Environment) { e.Spec.DeletionPolicy = v1alpha1.DeletionPolicyOrphan })
		gone(e)
		Expect(w.items("environments")).To(HaveLen(1))
	})

	It("orphans in such a way that another object can adopt", func() {
		e := w.env("handed-over", func(e *v1alpha1.Environment) {
			e.Spec.DeletionPolicy = v1alpha1.DeletionPolicyOrphan
			e.Spec.Labels = map[string]string{"keep": "me"}
		})
		w.create(e)
		available(e)
		id := e.Status.ID
		w.delete(e)
		gone(e)
		Expect(labelsOf(w.record("environments", id))).To(Equal(map[string]string{"keep": "me"}))
		Expect(w.record("environments", id)["labels"]).NotTo(ContainElement(HaveKeyWithValue("key", external.LabelKey)))

		heir := w.env("handed-over", func(e *v1alpha1.Environment) { e.Spec.Import = &v1alpha1.Import{ByName: true} })
		w.create(heir)
		available(heir)
		Expect(heir.Status.ID).To(Equal(id))
	})

	It("deletes what it created although the id was never written down", func() {
		Expect(w.cloud.SetFaults([]cloudsim.Fault{
			{Name: "lost", Nth: 1, Match: cloudsim.Match{Method: "POST", Path: "/v3/*/cas/environments"}, Action: "resetAfter"},
			{Name: "down", Match: cloudsim.Match{Method: "GET", Path: "/v3/*/cas/environments"}, Action: "status", Status: 503},
		})).To(Succeed())
		e := w.env("short-lived")
		w.create(e)
		becomes(e, "False/CloudUnavailable")
		w.delete(e)
		Expect(w.cloud.SetFaults(nil)).To(Succeed())
		gone(e)
		Expect(w.items("environments")).To(BeEmpty())
	})

	It("gives an object that was replaced as a whole its claim and finalizer back", func() {
		e := w.env("replaced")
		w.create(e)
		available(e)
		claim := e.Annotations[v1alpha1.ClaimAnnotation]
		edit(e, func(e *v1alpha1.Environment) {
			e.Finalizers, e.Annotations = nil, map[string]string{v1alpha1.ReconcileRequestedAtAnnotation: "1"}
		})
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(e), e)).To(Succeed())
			g.Expect(e.Finalizers).To(Equal([]string{v1alpha1.Finalizer}))
			token, _, _ := strings.Cut(claim, "@")
			g.Expect(e.Annotations[v1alpha1.ClaimAnnotation]).To(HavePrefix(token))
		}).Should(Succeed())
	})

	It("does not take an empty or truncated list for a deletion", func() {
		for i := range 3 {
			e := w.env(fmt.Sprintf("steady-%d", i))
			w.create(e)
			available(e)
		}
		for _, fault := range []string{"emptyList", "truncatedList"} {
			Expect(w.cloud.SetFaults([]cloudsim.Fault{{
				Name: fault, Match: cloudsim.Match{Method: "GET", Path: "/v3/*/cas/environments"}, Action: cloudsim.FaultAction(fault),
			}})).To(Succeed())
			for i := range 3 {
				e := w.env(fmt.Sprintf("steady-%d", i))
				request(e, fault)
				Eventually(func(g Gomega) {
					g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(e), e)).To(Succeed())
					g.Expect(e.Status.LastHandledReconcileAt).To(Equal(fault))
				}).Should(Succeed())
				conforms(e)
			}
			Expect(w.items("environments")).To(HaveLen(3))
		}
		for _, c := range w.cloud.Calls() {
			Expect(c.Method).NotTo(Equal("DELETE"))
		}
	})
})
