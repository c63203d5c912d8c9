// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/cloudsim/kie"
)

const kiePassword = "Passw0rd!x"

// kieEngine is an engine of the simulated cloud with the object that stands for it.
type kieEngine struct {
	*kie.Engine
	w      *world
	info   cloudsim.EngineInfo
	object *v1alpha1.MicroserviceEngine
}

// kieEngine makes an engine that is available, with RBAC where there is a password, and its object. What is in it is the
// test's own business, so the object is paused.
func (w *world) kieEngine(name, password string) *kieEngine {
	GinkgoHelper()
	DeferCleanup(w.cloud.Close)
	auth := "NONE"
	if password != "" {
		auth = "RBAC"
	}
	made, err := w.cloud.PutResource("cse", "engines", cloudsim.Object{
		"name": name, "status": "Available", "flavor": "cse.s1.small2", "spec_type": "CSE2", "auth_type": auth,
		"root_password": password, "enterprise_project_id": "0", "project_id": cloudsim.DefaultProjectID,
	})
	Expect(err).NotTo(HaveOccurred())
	id, _ := made["id"].(string)
	e := &kieEngine{Engine: w.cloud.Engine(id), w: w}
	for _, info := range w.cloud.Engines() {
		if info.ID == id {
			e.info = info
		}
	}
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name + "-root"}, StringData: map[string]string{"password": password},
	})
	w.create(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name + "-ca"}, Data: map[string]string{"ca.crt": string(w.cloud.EngineCA())},
	})
	e.object = &v1alpha1.MicroserviceEngine{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Annotations: map[string]string{v1alpha1.PausedAnnotation: "true"}},
		Spec: v1alpha1.MicroserviceEngineSpec{
			ResourceSpec: v1alpha1.ResourceSpec{Import: &v1alpha1.Import{ID: id}},
			AuthType:     v1alpha1.EngineAuthType(auth), RootPasswordSecretRef: &v1alpha1.SecretKeyReference{Name: name + "-root", Key: "password"},
		},
	}
	w.create(e.object)
	e.is("Available")
	return e
}

// is writes the status that the object's own controller would.
func (e *kieEngine) is(status string) {
	GinkgoHelper()
	e.status(func(s *v1alpha1.MicroserviceEngineStatus) {
		s.ID, s.EngineStatus, s.AuthType, s.EnterpriseProjectID = e.info.ID, status, string(e.object.Spec.AuthType), "0"
		s.Endpoints = &v1alpha1.EngineEndpoints{
			ServiceCenter: v1alpha1.EngineEntryPoint{Master: e.info.ServiceCenter}, Kie: v1alpha1.EngineEntryPoint{Master: e.info.Kie},
		}
	})
}

func (e *kieEngine) status(change func(*v1alpha1.MicroserviceEngineStatus)) {
	GinkgoHelper()
	Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(e.object), e.object)).To(Succeed())
	before := e.object.DeepCopy()
	change(&e.object.Status)
	Expect(k8s.Status().Patch(context.Background(), e.object, client.MergeFrom(before))).To(Succeed())
}

// values returns what Kie holds, as key{labels}=value.
func (e *kieEngine) values() []string {
	var all []string
	for _, item := range e.Items() {
		all = append(all, itemName(item)+"="+item.Value)
	}
	slices.Sort(all)
	return all
}

func itemName(item kie.Item) string {
	var labels []string
	for key, value := range item.Labels {
		labels = append(labels, key+"="+value)
	}
	if len(labels) == 0 {
		return item.Key
	}
	slices.Sort(labels)
	return item.Key + "{" + strings.Join(labels, ",") + "}"
}

// edit changes an item behind the operator's back.
func (e *kieEngine) edit(key, value string) {
	GinkgoHelper()
	for _, item := range e.Items() {
		if item.Key == key {
			item.Value = value
			e.Put(item)
			return
		}
	}
	Fail("there is no item " + key)
}

// remove deletes an item behind the operator's back.
func (e *kieEngine) remove(key string) {
	GinkgoHelper()
	for _, item := range e.Items() {
		if item.Key == key {
			Expect(e.Delete(item.ID)).To(BeTrue())
			return
		}
	}
	Fail("there is no item " + key)
}

// foreign puts an item that no object wrote, made at the time.
func (e *kieEngine) foreign(key, value string) {
	e.Put(kie.Item{Project: "default", Key: key, Value: value, Status: kie.StatusEnabled})
}

// calls counts what the engine and the gateway were asked, by what it was.
func (w *world) kieCalls() map[string]int {
	counts := map[string]int{}
	for _, c := range w.cloud.Calls() {
		name := c.Operation
		switch {
		case strings.HasSuffix(c.Operation, "/v4/token"):
			name = "login"
		case strings.HasSuffix(c.Path, "/kie/kv") && c.Method == "GET" && strings.Contains(c.Query, "wait="):
			name = "wait"
		case strings.HasSuffix(c.Path, "/kie/kv") && c.Method == "GET":
			name = "list"
			if strings.Contains(c.Query, "revision=") {
				name = "conditional list"
			}
		case strings.HasSuffix(c.Path, "/kie/kv") && c.Method == "POST":
			name = "create"
		case strings.HasSuffix(c.Path, "/kie/kv") && c.Method == "DELETE":
			name = "delete batch"
		case strings.Contains(c.Path, "/kie/kv/"):
			name = map[string]string{"PUT": "update", "DELETE": "delete", "GET": "get"}[c.Method]
		case strings.HasSuffix(c.Path, "/kie/file"):
			name = "import"
		case strings.HasSuffix(c.Path, "/kie/download"):
			name = "export"
		}
		counts[name]++
	}
	return counts
}

// config is a KieConfig with items key=value, changed as the spec needs it.
func (w *world) config(name string, pairs []string, changes ...func(*v1alpha1.KieConfig)) *v1alpha1.KieConfig {
	k := &v1alpha1.KieConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha1.KieConfigSpec{
			EngineRef: &v1alpha1.ObjectReference{Name: "engine"},
			TLS:       &v1alpha1.TLS{CABundleRef: &v1alpha1.ValueSource{ConfigMapKeyRef: &v1alpha1.KeySelector{Name: "engine-ca", Key: "ca.crt"}}},
			Items:     itemsOf(pairs...),
		},
	}
	for _, change := range changes {
		change(k)
	}
	return k
}

func itemsOf(pairs ...string) []v1alpha1.KieItem {
	var items []v1alpha1.KieItem
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		items = append(items, v1alpha1.KieItem{Key: key, Value: &value})
	}
	return items
}

// numbered are n pairs key-0=0 and so on.
func numbered(n int) []string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("key-%d=%d", i, i))
	}
	return pairs
}

// watched waits until the engine's long poll is on.
func (e *kieEngine) watched() {
	GinkgoHelper()
	Eventually(e.Waiting).WithPolling(5*time.Millisecond).Should(Equal(1), "long polls that wait")
}
