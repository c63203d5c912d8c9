// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
)

// whileCreating is a fault of the call that creates environments.
func whileCreating(action cloudsim.FaultAction, status int, body string) cloudsim.Fault {
	f := cloudsim.Fault{
		Name: "while-creating", Match: cloudsim.Match{Method: "POST", Path: "/v3/*/cas/environments"}, Action: action, Status: status,
	}
	if body != "" {
		f.Body = json.RawMessage(body)
	}
	return f
}

var _ = Describe("Errors of the cloud", func() {
	var w *world
	BeforeEach(func() {
		w = newWorld()
		accountBecomes(w.account("default"), "True/Available")
	})

	DescribeTable("end in one condition, and in Ready once they are over",
		func(fault cloudsim.Fault, ready string, stalled bool, words string) {
			Expect(w.cloud.SetFaults([]cloudsim.Fault{fault})).To(Succeed())
			e := w.env("failing")
			w.create(e)
			becomes(e, ready)
			Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring(words))
			if stalled {
				Expect(condition(e, v1alpha1.ConditionStalled)).To(HavePrefix("True/"))
				Expect(condition(e, v1alpha1.ConditionReconciling)).To(BeEmpty())
			} else {
				Expect(condition(e, v1alpha1.ConditionStalled)).To(BeEmpty())
				Expect(condition(e, v1alpha1.ConditionReconciling)).To(HavePrefix("True/"))
			}
			Expect(w.cloud.SetFaults(nil)).To(Succeed())
			request(e, "again")
			available(e)
			Expect(condition(e, v1alpha1.ConditionStalled)).To(BeEmpty())
			Expect(w.items("environments")).To(HaveLen(1))
		},
		Entry("an internal error", whileCreating(cloudsim.FaultStatus, 500, `{"error_code":"SVCSTG.00100500","error_msg":"Internal Server Error"}`),
			"False/CloudUnavailable", false, "SVCSTG.00100500"),
		Entry("an empty 503", whileCreating(cloudsim.FaultStatus, 503, `""`), "False/CloudUnavailable", false, "503"),
		Entry("garbage", whileCreating(cloudsim.FaultGarbage, 0, `"<html>teapot</html>"`), "False/CloudUnavailable", false, "Cannot"),
		Entry("silence", whileCreating(cloudsim.FaultResetBefore, 0, ""), "False/CloudUnavailable", false, "Cannot create the environment"),
		Entry("throttling", whileCreating(cloudsim.FaultStatus, 429, `{"error_code":"APIGW.0308","error_msg":"The throttling threshold has been reached: policy user over ratelimit,limit:1,time:1 second"}`),
			"False/Throttled", false, "APIGW.0308"),
		Entry("a value that the cloud does not like", whileCreating(cloudsim.FaultStatus, 400, `{"error_code":"SVCSTG.00100400","error_msg":"vpc_id is not known"}`),
			"False/Rejected", true, "vpc_id is not known"),
		Entry("a missing permission", whileCreating(cloudsim.FaultStatus, 403, `{"error_code":"APIGW.0302","error_msg":"not authorised"}`),
			"False/Forbidden", true, "Grant the permission"),
		Entry("a suspended quota", whileCreating(cloudsim.FaultStatus, 405, `{"error_code":"SVCSTG.00100421","error_msg":"The account quota has been suspended."}`),
			"False/QuotaExceeded", true, "Raise the quota"),
	)

	It("include a quota that is used up", func() {
		Expect(w.cloud.MergeQuirks([]byte(`{"quotas": {"servicestage/environments": 1}}`))).To(Succeed())
		first, second := w.env("first"), w.env("second")
		w.create(first)
		available(first)
		w.create(second)
		becomes(second, "False/QuotaExceeded")
		w.delete(first)
		gone(first)
		request(second, "now")
		available(second)
	})

	It("while an environment is well leave it Ready, and do not make it anew", func() {
		e := w.env("well")
		w.create(e)
		available(e)
		id := e.Status.ID
		Expect(w.cloud.SetFaults([]cloudsim.Fault{{Name: "down", Match: cloudsim.Match{Path: "/v3/*/cas/**"}, Action: cloudsim.FaultStatus, Status: 503}})).To(Succeed())
		request(e, "now")
		Eventually(func() string {
			becomes(e, "True/Available")
			return condition(e, v1alpha1.ConditionSynced)
		}).Should(Equal("False/CloudUnavailable"))
		Expect(w.cloud.SetFaults(nil)).To(Succeed())
		request(e, "then")
		Eventually(func() string {
			available(e)
			return e.Status.ID
		}).Should(Equal(id))
	})

	It("in the second of two calls keep the id of what the first made", func() {
		Expect(w.cloud.SetFaults([]cloudsim.Fault{{
			Name: "bad-resource", Match: cloudsim.Match{Method: "PUT", Path: "/v3/*/cas/environments/*/resources"},
			Action: cloudsim.FaultStatus, Status: 400, Body: json.RawMessage(`{"error_code":"SVCSTG.00100422","error_msg":"no such cluster"}`),
		}})).To(Succeed())
		e := w.env("half", func(e *v1alpha1.Environment) {
			e.Spec.Resources = []v1alpha1.EnvironmentResource{{Type: "cce", ID: "no-such-cluster"}}
		})
		w.create(e)
		becomes(e, "False/Rejected")
		Expect(e.Status.ID).NotTo(BeEmpty())
		Expect(message(e, v1alpha1.ConditionReady)).To(ContainSubstring("no such cluster"))
		Expect(w.cloud.SetFaults(nil)).To(Succeed())
		request(e, "now")
		available(e)
		Expect(w.items("environments")).To(ConsistOf(HaveKeyWithValue("resources", HaveLen(1))))
	})
})
