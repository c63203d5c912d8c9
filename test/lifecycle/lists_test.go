// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/manager"
)

var _ = Describe("What lists show", func() {
	// looks lists the calls about single components since the last reset.
	looks := func(w *world) []string {
		var calls []string
		for _, c := range w.cloud.Calls() {
			if at := strings.Index(c.Path, "/components/"); at >= 0 {
				calls = append(calls, c.Method+" "+c.Path[at+len("/components/"):])
			}
		}
		return calls
	}
	// listed counts the lists of components since the last reset.
	listed := func(w *world) int {
		n := 0
		for _, call := range w.cloudCalls() {
			if strings.HasPrefix(call, "GET ") && strings.HasSuffix(call, "/components 200") {
				n++
			}
		}
		return n
	}

	It("is enough to find the one component that drifted, and to restart", func() {
		w := newWorld(func(c *manager.Config) { c.ListInterval = time.Second })
		w.shop()
		components := make([]*v1alpha1.Component, 8)
		for i := range components {
			components[i] = w.comp(fmt.Sprintf("web-%d", i))
			w.create(components[i])
		}
		for _, c := range components {
			available(c)
		}

		w.cloud.ResetCalls()
		Eventually(func() int { return listed(w) }).Should(BeNumerically(">=", 3))
		Expect(looks(w)).To(BeEmpty(), "a component at rest costs nothing but its row in a list")

		drifted := components[5]
		w.cloud.ResetCalls()
		w.behindOurBack("components", drifted.Status.ID, cloudsim.Object{"version": "6.6.6"})
		Eventually(func() any { return w.record("components", drifted.Status.ID)["version"] }).Should(Equal("1.0.0"))
		available(drifted)
		Expect(looks(w)).To(And(Not(BeEmpty()), HaveEach(ContainSubstring(drifted.Status.ID))))

		versions := map[string]string{}
		for _, c := range components {
			available(c)
			versions[c.Name] = c.ResourceVersion
		}
		w.cloud.ResetCalls()
		w.restart()
		Eventually(func() int { return listed(w) }).Should(BeNumerically(">=", 3))
		Expect(looks(w)).To(BeEmpty(), "after a restart lists are compared with what status says")
		for _, c := range components {
			available(c)
			Expect(c.ResourceVersion).To(Equal(versions[c.Name]), "nothing is written at rest")
		}
	})

	It("is confirmed by a look before anything is written", func() {
		w := newWorld(func(c *manager.Config) { c.ListInterval = time.Second })
		w.shop()
		c := w.comp("web")
		w.create(c)
		available(c)
		w.cloud.ResetCalls()
		Expect(w.cloud.SetFaults([]cloudsim.Fault{{Action: cloudsim.FaultEmptyList, Match: cloudsim.Match{Method: "GET", Path: "/v3/*/cas/components"}}})).To(Succeed())
		Eventually(func() []string { return looks(w) }).Should(ContainElement("GET " + c.Status.ID))
		w.cloud.ResetCalls()
		Eventually(func() int { return listed(w) }).Should(BeNumerically(">=", 3))
		Expect(looks(w)).To(BeEmpty(), "it was confirmed once")
		Expect(w.items("components")).To(HaveLen(1))
		available(c)
	})
})
