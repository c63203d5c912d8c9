// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
)

const environmentsPath = "/v3/{project_id}/cas/environments"

var _ = Describe("An Environment", func() {
	var w *world
	BeforeEach(func() {
		w = newWorld()
		accountBecomes(w.account("default"), "True/Available")
		w.cloud.ResetCalls()
	})

	It("is created with one call, and one more for its resources", func() {
		plain := w.env("plain", func(e *v1alpha1.Environment) {
			e.Spec.Description = new("for tests")
			e.Spec.Labels = map[string]string{"team": "a"}
		})
		w.create(plain)
		available(plain)

		Expect(w.cloudCalls()).To(haveCalls("POST " + environmentsPath + " 200"))
		record := w.record("environments", plain.Status.ID)
		Expect(record).To(HaveKeyWithValue("name", "plain"))
		Expect(record).To(HaveKeyWithValue("description", "for tests"))
		Expect(record).To(HaveKeyWithValue("deploy_mode", "container"))
		Expect(record).To(HaveKeyWithValue("vpc_id", vpc))
		Expect(record).To(HaveKeyWithValue("enterprise_project_id", "0"))
		Expect(labelsOf(record)).To(Equal(map[string]string{"team": "a"}))
		Expect(plain.Status.VPCID).To(Equal(vpc))

		w.cloud.ResetCalls()
		full := w.env("full", func(e *v1alpha1.Environment) {
			e.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cce", ID: "cluster-1"}, {Type: "elb", ID: "lb-1", Name: "front"}}
		})
		w.create(full)
		available(full)
		Expect(w.cloudCalls()).To(haveCalls("POST "+environmentsPath+" 200", "PUT "+environmentsPath+"/{environment_id}/resources 200"))
		Expect(full.Status.Resources).To(HaveLen(2))
	})

	It("carries each change of its spec to the cloud, and clears what is cleared", func() {
		e := w.env("changing", func(e *v1alpha1.Environment) {
			e.Spec.Description = new("before")
			e.Spec.Labels = map[string]string{"keep": "1", "drop": "1"}
			e.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cce", ID: "cluster-1"}}
		})
		w.create(e)
		available(e)
		id := e.Status.ID

		edit(e, func(e *v1alpha1.Environment) {
			e.Spec.Name = "renamed"
			e.Spec.Description = new("after")
			e.Spec.Labels = map[string]string{"keep": "2"}
			e.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "rds", ID: "db-1"}}
		})
		available(e)
		record := w.record("environments", id)
		Expect(record).To(HaveKeyWithValue("name", "renamed"))
		Expect(record).To(HaveKeyWithValue("description", "after"))
		Expect(labelsOf(record)).To(Equal(map[string]string{"keep": "2"}))
		Expect(record["resources"]).To(ConsistOf(HaveKeyWithValue("id", "db-1")))
		Eventually(func() []string { return w.events(e) }).Should(ContainElement("Updated"))

		edit(e, func(e *v1alpha1.Environment) {
			e.Spec.Description = new("")
			e.Spec.Labels = map[string]string{}
			e.Spec.Resources = []v1alpha1.EnvironmentResource{}
		})
		available(e)
		record = w.record("environments", id)
		Expect(record).To(HaveKeyWithValue("description", ""))
		Expect(labelsOf(record)).To(BeEmpty())
		Expect(record["resources"]).To(BeNil())
	})

	It("leaves alone in the cloud what its spec leaves out", func() {
		e := w.env("partial")
		w.create(e)
		available(e)
		w.behindOurBack("environments", e.Status.ID, cloudsim.Object{
			"description": "written in the console", "resources": []any{map[string]any{"id": "x", "type": "ecs"}},
		})
		w.cloud.ResetCalls()
		request(e, "now")
		Eventually(w.cloudCalls).Should(haveCalls("GET " + environmentsPath + " 200"))
		available(e)
		Expect(w.record("environments", e.Status.ID)).To(HaveKeyWithValue("description", "written in the console"))
	})

	It("is set right when it was changed behind the operator's back", func() {
		e := w.env("drifting", func(e *v1alpha1.Environment) {
			e.Spec.Description = new("mine")
			e.Spec.Labels = map[string]string{"a": "1"}
			e.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cce", ID: "cluster-1"}}
			e.Spec.ResyncInterval = &metav1.Duration{Duration: 5 * time.Second}
		})
		w.create(e)
		available(e)
		w.behindOurBack("environments", e.Status.ID, cloudsim.Object{
			"name": "theirs", "description": "theirs", "labels": []any{map[string]any{"key": "b", "value": "2"}}, "resources": []any{},
		})
		Eventually(func() cloudsim.Object { return w.record("environments", e.Status.ID) }).Should(And(
			HaveKeyWithValue("name", "drifting"), HaveKeyWithValue("description", "mine"),
			HaveKeyWithValue("resources", ConsistOf(HaveKeyWithValue("id", "cluster-1"))),
		))
		Expect(labelsOf(w.record("environments", e.Status.ID))).To(Equal(map[string]string{"a": "1"}))
		Eventually(func() []string { return w.events(e) }).Should(ContainElement("DriftRepaired"))
		available(e)
	})

	It("is created anew when it was deleted behind the operator's back", func() {
		e := w.env("phoenix")
		w.create(e)
		available(e)
		first := e.Status.ID
		Expect(w.cloud.DeleteResource("servicestage", "environments", first)).To(Succeed())
		request(e, "now")
		Eventually(func() string { available(e); return e.Status.ID }).ShouldNot(Equal(first))
		Expect(w.items("environments")).To(HaveLen(1))
		Eventually(func() []string { return w.events(e) }).Should(ContainElement("Gone"))
	})

	It("is refused, and says so, where its spec differs in what cannot be changed", func() {
		e := w.env("immutable", func(e *v1alpha1.Environment) { e.Spec.DeployMode = "" })
		w.create(e)
		available(e)
		observed := e.Status.DeployMode
		other := v1alpha1.DeployModeVirtualMachine
		Expect(observed).NotTo(Equal(string(other)))
		edit(e, func(e *v1alpha1.Environment) { e.Spec.DeployMode = other })
		becomes(e, "False/ImmutableField")
		Expect(condition(e, v1alpha1.ConditionStalled)).To(Equal("True/ImmutableField"))
		Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring("spec.deployMode"))
		Expect(e.Status.Drift).To(Equal([]string{"spec.deployMode"}))
	})

	It("costs nothing at rest", func() {
		e := w.env("resting")
		w.create(e)
		available(e)
		before := e.ResourceVersion
		w.cloud.ResetCalls()
		edit(e, func(e *v1alpha1.Environment) { e.Labels = map[string]string{"touched": "1"} })
		edit(e, func(e *v1alpha1.Environment) { annotate(e, "example.com/touched", "1") })
		w.restart()
		other := w.env("sentinel") // once this one is there, the restarted manager has been through the first
		w.create(other)
		available(other)
		Expect(w.cloudCalls()).To(haveCalls("POST " + environmentsPath + " 200"))
		conforms(e)
		Expect(e.ResourceVersion).NotTo(Equal(before)) // the two edits, and nothing else:
		now := w.env("resting")
		available(now)
		Expect(now.ResourceVersion).To(Equal(e.ResourceVersion))
	})
})
