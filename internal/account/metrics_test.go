// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/internal/cloudsim"
)

func TestStatedLimitsAreTold(t *testing.T) {
	w := newWorld(t)
	account := w.accepted(w.account())
	session, err := w.pool.Session(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	says := func(step, want string) {
		t.Helper()
		if err := testutil.GatherAndCompare(w.registry, strings.NewReader(want), statedLimitName); err != nil {
			t.Errorf("%s: %v", step, err)
		}
	}
	says("before the first 429", "")

	if err := w.cloud.SetFaults([]cloudsim.Fault{{
		Match: cloudsim.Match{Path: "/v3/*/cas/environments"}, Action: cloudsim.FaultStatus, Status: 429,
		Body: json.RawMessage(`{"error_code":"APIGW.0308","error_msg":"policy user over ratelimit,limit:30,time:1 minute"}`),
	}}); err != nil {
		t.Fatal(err)
	}
	if err := session.Cloud.Verify(t.Context()); err == nil {
		t.Fatal("the cloud did not throttle")
	}
	says("after it", `
		# HELP servicestage_cloud_stated_limit_requests_per_second Rate limits that hosts stated in a 429 and that are kept to, by account, host, what they are counted by, and the operation where one is limited alone.
		# TYPE servicestage_cloud_stated_limit_requests_per_second gauge
		servicestage_cloud_stated_limit_requests_per_second{account="team/default",host="`+strings.TrimPrefix(w.url, "http://")+`",operation="",policy="user"} 0.5
	`)
	if n, err := testutil.GatherAndCount(w.registry, "servicestage_cloud_requests_total", "servicestage_cloud_throttled_total"); err != nil || n != 2 {
		t.Errorf("%d series of the account, %v; want 2", n, err)
	}

	if problems, err := testutil.GatherAndLint(w.registry); err != nil || len(problems) > 0 {
		t.Errorf("names that are not by Prometheus' conventions: %v, %v", problems, err)
	}

	w.pool.Forget(client.ObjectKeyFromObject(account))
	says("once the account is gone", "")
	if n, err := testutil.GatherAndCount(w.registry, "servicestage_cloud_requests_total", "servicestage_cloud_throttled_total"); err != nil || n != 0 {
		t.Errorf("%d series of an account that is gone, %v", n, err)
	}
}

func TestMetricsName(t *testing.T) {
	for want, key := range map[string]types.NamespacedName{
		"team/default": {Namespace: "team", Name: "default"},
		"shared":       {Name: "shared"},
	} {
		if got := metricsName(key); got != want {
			t.Errorf("metricsName(%v) = %q, want %q", key, got, want)
		}
	}
}
