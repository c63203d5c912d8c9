// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/rig"
)

const (
	cluster = "cluster-1"
	// jobsTimeout is how long a spec's jobs may take: the manager polls them from 2 s on, ever more seldom.
	jobsTimeout = 45 * time.Second

	componentPath = "applications/{id}/components/{id}"
)

// The specs share one namespace, cloud and manager, and use a Component each.
var _ = Describe("A Component", Ordered, func() {
	var w *world
	BeforeAll(func(ctx context.Context) {
		w = newWorld(ctx)
		w.shop(ctx)
	}, NodeTimeout(time.Minute))
	BeforeEach(func(ctx context.Context) { Expect(w.sim.ResetCalls(ctx)).To(Succeed()) })

	It("is created with one call, and tells how far the cloud is", func(ctx context.Context) {
		By("Making the second batch slow")
		Expect(w.sim.Outcomes(ctx, cloudsim.Outcome{Component: "created", Task: "DEPLOY_BATCH_2_OF_3", Result: cloudsim.OutcomeHeld})).To(Succeed())
		c := w.component("created", replicas(3))
		Expect(k8s.Create(ctx, c)).To(Succeed())
		w.eventually(ctx, c, func(g Gomega) {
			g.Expect(c.Status.Phase).To(Equal(v1alpha1.PhaseDeploying))
			g.Expect(c.Status.Operation).To(HaveValue(And(
				HaveField("Verb", v1alpha1.OperationCreate), HaveField("ID", HavePrefix("JOB")),
				HaveField("TasksDone", int32(3)), HaveField("TasksTotal", int32(6)), HaveField("CurrentTask", "DEPLOY_BATCH_2_OF_3"))))
			g.Expect(readyCondition(c)).To(And(HaveField("Status", metav1.ConditionFalse), HaveField("Message", ContainSubstring("3 of 6 tasks done"))))
			g.Expect(w.job(ctx, c).At("held")).To(Equal("true"))
		})
		Expect(w.sim.Outcomes(ctx)).To(Succeed())
		w.eventuallyRuns(ctx, c, "1.0.0", 3)
		Expect(c.Status.Phase).To(Equal(v1alpha1.PhaseRunning))
		Expect(c.Status.Operation).To(BeNil())
		Expect(w.writes(ctx)).To(Equal([]string{"POST applications/{id}/components"}))
	}, SpecTimeout(time.Minute))

	It("is upgraded in three batches with one call", func(ctx context.Context) {
		c := w.component("rolling", replicas(3), strategy(rolling(3)))
		w.deploy(ctx, c)
		edit(ctx, c, upgrade("1.1.0"))
		w.eventuallyRuns(ctx, c, "1.1.0", 3)
		Expect(w.writes(ctx)).To(Equal([]string{"PUT " + componentPath}))
		Expect(w.job(ctx, c)).To(HaveKeyWithValue("tasks", ContainElements(
			HaveKeyWithValue("name", "DEPLOY_BATCH_1_OF_3"),
			HaveKeyWithValue("name", "DEPLOY_BATCH_2_OF_3"),
			HaveKeyWithValue("name", "DEPLOY_BATCH_3_OF_3"))))
	}, SpecTimeout(time.Minute))

	It("is released gray: held, shifted and continued", func(ctx context.Context) {
		c := w.component("gray", strategy(gray(20, true)))
		w.deploy(ctx, c)
		edit(ctx, c, upgrade("2.0.0"))
		w.eventuallyHeld(ctx, c, 20)
		edit(ctx, c, strategy(gray(60, true)))
		w.eventuallyHeld(ctx, c, 60)
		edit(ctx, c, strategy(gray(60, false)))
		w.eventuallyRuns(ctx, c, "2.0.0", 2)
		Expect(w.writes(ctx)).To(Equal([]string{
			"PUT " + componentPath,
			"POST " + componentPath + `/action {"action":"modify_gray_rule","parameters":{"first_batch_weight":60}}`,
			"POST " + componentPath + `/action {"action":"check_gray_release"}`,
			"POST " + componentPath + `/action {"action":"continue_deploy"}`,
		}))
	}, SpecTimeout(time.Minute))

	It("gives a gray release up when the old version is set", func(ctx context.Context) {
		c := w.component("given-up", strategy(gray(20, true)))
		w.deploy(ctx, c)
		edit(ctx, c, upgrade("2.0.0"))
		w.eventuallyHeld(ctx, c, 20)
		edit(ctx, c, upgrade("1.0.0"))
		w.eventuallyRuns(ctx, c, "1.0.0", 2)
		Expect(w.writes(ctx)).To(Equal([]string{
			"PUT " + componentPath,
			"POST " + componentPath + `/action {"action":"rollback","parameters":{"version":"1.0.0"}}`,
		}))
	}, SpecTimeout(time.Minute))

	It("is scaled up and down while the cloud is at work", func(ctx context.Context) {
		c := w.component("scaled")
		w.deploy(ctx, c)
		Expect(w.sim.Outcomes(ctx, cloudsim.Outcome{Component: "scaled", Job: "scale", Nth: 1, Result: cloudsim.OutcomeHeld})).To(Succeed())
		edit(ctx, c, replicas(4))
		w.eventually(ctx, c, func(g Gomega) {
			g.Expect(c.Status.Operation).To(HaveValue(HaveField("TasksTotal", BeNumerically(">", 0))), "polled")
			g.Expect(w.job(ctx, c).At("held")).To(Equal("true"))
		})
		edit(ctx, c, replicas(1))
		Expect(w.sim.Outcomes(ctx)).To(Succeed())
		w.eventuallyRuns(ctx, c, "1.0.0", 1)
		Expect(w.writes(ctx)).To(Equal([]string{
			"POST " + componentPath + `/action {"action":"scale","parameters":{"replica":4}}`,
			"POST " + componentPath + `/action {"action":"scale","parameters":{"replica":1}}`,
		}))
	}, SpecTimeout(time.Minute))
})

// shop makes the account, the environment and the application that components are deployed in.
func (w *world) shop(ctx context.Context) {
	GinkgoHelper()
	w.applyAccount(ctx, keys)
	dev, shop := w.environment("dev"), w.application("shop")
	dev.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cce", ID: cluster}}
	Expect(k8s.Create(ctx, dev)).To(Succeed())
	Expect(k8s.Create(ctx, shop)).To(Succeed())
	w.eventuallyReady(ctx, dev, shop)
}

// component returns a Component of two replicas in version 1.0.0, changed, not yet created.
func (w *world) component(name string, changes ...func(*v1alpha1.Component)) *v1alpha1.Component {
	c := &v1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	c.Spec.ApplicationRef.Name, c.Spec.EnvironmentRef.Name = "shop", "dev"
	c.Spec.RuntimeStack = v1alpha1.RuntimeStack{Name: "Docker", Type: "Docker", Version: "1.0", DeployMode: v1alpha1.DeployModeContainer}
	c.Spec.References = []v1alpha1.ComponentReference{{Type: "cce", ID: cluster}}
	for _, change := range append([]func(*v1alpha1.Component){upgrade("1.0.0"), replicas(2)}, changes...) {
		change(c)
	}
	return c
}

// upgrade sets a version and its image.
func upgrade(version string) func(*v1alpha1.Component) {
	return func(c *v1alpha1.Component) {
		c.Spec.Version = version
		c.Spec.Source = v1alpha1.ComponentSource{Image: &v1alpha1.ImageSource{URL: imageURL(version)}}
	}
}

func imageURL(version string) string { return "swr.example.com/shop/web:" + version }

func replicas(n int32) func(*v1alpha1.Component) {
	return func(c *v1alpha1.Component) { c.Spec.Replicas = &n }
}

func strategy(s v1alpha1.DeployStrategy) func(*v1alpha1.Component) {
	return func(c *v1alpha1.Component) { c.Spec.DeployStrategy = &s }
}

func rolling(batches int32) v1alpha1.DeployStrategy {
	return v1alpha1.DeployStrategy{Type: v1alpha1.RollingReleaseType, RollingRelease: &v1alpha1.RollingRelease{Batches: batches}}
}

func gray(weight int32, hold bool) v1alpha1.DeployStrategy {
	return v1alpha1.DeployStrategy{Type: v1alpha1.GrayReleaseType, GrayRelease: &v1alpha1.GrayRelease{
		FirstBatchWeight: &weight, FirstBatchReplicas: 1, RemainingBatches: 1, Hold: hold,
	}}
}

// edit changes an object as a user does.
func edit(ctx context.Context, c *v1alpha1.Component, change func(*v1alpha1.Component)) {
	GinkgoHelper()
	before := c.DeepCopy()
	change(c)
	Expect(k8s.Patch(ctx, c, client.MergeFrom(before))).To(Succeed())
}

// deploy creates a Component, waits until it runs, and forgets the calls that this took.
func (w *world) deploy(ctx context.Context, c *v1alpha1.Component) {
	GinkgoHelper()
	Expect(k8s.Create(ctx, c)).To(Succeed())
	w.eventuallyRuns(ctx, c, "1.0.0", *c.Spec.Replicas)
	Expect(w.sim.ResetCalls(ctx)).To(Succeed())
}

// eventually reads the Component anew until look is content.
func (w *world) eventually(ctx context.Context, c *v1alpha1.Component, look func(Gomega)) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(w.refreshed(ctx, c)()).Error().NotTo(HaveOccurred())
		look(g)
	}).WithContext(ctx).WithTimeout(jobsTimeout).Should(Succeed())
}

// eventuallyRuns waits until a version runs with all its replicas, here and in the cloud.
func (w *world) eventuallyRuns(ctx context.Context, c *v1alpha1.Component, version string, n int32) {
	GinkgoHelper()
	w.eventually(ctx, c, func(g Gomega) {
		g.Expect(c).To(BeReady())
		g.Expect(c.Status.Version).To(Equal(version))
		g.Expect(c.Status.AvailableReplicas).To(Equal(n))
	})
	record := w.inCloud(ctx, components, c.Name)
	Expect(record.At("status", "component_status")).To(Equal("RUNNING"))
	Expect(record.At("version")).To(Equal(version))
	Expect(record.At("source", "url")).To(Equal(imageURL(version)))
}

// eventuallyHeld waits until a gray release waits at its first batch with a share of the traffic, here and in the cloud.
func (w *world) eventuallyHeld(ctx context.Context, c *v1alpha1.Component, weight int32) {
	GinkgoHelper()
	w.eventually(ctx, c, func(g Gomega) {
		g.Expect(c.Status.Phase).To(Equal(v1alpha1.PhaseGraying))
		g.Expect(c.Status.GrayWeight).To(HaveValue(Equal(weight)))
		g.Expect(c.Status.Operation).To(BeNil())
		g.Expect(readyCondition(c)).To(HaveField("Message", ContainSubstring("waits at its first batch")))
	})
	record := w.inCloud(ctx, components, c.Name)
	Expect(record.At("status", "component_status")).To(Equal("GRAYING"))
	Expect(record.At("deploy_strategy", "gray_release", "first_batch_weight")).To(Equal(fmt.Sprint(weight)))
}

// job returns the last job that the cloud ran for a Component, as the cloud keeps it.
func (w *world) job(ctx context.Context, c *v1alpha1.Component) rig.Record {
	GinkgoHelper()
	job, err := w.sim.Get(ctx, jobs, w.inCloud(ctx, components, c.Name).At("status", "last_job_id"))
	Expect(err).NotTo(HaveOccurred())
	return job
}
