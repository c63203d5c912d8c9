// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

// soon is how quickly a change of credentials must have its effect.
const soon = 5 * time.Second

// accountLooks counts how often accounts were looked at.
const accountLooks = `controller_runtime_reconcile_total{controller="cloudaccount"`

var _ = Describe("Credentials", func() {
	var (
		w           *world
		old, rotate rig.Keys
		account     []*unstructured.Unstructured
		environment []*unstructured.Unstructured
	)
	BeforeEach(func(ctx context.Context) {
		old, rotate = rig.Keys{AccessKey: "OLDKEY", SecretKey: "old-secret-key"}, rig.Keys{AccessKey: "NEWKEY", SecretKey: "new-secret-key"}
		w = newWorld(ctx, old)
		w.startManager(ctx, []string{w.namespace}, nil)
		w.setKeys(ctx, old)
		account = apply(ctx, w.namespace, manifest("CloudAccount", "default", fmt.Sprintf(overridden, w.way.URL)))
		environment = apply(ctx, w.namespace, manifest("Environment", "dev", "{vpcID: vpc-1}"))
		eventually(ctx, append(account, environment...), "True")
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())
	}, NodeTimeout(time.Minute))

	It("that are rotated are used within seconds, and the old ones never again", func(ctx context.Context) {
		Expect(w.sim.Accounts(ctx, accountOf(old), accountOf(rotate))).To(Succeed())
		w.setKeys(ctx, rotate)
		Eventually(w.accounts(ctx)).WithContext(ctx).WithTimeout(soon).Should(ContainElement(rotate.AccessKey))
		eventually(ctx, account, "True")
		Expect(w.sim.Accounts(ctx, accountOf(rotate))).To(Succeed())
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())
		setDescription(ctx, environment[0], "rotated")
		Eventually(w.described(ctx, "rotated")).WithContext(ctx).WithTimeout(soon).Should(BeTrue())
		Expect(w.accounts(ctx)()).To(HaveEach(rotate.AccessKey))
	}, SpecTimeout(time.Minute))

	It("that are wrong are tried once, by the account alone, and corrected within seconds", func(ctx context.Context) {
		w.setKeys(ctx, rig.Keys{AccessKey: "WRONGKEY", SecretKey: "wrong"})
		setDescription(ctx, environment[0], "while the keys are wrong")
		Eventually(w.told(ctx, account[0], "CredentialsNotReady")).WithContext(ctx).WithTimeout(soon).Should(BeTrue())
		Eventually(w.told(ctx, environment[0], "")).WithContext(ctx).Should(BeTrue())

		By("Having the account looked at once more, with the same keys")
		looks, err := w.sumOfMetric(ctx, accountLooks)
		Expect(err).NotTo(HaveOccurred())
		nudged := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+v1alpha1.PausedAnnotation+`":"false"}}}`))
		Expect(k8s.Patch(ctx, account[0], nudged)).To(Succeed())
		Eventually(func() (float64, error) { return w.sumOfMetric(ctx, accountLooks) }).WithContext(ctx).Should(BeNumerically(">", looks))
		Expect(w.callsWith(ctx, "WRONGKEY")).To(HaveExactElements(aTry()), "calls with the wrong key")
		w.setKeys(ctx, old)
		Eventually(w.described(ctx, "while the keys are wrong")).WithContext(ctx).WithTimeout(soon).Should(BeTrue())
	}, SpecTimeout(time.Minute))

	It("that are revoked stop everything within seconds of the first refusal", func(ctx context.Context) {
		Expect(w.sim.Accounts(ctx, accountOf(rotate))).To(Succeed())
		setDescription(ctx, environment[0], "revoked")
		Eventually(w.told(ctx, account[0], "CredentialsNotReady")).WithContext(ctx).WithTimeout(soon).Should(BeTrue())
		Expect(w.callsWith(ctx, old.AccessKey)).NotTo(ContainElement(aTry()), "a refused key is not tried again")
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())
		apply(ctx, w.namespace, manifest("Environment", "late", "{vpcID: vpc-1}"))
		late := &unstructured.Unstructured{}
		late.SetGroupVersionKind(ours("Environment"))
		late.SetNamespace(w.namespace)
		late.SetName("late")
		Eventually(w.told(ctx, late, v1alpha1.ReasonCredentialsNotReady)).WithContext(ctx).WithTimeout(soon).Should(BeTrue())
		Expect(w.sim.Calls(ctx)).To(BeEmpty(), "a refused key is not used again")
	}, SpecTimeout(time.Minute))

	It("that are deleted first leave deletions possible, and after a restart clearly blocked", func(ctx context.Context) {
		second := apply(ctx, w.namespace, manifest("Environment", "second", "{vpcID: vpc-1}"))
		eventually(ctx, second, "True")
		Expect(k8s.Delete(ctx, w.secret())).To(Succeed())
		Eventually(w.told(ctx, account[0], "CredentialsNotReady")).WithContext(ctx).WithTimeout(soon).Should(BeTrue())
		Expect(k8s.Delete(ctx, environment[0])).To(Succeed())
		eventuallyGone(ctx, environment)
		Expect(w.sim.List(ctx, "servicestage/environments")).To(HaveLen(1))

		Expect(w.manager.Stop()).To(Succeed())
		w.startManager(ctx, []string{w.namespace}, nil)
		Expect(k8s.Delete(ctx, second[0])).To(Succeed())
		Eventually(func() (string, error) { return ready(ctx, second[0]) }).WithContext(ctx).WithTimeout(2 * soon).
			Should(And(ContainSubstring("CredentialsNotReady"), ContainSubstring("deletionPolicy: Orphan")))
		w.setKeys(ctx, old)
		eventuallyGone(ctx, second)
		Expect(w.sim.List(ctx, "servicestage/environments")).To(BeEmpty())
	}, SpecTimeout(time.Minute))
})

func (w *world) secret() *corev1.Secret {
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = w.namespace, "keys"
	return secret
}

// setKeys creates the account's Secret, or changes it.
func (w *world) setKeys(ctx context.Context, keys rig.Keys) {
	GinkgoHelper()
	apply(ctx, w.namespace, `{kind: Secret, apiVersion: v1, metadata: {name: keys}, stringData: {accessKey: "{accessKey}", secretKey: "{secretKey}"}}`,
		"{accessKey}", keys.AccessKey, "{secretKey}", keys.SecretKey)
}

// callsWith lists the calls that named an access key.
func (w *world) callsWith(ctx context.Context, key string) []rig.Call {
	GinkgoHelper()
	calls, err := w.sim.Calls(ctx)
	Expect(err).NotTo(HaveOccurred())
	return slices.DeleteFunc(calls, func(call rig.Call) bool { return call.Account != key })
}

// aTry is the call by which an account tries its keys.
func aTry() gomegatypes.GomegaMatcher {
	return And(HaveField("Operation", "GET /v3/{project_id}/cas/environments"), HaveField("Query", "limit=1"))
}

// accounts returns a function that lists the access keys of all calls.
func (w *world) accounts(ctx context.Context) func() ([]string, error) {
	return func() ([]string, error) {
		calls, err := w.sim.Calls(ctx)
		keys := make([]string, 0, len(calls))
		for _, call := range calls {
			keys = append(keys, call.Account)
		}
		return keys, err
	}
}

// described returns a function that says whether the cloud's environment has a description.
func (w *world) described(ctx context.Context, text string) func() (bool, error) {
	return func() (bool, error) {
		records, err := w.sim.List(ctx, "servicestage/environments")
		return len(records) == 1 && records[0].Text("description") == text, err
	}
}

// told returns a function that says whether an object's Ready condition is about what it is now, and has the reason.
func (w *world) told(ctx context.Context, object *unstructured.Unstructured, reason string) func() (bool, error) {
	return func() (bool, error) {
		text, err := ready(ctx, object)
		var status, got string
		_, scanErr := fmt.Sscanf(text, "%s %s", &status, &got)
		return scanErr == nil && (reason == "" || got == reason+":"), err
	}
}
