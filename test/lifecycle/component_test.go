// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
)

const (
	componentsPath = applicationsPath + "/{application_id}/components"
	cluster        = "cluster-1"
)

// shop makes the environment and the application that components are deployed in.
func (w *world) shop() {
	GinkgoHelper()
	dev := w.env("dev", func(e *v1alpha1.Environment) {
		e.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cce", ID: cluster}}
	})
	shop := w.app("shop")
	w.create(dev)
	w.create(shop)
	available(dev)
	available(shop)
	w.cloud.ResetCalls()
}

// comp is a Component, changed as the spec needs it.
func (w *world) comp(name string, changes ...func(*v1alpha1.Component)) *v1alpha1.Component {
	c := &v1alpha1.Component{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha1.ComponentSpec{
			ApplicationRef: v1alpha1.Reference{Name: "shop"},
			EnvironmentRef: v1alpha1.Reference{Name: "dev"},
			Version:        "1.0.0",
			RuntimeStack:   v1alpha1.RuntimeStack{Name: "Docker", Type: "Docker", Version: "1.0", DeployMode: v1alpha1.DeployModeContainer},
			Source:         v1alpha1.ComponentSource{Image: &v1alpha1.ImageSource{URL: "swr.example.com/shop/web:1.0.0"}},
			Replicas:       new(int32(2)),
			Env:            []v1alpha1.ComponentEnvVar{{Name: "MODE", Value: new("dev")}},
			References:     []v1alpha1.ComponentReference{{Type: "cce", ID: cluster}},
		},
	}
	for _, change := range changes {
		change(c)
	}
	return c
}

// upgrade sets a version and its image.
func upgrade(version string) func(*v1alpha1.Component) {
	return func(c *v1alpha1.Component) {
		c.Spec.Version = version
		c.Spec.Source = v1alpha1.ComponentSource{Image: &v1alpha1.ImageSource{URL: "swr.example.com/shop/web:" + version}}
	}
}

func rolling(batches int32) *v1alpha1.DeployStrategy {
	return &v1alpha1.DeployStrategy{Type: v1alpha1.RollingReleaseType, RollingRelease: &v1alpha1.RollingRelease{Batches: batches}}
}

func gray(weight int32, hold bool) *v1alpha1.DeployStrategy {
	return &v1alpha1.DeployStrategy{Type: v1alpha1.GrayReleaseType, GrayRelease: &v1alpha1.GrayRelease{
		FirstBatchWeight: &weight, FirstBatchReplicas: 1, RemainingBatches: 1, Hold: hold,
	}}
}

// runs waits until the component is available in a version and a number of replicas.
func runs(c *v1alpha1.Component, version string, replicas int32) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(c), c)).To(Succeed())
		g.Expect(condition(c, v1alpha1.ConditionReady)).To(Equal("True/Available"), "%s", message(c, v1alpha1.ConditionReady))
		g.Expect(c.Status.ObservedGeneration).To(Equal(c.Generation))
		g.Expect(c.Status.Version).To(Equal(version))
		g.Expect(c.Status.AvailableReplicas).To(Equal(replicas))
	}).WithTimeout(timeoutForJobs).Should(Succeed())
	conforms(c)
}

// phaseBecomes waits until the component is in a phase.
func phaseBecomes(c *v1alpha1.Component, phase v1alpha1.RolloutPhase) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(c), c)).To(Succeed())
		g.Expect(c.Status.Phase).To(Equal(phase), "%s", message(c, v1alpha1.ConditionReady))
	}).WithTimeout(timeoutForJobs).Should(Succeed())
	conforms(c)
}

// underWay waits until the cloud runs a job for the component.
func underWay(c *v1alpha1.Component, verb v1alpha1.OperationVerb) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(c), c)).To(Succeed())
		g.Expect(c.Status.Operation).NotTo(BeNil())
		g.Expect(c.Status.Operation.Verb).To(Equal(verb))
	}).Should(Succeed())
	conforms(c)
}

// changes lists the calls that changed something, the bodies of actions added.
func (w *world) changes() []string {
	var calls []string
	for _, c := range w.cloud.Calls() {
		if c.Method == "GET" || c.Status >= 400 {
			continue
		}
		call := strings.Replace(c.Operation, "/v3/{project_id}/cas", "", 1)
		if strings.HasSuffix(call, "/action") {
			call += " " + string(c.Body)
		}
		calls = append(calls, call)
	}
	return calls
}

var _ = Describe("A Component", func() {
	var w *world
	BeforeEach(func() {
		w = newWorld()
		accountBecomes(w.account("default"), "True/Available")
		w.shop()
	})

	It("is created with one call, polled until it runs, and costs nothing at rest", func() {
		c := w.comp("web")
		w.create(c)
		underWay(c, v1alpha1.OperationCreate)
		Expect(condition(c, v1alpha1.ConditionReady)).To(Equal("False/Creating"))
		Expect(c.Status.ID).NotTo(BeEmpty())
		runs(c, "1.0.0", 2)
		Expect(c.Status.Operation).To(BeNil())
		Expect(c.Status.Phase).To(Equal(v1alpha1.PhaseRunning))
		Expect(c.Status.ReadyReplicas).To(Equal("2/2"))
		Expect(c.Status.Records).NotTo(BeEmpty())
		Expect(w.changes()).To(haveCalls("POST /applications/{application_id}/components"))
		Eventually(func() []string { return w.events(c) }).Should(Equal([]string{"Deploying", "Created"}))

		w.cloud.ResetCalls()
		edit(c, func(c *v1alpha1.Component) { c.Labels = map[string]string{"touched": "1"} })
		w.restart()
		sentinel := w.env("sentinel")
		w.create(sentinel)
		available(sentinel)
		Expect(w.cloudCalls()).To(haveCalls("POST " + environmentsPath + " 200"))
	})

	It("is looked at once its job is over, and its labels in a list of its name alone", func() {
		c := w.comp("web", func(c *v1alpha1.Component) { c.Spec.Labels = map[string]string{"team": "checkout"} })
		w.create(c)
		runs(c, "1.0.0", 2)
		var calls []string
		for _, call := range w.cloud.Calls() {
			query, _, _ := strings.Cut(call.Query, "&limit")
			calls = append(calls, strings.TrimSpace(strings.Replace(call.Operation, "/v3/{project_id}/cas", "", 1)+" "+query))
		}
		Expect(calls[max(0, len(calls)-4):]).To(haveCalls(
			"GET /jobs/{job_id} desc=false",
			"GET /applications/{application_id}/components/{component_id}",
			"GET /components component_name=web",
			"GET /applications/{application_id}/components/{component_id}/records limit=100&offset=0&order=desc&order_by=create_time",
		))
	})

	It("is upgraded in batches with one call", func() {
		c := w.comp("web", func(c *v1alpha1.Component) { c.Spec.Replicas, c.Spec.DeployStrategy = new(int32(3)), rolling(3) })
		w.create(c)
		runs(c, "1.0.0", 3)
		w.cloud.ResetCalls()
		Expect(w.cloud.SetOutcomes([]cloudsim.Outcome{{Job: "update", Task: "DEPLOY_BATCH_2_OF_3", Result: "HELD"}})).To(Succeed())
		edit(c, upgrade("1.1.0"))
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(c), c)).To(Succeed())
			g.Expect(c.Status.Batch).To(Equal(int32(2)))
			g.Expect(c.Status.Batches).To(Equal(int32(3)))
		}).WithTimeout(timeoutForJobs).Should(Succeed())
		Expect(c.Status.Phase).To(Equal(v1alpha1.PhaseUpgrading))
		Expect(c.Status.Operation.TasksTotal).To(BeNumerically(">", 3))
		Expect(c.Status.Operation.CurrentTask).To(Equal("DEPLOY_BATCH_2_OF_3"))
		Expect(message(c, v1alpha1.ConditionReady)).To(ContainSubstring("DEPLOY_BATCH_2_OF_3"))
		Expect(w.cloud.SetOutcomes(nil)).To(Succeed())
		runs(c, "1.1.0", 3)
		Expect(c.Status.Batches).To(BeZero())
		Expect(w.changes()).To(haveCalls("PUT /applications/{application_id}/components/{component_id}"))
		Expect(w.record("components", c.Status.ID)).To(HaveKeyWithValue("source", HaveKeyWithValue("url", "swr.example.com/shop/web:1.1.0")))
		Eventually(func() []string { return w.events(c) }).Should(ContainElements("Upgrading", "Updated"))
	})

	It("is released gray: held, shifted and continued", func() {
		c := w.comp("web", func(c *v1alpha1.Component) { c.Spec.DeployStrategy = gray(20, true) })
		w.create(c)
		runs(c, "1.0.0", 2)
		w.cloud.ResetCalls()
		edit(c, upgrade("2.0.0"))
		phaseBecomes(c, v1alpha1.PhaseGraying)
		Eventually(func() string {
			phaseBecomes(c, v1alpha1.PhaseGraying)
			return message(c, v1alpha1.ConditionReady)
		}).Should(ContainSubstring("waits at its first batch"))
		Expect(condition(c, v1alpha1.ConditionReady)).To(Equal("False/Updating"))
		Expect(*c.Status.GrayWeight).To(Equal(int32(20)))

		edit(c, func(c *v1alpha1.Component) { c.Spec.DeployStrategy = gray(60, true) })
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(c), c)).To(Succeed())
			g.Expect(c.Status.GrayWeight).NotTo(BeNil())
			g.Expect(*c.Status.GrayWeight).To(Equal(int32(60)))
			g.Expect(c.Status.Operation).To(BeNil())
		}).WithTimeout(timeoutForJobs).Should(Succeed())

		edit(c, func(c *v1alpha1.Component) { c.Spec.DeployStrategy = gray(60, false) })
		runs(c, "2.0.0", 2)
		Expect(w.changes()).To(haveCalls(
			"PUT /applications/{application_id}/components/{component_id}",
			`POST /applications/{application_id}/components/{component_id}/action {"action":"modify_gray_rule","parameters":{"first_batch_weight":60}}`,
			`POST /applications/{application_id}/components/{component_id}/action {"action":"check_gray_release"}`,
			`POST /applications/{application_id}/components/{component_id}/action {"action":"continue_deploy"}`,
		))
		Expect(c.Status.GrayWeight).To(BeNil())
	})

	It("gives a gray release up when the old version is set", func() {
		c := w.comp("web", func(c *v1alpha1.Component) { c.Spec.DeployStrategy = gray(20, true) })
		w.create(c)
		runs(c, "1.0.0", 2)
		edit(c, upgrade("2.0.0"))
		phaseBecomes(c, v1alpha1.PhaseGraying)
		edit(c, upgrade("1.0.0"))
		runs(c, "1.0.0", 2)
		Expect(w.changes()).To(ContainElement(ContainSubstring(`{"action":"rollback","parameters":{"version":"1.0.0"}}`)))
	})

	It("is scaled up and down, also while the cloud is at work", func() {
		c := w.comp("web")
		w.create(c)
		runs(c, "1.0.0", 2)
		w.cloud.ResetCalls()
		edit(c, func(c *v1alpha1.Component) { c.Spec.Replicas = new(int32(4)) })
		underWay(c, v1alpha1.OperationUpdate)
		edit(c, func(c *v1alpha1.Component) { c.Spec.Replicas = new(int32(1)) })
		runs(c, "1.0.0", 1)
		Expect(w.changes()).To(haveCalls(
			`POST /applications/{application_id}/components/{component_id}/action {"action":"scale","parameters":{"replica":4}}`,
			`POST /applications/{application_id}/components/{component_id}/action {"action":"scale","parameters":{"replica":1}}`,
		))
	})

	It("is stopped, started, and restarted once", func() {
		c := w.comp("web")
		w.create(c)
		runs(c, "1.0.0", 2)
		w.cloud.ResetCalls()
		edit(c, func(c *v1alpha1.Component) { c.Spec.State = v1alpha1.ComponentStopped })
		phaseBecomes(c, v1alpha1.PhaseStopped)
		becomes(c, "True/Available")
		edit(c, func(c *v1alpha1.Component) { c.Spec.State = v1alpha1.ComponentRunning })
		runs(c, "1.0.0", 2)
		edit(c, func(c *v1alpha1.Component) { annotate(c, v1alpha1.RestartedAtAnnotation, "2026-01-01T00:00:00Z") })
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(c), c)).To(Succeed())
			g.Expect(c.Status.RestartedAt).To(Equal("2026-01-01T00:00:00Z"))
		}).Should(Succeed())
		runs(c, "1.0.0", 2)
		w.restart()
		request(c, "again")
		Eventually(func(g Gomega) {
			runs(c, "1.0.0", 2)
			g.Expect(c.Status.LastHandledReconcileAt).To(Equal("again"))
		}).Should(Succeed())
		action := "POST /applications/{application_id}/components/{component_id}/action "
		Expect(w.changes()).To(haveCalls(action+`{"action":"stop"}`, action+`{"action":"start"}`, action+`{"action":"restart"}`))
	})

	It("is rolled back to a version that was deployed before", func() {
		c := w.comp("web")
		w.create(c)
		runs(c, "1.0.0", 2)
		edit(c, upgrade("1.1.0"))
		runs(c, "1.1.0", 2)
		w.cloud.ResetCalls()
		edit(c, upgrade("1.0.0"))
		runs(c, "1.0.0", 2)
		Expect(w.changes()).To(haveCalls(`POST /applications/{application_id}/components/{component_id}/action {"action":"rollback","parameters":{"version":"1.0.0"}}`))
		Expect(w.record("components", c.Status.ID)).To(HaveKeyWithValue("source", HaveKeyWithValue("url", "swr.example.com/shop/web:1.0.0")))
	})

	It("says why a deployment failed, and is repaired by a change of its spec", func() {
		Expect(w.cloud.SetOutcomes([]cloudsim.Outcome{failing("create")})).To(Succeed())
		c := w.comp("web")
		w.create(c)
		becomes(c, "False/Unhealthy")
		Expect(condition(c, v1alpha1.ConditionStalled)).To(HavePrefix("True/"))
		Expect(message(c, v1alpha1.ConditionReady)).To(ContainSubstring("Building failed."))
		Expect(c.Status.LastFailure).To(ContainSubstring("Building failed."))
		Expect(w.cloud.SetOutcomes(nil)).To(Succeed())
		edit(c, upgrade("1.0.1"))
		runs(c, "1.0.1", 2)
		Expect(c.Status.LastFailure).To(BeEmpty())
	})

	It("says so when it goes down by itself, and is well again when it comes up", func() {
		c := w.comp("web")
		w.create(c)
		runs(c, "1.0.0", 2)
		stands := func(status string) {
			w.behindOurBack("components", c.Status.ID, cloudsim.Object{"status": cloudsim.Object{"component_status": status}})
			request(c, status)
		}
		stands("DOWN")
		becomes(c, "False/Unhealthy")
		Expect(condition(c, v1alpha1.ConditionStalled)).To(BeEmpty(), "it may come up by itself")
		Expect(message(c, v1alpha1.ConditionReady)).To(ContainSubstring("The component is DOWN"))
		stands("RUNNING")
		runs(c, "1.0.0", 2)
	})

	It("applies the newest of the changes that were made while a job ran, once", func() {
		c := w.comp("web")
		w.create(c)
		runs(c, "1.0.0", 2)
		w.cloud.ResetCalls()
		edit(c, upgrade("1.1.0"))
		underWay(c, v1alpha1.OperationUpdate)
		edit(c, upgrade("1.2.0"))
		edit(c, upgrade("1.3.0"))
		runs(c, "1.3.0", 2)
		put := "PUT /applications/{application_id}/components/{component_id}"
		Expect(w.changes()).To(haveCalls(put, put))
	})

	DescribeTable("can always be deleted", func(prepare func(c *v1alpha1.Component)) {
		c := w.comp("web")
		w.create(c)
		prepare(c)
		w.delete(c)
		gone(c)
		Expect(w.items("components")).To(BeEmpty())
	},
		Entry("while it runs", func(c *v1alpha1.Component) { runs(c, "1.0.0", 2) }),
		Entry("while it is deployed", func(c *v1alpha1.Component) { underWay(c, v1alpha1.OperationCreate) }),
		Entry("while it is upgraded", func(c *v1alpha1.Component) {
			runs(c, "1.0.0", 2)
			edit(c, upgrade("1.1.0"))
			underWay(c, v1alpha1.OperationUpdate)
		}),
		Entry("after someone deleted it in the cloud", func(c *v1alpha1.Component) {
			runs(c, "1.0.0", 2)
			Expect(w.cloud.DeleteResource("servicestage", "components", c.Status.ID)).To(Succeed())
		}),
	)

	It("can be deleted while it is FAILED", func() {
		Expect(w.cloud.SetOutcomes([]cloudsim.Outcome{failing("create")})).To(Succeed())
		c := w.comp("web")
		w.create(c)
		becomes(c, "False/Unhealthy")
		w.delete(c)
		gone(c)
		Expect(w.items("components")).To(BeEmpty())
	})

	It("is set right when it was changed behind the operator's back", func() {
		c := w.comp("web", func(c *v1alpha1.Component) {
			c.Spec.Description = new("mine")
			c.Spec.ResyncInterval = &metav1.Duration{Duration: 5 * time.Second}
		})
		w.create(c)
		runs(c, "1.0.0", 2)
		w.behindOurBack("components", c.Status.ID, cloudsim.Object{
			"description": "theirs", "envs": []any{map[string]any{"name": "THEIRS", "value": "1"}}, "timezone": "not ours to manage",
		})
		Eventually(func() cloudsim.Object { return w.record("components", c.Status.ID) }).WithTimeout(timeoutForJobs).Should(And(
			HaveKeyWithValue("description", "mine"),
			HaveKeyWithValue("envs", ContainElement(HaveKeyWithValue("name", "MODE"))),
			HaveKeyWithValue("envs", Not(ContainElement(HaveKeyWithValue("name", "THEIRS")))),
			HaveKeyWithValue("timezone", "not ours to manage"),
		))
		runs(c, "1.0.0", 2)
		Eventually(func() []string { return w.events(c) }).Should(ContainElement("DriftRepaired"))
	})

	It("has every field set right that was changed behind the operator's back", func() {
		c := w.comp("web", everyField)
		w.create(c)
		runs(c, "1.0.0", 2)
		before := w.record("components", c.Status.ID)
		w.cloud.ResetCalls()
		w.behindOurBack("components", c.Status.ID, cloudsim.Object{
			"description": "theirs", "timezone": "UTC", "jvm_opts": "-Xmx1m", "limit_cpu": 9, "limit_memory": 9, "request_cpu": 0.1, "request_memory": 0.1,
			"envs": []any{}, "storages": []any{}, "logs": []any{}, "command": cloudsim.Object{"command": []any{"theirs"}},
			"post_start": nil, "pre_stop": nil, "liveness_probe": nil, "readiness_probe": cloudsim.Object{"type": "tcp", "port": 1, "delay": 1, "timeout": 1},
			"custom_metric": nil, "custom_metrics": nil, "affinity": nil, "anti_affinity": []any{}, "external_accesses": []any{},
			"update_strategy": cloudsim.Object{"type": "Recreate"},
			"source":          cloudsim.Object{"kind": "image", "url": "theirs", "storage": "swr"},
		})
		request(c, "now")
		Eventually(w.changes).WithTimeout(timeoutForJobs).Should(haveCalls("PUT /applications/{application_id}/components/{component_id}"))
		Eventually(func() []string { return w.events(c) }).Should(ContainElement("DriftRepaired"))
		runs(c, "1.0.0", 2)
		after := w.record("components", c.Status.ID)
		for _, field := range []string{
			"description", "timezone", "jvm_opts", "limit_cpu", "limit_memory", "request_cpu", "request_memory", "storages", "logs",
			"command", "post_start", "pre_stop", "liveness_probe", "readiness_probe", "affinity", "anti_affinity",
		} {
			Expect(before[field]).NotTo(BeNil(), field)
			Expect(after[field]).To(Equal(before[field]), field)
		}
		Expect(after).To(HaveKeyWithValue("envs", ContainElement(HaveKeyWithValue("name", "MODE"))))
		Expect(after).To(HaveKeyWithValue("source", HaveKeyWithValue("url", "swr.example.com/shop/web:1.0.0")))
		Expect(after).To(HaveKeyWithValue("update_strategy", HaveKeyWithValue("type", "RollingUpdate")))
	})

	It("runs on virtual machines", func() {
		w.create(w.env("machines", func(e *v1alpha1.Environment) {
			e.Spec.DeployMode = v1alpha1.DeployModeVirtualMachine
			e.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "ecs", ID: "host-1"}, {Type: "ecs", ID: "host-2"}}
		}))
		c := w.comp("batch", func(c *v1alpha1.Component) {
			c.Spec.EnvironmentRef.Name = "machines"
			c.Spec.RuntimeStack = v1alpha1.RuntimeStack{Name: "OpenJDK8", Type: "Java", Version: "1.2.0", DeployMode: v1alpha1.DeployModeVirtualMachine}
			c.Spec.Source = v1alpha1.ComponentSource{Package: &v1alpha1.PackageSource{URL: "obs://bucket/batch.jar", Storage: "obs"}}
			c.Spec.Replicas, c.Spec.References, c.Spec.Hosts = new(int32(1)), nil, []string{"host-1"}
		})
		w.create(c)
		runs(c, "1.0.0", 1)
		w.cloud.ResetCalls()
		edit(c, func(c *v1alpha1.Component) {
			c.Spec.Replicas, c.Spec.Hosts = new(int32(2)), []string{"host-1", "host-2"}
		})
		runs(c, "1.0.0", 2)
		Expect(w.changes()).To(haveCalls(`POST /applications/{application_id}/components/{component_id}/action {"action":"scale","parameters":{"hosts":["host-1","host-2"],"replica":2}}`))
	})

	It("goes on where it was when the manager restarts in the middle", func() {
		c := w.comp("web")
		w.create(c)
		underWay(c, v1alpha1.OperationCreate)
		w.restart()
		runs(c, "1.0.0", 2)
		edit(c, upgrade("1.1.0"))
		underWay(c, v1alpha1.OperationUpdate)
		w.restart()
		runs(c, "1.1.0", 2)
		edit(c, func(c *v1alpha1.Component) { c.Spec.Replicas = new(int32(3)) })
		underWay(c, v1alpha1.OperationUpdate)
		w.restart()
		runs(c, "1.1.0", 3)
		w.delete(c)
		underWay(c, v1alpha1.OperationDelete)
		w.restart()
		gone(c)
		Expect(w.items("components")).To(BeEmpty())
		Expect(w.changes()).To(HaveLen(4), "create, upgrade, scale, delete: each once")
	})

	It("keeps the values of its variables out of conditions and events", func() {
		const canary = "canary-3f9a2c"
		Expect(w.cloud.SetFaults([]cloudsim.Fault{{
			Name: "echo", Match: cloudsim.Match{Method: "POST", Path: "/v3/*/cas/applications/*/components"}, Action: cloudsim.FaultStatus, Status: 400,
			Body: json.RawMessage(`{"error_code":"SVCSTG.00100400","error_msg":"envs: ` + canary + ` is not liked"}`),
		}})).To(Succeed())
		c := w.comp("web", func(c *v1alpha1.Component) {
			c.Spec.Env = []v1alpha1.ComponentEnvVar{{Name: "PASSWORD", Value: new(canary)}}
		})
		w.create(c)
		becomes(c, "False/Rejected")
		Expect(message(c, v1alpha1.ConditionReady)).To(And(ContainSubstring("is not liked"), Not(ContainSubstring(canary))))
		status, err := json.Marshal(c.Status)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(status)).NotTo(ContainSubstring(canary))
	})

	It("waits for the cluster that it runs in to be bound to its environment", func() {
		c := w.comp("web", func(c *v1alpha1.Component) { c.Spec.References[0].ID = "cluster-2" })
		w.create(c)
		becomes(c, "False/DependencyNotReady")
		Expect(message(c, v1alpha1.ConditionReady)).To(ContainSubstring("the CCE cluster cluster-2 is not bound"))
		Expect(w.changes()).To(BeEmpty())
		edit(w.env("dev"), func(e *v1alpha1.Environment) {
			e.Spec.Resources = append(e.Spec.Resources, v1alpha1.EnvironmentResource{Type: "cce", ID: "cluster-2"})
		})
		runs(c, "1.0.0", 2)
	})

	It("names the runtime stacks that there are where its own is not among them", func() {
		c := w.comp("web", func(c *v1alpha1.Component) { c.Spec.RuntimeStack.Name = "Cobol" })
		w.create(c)
		becomes(c, "False/Rejected")
		Expect(message(c, v1alpha1.ConditionReady)).To(And(ContainSubstring("spec.runtimeStack"), ContainSubstring("The cloud has:"), ContainSubstring("Docker")))
	})

	It("holds back the deletion of its application and its environment", func() {
		c := w.comp("web")
		w.create(c)
		runs(c, "1.0.0", 2)
		shop, dev := w.app("shop"), w.env("dev")
		w.delete(shop)
		w.delete(dev)
		becomes(shop, "False/DeletionBlocked")
		becomes(dev, "False/DeletionBlocked")
		Expect(message(dev, v1alpha1.ConditionReady)).To(ContainSubstring("Component web"))
		w.delete(c)
		gone(c)
		gone(shop)
		gone(dev)
	})
})

// everyField sets what a component in a container can have.
func everyField(c *v1alpha1.Component) {
	quantity := func(s string) *resource.Quantity { return new(resource.MustParse(s)) }
	c.Spec.Description, c.Spec.Timezone, c.Spec.JVMOptions = new("mine"), new("Asia/Shanghai"), new("-Xmx1024m")
	c.Spec.Resources = &v1alpha1.ComponentResources{
		Limits:   &v1alpha1.ComputeAmount{CPU: quantity("500m"), Memory: quantity("1Gi")},
		Requests: &v1alpha1.ComputeAmount{CPU: quantity("250m"), Memory: quantity("512Mi")},
	}
	c.Spec.Volumes = []v1alpha1.ComponentVolume{{
		Name: "data", HostPath: &v1alpha1.HostPathVolume{Path: "/data"}, Mounts: []v1alpha1.VolumeMount{{Path: "/data", SubPath: "a"}},
	}}
	c.Spec.Command, c.Spec.Args = []string{"/shop"}, []string{"--verbose"}
	command := &v1alpha1.ExecAction{Command: []string{"true"}}
	c.Spec.Lifecycle = &v1alpha1.ComponentLifecycle{
		PostStart: &v1alpha1.LifecycleHandler{Exec: command},
		PreStop:   &v1alpha1.LifecycleHandler{HTTPGet: &v1alpha1.HTTPGetAction{Path: "/stop", Port: 8080}},
	}
	c.Spec.LivenessProbe = &v1alpha1.ComponentProbe{Exec: command, InitialDelaySeconds: 5}
	c.Spec.ReadinessProbe = &v1alpha1.ComponentProbe{HTTPGet: &v1alpha1.HTTPGetAction{Path: "/ready", Port: 8080}}
	c.Spec.Logs = []v1alpha1.LogCollection{{Path: "/var/log", HostPath: "/tmp/log"}}
	c.Spec.CustomMetrics = &v1alpha1.CustomMetrics{Path: "/metrics", Port: 9090, Dimensions: "cpu_usage"}
	c.Spec.Affinity = &v1alpha1.ComponentAffinity{AvailabilityZones: []string{"az1"}}
	c.Spec.AntiAffinity = &v1alpha1.ComponentAffinity{Components: []v1alpha1.AffinityComponent{{Name: "db", DisplayName: "db"}}}
	c.Spec.ExternalAccesses = []v1alpha1.ExternalAccess{{Protocol: "http", Address: "shop.example.com", Port: 80}}
	c.Spec.UpdateStrategy = &v1alpha1.UpdateStrategy{Type: "RollingUpdate"}
}

// failing is an outcome of jobs of a kind.
func failing(job string) cloudsim.Outcome {
	return cloudsim.Outcome{Job: job, Result: "FAILED", Message: `{"Message":"ECC00011","Detail":"Building failed."}`}
}
