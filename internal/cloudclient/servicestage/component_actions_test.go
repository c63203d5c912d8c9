// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestComponentActions(t *testing.T) {
	const line = "POST /applications/a1/components/c1/action"
	tests := []struct {
		action     Action
		parameters map[string]any
		reply      string
		body       string
		want       *ActionResult
		failed     bool
	}{
		{ActionStart, nil, `{"job_id":"J","result":"succeeded"}`, `{"action":"start"}`, &ActionResult{"J", "succeeded"}, false},
		{ActionStop, map[string]any{}, `{"job_id":"J"}`, `{"action":"stop"}`, &ActionResult{"J", ""}, false},
		{ActionRestart, nil, `{"job_id":"J","result":"Failed"}`, `{"action":"restart"}`, &ActionResult{"J", "Failed"}, true},
		{ActionScale, map[string]any{"replica": 3, "hosts": []string{"h1"}}, `{"job_id":"J"}`,
			`{"action":"scale","parameters":{"hosts":["h1"],"replica":3}}`, &ActionResult{"J", ""}, false},
		{ActionRollback, map[string]any{"version": "1.0.0"}, `{"job_id":"J"}`,
			`{"action":"rollback","parameters":{"version":"1.0.0"}}`, &ActionResult{"J", ""}, false},
		{ActionContinueDeploy, nil, `{"job_id":"J"}`, `{"action":"continue_deploy"}`, &ActionResult{"J", ""}, false},
		{ActionCheckGrayRelease, nil, `{"job_id":null,"result":"succeeded"}`, `{"action":"check_gray_release"}`, &ActionResult{"", "succeeded"}, false},
		{ActionModifyGrayRule, map[string]any{"first_batch_weight": 0}, `{}`,
			`{"action":"modify_gray_rule","parameters":{"first_batch_weight":0}}`, &ActionResult{}, false},
	}
	for _, tt := range tests {
		t.Run(string(tt.action), func(t *testing.T) {
			cloud, client := newScript(t, map[string]http.HandlerFunc{line: reply(200, tt.reply)})
			got, err := client.ComponentAction(t.Context(), "a1", "c1", tt.action, tt.parameters)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || got.Failed() != tt.failed {
				t.Errorf("failed = %v, want %v; result (-want +got):\n%s", got.Failed(), tt.failed, diff)
			}
			if diff := cmp.Diff([]string{line + " " + tt.body}, cloud.requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}
