// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
)

const applicationsPath = "/v3/{project_id}/cas/applications"

// configuration is a configuration for an Environment of the namespace.
func configuration(environment string, env ...v1alpha1.EnvVar) v1alpha1.ApplicationConfiguration {
	return v1alpha1.ApplicationConfiguration{EnvironmentRef: v1alpha1.Reference{Name: environment}, Env: env}
}

func variable(name, value string) v1alpha1.EnvVar { return v1alpha1.EnvVar{Name: name, Value: &value} }

func fromSecret(name, secret, key string) v1alpha1.EnvVar {
	return v1alpha1.EnvVar{Name: name, ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: &v1alpha1.KeySelector{Name: secret, Key: key}}}
}

// variables returns what the cloud holds for an application in an environment.
func (w *world) variables(application, environment string) map[string]any {
	record, err := w.cloud.GetResource("servicestage", "configurations", application+":"+environment)
	if err != nil {
		return nil
	}
	values := map[string]any{}
	list, _ := record["env"].([]any)
	for _, v := range list {
		entry, _ := v.(map[string]any)
		name, _ := entry["name"].(string)
		values[name] = entry["value"]
	}
	return values
}

var _ = Describe("An Application", func() {
	var w *world
	BeforeEach(func() {
		w = newWorld()
		accountBecomes(w.account("default"), "True/Available")
		w.cloud.ResetCalls()
	})

	It("is created with one call, changed, set right, and deleted", func() {
		a := w.app("shop", func(a *v1alpha1.Application) {
			a.Spec.Description = new("before")
			a.Spec.Labels = map[string]string{"a": "1"}
			a.Spec.ResyncInterval = &metav1.Duration{Duration: 5 * time.Second}
		})
		w.create(a)
		available(a)
		Expect(w.cloudCalls()).To(haveCalls("POST " + applicationsPath + " 200"))
		id := a.Status.ID

		edit(a, func(a *v1alpha1.Application) {
			a.Spec.Name, a.Spec.Description, a.Spec.Labels = "store", new("after"), map[string]string{"b": "2"}
		})
		available(a)
		record := w.record("applications", id)
		Expect(record).To(HaveKeyWithValue("name", "store"))
		Expect(record).To(HaveKeyWithValue("description", "after"))
		Expect(labelsOf(record)).To(Equal(map[string]string{"b": "2"}))

		w.behindOurBack("applications", id, cloudsim.Object{"name": "theirs", "description": "theirs", "labels": []any{}})
		Eventually(func() cloudsim.Object { return w.record("applications", id) }).Should(And(
			HaveKeyWithValue("name", "store"), HaveKeyWithValue("description", "after")))
		Expect(labelsOf(w.record("applications", id))).To(Equal(map[string]string{"b": "2"}))

		w.delete(a)
		gone(a)
		Expect(w.items("applications")).To(BeEmpty())
	})

	It("waits for the environments of its configurations, and keeps each configuration as the spec says", func() {
		a := w.app("shop", func(a *v1alpha1.Application) {
			a.Spec.Configurations = []v1alpha1.ApplicationConfiguration{
				configuration("dev", variable("MODE", "dev")), configuration("prod", variable("MODE", "prod"), variable("SIZE", "9")),
			}
		})
		w.create(a)
		becomes(a, "False/DependencyNotReady")
		Expect(message(a, v1alpha1.ConditionReady)).To(ContainSubstring(`spec.configurations[0].environmentRef: there is no Environment "dev"`))
		Expect(a.Finalizers).To(BeEmpty(), "what was never created needs nothing to be cleaned up")
		Expect(w.cloudCalls()).To(BeEmpty())

		dev, prod := w.env("dev"), w.env("prod")
		w.create(dev)
		w.create(prod)
		available(dev)
		available(prod)
		available(a)
		Expect(condition(a, v1alpha1.ConditionReferencesResolved)).To(Equal("True/Resolved"))
		Expect(w.variables(a.Status.ID, dev.Status.ID)).To(Equal(map[string]any{"MODE": "dev"}))
		Expect(w.variables(a.Status.ID, prod.Status.ID)).To(Equal(map[string]any{"MODE": "prod", "SIZE": "9"}))

		By("changing one and dropping the other")
		edit(a, func(a *v1alpha1.Application) {
			a.Spec.Configurations = []v1alpha1.ApplicationConfiguration{configuration("prod", variable("MODE", "live"))}
		})
		available(a)
		Expect(w.variables(a.Status.ID, dev.Status.ID)).To(BeNil())
		Expect(w.variables(a.Status.ID, prod.Status.ID)).To(Equal(map[string]any{"MODE": "live"}))

		By("leaving alone a configuration that it never wrote")
		_, err := w.cloud.PutResource("servicestage", "configurations", cloudsim.Object{
			"id": a.Status.ID + ":" + dev.Status.ID, "application_id": a.Status.ID, "environment_id": dev.Status.ID,
			"env": []any{map[string]any{"name": "THEIRS", "value": "1"}},
		})
		Expect(err).NotTo(HaveOccurred())
		edit(a, func(a *v1alpha1.Application) { a.Spec.Configurations = nil })
		available(a)
		Expect(w.variables(a.Status.ID, prod.Status.ID)).To(BeNil())
		Expect(w.variables(a.Status.ID, dev.Status.ID)).To(Equal(map[string]any{"THEIRS": "1"}))
	})

	It("follows the Secret that a value comes from, and never shows the value", func() {
		dev := w.env("dev")
		w.create(dev)
		a := w.app("shop", func(a *v1alpha1.Application) {
			a.Spec.Configurations = []v1alpha1.ApplicationConfiguration{configuration("dev", fromSecret("PASSWORD", "db", "password"))}
		})
		w.create(a)
		Eventually(func(g Gomega) {
			becomes(a, "False/DependencyNotReady")
			g.Expect(message(a, v1alpha1.ConditionReady)).To(ContainSubstring(`there is no Secret "db"`))
		}).Should(Succeed())

		db := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "db"}, StringData: map[string]string{"password": "canary-one"},
		}
		w.create(db)
		available(dev)
		available(a)
		Expect(w.variables(a.Status.ID, dev.Status.ID)).To(Equal(map[string]any{"PASSWORD": "canary-one"}))

		edit(db, func(s *corev1.Secret) { s.Data = map[string][]byte{"password": []byte("canary-two")} })
		Eventually(func() map[string]any { return w.variables(a.Status.ID, dev.Status.ID) }).Should(Equal(map[string]any{"PASSWORD": "canary-two"}))
		available(a)

		w.behindOurBack("configurations", a.Status.ID+":"+dev.Status.ID, cloudsim.Object{"env": []any{}})
		edit(a, func(a *v1alpha1.Application) { a.Spec.ManagementPolicy = v1alpha1.ManagementPolicyObserve })
		Eventually(func() []string {
			becomes(a, "True/Available")
			return a.Status.Drift
		}).Should(Equal([]string{"spec.configurations[dev].env[PASSWORD]"}))
		Expect(condition(a, v1alpha1.ConditionSynced)).To(Equal("False/Drifted"))
	})

	It("holds back the deletion of an environment that it is configured for", func() {
		dev := w.env("dev")
		w.create(dev)
		a := w.app("shop", func(a *v1alpha1.Application) {
			a.Spec.Configurations = []v1alpha1.ApplicationConfiguration{configuration("dev", variable("A", "1"))}
		})
		w.create(a)
		available(a)

		w.delete(dev)
		becomes(dev, "False/DeletionBlocked")
		Expect(message(dev, v1alpha1.ConditionReady)).To(ContainSubstring("Application shop"))
		Expect(w.items("environments")).To(HaveLen(1))

		w.delete(a)
		gone(a)
		gone(dev)
		Expect(w.items("environments")).To(BeEmpty())
		Expect(w.items("applications")).To(BeEmpty())
	})

	It("is kept while the cloud says that it has components", func() {
		a := w.app("busy")
		w.create(a)
		available(a)
		_, err := w.cloud.PutResource("servicestage", "components", cloudsim.Object{"id": "c1", "name": "web", "application_id": a.Status.ID, "environment_id": "e1"})
		Expect(err).NotTo(HaveOccurred())
		w.delete(a)
		becomes(a, "False/DeletionBlocked")
		Expect(message(a, v1alpha1.ConditionReady)).To(ContainSubstring("00100401"))
		Expect(w.items("applications")).To(HaveLen(1))
		edit(a, func(a *v1alpha1.Application) { a.Spec.DeletionPolicy = v1alpha1.DeletionPolicyOrphan })
		gone(a)
		Expect(w.items("applications")).To(HaveLen(1))
	})

	It("says so where the cloud does not move it to another enterprise project", func() {
		a := w.app("moving")
		w.create(a)
		available(a)
		edit(a, func(a *v1alpha1.Application) { a.Spec.EnterpriseProjectID = "ep-2" })
		becomes(a, "False/Rejected")
		Expect(condition(a, v1alpha1.ConditionStalled)).To(Equal("True/Rejected"))
		Expect(message(a, v1alpha1.ConditionReady)).To(ContainSubstring("spec.enterpriseProjectID"))
		Expect(w.record("applications", a.Status.ID)).To(HaveKeyWithValue("enterprise_project_id", "0"))

		Expect(w.cloud.MergeQuirks([]byte(`{"putMovesEnterpriseProject": true}`))).To(Succeed())
		request(a, "now")
		available(a)
		Expect(w.record("applications", a.Status.ID)).To(HaveKeyWithValue("enterprise_project_id", "ep-2"))
	})
})
