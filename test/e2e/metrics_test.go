// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/rig"
)

var update = flag.Bool("update", false, "rewrite the list of metrics that the manager exports")

// exported is the list that test/integrations holds alerts and dashboards against.
var exported = filepath.Join("..", "integrations", "monitoring", "testdata", "exported.txt")

// families are the prefixes of the metrics that alerts and dashboards may name. Those of the Go runtime are left out:
// there are many, and they differ from one release of Go to the next.
var families = []string{"servicestage_", "controller_runtime_", "workqueue_", "rest_client_", "leader_election_", "process_"}

var _ = Describe("The metrics of the manager", func() {
	It("are those that alerts and dashboards may name", func(ctx context.Context) {
		w := newWorldWithoutManager(ctx)
		kie := w.simulatedKie(ctx)
		w.startManager(ctx, append(kie.hosts(), "--leader-elect=true", "--leader-election-namespace="+rig.OperatorNamespace)...)
		w.shop(ctx)
		settings := kie.config(ctx, w, "metrics.", 1)
		Expect(k8s.Create(ctx, settings)).To(Succeed())
		w.eventuallyReady(ctx, settings)
		web := w.component("web")
		w.deploy(ctx, web)

		By("Changing an environment behind the operator's back, one that is managed and one that is observed")
		managed, observed := w.environment("managed"), w.environment("observed")
		managed.Spec.Description = new("mine")
		observed.Spec.Description, observed.Spec.ManagementPolicy = new("mine"), v1alpha1.ManagementPolicyObserve
		Expect(w.sim.Put(ctx, environments, "stranger", rig.Record{
			"name": "observed", "vpc_id": "vpc-1", "deploy_mode": "container", "enterprise_project_id": "0", "description": "theirs",
		})).To(Succeed())
		for _, e := range []*v1alpha1.Environment{managed, observed} {
			Expect(k8s.Create(ctx, e)).To(Succeed())
		}
		w.eventuallyReady(ctx, managed, observed)
		Expect(w.sim.Patch(ctx, environments, managed.Status.ID, rig.Record{"description": "theirs"})).To(Succeed())
		requestReconcile(ctx, managed)
		Eventually(func(g Gomega) {
			g.Expect(w.inCloud(ctx, environments, "managed").Text("description")).To(Equal("mine"))
		}).WithContext(ctx).Should(Succeed())

		By("Meeting a limit that the cloud does not state")
		Expect(w.sim.Faults(ctx, cloudsim.Fault{
			Match: cloudsim.Match{Method: "POST", Path: "/v3/*/cas/environments"}, Action: cloudsim.FaultStatus, Status: 429, Count: 1,
			Body: json.RawMessage(`{"error_code":"APIGW.0308","error_msg":"too many requests"}`),
		})).To(Succeed())
		refused := w.environment("refused")
		Expect(k8s.Create(ctx, refused)).To(Succeed())
		w.eventuallyReady(ctx, refused)

		By("Meeting the cloud's limit")
		Expect(w.sim.Faults(ctx, cloudsim.Fault{
			Match: cloudsim.Match{Method: "POST", Path: "/v3/*/cas/environments"}, Action: cloudsim.FaultStatus, Status: 429,
			Body: json.RawMessage(`{"error_code":"APIGW.0308","error_msg":"policy user over ratelimit,limit:600,time:1 minute"}`),
		})).To(Succeed())
		late := w.environment("late")
		Expect(k8s.Create(ctx, late)).To(Succeed())
		Eventually(w.refreshed(ctx, late)).WithContext(ctx).Should(HaveReason(v1alpha1.ReasonThrottled))

		Eventually(func(g Gomega) {
			got := w.exportedMetrics(ctx)
			if *update {
				g.Expect(got).To(ContainElement(HavePrefix("servicestage_drift_repaired_fields_total ")))
				g.Expect(os.WriteFile(exported, []byte(strings.Join(got, "\n")+"\n"), 0o644)).To(Succeed())
				return
			}
			want, err := os.ReadFile(exported)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal(strings.Split(strings.TrimSpace(string(want)), "\n")), "go test ./test/e2e -ginkgo.focus metrics -update rewrites %s", exported)
		}).WithContext(ctx).Should(Succeed())
	}, SpecTimeout(2*time.Minute))
})

// exportedMetrics lists what the manager exports, sorted, each as "name type label,label". The labels of a metric are
// those of all its series.
func (w *world) exportedMetrics(ctx context.Context) []string {
	GinkgoHelper()
	text, err := w.manager.Metrics(ctx)
	Expect(err).NotTo(HaveOccurred())
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(strings.NewReader(text))
	Expect(err).NotTo(HaveOccurred())
	var lines []string
	for name, family := range parsed {
		if !slices.ContainsFunc(families, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			continue
		}
		labels := map[string]bool{}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = true
			}
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", name, strings.ToLower(family.GetType().String()),
			strings.Join(slices.Sorted(maps.Keys(labels)), ","))))
	}
	slices.Sort(lines)
	return lines
}
