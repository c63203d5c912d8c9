// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim/kie"
	"servicestage.dev/operator/internal/manager"
)

var _ = Describe("KieConfig", func() {
	It("creates an item, sees it and deletes it", func() {
		w := newWorld()
		e := w.kieEngine("engine", kiePassword)
		k := w.config("one", []string{"color=blue"})
		w.create(k)
		available(k)
		Expect(e.values()).To(Equal([]string{"color=blue"}))
		Expect(k.Status.Summary).To(Equal("1/1"))
		e.watched()

		w.delete(k)
		gone(k)
		Expect(e.values()).To(BeEmpty())
		Eventually(e.Waiting).Should(BeZero(), "long polls of an engine that nobody is about")
	})

	It("keeps 50 items true, whatever is done to them behind its back", func() {
		w := newWorld()
		e := w.kieEngine("engine", kiePassword)
		k := w.config("many", numbered(50), func(k *v1alpha1.KieConfig) { k.Spec.Labels = map[string]string{"app": "shop"} })
		w.create(k)
		available(k)
		Expect(e.values()).To(HaveLen(50))
		Expect(k.Status.Watch).To(Equal("LongPoll"))
		e.foreign("key-7", "a stranger's, without labels")
		e.watched()

		for i, change := range []func(){
			func() { e.edit("key-3", "changed") },
			func() { e.remove("key-4") },
			func() {
				for _, item := range e.Items() {
					if item.Key == "key-5" {
						item.Status = kie.StatusDisabled
						e.Put(item)
					}
				}
			},
		} {
			w.cloud.ResetCalls()
			change()
			Eventually(func() int { c := w.kieCalls(); return c["update"] + c["create"] }).
				WithTimeout(2*time.Second).WithPolling(5*time.Millisecond).Should(Equal(1), "repair number %d", i)
			e.watched()
		}
		Expect(e.values()).To(ContainElements("key-3{app=shop}=3", "key-4{app=shop}=4", "key-5{app=shop}=5", "key-7=a stranger's, without labels"))
		Eventually(func() []string { return w.events(k) }).Should(ContainElement("DriftRepaired"))
		available(k)

		By("dropping an item, and changing the labels of all")
		edit(k, func(k *v1alpha1.KieConfig) {
			k.Spec.Items = itemsOf("key-7=7", "key-8=8")
			k.Spec.Labels = map[string]string{"app": "store"}
		})
		available(k)
		Expect(e.values()).To(ConsistOf("key-7{app=store}=7", "key-8{app=store}=8", "key-7=a stranger's, without labels"))

		w.delete(k)
		gone(k)
		Expect(e.values()).To(Equal([]string{"key-7=a stranger's, without labels"}))
	})

	It("follows values in Secrets and ConfigMaps, types and empty values", func() {
		w := newWorld()
		e := w.kieEngine("engine", "")
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "database"}, StringData: map[string]string{"url": "first"}}
		w.create(secret)
		k := w.config("followed", []string{"mode=on"}, func(k *v1alpha1.KieConfig) {
			k.Spec.Items = append(k.Spec.Items, v1alpha1.KieItem{Key: "url", ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: &v1alpha1.KeySelector{Name: "database", Key: "url"}}})
			k.Spec.Items = append(k.Spec.Items, v1alpha1.KieItem{Key: "more", ValueFrom: &v1alpha1.ValueSource{ConfigMapKeyRef: &v1alpha1.KeySelector{Name: "more", Key: "text"}}})
		})
		w.create(k)
		becomes(k, "False/DependencyNotReady")
		Expect(message(k, v1alpha1.ConditionReady)).To(Equal(fmt.Sprintf(`spec.items[2].valueFrom (more): there is no ConfigMap "more" in namespace %s`, w.namespace)))
		Expect(e.values()).To(BeEmpty())
		w.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "more"}, Data: map[string]string{"text": "more"}})
		available(k)
		Expect(e.values()).To(Equal([]string{"mode=on", "more=more", "url=first"}))

		edit(secret, func(s *corev1.Secret) { s.Data["url"] = []byte("second") })
		Eventually(e.values).Should(ContainElement("url=second"))

		w.cloud.ResetCalls()
		edit(k, func(k *v1alpha1.KieConfig) { k.Spec.Items[0].Value = new("") })
		Eventually(e.values).Should(ContainElement("mode="))
		available(k)
		edit(k, func(k *v1alpha1.KieConfig) {
			k.Spec.Items[0].Value, k.Spec.Items[0].ValueType = new(`{"a":`), v1alpha1.KieValueJSON
		})
		Eventually(e.values).Should(ContainElement(`mode={"a":`))
		available(k)
		Expect(condition(k, v1alpha1.ConditionValuesValid)).To(Equal("False/InvalidValue"))
		Expect(message(k, v1alpha1.ConditionValuesValid)).To(And(ContainSubstring("mode (json)"), Not(ContainSubstring(`{"a":`))))
		counts := w.kieCalls()
		Expect(counts["update"]).To(BeZero())
		Expect([]int{counts["delete"], counts["create"]}).To(Equal([]int{2, 2}), "deleted and created, twice")
		edit(k, func(k *v1alpha1.KieConfig) { k.Spec.Items[0].Value = new(`{"a":1}`) })
		Eventually(e.values).Should(ContainElement(`mode={"a":1}`))
		available(k)
		Expect(condition(k, v1alpha1.ConditionValuesValid)).To(BeEmpty())
	})

	It("leaves what it did not write, and takes it over where it is asked to", func() {
		w := newWorld()
		e := w.kieEngine("engine", kiePassword)
		e.foreign("taken", "theirs")
		k := w.config("polite", []string{"taken=ours", "free=ours"})
		w.create(k)
		becomes(k, "False/AlreadyExists")
		Expect(condition(k, v1alpha1.ConditionStalled)).To(Equal("True/AlreadyExists"))
		Expect(message(k, v1alpha1.ConditionReady)).To(And(ContainSubstring("item taken"), ContainSubstring("spec.conflictPolicy: Overwrite")))
		Expect(e.values()).To(Equal([]string{"free=ours", "taken=theirs"}))
		Expect(k.Status.Failures).To(HaveLen(1))
		Expect(k.Status.Failures[0]).To(And(HaveField("Key", "taken"), HaveField("Reason", "AlreadyExists")))
		Expect(k.Status.Summary).To(Equal("1/2"))

		edit(k, func(k *v1alpha1.KieConfig) { k.Spec.ConflictPolicy = v1alpha1.KieConflictOverwrite })
		available(k)
		Expect(e.values()).To(Equal([]string{"free=ours", "taken=ours"}))
		Expect(k.Status.Failures).To(BeEmpty())

		By("a foreign item that goes away makes way")
		e.foreign("third", "theirs")
		edit(k, func(k *v1alpha1.KieConfig) {
			k.Spec.ConflictPolicy = v1alpha1.KieConflictFail
			k.Spec.Items = append(k.Spec.Items, itemsOf("third=ours")...)
		})
		becomes(k, "False/AlreadyExists")
		e.watched()
		e.remove("third")
		available(k)
		Expect(e.values()).To(ContainElement("third=ours"))

		w.delete(k)
		gone(k)
		Expect(e.values()).To(BeEmpty())
	})

	It("gives an item that two objects list to the older, and to the younger when that goes", func() {
		w := newWorld()
		e := w.kieEngine("engine", kiePassword)
		older := w.config("b-older", []string{"shared=older", "own=1"})
		w.create(older)
		available(older)
		// Times of creation are of whole seconds: of two objects of one second the name decides.
		younger := w.config("c-younger", []string{"shared=younger", "other=2"})
		w.create(younger)
		becomes(younger, "False/AlreadyExists")
		Expect(message(younger, v1alpha1.ConditionReady)).To(ContainSubstring(`KieConfig "b-older"`))
		Expect(e.values()).To(Equal([]string{"other=2", "own=1", "shared=older"}))
		available(older)

		By("the older dropping the item")
		edit(older, func(k *v1alpha1.KieConfig) { k.Spec.Items = itemsOf("own=1") })
		available(younger)
		Eventually(e.values).Should(Equal([]string{"other=2", "own=1", "shared=younger"}))

		By("the older asking for it again")
		edit(older, func(k *v1alpha1.KieConfig) { k.Spec.Items = itemsOf("own=1", "shared=older") })
		becomes(younger, "False/AlreadyExists")
		available(older)
		Eventually(e.values).Should(Equal([]string{"other=2", "own=1", "shared=older"}))

		By("the older going")
		w.delete(older)
		gone(older)
		available(younger)
		Expect(e.values()).To(Equal([]string{"other=2", "shared=younger"}))
	})

	It("tries a wrong password once, until the Secret changes", func() {
		w := newWorld()
		e := w.kieEngine("engine", kiePassword)
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "login"},
			StringData: map[string]string{"username": "root", "password": "Wr0ng-password!"},
		}
		w.create(secret)
		login := func(k *v1alpha1.KieConfig) { k.Spec.AuthSecretRef = &v1alpha1.ObjectReference{Name: "login"} }
		first, second := w.config("first", []string{"a=1"}, login), w.config("second", []string{"b=2"}, login)
		w.create(first)
		w.create(second)
		for _, k := range []*v1alpha1.KieConfig{first, second} {
			becomes(k, "False/CredentialsNotReady")
			Expect(condition(k, v1alpha1.ConditionStalled)).To(Equal("True/CredentialsNotReady"))
			Expect(message(k, v1alpha1.ConditionReady)).To(And(ContainSubstring(`Secret "login"`), Not(ContainSubstring("Wr0ng"))))
		}
		accountBecomes(w.account("default"), "True/Available")
		Expect(w.kieCalls()["login"]).To(Equal(1))

		By("a restart, and other reasons to look again")
		w.restart()
		for _, k := range []*v1alpha1.KieConfig{first, second} {
			request(k, "now")
			Eventually(func(g Gomega) {
				g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(k), k)).To(Succeed())
				g.Expect(k.Status.LastHandledReconcileAt).To(Equal("now"))
			}).Should(Succeed())
			becomes(k, "False/CredentialsNotReady")
		}
		Expect(w.kieCalls()["login"]).To(Equal(1))

		edit(secret, func(s *corev1.Secret) { s.Data["password"] = []byte(kiePassword) })
		available(first)
		available(second)
		Expect(first.Status.RefusedCredentials).To(BeEmpty())
		Expect(w.kieCalls()["login"]).To(Equal(2))
		Expect(e.values()).To(Equal([]string{"a=1", "b=2"}))
	})

	It("recognises what it wrote after a restore without status", func() {
		w := newWorld()
		e := w.kieEngine("engine", kiePassword)
		e.foreign("foreign", "theirs")
		k := w.config("restored", []string{"a=1", "b=2"})
		w.create(k)
		available(k)
		written := k.Status.Written
		Expect(written).To(HaveLen(2))
		w.stop()

		By("restoring it from a backup: its claim survives, its status does not")
		Expect(k.Annotations).To(HaveKey(v1alpha1.ClaimAnnotation))
		edit(k, func(k *v1alpha1.KieConfig) { k.Finalizers = nil })
		w.delete(k)
		gone(k)
		again := w.config("restored", []string{"a=1", "b=changed", "foreign=ours"}, func(again *v1alpha1.KieConfig) {
			annotate(again, v1alpha1.ClaimAnnotation, k.Annotations[v1alpha1.ClaimAnnotation])
		})
		w.create(again)
		for _, item := range e.Items() { // it was there long before
			if item.Key == "foreign" {
				e.Delete(item.ID)
			}
		}
		w.cloud.ResetCalls()
		w.start()
		available(again)
		Expect(again.Status.Written).To(ContainElements(written))
		counts := w.kieCalls()
		Expect([]int{counts["update"], counts["create"], counts["delete"]}).To(Equal([]int{1, 1, 0}))
		Expect(e.values()).To(Equal([]string{"a=1", "b=changed", "foreign=ours"}))
	})

	It("goes through the gateway where the engine's address cannot be reached", func() {
		w := newWorld()
		e := w.kieEngine("engine", kiePassword)
		e.foreign("taken", "theirs")
		accountBecomes(w.account("default"), "True/Available")
		w.cloud.ResetCalls()
		k := w.config("through", []string{"a=1", "b=2"}, func(k *v1alpha1.KieConfig) {
			k.Spec.Access = v1alpha1.KieAccessGateway
			k.Spec.ResyncInterval = &metav1.Duration{Duration: 5 * time.Second}
		})
		w.create(k)
		available(k)
		Expect(e.values()).To(Equal([]string{"a=1", "b=2", "taken=theirs"}))
		Expect(k.Status.Watch).To(Equal("Interval"))
		counts := w.kieCalls()
		Expect(counts["import"]).To(Equal(1))
		Expect(counts["login"]).To(BeZero())
		e.edit("a", "changed")
		Eventually(e.values).Should(ContainElement("a=1"))

		edit(k, func(k *v1alpha1.KieConfig) { k.Spec.Items = itemsOf("b=3", "taken=ours") })
		becomes(k, "False/Rejected")
		reasons := map[string]string{}
		for _, f := range k.Status.Failures {
			reasons[f.Key] = f.Reason + " " + f.Message
		}
		Expect(reasons).To(HaveKeyWithValue("a", ContainSubstring("cannot delete")))
		Expect(reasons).To(HaveKeyWithValue("taken", HavePrefix("AlreadyExists ")))
		Expect(e.values()).To(Equal([]string{"a=1", "b=3", "taken=theirs"}))

		w.delete(k)
		becomes(k, "False/Rejected")
		Expect(message(k, v1alpha1.ConditionReady)).To(And(ContainSubstring("spec.access: Engine"), ContainSubstring("spec.deletionPolicy: Orphan")))
		edit(k, func(k *v1alpha1.KieConfig) { k.Spec.Access = v1alpha1.KieAccessEngine })
		gone(k)
		Expect(e.values()).To(Equal([]string{"taken=theirs"}))
	})

	It("asks once per interval where the engine cannot wait", func() {
		w := newWorld()
		Expect(w.cloud.MergeQuirks([]byte(`{"noKieWait":true}`))).To(Succeed())
		e := w.kieEngine("engine", kiePassword)
		k := w.config("asked", []string{"a=1"}, func(k *v1alpha1.KieConfig) { k.Spec.ResyncInterval = &metav1.Duration{Duration: 5 * time.Second} })
		w.create(k)
		available(k)
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(k), k)).To(Succeed())
			g.Expect(k.Status.Watch).To(Equal("Interval"))
		}).Should(Succeed())
		w.cloud.ResetCalls()
		e.edit("a", "changed")
		Eventually(e.values).Should(Equal([]string{"a=1"}))
		counts := w.kieCalls()
		Expect(counts["conditional list"]).To(Equal(1))
		Expect(counts["update"]).To(Equal(1))

		By("a request")
		w.cloud.ResetCalls()
		request(k, "now")
		Eventually(func() int { return w.kieCalls()["conditional list"] }).WithTimeout(3 * time.Second).Should(BeNumerically(">=", 1))
	})

	It("says what is wrong with what it is given", func() {
		w := newWorld()
		e := w.kieEngine("engine", kiePassword)
		long := make([]byte, 131073)
		for i := range long {
			long[i] = 'x'
		}
		w.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "long"}, Data: map[string]string{"text": string(long)}})
		for name, tc := range map[string]struct {
			change func(*v1alpha1.KieConfig)
			ready  string
			says   []string
		}{
			"twice": {func(k *v1alpha1.KieConfig) { k.Spec.Items = itemsOf("a=1", "b=1", "a=2") }, "False/Rejected", []string{"spec.items[0]", "spec.items[2]"}},
			"labels": {func(k *v1alpha1.KieConfig) {
				k.Spec.Labels = map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}
				k.Spec.Items[0].Labels = map[string]string{"f": "6", "g": "7"}
			}, "False/Rejected", []string{"spec.items[0] (a)", "7 labels"}},
			"long": {func(k *v1alpha1.KieConfig) {
				k.Spec.Items[0].Value = nil
				k.Spec.Items[0].ValueFrom = &v1alpha1.ValueSource{ConfigMapKeyRef: &v1alpha1.KeySelector{Name: "long", Key: "text"}}
			}, "False/Rejected", []string{"spec.items[0] (a)", "131073 bytes"}},
			"engine":    {func(k *v1alpha1.KieConfig) { k.Spec.EngineRef.Name = "none" }, "False/DependencyNotReady", []string{`no MicroserviceEngine "none"`}},
			"authority": {func(k *v1alpha1.KieConfig) { k.Spec.TLS = nil }, "False/CloudUnavailable", []string{"spec.tls", "unknown authority", "insecureSkipVerify"}},
			"host": {func(k *v1alpha1.KieConfig) {
				k.Spec.EngineRef, k.Spec.Endpoint = nil, &v1alpha1.KieEndpoint{Kie: "https://kie.example.com"}
			}, "False/Rejected", []string{"spec.endpoint.kie", "--allow-endpoint-host"}},
			"secret": {func(k *v1alpha1.KieConfig) { k.Spec.AuthSecretRef = &v1alpha1.ObjectReference{Name: "none"} }, "False/CredentialsNotReady", []string{"spec.authSecretRef", `no Secret "none"`}},
		} {
			By(name)
			k := w.config("wrong-"+name, []string{"a=1"}, tc.change)
			w.create(k)
			becomes(k, tc.ready)
			for _, words := range tc.says {
				Expect(message(k, v1alpha1.ConditionReady)).To(ContainSubstring(words))
			}
			w.delete(k)
			gone(k)
		}
		Expect(e.values()).To(BeEmpty())

		By("an engine that is not available")
		e.is("Upgrading")
		k := w.config("early", []string{"a=1"})
		w.create(k)
		becomes(k, "False/DependencyNotReady")
		e.is("Available")
		available(k)

		By("an item that the engine refuses: the others are written")
		edit(k, func(k *v1alpha1.KieConfig) {
			k.Spec.Items = itemsOf("a=1", "b=2", "c=3")
			k.Spec.Items[1].Labels = map[string]string{"not a label": "x"}
		})
		becomes(k, "False/Rejected")
		Expect(message(k, v1alpha1.ConditionReady)).To(ContainSubstring("item b{not a label=x}"))
		Expect(e.values()).To(Equal([]string{"a=1", "c=3"}))
		Expect(k.Status.Failed).To(BeEquivalentTo(1))
	})

	It("lets go of items that go with their engine, and says why it cannot otherwise", func() {
		w := newWorld()
		e := w.kieEngine("engine", kiePassword)
		k := w.config("inside", []string{"a=1"})
		w.create(k)
		available(k)
		edit(e.object, func(m *v1alpha1.MicroserviceEngine) { m.Finalizers = []string{"example.com/hold"} })
		w.delete(e.object)
		becomes(k, "False/DependencyNotReady")
		w.cloud.ResetCalls()
		w.delete(k)
		gone(k)
		Expect(w.kieCalls()).NotTo(HaveKey("delete batch"))
		edit(e.object, func(m *v1alpha1.MicroserviceEngine) { m.Finalizers = nil })
	})

	It("deletes items after the Secret of their password went", func() {
		w := newWorld()
		e := w.kieEngine("engine", kiePassword)
		k := w.config("orphaned", []string{"a=1"})
		w.create(k)
		available(k)
		w.delete(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "engine-root"}})
		w.delete(k)
		gone(k)
		Expect(e.values()).To(BeEmpty())
	})

	It("only looks under Observe", func() {
		w := newWorld()
		e := w.kieEngine("engine", kiePassword)
		e.foreign("a", "1")
		e.foreign("b", "theirs")
		k := w.config("looking", []string{"a=1", "b=2", "c=3"}, func(k *v1alpha1.KieConfig) { k.Spec.ManagementPolicy = v1alpha1.ManagementPolicyObserve })
		w.create(k)
		becomes(k, "True/Available")
		Expect(condition(k, v1alpha1.ConditionSynced)).To(Equal("False/Drifted"))
		Expect(k.Status.Drift).To(Equal([]string{"spec.items[b]", "spec.items[c]"}))
		Expect(k.Status.Written).To(BeEmpty())
		e.watched()
		e.edit("b", "2")
		e.foreign("c", "3")
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(k), k)).To(Succeed())
			g.Expect(condition(k, v1alpha1.ConditionSynced)).To(Equal("True/Observed"))
		}).Should(Succeed())
		w.delete(k)
		gone(k)
		Expect(e.values()).To(Equal([]string{"a=1", "b=2", "c=3"}))
	})
})

var _ = Describe("What a KieConfig costs", Serial, func() {
	It("is one login, one list and one write per item, and the long poll alone at rest", func() {
		w := newWorld(func(c *manager.Config) { c.MaxConcurrentReconciles = 10 })
		e := w.kieEngine("engine", kiePassword)
		accountBecomes(w.account("default"), "True/Available")
		w.cloud.ResetCalls()
		w.written.take()
		const objects, each = 10, 100
		var all []*v1alpha1.KieConfig
		for i := range objects {
			var pairs []string
			for j := range each {
				pairs = append(pairs, fmt.Sprintf("set-%d.key-%d=value", i, j))
			}
			k := w.config(fmt.Sprintf("set-%d", i), pairs)
			all = append(all, k)
			w.create(k)
		}
		for _, k := range all {
			available(k)
		}
		Expect(e.Items()).To(HaveLen(objects * each))
		counts := w.kieCalls()
		Expect(counts["login"]).To(Equal(1))
		Expect(counts["list"] + counts["conditional list"]).To(Equal(1))
		Expect(counts["create"]).To(Equal(objects * each))
		Expect(counts["update"] + counts["delete"] + counts["delete batch"]).To(BeZero())
		Expect(w.events(all[0])).To(BeEmpty())
		Expect(w.written.take()).To(HaveLen(3*objects), "three writes to the API server each")

		By("resting")
		e.watched()
		w.cloud.ResetCalls()
		w.written.take()
		for _, k := range all {
			edit(k, func(k *v1alpha1.KieConfig) { k.Labels = map[string]string{"touched": "1"} })
		}
		// The queue has been through the touched ones once this one is there.
		waiting := w.config("waiting", []string{"a=1"}, func(k *v1alpha1.KieConfig) { k.Spec.EngineRef.Name = "later" })
		w.create(waiting)
		becomes(waiting, "False/DependencyNotReady")
		Expect(w.kieCalls()).To(BeEmpty())
		Expect(e.Waiting()).To(Equal(1))
		Expect(w.written.take()).To(HaveLen(1), "the status of the one that waits")

		By("restarting")
		w.stop()
		w.cloud.ResetCalls()
		w.written.take()
		w.start()
		e.watched()
		sentinel := w.config("sentinel", []string{"sentinel=1"}) // the queue has been through the others once this one is there
		w.create(sentinel)
		available(sentinel)
		counts = w.kieCalls()
		Expect(counts["login"]).To(Equal(1))
		Expect(counts["list"] + counts["conditional list"]).To(Equal(1))
		Expect(counts["create"]).To(Equal(1), "the sentinel's")
		Expect(counts["update"] + counts["delete"]).To(BeZero())
		Expect(w.written.take()).To(HaveLen(3), "the sentinel's")
	})
})
