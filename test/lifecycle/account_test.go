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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
)

// refusals counts the calls that the cloud answered with 401.
func (w *world) refusals() int {
	n := 0
	for _, c := range w.cloud.Calls() {
		if c.Status == 401 {
			n++
		}
	}
	return n
}

func (w *world) secret() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "keys"}}
}

func setKeys(s *corev1.Secret, accessKey, secretKey string) {
	s.Data = map[string][]byte{"accessKey": []byte(accessKey), "secretKey": []byte(secretKey)}
}

var _ = Describe("A CloudAccount", func() {
	It("without its Secret says which keys it needs, and is ready once they are there", func() {
		w := newWorld()
		a := w.account("second")
		a.Spec.Credentials.SecretRef.Name = "later"
		w.create(a)
		accountBecomes(a, "False/CredentialsNotReady")
		ready := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady)
		Expect(ready.Message).To(And(ContainSubstring(`no Secret "later"`), ContainSubstring("accessKey and secretKey")))

		w.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "later"}, StringData: map[string]string{"accessKey": "only"}})
		Eventually(func() string {
			accountBecomes(a, "False/CredentialsNotReady")
			return meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady).Message
		}).Should(ContainSubstring("secretKey"))

		edit(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "later"}}, func(s *corev1.Secret) {
			setKeys(s, cloudsim.DefaultAccessKey, cloudsim.DefaultSecretKey)
		})
		accountBecomes(a, "True/Available")
		Expect(a.Status.ProjectID).To(Equal(cloudsim.DefaultProjectID))
	})

	It("with a user name and a password fetches one token, and finds its project by it", func() {
		w := newWorld()
		w.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "login"}, StringData: map[string]string{
			"domainName": cloudsim.DefaultDomainName, "username": cloudsim.DefaultUsername, "password": cloudsim.DefaultPassword,
		}})
		a := w.account("login")
		a.Spec.Credentials.SecretRef.Name, a.Spec.ProjectID = "login", ""
		w.create(a)
		accountBecomes(a, "True/Available")
		Expect(a.Status.ProjectID).To(Equal(cloudsim.DefaultProjectID))
		for i := range 3 {
			e := w.env(fmt.Sprintf("by-token-%d", i), func(e *v1alpha1.Environment) { e.Spec.AccountRef.Name = "login" })
			w.create(e)
			available(e)
		}
		tokens := 0
		for _, c := range w.cloud.Calls() {
			if c.Path == "/v3/auth/tokens" {
				tokens++
			}
		}
		Expect(tokens).To(Equal(1))
	})

	It("whose keys are wrong costs one refusal however many objects wait, and a changed Secret wakes them", func() {
		w := newWorld()
		accountBecomes(w.account("default"), "True/Available")
		edit(w.secret(), func(s *corev1.Secret) { setKeys(s, cloudsim.DefaultAccessKey, "wrong") })
		a := w.account("default")
		accountBecomes(a, "False/CredentialsNotReady")
		Expect(meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionStalled)).To(BeTrue())
		ready := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady)
		Expect(ready.Message).To(And(ContainSubstring("APIG"), ContainSubstring(`Secret "keys"`), Not(ContainSubstring("wrong"))))

		environments := make([]*v1alpha1.Environment, 20)
		for i := range environments {
			environments[i] = w.env(fmt.Sprintf("waiting-%d", i))
			w.create(environments[i])
		}
		for _, e := range environments {
			becomes(e, "False/CredentialsNotReady")
			Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring(`CloudAccount "default" is not ready`))
		}
		Expect(w.refusals()).To(Equal(1))

		edit(w.secret(), func(s *corev1.Secret) { setKeys(s, cloudsim.DefaultAccessKey, cloudsim.DefaultSecretKey) })
		for _, e := range environments {
			available(e)
		}
		Expect(w.refusals()).To(Equal(1))
	})

	It("whose key is revoked while objects use it turns not ready, and they wait without calling", func() {
		w := newWorld()
		e := w.env("settled")
		w.create(e)
		available(e)
		Expect(w.cloud.SetAccounts([]cloudsim.Account{{AccessKey: "NEWKEY", SecretKey: "new-secret", ProjectID: cloudsim.DefaultProjectID, Region: cloudsim.DefaultRegion}})).To(Succeed())
		for i := range 10 {
			w.create(w.env(fmt.Sprintf("late-%d", i)))
		}
		a := w.account("default")
		accountBecomes(a, "False/CredentialsNotReady")
		for i := range 10 {
			late := w.env(fmt.Sprintf("late-%d", i))
			Eventually(func(g Gomega) { // whoever had a call under way tells of the refusal itself first
				g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(late), late)).To(Succeed())
				g.Expect(message(late, v1alpha1.ConditionReady)).To(ContainSubstring(`CloudAccount "default" is not ready`))
			}).Should(Succeed())
			becomes(late, "False/CredentialsNotReady")
		}
		Expect(w.refusals()).To(BeNumerically("<=", 4), "at most one per worker that had a call under way")
		becomes(e, "True/Available")

		edit(w.secret(), func(s *corev1.Secret) { setKeys(s, "NEWKEY", "new-secret") })
		for i := range 10 {
			available(w.env(fmt.Sprintf("late-%d", i)))
		}
	})

	It("with temporary keys works until they expire, and again with new ones", func() {
		w := newWorld()
		accountBecomes(w.account("default"), "True/Available")
		keys := func(access, token string, expires time.Time) cloudsim.Account {
			return cloudsim.Account{
				AccessKey: access, SecretKey: "temporary-secret", SecurityToken: token, ExpiresAt: expires,
				ProjectID: cloudsim.DefaultProjectID, Region: cloudsim.DefaultRegion,
			}
		}
		Expect(w.cloud.SetAccounts([]cloudsim.Account{keys("TEMP1", "token-1", time.Now().Add(-time.Minute)), keys("TEMP2", "token-2", time.Now().Add(time.Hour))})).To(Succeed())
		temporary := func(access, token string) func(*corev1.Secret) {
			return func(s *corev1.Secret) {
				setKeys(s, access, "temporary-secret")
				s.Data["securityToken"] = []byte(token)
			}
		}
		edit(w.secret(), temporary("TEMP1", "token-1"))
		a := w.account("default")
		accountBecomes(a, "False/CredentialsNotReady")
		Expect(meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady).Message).To(And(
			ContainSubstring("refused the credentials"), Not(ContainSubstring("token-1"))))
		edit(w.secret(), temporary("TEMP2", "token-2"))
		accountBecomes(a, "True/Available")
		e := w.env("temporary")
		w.create(e)
		available(e)
	})

	DescribeTable("is tried again by itself where the cloud could not say", func(status int, ready string) {
		w := newWorld()
		Expect(w.cloud.SetFaults([]cloudsim.Fault{{Name: "busy", Match: cloudsim.Match{Path: "/v3/*/cas/environments"}, Action: cloudsim.FaultStatus, Status: status}})).To(Succeed())
		a := w.account("untried")
		w.create(a)
		accountBecomes(a, ready)
		Expect(meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReconciling)).To(BeTrue())
		Expect(w.cloud.SetFaults(nil)).To(Succeed())
		request(a, "now")
		accountBecomes(a, "True/Available")
	},
		Entry("it is down", 503, "False/CloudUnavailable"),
		Entry("it has enough of us", 429, "False/Throttled"),
	)

	It("that may not look at its project says which role it lacks", func() {
		w := newWorld()
		Expect(w.cloud.SetFaults([]cloudsim.Fault{{Name: "forbidden", Match: cloudsim.Match{Path: "/v3/*/cas/environments"}, Action: cloudsim.FaultStatus, Status: 403}})).To(Succeed())
		a := w.account("powerless")
		w.create(a)
		accountBecomes(a, "False/Forbidden")
		Expect(meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady).Message).To(ContainSubstring("ServiceStage role"))
	})

	It("names the endpoint that is not allowed, and the flag that would allow it", func() {
		w := newWorld()
		a := w.account("elsewhere")
		a.Spec.Endpoints.ServiceStage = "https://servicestage.example.com"
		a.Spec.Endpoints.IAM = "http://169.254.169.254/latest"
		w.create(a)
		accountBecomes(a, "False/Rejected")
		ready := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady)
		Expect(ready.Message).To(And(ContainSubstring("spec.endpoints.servicestage"), ContainSubstring("--allow-endpoint-host"),
			ContainSubstring("spec.endpoints.iam"), ContainSubstring("metadata address")))
	})

	It("is kept while something uses it, and names its users", func() {
		w := newWorld()
		e := w.env("user")
		w.create(e)
		available(e)
		a := w.account("default")
		w.delete(a)
		accountBecomes(a, "True/DeletionBlocked")
		Expect(meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady).Message).To(ContainSubstring("Environment user"))
		w.delete(e)
		gone(e)
		gone(a)
		Expect(w.items("environments")).To(BeEmpty())
	})

	It("that is missing is named, with the way out, and objects made before it settle once it is there", func() {
		w := newWorld()
		e := w.env("early", func(e *v1alpha1.Environment) { e.Spec.AccountRef.Name = "later" })
		w.create(e)
		becomes(e, "False/CredentialsNotReady")
		Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring(`spec.accountRef: there is no CloudAccount "later"`))
		w.create(w.account("later"))
		available(e)
	})

	It("that is being deleted still takes a corrected Secret, for what uses it", func() {
		w := newWorld()
		e := w.env("user")
		w.create(e)
		available(e)
		Expect(w.cloud.SetAccounts([]cloudsim.Account{{AccessKey: "NEWKEY", SecretKey: "new-secret", ProjectID: cloudsim.DefaultProjectID, Region: cloudsim.DefaultRegion}})).To(Succeed())
		edit(w.secret(), func(s *corev1.Secret) { setKeys(s, "NEWKEY", "wrong") })
		accountBecomes(w.account("default"), "False/CredentialsNotReady")
		w.delete(w.account("default"))
		w.delete(e)
		Eventually(func(g Gomega) { // by its own call or by the account's: both happen, and neither is a state to record
			g.Expect(k8s.Get(context.Background(), client.ObjectKeyFromObject(e), e)).To(Succeed())
			g.Expect(condition(e, v1alpha1.ConditionReady)).To(Equal("False/CredentialsNotReady"))
		}).Should(Succeed())
		edit(w.secret(), func(s *corev1.Secret) { setKeys(s, "NEWKEY", "new-secret") })
		gone(e)
		gone(w.account("default"))
		Expect(w.items("environments")).To(BeEmpty())
	})

	It("deletes its objects with the keys that worked last, where wrong ones have taken their place", func() {
		w := newWorld()
		e := w.env("user")
		w.create(e)
		available(e)
		edit(w.secret(), func(s *corev1.Secret) { setKeys(s, cloudsim.DefaultAccessKey, "wrong") })
		accountBecomes(w.account("default"), "False/CredentialsNotReady")
		w.delete(e)
		gone(e)
		Expect(w.items("environments")).To(BeEmpty())
		Expect(w.refusals()).To(Equal(1), "the account's own try")
	})

	It("deletes its objects although their Secret went first", func() {
		w := newWorld()
		e := w.env("orphanable")
		w.create(e)
		available(e)
		w.delete(w.secret())
		accountBecomes(w.account("default"), "False/CredentialsNotReady")
		w.delete(e)
		gone(e)
		Expect(w.items("environments")).To(BeEmpty())
	})

	It("says plainly that a deletion waits for credentials, and how to go on without them", func() {
		w := newWorld()
		e := w.env("stuck")
		w.create(e)
		available(e)
		w.delete(w.secret())
		accountBecomes(w.account("default"), "False/CredentialsNotReady")
		w.restart()
		w.delete(e)
		becomes(e, "False/CredentialsNotReady")
		Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring("deletionPolicy: Orphan"))
		edit(e, func(e *v1alpha1.Environment) { e.Spec.DeletionPolicy = v1alpha1.DeletionPolicyOrphan })
		gone(e)
		Expect(w.items("environments")).To(HaveLen(1))
	})
})

var _ = Describe("A ClusterCloudAccount", func() {
	It("serves the namespaces that it names, and no others", func() {
		w := newWorld()
		namespaced := w.account("unused")
		shared := &v1alpha1.ClusterCloudAccount{
			ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
			Spec: v1alpha1.ClusterCloudAccountSpec{
				AccountSpec: namespaced.Spec.AccountSpec,
				Credentials: v1alpha1.ClusterCredentials{SecretRef: v1alpha1.NamespacedObjectReference{Namespace: w.namespace, Name: "keys"}},
			},
		}
		w.create(shared)
		DeferCleanup(func() { _ = k8s.Delete(context.Background(), shared) })
		e := w.env("shared", func(e *v1alpha1.Environment) {
			e.Spec.AccountRef = v1alpha1.AccountReference{Kind: v1alpha1.AccountKindCluster, Name: shared.Name}
		})
		w.create(e)
		becomes(e, "False/CredentialsNotReady")
		Expect(message(e, v1alpha1.ConditionReady)).To(And(ContainSubstring("does not allow namespace"), ContainSubstring("allowedNamespaces")))

		edit(shared, func(a *v1alpha1.ClusterCloudAccount) {
			a.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": w.namespace}},
			}
		})
		available(e)

		accountBecomes(shared, "True/Available")
		w.delete(shared)
		accountBecomes(shared, "True/DeletionBlocked")
		ready := meta.FindStatusCondition(shared.Status.Conditions, v1alpha1.ConditionReady)
		Expect(ready.Message).To(ContainSubstring("Environment " + w.namespace + "/shared"))
		w.delete(e)
		gone(e)
		gone(shared)
	})
})
