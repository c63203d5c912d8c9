// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package component

import (
	"encoding/json"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/body"
)

// Whatever the spec says and whatever the cloud holds, comparing them does not panic and lists paths in order; of what
// holds exactly what is wanted, nothing differs.
func FuzzDiff(f *testing.F) {
	f.Add(base, `{"version":"1.0.0"}`, "RUNNING")
	f.Add(base+"labels: {stage: dev}\nenv: [{name: A, value: '1'}]\n", `{"labels":[{"key":"stage","value":"test"}],"envs":[{"name":"A"}]}`, "FAILED")
	f.Add(base+"deployStrategy: {type: GrayRelease, grayRelease: {firstBatchWeight: 20, hold: true}}\n", `{"deploy_strategy":null,"source":7}`, "GRAYING")
	f.Add("state: Stopped\nreplicas: 0\n", `{"status":{"replica":2}}`, "STOPPED")
	f.Fuzz(func(t *testing.T, spec, held, status string) {
		c := &v1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
		if yaml.Unmarshal([]byte(spec), &c.Spec) != nil {
			t.Skip("no spec")
		}
		w := wantedOf(c, body.Resolved{EnvironmentID: "e1"})
		other := &observed{}
		if json.Unmarshal([]byte(held), &other.Component) == nil {
			other.Status.ComponentStatus = status
			if changes := diff(w, other); !slices.IsSorted(changes.Paths) || !slices.IsSorted(changes.Immutable) {
				t.Errorf("not sorted: %+v", changes)
			}
		}
		if c.Spec.State == v1alpha1.ComponentStopped || c.Spec.Replicas == nil || w.version == "" || w.gray != nil {
			return // what the cloud then holds depends on what it did before
		}
		if changes := diff(w, inCloud(t, c, string(servicestage.ComponentRunning))); len(changes.Immutable) > 0 {
			t.Errorf("what was applied cannot be changed to itself: %+v", changes)
		}
	})
}
