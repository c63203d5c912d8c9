// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/manager"
)

// writeLog holds the writes that went through transports as "METHOD path". Each is noted before it is sent: by the time anyone
// sees what came of it, it is there. The API server's own count lags behind what those who watch have seen.
type writeLog struct {
	mu    sync.Mutex
	calls []string
}

func (l *writeLog) wrap(next http.RoundTripper) http.RoundTripper {
	return promhttp.RoundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet {
			l.mu.Lock()
			l.calls = append(l.calls, r.Method+" "+r.URL.Path)
			l.mu.Unlock()
		}
		return next.RoundTrip(r)
	})
}

// take returns the writes since the last time.
func (l *writeLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := l.calls
	l.calls = nil
	return calls
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
		w.written.take()
		for i := range n {
			w.create(w.env(fmt.Sprintf("env-%d", i)))
		}
		for i := range n {
			available(w.env(fmt.Sprintf("env-%d", i)))
		}
		Expect(w.written.take()).To(HaveLen(2*n), "two writes each")
		Expect(w.cloudCalls()).To(And(HaveLen(n), HaveEach("POST "+environmentsPath+" 200")))

		By("touching labels and annotations")
		w.cloud.ResetCalls()
		w.written.take()
		for i := range n {
			edit(w.env(fmt.Sprintf("env-%d", i)), func(e *v1alpha1.Environment) {
				e.Labels = map[string]string{"touched": "1"}
				annotate(e, "example.com/touched", "1")
			})
		}
		sentinel := w.env("sentinel") // the queue has been through the touched ones once this one is there
		w.create(sentinel)
		available(sentinel)
		Expect(w.written.take()).To(HaveLen(2), "the sentinel's")
		Expect(w.cloudCalls()).To(haveCalls("POST " + environmentsPath + " 200"))

		By("deleting")
		w.cloud.ResetCalls()
		w.written.take()
		for i := range n {
			w.delete(w.env(fmt.Sprintf("env-%d", i)))
		}
		for i := range n {
			gone(w.env(fmt.Sprintf("env-%d", i)))
		}
		Expect(w.written.take()).To(HaveLen(n), "one write each")
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
		w.written.take()

		w.restart()
		sentinel := w.env("sentinel")
		w.create(sentinel)
		available(sentinel)
		// The sentinel is urgent and came last; an edit of each of a few settled ones is served behind their first look.
		w.stop()
		Expect(w.cloudCalls()).To(haveCalls("POST " + environmentsPath + " 200"))
		Expect(w.written.take()).To(HaveLen(2), "the sentinel's")
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
