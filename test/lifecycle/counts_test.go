// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/manager"
)

// writes counts the requests that the API server has answered and that changed objects, leases left out, from its own
// metrics: those of this test and those of the operator.
func writes() int {
	GinkgoHelper()
	clientset, err := kubernetes.NewForConfig(restConfig)
	Expect(err).NotTo(HaveOccurred())
	raw, err := clientset.RESTClient().Get().AbsPath("/metrics").DoRaw(context.Background())
	Expect(err).NotTo(HaveOccurred())
	total := 0.0
	for lines := bufio.NewScanner(strings.NewReader(string(raw))); lines.Scan(); {
		line := lines.Text()
		if !strings.HasPrefix(line, "apiserver_request_total{") || !changes(line) {
			continue
		}
		var value float64
		_, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &value)
		Expect(err).NotTo(HaveOccurred())
		total += value
	}
	return int(total)
}

// changes says whether a line of the API server's metrics counts writes to what the operator could write: its own kinds,
// events, Secrets and ConfigMaps.
func changes(line string) bool {
	resource := strings.Contains(line, `group="servicestage.dev"`) || strings.Contains(line, `resource="events"`) ||
		strings.Contains(line, `resource="secrets"`) || strings.Contains(line, `resource="configmaps"`)
	verb := false
	for _, v := range []string{"POST", "PUT", "PATCH", "APPLY", "DELETE"} {
		verb = verb || strings.Contains(line, `verb="`+v+`"`)
	}
	return resource && verb
}

var _ = Describe("What an object costs", Serial, func() {
	It("is one cloud call and two API server writes to create, one and one to delete, and nothing at rest", func() {
		w := newWorld()
		accountBecomes(w.account("default"), "True/Available")
		first := w.env("first") // so that nothing that is done once is counted below
		w.create(first)
		available(first)
		w.cloud.ResetCalls()

		const n = 20
		before := writes()
		for i := range n {
			w.create(w.env(fmt.Sprintf("env-%d", i)))
		}
		for i := range n {
			available(w.env(fmt.Sprintf("env-%d", i)))
		}
		Expect(writes()-before-n).To(Equal(2*n), "two writes each, beside the test's own")
		Expect(w.cloudCalls()).To(And(HaveLen(n), HaveEach("POST "+environmentsPath+" 200")))

		By("touching labels and annotations")
		w.cloud.ResetCalls()
		before = writes()
		for i := range n {
			edit(w.env(fmt.Sprintf("env-%d", i)), func(e *v1alpha1.Environment) {
				e.Labels = map[string]string{"touched": "1"}
				annotate(e, "example.com/touched", "1")
			})
		}
		sentinel := w.env("sentinel") // the queue has been through the touched ones once this one is there
		w.create(sentinel)
		available(sentinel)
		Expect(writes()-before-n-1).To(Equal(2), "the sentinel's, beside the test's own")
		Expect(w.cloudCalls()).To(haveCalls("POST " + environmentsPath + " 200"))

		By("deleting")
		w.cloud.ResetCalls()
		before = writes()
		for i := range n {
			w.delete(w.env(fmt.Sprintf("env-%d", i)))
		}
		for i := range n {
			gone(w.env(fmt.Sprintf("env-%d", i)))
		}
		Expect(writes()-before-n).To(Equal(n), "one write each, beside the test's own")
		Expect(w.cloudCalls()).To(And(HaveLen(n), HaveEach("DELETE "+environmentsPath+"/{environment_id} 204")))
	})

	It("is one creation each in several namespaces too, where a pass may see an old status", func() {
		w := newWorld(func(c *manager.Config) { c.WatchNamespaces = append(c.WatchNamespaces, "default") })
		accountBecomes(w.account("default"), "True/Available")
		w.cloud.ResetCalls()
		const n = 30
		for i := range n {
			w.create(w.env(fmt.Sprintf("env-%d", i)))
		}
		for i := range n {
			available(w.env(fmt.Sprintf("env-%d", i)))
		}
		created := 0
		for _, call := range w.cloudCalls() {
			if strings.HasPrefix(call, "POST ") {
				created++
			}
		}
		Expect(created).To(Equal(n))
		Expect(w.items("environments")).To(HaveLen(n))
		for i := range n {
			w.delete(w.env(fmt.Sprintf("env-%d", i)))
		}
		for i := range n {
			gone(w.env(fmt.Sprintf("env-%d", i)))
		}
		Expect(w.items("environments")).To(BeEmpty())
	})

	It("is no call at all when the manager restarts over a thousand settled objects", func() {
		w := newWorld(func(c *manager.Config) { c.MaxConcurrentReconciles = 20 })
		accountBecomes(w.account("default"), "True/Available")
		const n = 1000
		for i := range n {
			w.create(w.env(fmt.Sprintf("env-%d", i)))
		}
		settled := func() int {
			list := &v1alpha1.EnvironmentList{}
			Expect(k8s.List(context.Background(), list, client.InNamespace(w.namespace))).To(Succeed())
			ready := 0
			for i := range list.Items {
				if condition(&list.Items[i], v1alpha1.ConditionReady) == "True/Available" {
					ready++
				}
			}
			return ready
		}
		Eventually(settled).WithTimeout(timeoutForMany).Should(Equal(n))
		Expect(w.items("environments")).To(HaveLen(n))
		w.cloud.ResetCalls()
		before := writes()

		w.restart()
		sentinel := w.env("sentinel")
		w.create(sentinel)
		available(sentinel)
		// The sentinel is urgent and came last; an edit of each of a few settled ones is served behind their first look.
		w.stop()
		Expect(w.cloudCalls()).To(haveCalls("POST " + environmentsPath + " 200"))
		Expect(writes()-before-1).To(Equal(2), "the sentinel's")
	})

	It("is nothing while two objects wait for what they refer to", func() {
		w := newWorld()
		accountBecomes(w.account("default"), "True/Available")
		w.cloud.ResetCalls()
		one := w.app("one", func(a *v1alpha1.Application) {
			a.Spec.Configurations = []v1alpha1.ApplicationConfiguration{configuration("blue", variable("A", "1"))}
		})
		two := w.app("two", func(a *v1alpha1.Application) {
			a.Spec.Configurations = []v1alpha1.ApplicationConfiguration{configuration("green", fromSecret("A", "later", "key"))}
		})
		w.create(one)
		w.create(two)
		becomes(one, "False/DependencyNotReady")
		becomes(two, "False/DependencyNotReady")
		Expect(w.cloudCalls()).To(BeEmpty())
		w.create(w.env("green"))
		w.create(w.env("blue"))
		available(one)
		Eventually(func() string {
			becomes(two, "False/DependencyNotReady")
			return message(two, v1alpha1.ConditionReady)
		}).Should(ContainSubstring("Secret"))
		Expect(w.cloudCalls()).To(ConsistOf(
			"POST "+environmentsPath+" 200", "POST "+environmentsPath+" 200",
			"POST "+applicationsPath+" 200", "PUT "+applicationsPath+"/{application_id}/configuration 200"))
	})
})
