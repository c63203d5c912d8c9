// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/rig"
)

var _ = Describe("A restarted manager", func() {
	It("lists what 1,000 settled objects stand for, and looks at none", func(ctx context.Context) {
		const n = 1000
		w := newWorld(ctx, "--kube-api-qps=500", "--kube-api-burst=1000")
		w.applyAccount(ctx, keys)
		for i := range n {
			Expect(k8s.Create(ctx, w.environment(fmt.Sprintf("settled-%d", i)))).To(Succeed())
		}
		Eventually(w.readyEnvironments).WithContext(ctx).WithTimeout(2 * time.Minute).Should(Equal(n))
		Expect(w.manager.Stop()).To(Succeed())
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())

		w.startManager(ctx)
		Eventually(w.reconciled).WithContext(ctx).WithTimeout(time.Minute).Should(BeNumerically(">=", n))
		newcomer := w.environment("newcomer")
		Expect(k8s.Create(ctx, newcomer)).To(Succeed())
		w.eventuallyReady(ctx, newcomer)

		Expect(w.writes(ctx)).To(Equal([]string{"POST environments"}))
		calls, err := w.sim.Calls(ctx)
		Expect(err).NotTo(HaveOccurred())
		pages, others := 0, []rig.Call{}
		for _, call := range calls {
			switch {
			case call.Operation == "GET /v3/{project_id}/cas/environments" && !strings.Contains(call.Query, "environment_id="):
				pages++
			default:
				others = append(others, call)
			}
		}
		Expect(len(others)).To(BeNumerically("<=", 3), "besides the newcomer only the account's credentials may be tried: %v", others)
		// A list of 1,001 is 11 pages, each of which overlaps the one before by a record.
		Expect(pages).To(BeNumerically("<=", 12), "one list, or none yet")
	}, SpecTimeout(5*time.Minute))

	It("finishes what a killed one began, and makes nothing twice", func(ctx context.Context) {
		const n = 30
		w := newWorld(ctx)
		w.applyAccount(ctx, keys)
		Eventually(accountReady(ctx, w.namespace)).WithContext(ctx).Should(BeTrue())
		By("Making every create slow, so that the kill meets some half way")
		Expect(w.sim.Latency(ctx, cloudsim.Latency{Match: cloudsim.Match{Method: "POST"}, Min: cloudsim.Duration(200 * time.Millisecond)})).To(Succeed())
		for i := range n {
			Expect(k8s.Create(ctx, w.environment(fmt.Sprintf("crash-%d", i)))).To(Succeed())
		}
		for killed := 1; killed <= 3; killed++ {
			Eventually(func() ([]rig.Record, error) { return w.sim.List(ctx, environments) }).WithContext(ctx).
				Should(WithTransform(func(r []rig.Record) int { return len(r) }, BeNumerically(">=", 5*killed)))
			Expect(w.manager.Kill()).To(Succeed())
			w.startManager(ctx)
		}

		Eventually(w.readyEnvironments).WithContext(ctx).WithTimeout(time.Minute).Should(Equal(n))
		records, err := w.sim.List(ctx, environments)
		Expect(err).NotTo(HaveOccurred())
		ids := map[string]bool{}
		for _, record := range records {
			ids[record.Text("id")] = true
		}
		Expect(ids).To(HaveLen(n), "exactly one resource in the cloud for each object")
		var list v1alpha1.EnvironmentList
		Expect(k8s.List(ctx, &list, client.InNamespace(w.namespace))).To(Succeed())
		for _, environment := range list.Items {
			Expect(ids).To(HaveKey(environment.Status.ID))
			delete(ids, environment.Status.ID)
		}
	}, SpecTimeout(2*time.Minute))

	It("goes on with an upgrade that a killed one began", func(ctx context.Context) {
		w := newWorld(ctx)
		w.shop(ctx)
		c := w.component("web", replicas(3), strategy(rolling(3)))
		w.deploy(ctx, c)
		Expect(w.sim.Outcomes(ctx, cloudsim.Outcome{Task: "DEPLOY_BATCH_2_OF_3", Result: cloudsim.OutcomeHeld})).To(Succeed())

		By("Killing it as soon as the cloud is at work, whether or not it has noted the job")
		edit(ctx, c, upgrade("1.1.0"))
		Eventually(func() string { return w.inCloud(ctx, components, "web").At("status", "component_status") }).
			WithContext(ctx).WithPolling(time.Millisecond).Should(Equal("UPGRADING"))
		Expect(w.manager.Kill()).To(Succeed())
		w.startManager(ctx)

		By("Killing the next one in the second batch")
		w.eventually(ctx, c, func(g Gomega) {
			g.Expect(c.Status.Phase).To(Equal(v1alpha1.PhaseUpgrading))
			g.Expect(w.job(ctx, c).At("held")).To(Equal("true"))
		})
		Expect(w.manager.Kill()).To(Succeed())
		w.startManager(ctx)

		Expect(w.sim.Outcomes(ctx)).To(Succeed())
		w.eventuallyRuns(ctx, c, "1.1.0", 3)
		Expect(c.Status.Operation).To(BeNil())
		Expect(w.writes(ctx)).To(Equal([]string{"PUT " + componentPath}))
	}, SpecTimeout(2*time.Minute))

	It("takes over from a leader that stops", func(ctx context.Context) {
		w := newWorldWithoutManager(ctx)
		leaderElection := []string{"--leader-elect=true", "--leader-election-namespace=" + rig.OperatorNamespace}
		w.startManager(ctx, leaderElection...)
		leader := w.manager
		w.applyAccount(ctx, keys)
		first := w.environment("first")
		Expect(k8s.Create(ctx, first)).To(Succeed())
		w.eventuallyReady(ctx, first)

		By("Starting a second manager, which waits")
		w.startManager(ctx, leaderElection...)
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())
		Expect(leader.Stop()).To(Succeed())
		second := w.environment("second")
		Expect(k8s.Create(ctx, second)).To(Succeed())
		w.eventuallyReady(ctx, second)
		Expect(w.writes(ctx)).To(Equal([]string{"POST environments"}))
	}, SpecTimeout(time.Minute))
})

// readyEnvironments counts the Environments that are Ready.
func (w *world) readyEnvironments(ctx context.Context) (int, error) {
	var list v1alpha1.EnvironmentList
	if err := k8s.List(ctx, &list, client.InNamespace(w.namespace)); err != nil {
		return 0, err
	}
	ready := 0
	for i := range list.Items {
		if ok, err := BeReady().Match(&list.Items[i]); err != nil {
			return 0, err
		} else if ok {
			ready++
		}
	}
	return ready, nil
}

var reconcileTotal = regexp.MustCompile(`(?m)^controller_runtime_reconcile_total\{controller="environment",result="[a-z_]+"\} (\d+)$`)

// reconciled counts the reconciliations of Environments since the manager started.
func (w *world) reconciled(ctx context.Context) (int, error) {
	metrics, err := w.manager.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, match := range reconcileTotal.FindAllStringSubmatch(metrics, -1) {
		count, err := strconv.Atoi(match[1])
		if err != nil {
			return 0, err
		}
		total += count
	}
	return total, nil
}
