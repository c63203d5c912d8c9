// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

// kieServer is a configuration center, used as another tool would.
type kieServer struct {
	kie, serviceCenter string
	username, password string
	token              string
	http               *http.Client
}

// kieItem is an item as the server writes it.
type kieItem struct {
	ID     string            `json:"id"`
	Key    string            `json:"key"`
	Value  string            `json:"value"`
	Labels map[string]string `json:"labels,omitempty"`
}

func newKieServer(ctx context.Context, kie, serviceCenter, username, password string) *kieServer {
	GinkgoHelper()
	s := &kieServer{
		kie: kie, serviceCenter: serviceCenter, username: username, password: password,
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}},
	}
	DeferCleanup(s.http.CloseIdleConnections)
	if password != "" {
		var reply struct {
			Token string `json:"token"`
		}
		s.call(ctx, http.MethodPost, serviceCenter+"/v4/token", map[string]string{"name": username, "password": password}, &reply)
		s.token = reply.Token
	}
	return s
}

func (s *kieServer) call(ctx context.Context, method, url string, body, out any) {
	GinkgoHelper()
	encoded, err := json.Marshal(body)
	Expect(err).NotTo(HaveOccurred())
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(encoded))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/json")
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	response, err := s.http.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.StatusCode).To(BeNumerically("<", 300), "%s %s: %s", method, url, reply)
	if out != nil {
		Expect(json.Unmarshal(reply, out)).To(Succeed())
	}
}

// items returns what the server holds of a prefix, by key.
func (s *kieServer) items(ctx context.Context, prefix string) map[string]kieItem {
	GinkgoHelper()
	var list struct {
		Data []kieItem `json:"data"`
	}
	s.call(ctx, http.MethodGet, s.kie+"/v1/default/kie/kv", nil, &list)
	found := map[string]kieItem{}
	for _, item := range list.Data {
		if strings.HasPrefix(item.Key, prefix) {
			found[item.Key] = item
		}
	}
	return found
}

func (s *kieServer) create(ctx context.Context, key, value string) {
	GinkgoHelper()
	s.call(ctx, http.MethodPost, s.kie+"/v1/default/kie/kv", map[string]string{"key": key, "value": value, "status": "enabled"}, nil)
}

func (s *kieServer) write(ctx context.Context, item kieItem, value string) {
	GinkgoHelper()
	s.call(ctx, http.MethodPut, s.kie+"/v1/default/kie/kv/"+item.ID, map[string]string{"value": value}, nil)
}

func (s *kieServer) remove(ctx context.Context, items ...kieItem) {
	GinkgoHelper()
	var ids []string
	for _, item := range items {
		ids = append(ids, item.ID)
	}
	s.call(ctx, http.MethodDelete, s.kie+"/v1/default/kie/kv", map[string][]string{"ids": ids}, nil)
}

// simulatedKie is an engine of the world's simulator.
func (w *world) simulatedKie(ctx context.Context) *kieServer {
	GinkgoHelper()
	const password = "Canary-e2e-passw0rd"
	Expect(w.sim.Put(ctx, "cse/engines", "engine-1", rig.Record{
		"name": "engine", "status": "Available", "spec_type": "CSE2", "flavor": "cse.s1.small2", "auth_type": "RBAC", "root_password": password,
	})).To(Succeed())
	s := newKieServer(ctx, "", "", "", "")
	var engines []struct {
		ServiceCenter string `json:"serviceCenter"`
		Kie           string `json:"kie"`
	}
	s.call(ctx, http.MethodGet, w.sim.URL+"/_sim/engines", nil, &engines)
	Expect(engines).To(HaveLen(1))
	return newKieServer(ctx, engines[0].Kie, engines[0].ServiceCenter, "root", password)
}

// hosts are the flags by which the manager may call a server.
func (s *kieServer) hosts() []string {
	flags := []string{"--allow-endpoint-host=" + s.kie}
	if s.serviceCenter != "" {
		flags = append(flags, "--allow-endpoint-host="+s.serviceCenter)
	}
	return flags
}

// config is a KieConfig that goes to the server, with items of the prefix.
func (s *kieServer) config(ctx context.Context, w *world, prefix string, n int) *v1alpha1.KieConfig {
	GinkgoHelper()
	k := &v1alpha1.KieConfig{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "settings"}}
	k.Spec.Endpoint = &v1alpha1.KieEndpoint{Kie: s.kie, ServiceCenter: s.serviceCenter}
	k.Spec.TLS = &v1alpha1.TLS{InsecureSkipVerify: true}
	if s.password != "" {
		Expect(k8s.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "login"},
			StringData: map[string]string{"username": s.username, "password": s.password},
		})).To(Succeed())
		k.Spec.AuthSecretRef = &v1alpha1.ObjectReference{Name: "login"}
	}
	for i := range n {
		k.Spec.Items = append(k.Spec.Items, v1alpha1.KieItem{Key: fmt.Sprintf("%s%d", prefix, i), Value: new("kept")})
	}
	return k
}

// keepsItsItems is the scenario of a set of items, from creation to deletion.
func (s *kieServer) keepsItsItems(ctx context.Context, w *world) {
	GinkgoHelper()
	prefix := w.namespace + "."
	DeferCleanup(func(ctx context.Context) { // nothing of ours stays on a server that others use
		if rest := slices.Collect(maps.Values(s.items(ctx, prefix))); len(rest) > 0 {
			s.remove(ctx, rest...)
		}
	})
	s.create(ctx, prefix+"foreign", "theirs")

	By("Creating 50 items")
	const n = 50
	k := s.config(ctx, w, prefix, n)
	Expect(k8s.Create(ctx, k)).To(Succeed())
	w.eventuallyReady(ctx, k)
	Expect(s.items(ctx, prefix)).To(HaveLen(n + 1))

	By("Changing one behind the operator's back, and deleting one")
	for i, change := range []func(kieItem){
		func(item kieItem) { s.write(ctx, item, "changed") },
		func(item kieItem) { s.remove(ctx, item) },
	} {
		key := fmt.Sprintf("%s%d", prefix, i)
		change(s.items(ctx, prefix)[key])
		Eventually(func() string { return s.items(ctx, prefix)[key].Value }).WithContext(ctx).
			WithTimeout(2*time.Second).WithPolling(20*time.Millisecond).Should(Equal("kept"), "repair of %s", key)
	}
	Eventually(w.repaired(ctx)).WithContext(ctx).Should(Equal("2"), "fields that were set right")

	By("Dropping all but one")
	w.eventuallyReady(ctx, k)
	before := k.DeepCopy()
	k.Spec.Items = k.Spec.Items[:1]
	Expect(k8s.Patch(ctx, k, client.MergeFrom(before))).To(Succeed()) // the status may just be written
	w.eventuallyReady(ctx, k)
	Expect(s.items(ctx, prefix)).To(And(HaveLen(2), HaveKey(prefix+"foreign"), HaveKey(prefix+"0")))

	By("Deleting the object")
	Expect(k8s.Delete(ctx, k)).To(Succeed())
	w.eventuallyGone(ctx, k)
	Expect(s.items(ctx, prefix)).To(And(HaveLen(1), HaveKey(prefix+"foreign")))
}

// repaired returns a function that reads how many fields of KieConfigs the manager has set right.
func (w *world) repaired(ctx context.Context) func() (string, error) {
	return func() (string, error) {
		text, err := w.manager.Metrics(ctx)
		for line := range strings.Lines(text) {
			if value, found := strings.CutPrefix(line, `servicestage_drift_repaired_fields_total{controller="kieconfig"} `); found {
				return strings.TrimSpace(value), err
			}
		}
		return "", err
	}
}

var _ = Describe("KieConfig", func() {
	It("keeps its items in a simulated engine", func(ctx context.Context) {
		w := newWorldWithoutManager(ctx)
		s := w.simulatedKie(ctx)
		w.startManager(ctx, s.hosts()...)
		s.keepsItsItems(ctx, w)
		log, err := w.manager.Log()
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Contains(log, s.password)).To(BeFalse(), "the engine's password is in the manager's log")
	}, SpecTimeout(2*time.Minute))

	It("keeps its items in a real server", func(ctx context.Context) {
		kie := os.Getenv("KIE_ADDR")
		if kie == "" {
			Skip("no real server: set KIE_ADDR to the URL of a configuration center, and SC_ADDR, KIE_USERNAME and KIE_PASSWORD where it asks for a login")
		}
		s := newKieServer(ctx, strings.TrimSuffix(kie, "/"), strings.TrimSuffix(os.Getenv("SC_ADDR"), "/"), os.Getenv("KIE_USERNAME"), os.Getenv("KIE_PASSWORD"))
		w := newWorldWithoutManager(ctx)
		w.startManager(ctx, s.hosts()...)
		s.keepsItsItems(ctx, w)
	}, SpecTimeout(5*time.Minute))
})
