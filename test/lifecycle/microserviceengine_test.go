// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
)

const (
	enginesPath = "/v2/{project_id}/enginemgr/engines"
	enginePath  = enginesPath + "/{engine_id}"
	flavorsPath = "/v2/{project_id}/enginemgr/flavors"
	vpcPath     = "/v1/{project_id}/vpcs/{vpc_id}"
	subnetPath  = "/v1/{project_id}/subnets/{subnet_id}"

	rootPassword = "Canary-root-password-1"
)

// engine is a MicroserviceEngine, changed as the spec needs it.
func (w *world) engine(name string, changes ...func(*v1alpha1.MicroserviceEngine)) *v1alpha1.MicroserviceEngine {
	e := &v1alpha1.MicroserviceEngine{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha1.MicroserviceEngineSpec{
			Flavor: "cse.s1.small2", AvailabilityZones: []string{"az1", "az2"},
			Network:               &v1alpha1.EngineNetwork{VPCID: cloudsim.DefaultVPCID, SubnetID: cloudsim.DefaultSubnetID},
			RootPasswordSecretRef: &v1alpha1.SecretKeyReference{Name: "root"},
		},
	}
	for _, change := range changes {
		change(e)
	}
	return e
}

// newEngineWorld has the Secret that engines take their root password from.
func newEngineWorld() *world {
	w := newWorld()
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "root"},
		StringData: map[string]string{"password": rootPassword},
	})
	accountBecomes(w.account("default"), "True/Available")
	w.cloud.ResetCalls()
	return w
}

// engines lists the engines of the cloud.
func (w *world) engines() []cloudsim.Object {
	GinkgoHelper()
	items, err := w.cloud.Resources("cse", "engines")
	Expect(err).NotTo(HaveOccurred())
	return items
}

// only returns the cloud's only engine.
func (w *world) only() cloudsim.Object {
	GinkgoHelper()
	engines := w.engines()
	Expect(engines).To(HaveLen(1))
	return engines[0]
}

// outcomes says how jobs of engines end, or where they stop; none lets those go on that stand still.
func (w *world) outcomes(list ...cloudsim.Outcome) {
	GinkgoHelper()
	for i := range list {
		list[i].Engine = "*"
	}
	Expect(w.cloud.SetOutcomes(list)).To(Succeed())
}

// enginePatched changes an engine behind everyone's back.
func (w *world) enginePatched(id string, patch cloudsim.Object) {
	GinkgoHelper()
	_, err := w.cloud.PatchResource("cse", "engines", id, patch)
	Expect(err).NotTo(HaveOccurred())
}

// eventually reads the object anew until look is content.
func eventually[O client.Object](obj O, look func(Gomega)) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(obj), obj)).To(Succeed())
		look(g)
	}).WithTimeout(timeoutForJobs).Should(Succeed())
}

// engineBecomes is becomes with the patience that jobs need.
func engineBecomes(e *v1alpha1.MicroserviceEngine, ready string) {
	GinkgoHelper()
	eventually(e, func(g Gomega) {
		g.Expect(condition(e, v1alpha1.ConditionReady)).To(Equal(ready), "%s", message(e, v1alpha1.ConditionReady))
		g.Expect(e.Status.ObservedGeneration).To(Equal(e.Generation))
	})
	conforms(e)
}

// said is everything that an object's status and events say.
func (w *world) said(obj *v1alpha1.MicroserviceEngine) string {
	GinkgoHelper()
	status, err := json.Marshal(obj.Status)
	Expect(err).NotTo(HaveOccurred())
	list := &eventsv1.EventList{}
	Expect(k8s.List(context.Background(), list, client.InNamespace(w.namespace))).To(Succeed())
	text := string(status)
	for _, e := range list.Items {
		text += "\n" + e.Reason + " " + e.Note
	}
	return text
}

var _ = Describe("A MicroserviceEngine", func() {
	It("is created phase by phase and deleted, and its password shows up nowhere", func() {
		w := newEngineWorld()
		w.outcomes(cloudsim.Outcome{Job: "Create", Task: "engineInstall", Result: cloudsim.OutcomeHeld})
		e := w.engine("main")
		w.create(e)
		eventually(e, func(g Gomega) {
			g.Expect(message(e, v1alpha1.ConditionReady)).To(Equal("2 of 4 phases done; now: engineInstall."))
		})
		conforms(e)
		Expect(condition(e, v1alpha1.ConditionReady)).To(Equal("False/Creating"))
		Expect(e.Status.EngineStatus).To(Equal("Creating"))
		Expect(e.Status.Job).To(HaveValue(MatchFields(IgnoreExtras, Fields{
			"Type": Equal("Create"), "State": Equal("Executing"), "PhasesDone": BeEquivalentTo(2), "PhasesTotal": BeEquivalentTo(4), "Phase": Equal("engineInstall"),
		})))
		Expect(e.Status.Endpoints).To(BeNil())

		w.outcomes()
		engineBecomes(e, "True/Available")
		Expect(e.Status.Operation).To(BeNil())
		Expect(e.Status.Job).To(HaveValue(MatchFields(IgnoreExtras, Fields{"State": Equal("Finished"), "PhasesDone": BeEquivalentTo(4)})))
		Expect(e.Status.Instances).To(HaveValue(Equal(v1alpha1.EngineInstances{Limit: 100})))
		Expect(e.Status.Endpoints.Kie.Master).To(HavePrefix("https://"))
		Expect(e.Status.EnterpriseProjectID).To(Equal("0"))
		Expect(w.only()).To(HaveKeyWithValue("root_password", rootPassword))
		Expect(w.only()).To(And(HaveKeyWithValue("vpc", cloudsim.DefaultVPCName), HaveKeyWithValue("subnet_cidr", cloudsim.DefaultSubnetCIDR)))
		Expect(w.cloudCalls()[:4]).To(haveCalls("GET "+flavorsPath+" 200", "GET "+vpcPath+" 200", "GET "+subnetPath+" 200", "POST "+enginesPath+" 200"))
		Expect(w.said(e)).NotTo(ContainSubstring(rootPassword))

		By("Deleting it, phase by phase")
		w.outcomes(cloudsim.Outcome{Job: "Delete", Task: "resourceRelease", Result: cloudsim.OutcomeHeld})
		w.delete(e)
		eventually(e, func(g Gomega) {
			g.Expect(message(e, v1alpha1.ConditionReady)).To(Equal("1 of 2 phases done; now: resourceRelease."))
		})
		Expect(condition(e, v1alpha1.ConditionReady)).To(Equal("False/Deleting"))
		w.outcomes()
		Eventually(w.engines).WithTimeout(timeoutForJobs).Should(BeEmpty())
		eventuallyGone(e)
	})

	It("waits for its password, refuses a bad one, and takes nothing from what was written down for it", func() {
		w := newEngineWorld()
		e := w.engine("main", func(e *v1alpha1.MicroserviceEngine) {
			e.Spec.RootPasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "later", Key: "pwd"}
		})
		w.create(e)
		becomes(e, "False/DependencyNotReady")
		Expect(message(e, v1alpha1.ConditionReady)).To(Equal(`spec.rootPasswordSecretRef: there is no Secret "later" in namespace ` + w.namespace))

		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "later"}, StringData: map[string]string{"pwd": "Canary-weak"}}
		w.create(secret)
		becomes(e, "False/Rejected")
		Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring("must hold a digit"))
		Expect(w.said(e)).NotTo(ContainSubstring("Canary"))
		Expect(e.Finalizers).To(BeEmpty())
		Expect(w.cloudCalls()).To(BeEmpty())

		edit(secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"pwd": []byte(rootPassword)} })
		engineBecomes(e, "True/Available")
	})

	It("says what is wrong with what it refers to in the cloud, and names the field", func() {
		w := newEngineWorld()
		_, err := w.cloud.PutResource("vpc", "subnets", cloudsim.Object{"id": "subnet-2", "name": "other", "vpc_id": "vpc-2", "cidr": "10.0.0.0/24"})
		Expect(err).NotTo(HaveOccurred())
		for name, tc := range map[string]struct {
			change func(*v1alpha1.MicroserviceEngine)
			says   []string
		}{
			"flavor": {func(e *v1alpha1.MicroserviceEngine) { e.Spec.Flavor = "cse.s1.tiny" }, []string{"spec.flavor", `"cse.s1.tiny"`, "cse.s1.small2, cse.s1.xlarge2"}},
			"no-vpc": {func(e *v1alpha1.MicroserviceEngine) { e.Spec.Network.VPCID = "vpc-9" }, []string{"spec.network.vpcID: there is no VPC vpc-9"}},
			"subnet": {func(e *v1alpha1.MicroserviceEngine) { e.Spec.Network.SubnetID = "subnet-2" }, []string{"spec.network.subnetID: the subnet subnet-2 (other) belongs to the VPC vpc-2"}},
		} {
			e := w.engine(name, tc.change)
			w.create(e)
			becomes(e, "False/Rejected")
			Expect(condition(e, v1alpha1.ConditionStalled)).To(Equal("True/Rejected"))
			for _, part := range tc.says {
				Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring(part))
			}
			Expect(e.Finalizers).To(BeEmpty(), "nothing was made under the claim")
			Expect(e.Annotations).NotTo(HaveKey(v1alpha1.ClaimAnnotation))
		}
		Expect(w.engines()).To(BeEmpty())
	})

	It("says that the quota is used up", func() {
		w := newEngineWorld()
		Expect(w.cloud.MergeQuirks([]byte(`{"quotas": {"cse/engines": 0}}`))).To(Succeed())
		e := w.engine("main")
		w.create(e)
		becomes(e, "False/QuotaExceeded")
		Expect(condition(e, v1alpha1.ConditionStalled)).To(Equal("True/QuotaExceeded"))
		w.delete(e)
		gone(e)
	})

	It("retries a creation that failed as often as the spec says, and again when told to", func() {
		w := newEngineWorld()
		w.outcomes(cloudsim.Outcome{Job: "Create", Task: "clusterCreate", Count: 3, Result: "Error", Message: "no room"})
		e := w.engine("main", func(e *v1alpha1.MicroserviceEngine) { e.Spec.RetryFailedCreate = 1 })
		w.create(e)
		engineBecomes(e, "False/Unhealthy")
		Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring(`the job ended as Error in "ClusterTaskExecutor": no room`))
		Expect(e.Status.EngineStatus).To(Equal("CreateFailed"))
		Expect(e.Status.CreateRetries).To(BeEquivalentTo(1))
		Expect(w.retries()).To(Equal(1))
		Eventually(func() []string { return w.events(e) }).Should(ContainElement("Retrying"))
		id := e.Status.ID

		request(e, "1")
		eventually(e, func(g Gomega) { g.Expect(e.Status.LastHandledReconcileAt).To(Equal("1")) })
		Expect(message(e, v1alpha1.ConditionReady)).To(And(ContainSubstring("and so did 1 of 1 retries; raise spec.retryFailedCreate"), ContainSubstring("no room")))
		Expect(w.retries()).To(Equal(1))

		edit(e, func(e *v1alpha1.MicroserviceEngine) { e.Spec.RetryFailedCreate = 3 })
		engineBecomes(e, "True/Available")
		Expect(w.retries()).To(Equal(3))
		Expect(e.Status.ID).To(Equal(id), "retried in place")
		Expect(e.Status.CreateRetries).To(BeZero())
		Expect(e.Status.LastFailure).To(BeEmpty())
	})

	It("does not take a stranger of the same name, not even one that was made just before", func() {
		w := newEngineWorld()
		_, err := w.cloud.PutResource("cse", "engines", cloudsim.Object{"id": "theirs", "name": "main", "status": "Available", "flavor": "cse.s1.small2", "auth_type": "RBAC"})
		Expect(err).NotTo(HaveOccurred())
		e := w.engine("main")
		w.create(e)
		becomes(e, "False/AlreadyExists")
		Expect(message(e, v1alpha1.ConditionReady)).To(And(ContainSubstring("theirs"), ContainSubstring("spec.import")))
		Expect(e.Finalizers).To(BeEmpty())
		Expect(e.Annotations).NotTo(HaveKey(v1alpha1.ClaimAnnotation))
		request(e, "1")
		eventually(e, func(g Gomega) { g.Expect(e.Status.LastHandledReconcileAt).To(Equal("1")) })
		Expect(condition(e, v1alpha1.ConditionReady)).To(Equal("False/AlreadyExists"), "asked again, it is still theirs")
		w.delete(e)
		gone(e)
		Expect(w.engines()).To(HaveLen(1))

		By("Adopting it when told to, without the fields that the spec leaves out")
		heir := w.engine("main", func(e *v1alpha1.MicroserviceEngine) {
			e.Spec = v1alpha1.MicroserviceEngineSpec{}
			e.Spec.Import = &v1alpha1.Import{ByName: true}
		})
		w.create(heir)
		available(heir)
		Expect(heir.Status.ID).To(Equal("theirs"))
		Eventually(func() []string { return w.events(heir) }).Should(ContainElement("Adopted"))
	})

	It("finds the engine again whose creation was never answered", func() {
		w := newEngineWorld()
		Expect(w.cloud.SetFaults([]cloudsim.Fault{{
			Name: "lost", Nth: 1, Match: cloudsim.Match{Method: "POST", Path: "/v2/*/enginemgr/engines"}, Action: "resetAfter",
		}})).To(Succeed())
		e := w.engine("main")
		w.create(e)
		engineBecomes(e, "True/Available")
		Expect(e.Status.ID).To(Equal(w.only()["id"]))
	})

	It("changes the description, and resizes", func() {
		w := newEngineWorld()
		e := w.engine("main")
		w.create(e)
		engineBecomes(e, "True/Available")
		w.cloud.ResetCalls()
		edit(e, func(e *v1alpha1.MicroserviceEngine) {
			e.Spec.Description, e.Spec.Flavor = new("for the shop"), "cse.s1.medium2"
		})
		engineBecomes(e, "True/Available")
		Expect(w.only()).To(And(HaveKeyWithValue("description", "for the shop"), HaveKeyWithValue("flavor", "cse.s1.medium2")))
		Expect(e.Status.Flavor).To(Equal("cse.s1.medium2"))
		Expect(e.Status.Instances.Limit).To(BeEquivalentTo(200))
		Expect(w.engineWrites()).To(haveCalls("PUT "+enginePath+" 200", "PUT "+enginePath+"/resize 200"))
		Eventually(func() []string { return w.events(e) }).Should(ContainElement("Resizing"))

		By("Repairing what was changed in the cloud, and refusing what cannot be changed")
		w.enginePatched(e.Status.ID, cloudsim.Object{"description": "edited"})
		request(e, "1")
		eventually(e, func(Gomega) {})
		Eventually(w.only).Should(HaveKeyWithValue("description", "for the shop"))
		w.enginePatched(e.Status.ID, cloudsim.Object{"auth_type": "NONE"})
		request(e, "2")
		engineBecomes(e, "False/ImmutableField")
		Expect(e.Status.Drift).To(Equal([]string{"spec.authType"}))
	})

	It("says what a frozen engine waits for, and why it cannot be deleted", func() {
		w := newEngineWorld()
		e := w.engine("main")
		w.create(e)
		engineBecomes(e, "True/Available")
		w.enginePatched(e.Status.ID, cloudsim.Object{"status": "Freezed"})
		request(e, "1")
		engineBecomes(e, "False/Unhealthy")
		Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring("unpaid bill"))
		edit(e, func(e *v1alpha1.MicroserviceEngine) { e.Spec.Flavor = "cse.s1.large2" })
		engineBecomes(e, "False/Rejected")
		Expect(message(e, v1alpha1.ConditionReady)).To(And(ContainSubstring("spec.flavor"), ContainSubstring("Freezed"), ContainSubstring("unpaid bill")))

		w.delete(e)
		eventually(e, func(g Gomega) {
			g.Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring("the engine is Freezed: unfreeze it in the console first"))
		})
		Expect(condition(e, v1alpha1.ConditionReady)).To(Equal("False/Deleting"))
		Expect(w.engines()).To(HaveLen(1))
		w.enginePatched(e.Status.ID, cloudsim.Object{"status": "Available"})
		request(e, "2")
		eventuallyGone(e)
		Expect(w.engines()).To(BeEmpty())
	})

	It("is created again when it was deleted in the cloud, and left there when orphaned", func() {
		w := newEngineWorld()
		e := w.engine("main", func(e *v1alpha1.MicroserviceEngine) { e.Spec.DeletionPolicy = v1alpha1.DeletionPolicyOrphan })
		w.create(e)
		engineBecomes(e, "True/Available")
		first := e.Status.ID
		Expect(w.cloud.DeleteResource("cse", "engines", first)).To(Succeed())
		request(e, "1")
		eventually(e, func(g Gomega) { g.Expect(e.Status.ID).NotTo(Equal(first)) })
		engineBecomes(e, "True/Available")
		w.delete(e)
		gone(e)
		Expect(w.only()).To(HaveKeyWithValue("id", e.Status.ID))
	})

	It("is referred to by an Environment, which waits for it and holds its deletion back", func() {
		w := newEngineWorld()
		dev := w.env("dev", func(e *v1alpha1.Environment) {
			e.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cse", EngineRef: &v1alpha1.ObjectReference{Name: "main"}}}
		})
		w.create(dev)
		becomes(dev, "False/DependencyNotReady")
		Expect(message(dev, v1alpha1.ConditionReady)).To(ContainSubstring(`spec.resources[0].engineRef: there is no MicroserviceEngine "main"`))

		w.outcomes(cloudsim.Outcome{Job: "Create", Task: "engineInstall", Result: cloudsim.OutcomeHeld})
		e := w.engine("main")
		w.create(e)
		engineBecomes(e, "False/Creating")
		request(dev, "1")
		eventually(dev, func(g Gomega) {
			g.Expect(message(dev, v1alpha1.ConditionReady)).To(ContainSubstring(`MicroserviceEngine "main" was never available yet: `))
		})
		Expect(w.items("environments")).To(BeEmpty())
		w.outcomes()
		engineBecomes(e, "True/Available")
		available(dev)
		Expect(w.record("environments", dev.Status.ID)["resources"]).To(ContainElement(HaveKeyWithValue("id", e.Status.ID)))

		w.delete(e)
		becomes(e, "False/DeletionBlocked")
		Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring("Environment dev"))
		w.delete(dev)
		gone(dev)
		eventuallyGone(e)
	})
})

// connected is where an engine's addresses are written.
func connected(c v1alpha1.Connection) func(*v1alpha1.MicroserviceEngine) {
	return func(e *v1alpha1.MicroserviceEngine) { e.Spec.Connection = &c }
}

// configMap reads the ConfigMap of a name; nil where there is none.
func (w *world) configMap(name string) *corev1.ConfigMap {
	GinkgoHelper()
	c := &corev1.ConfigMap{}
	err := k8s.Get(context.Background(), client.ObjectKey{Namespace: w.namespace, Name: name}, c)
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	if err != nil {
		return nil
	}
	return c
}

var _ = Describe("The connection of a MicroserviceEngine", func() {
	It("is written, repaired without a call to the cloud, renamed, and removed", func() {
		w := newEngineWorld()
		e := w.engine("main", connected(v1alpha1.Connection{ConfigMap: "shop"}))
		w.create(e)
		engineBecomes(e, "True/Available")
		c := w.configMap("shop")
		Expect(c.Data).To(Equal(map[string]string{
			"ENGINE_ID": e.Status.ID, "ENGINE_NAME": "main", "AUTH_TYPE": "RBAC",
			"SERVICE_CENTER_ADDRESS": e.Status.Endpoints.ServiceCenter.Master, "KIE_ADDRESS": e.Status.Endpoints.Kie.Master,
		}))
		Expect(c.Labels).To(HaveKeyWithValue("app.kubernetes.io/managed-by", "servicestage-operator"))
		owner := metav1.GetControllerOf(c)
		Expect(owner).NotTo(BeNil(), "garbage collection removes it with the engine")
		Expect(owner.UID).To(Equal(e.UID))
		Expect(e.Status.Connection).To(HaveValue(Equal(v1alpha1.Connection{ConfigMap: "shop"})))

		By("Repairing what a user does to it")
		w.cloud.ResetCalls()
		edit(c, func(c *corev1.ConfigMap) { c.Data["KIE_ADDRESS"], c.Data["MORE"] = "http://elsewhere", "1" })
		Eventually(func() map[string]string { return w.configMap("shop").Data }).
			Should(And(HaveKeyWithValue("KIE_ADDRESS", e.Status.Endpoints.Kie.Master), Not(HaveKey("MORE"))))
		w.delete(c)
		Eventually(func() *corev1.ConfigMap { return w.configMap("shop") }).ShouldNot(BeNil())
		Expect(w.cloudCalls()).To(BeEmpty())

		By("Writing it elsewhere, with the address that the engine got meanwhile")
		w.enginePatched(e.Status.ID, cloudsim.Object{"public_ip_id": "ip-1"})
		edit(e, connected(v1alpha1.Connection{Secret: "shop"}))
		eventually(e, func(g Gomega) {
			g.Expect(e.Status.Connection).To(HaveValue(Equal(v1alpha1.Connection{Secret: "shop"})))
		})
		Expect(w.configMap("shop")).To(BeNil())
		secret := &corev1.Secret{}
		Expect(k8s.Get(context.Background(), client.ObjectKey{Namespace: w.namespace, Name: "shop"}, secret)).To(Succeed())
		Expect(secret.Data).To(HaveKeyWithValue("KIE_PUBLIC_ADDRESS", []byte(e.Status.Endpoints.PublicKie.Master)))
		Expect(secret.Data).NotTo(ContainElement(ContainSubstring(rootPassword)))

		By("Removing it")
		edit(e, func(e *v1alpha1.MicroserviceEngine) { e.Spec.Connection = nil })
		gone(secret)
		eventually(e, func(g Gomega) { g.Expect(e.Status.Connection).To(BeNil()) })
	})

	It("leaves what is someone else's alone, and says so", func() {
		w := newEngineWorld()
		theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop"}, Data: map[string]string{"theirs": "1"}}
		w.create(theirs)
		e := w.engine("main", connected(v1alpha1.Connection{ConfigMap: "shop"}))
		w.create(e)
		engineBecomes(e, "False/AlreadyExists")
		Expect(condition(e, v1alpha1.ConditionStalled)).To(Equal("True/AlreadyExists"))
		Expect(condition(e, v1alpha1.ConditionSynced)).To(Equal("True/UpToDate"))
		Expect(message(e, v1alpha1.ConditionReady)).To(HavePrefix(`spec.connection: the ConfigMap "shop" exists and does not belong to this object`))
		Expect(e.Status.ID).NotTo(BeEmpty())
		Expect(w.configMap("shop").Data).To(Equal(map[string]string{"theirs": "1"}))

		w.delete(theirs)
		engineBecomes(e, "True/Available")
		Expect(w.configMap("shop").Data).To(HaveKey("KIE_ADDRESS"))
	})
})

var _ = Describe("What an engine costs", Serial, func() {
	It("is four calls, polls and two looks to create, six writes where one poll is enough, and nothing at rest", func() {
		w := newEngineWorld()
		w.written.take()
		e := w.engine("main", connected(v1alpha1.Connection{ConfigMap: "shop"}))
		w.create(e)
		engineBecomes(e, "True/Available")
		calls := w.cloudCalls()
		polls := slices.DeleteFunc(slices.Clone(calls), func(call string) bool { return call != "GET "+enginePath+"/jobs/{job_id} 200" })
		Expect(slices.Compact(calls)).To(haveCalls(
			"GET "+flavorsPath+" 200", "GET "+vpcPath+" 200", "GET "+subnetPath+" 200", "POST "+enginesPath+" 200",
			"GET "+enginePath+"/jobs/{job_id} 200", "GET "+enginePath+" 200", "GET "+enginesPath+" 200"))
		Eventually(func() []string { return w.events(e) }).Should(ConsistOf("Creating", "Created"))
		// The claim, the status of the operation and of each poll, the ConfigMap, and the two events.
		Expect(w.written.take()).To(HaveLen(1 + 1 + len(polls) + 1 + 2))

		By("Resting")
		w.cloud.ResetCalls()
		w.written.take()
		version := e.ResourceVersion
		w.restart()
		sentinel := w.env("sentinel") // once this one is there, the restarted manager has been through the engine
		w.create(sentinel)
		available(sentinel)
		edit(e, func(e *v1alpha1.MicroserviceEngine) { e.Labels = map[string]string{"touched": "1"} })
		w.stop()
		Expect(w.cloudCalls()).To(haveCalls("POST " + environmentsPath + " 200"))
		Expect(w.written.take()).To(HaveLen(2), "the sentinel's")
		Expect(e.ResourceVersion).NotTo(Equal(version))
	})
})

// retries counts the retries that the cloud was asked for.
func (w *world) retries() int {
	n := 0
	for _, call := range w.cloudCalls() {
		if call == "PUT "+enginePath+"/actions 200" {
			n++
		}
	}
	return n
}

// engineWrites lists the calls that changed something.
func (w *world) engineWrites() []string {
	return slices.DeleteFunc(w.cloudCalls(), func(call string) bool { return strings.HasPrefix(call, "GET ") })
}

// eventuallyGone is gone with the patience that jobs need.
func eventuallyGone(obj client.Object) {
	GinkgoHelper()
	Eventually(func() bool {
		return apierrors.IsNotFound(k8s.Get(context.Background(), client.ObjectKeyFromObject(obj), obj))
	}).WithTimeout(timeoutForJobs).Should(BeTrue(), "%s is still there", obj.GetName())
}
