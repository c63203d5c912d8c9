// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package component

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/body"
	"servicestage.dev/operator/internal/external"
)

const base = `
version: 1.0.0
runtimeStack: {name: Docker, type: Docker, version: "1", deployMode: container}
source: {image: {url: "swr/web:1.0.0", storage: swr}}
replicas: 2
references: [{type: cce, id: c1}]
`

// component reads a spec laid over the base.
func component(t *testing.T, spec string) *v1alpha1.Component {
	t.Helper()
	c := &v1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	c.Spec.State = v1alpha1.ComponentRunning
	for _, document := range []string{base, spec} {
		if err := yaml.Unmarshal([]byte(document), &c.Spec); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// inCloud is the component as the cloud holds it once a spec was applied, in a status.
func inCloud(t *testing.T, c *v1alpha1.Component, status string) *observed {
	t.Helper()
	w := wantedOf(c, body.Resolved{EnvironmentID: "e1"})
	record := withStrategy(body.Overlay(map[string]any{}, w.body), w.strategy)
	record["id"], record["environment_id"] = "i1", "e1"
	record["status"] = map[string]any{"component_status": status, "available_replica": *c.Spec.Replicas, "replica": *c.Spec.Replicas}
	data, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	o := &observed{}
	if err := json.Unmarshal(data, &o.Component); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestWhatIsDoneFirst(t *testing.T) {
	const gray = `deployStrategy: {type: GrayRelease, grayRelease: {firstBatchWeight: 20, firstBatchReplicas: 1, remainingBatches: 1, hold: true}}`
	tests := map[string]struct {
		// before is what the cloud holds, after what is wanted of it.
		before, after, status string
		restart               string
		recorded              []string
		paths                 []string
		action                servicestage.Action
		message               string
	}{
		"nothing":                              {status: "RUNNING"},
		"nothing while the cloud works":        {status: "UPGRADING", after: "version: 2.0.0"},
		"nothing in a state that is not known": {status: "DREAMING", after: "version: 2.0.0"},
		"an upgrade": {status: "RUNNING", after: "version: 2.0.0", paths: []string{"spec.version"},
			message: "Upgrading from version 1.0.0 to 2.0.0."},
		"an upgrade in batches": {status: "RUNNING", after: `{version: 2.0.0, deployStrategy: {type: RollingRelease, rollingRelease: {batches: 3}}}`,
			paths: []string{"spec.version"}, message: "in 3 batches"},
		"a repair of what failed":   {status: "FAILED", after: "version: 2.0.0", paths: []string{"spec.version"}},
		"a repair before replicas":  {status: "FAILED", after: "replicas: 5", paths: []string{"spec.replicas"}},
		"a repair before a restart": {status: "FAILED", restart: "now", paths: []string{pathRestart}},
		"a rollback": {status: "RUNNING", after: "version: 0.9.0", recorded: []string{"1.0.0", "0.9.0"}, paths: []string{"spec.version"},
			action: servicestage.ActionRollback, message: "Rolling back from version 1.0.0 to 0.9.0."},
		"another field before replicas": {status: "RUNNING", after: `{replicas: 5, timezone: UTC}`, paths: []string{"spec.replicas", "spec.timezone"}},
		"replicas": {status: "RUNNING", after: "replicas: 5", paths: []string{"spec.replicas"},
			action: servicestage.ActionScale, message: "Scaling from 2 to 5 replicas."},
		"a stop":                       {status: "RUNNING", after: "state: Stopped", paths: []string{"spec.state"}, action: servicestage.ActionStop},
		"a start":                      {status: "STOPPED", paths: []string{"spec.state"}, action: servicestage.ActionStart},
		"a start before an upgrade":    {status: "STOPPED", after: "version: 2.0.0", paths: []string{"spec.state", "spec.version"}, action: servicestage.ActionStart},
		"no scaling while stopped":     {status: "STOPPED", after: `{state: Stopped, replicas: 5}`},
		"a restart":                    {status: "RUNNING", restart: "now", paths: []string{pathRestart}, action: servicestage.ActionRestart},
		"no restart while stopped":     {status: "STOPPED", after: "state: Stopped", restart: "now"},
		"a gray release that is held":  {before: gray, after: gray, status: "GRAYING"},
		"no scaling while graying":     {before: gray, after: gray + "\nreplicas: 9", status: "GRAYING"},
		"a gray release that goes on":  {before: gray, after: strings.Replace(gray, "hold: true", "hold: false", 1), status: "GRAYING", paths: []string{pathHold}, action: servicestage.ActionContinueDeploy},
		"a gray release without a say": {before: gray, status: "GRAYING", paths: []string{pathHold}, action: servicestage.ActionContinueDeploy},
		"another weight": {before: gray, after: strings.Replace(gray, "20", "50", 1), status: "GRAYING", paths: []string{pathWeight},
			action: servicestage.ActionModifyGrayRule, message: "50 %"},
		"a gray release that is given up": {before: gray, after: gray + "\nversion: 0.9.0", status: "GRAYING", recorded: []string{"1.0.0", "0.9.0"},
			paths: []string{"spec.version"}, action: servicestage.ActionRollback},
		"a strategy alone": {status: "RUNNING", after: gray},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := inCloud(t, component(t, test.before), test.status)
			c := component(t, test.after)
			if test.restart != "" {
				c.Annotations = map[string]string{v1alpha1.RestartedAtAnnotation: test.restart}
			}
			w := wantedOf(c, body.Resolved{EnvironmentID: "e1"})
			w.recorded = test.recorded
			changes := diff(w, o)
			if diff := cmp.Diff(test.paths, changes.Paths); diff != "" && len(test.paths)+len(changes.Paths) > 0 {
				t.Fatalf("paths (-want +got):\n%s", diff)
			}
			if changes.Empty() {
				return
			}
			next := nextStep(w, o, changes)
			if next.action != test.action || !strings.Contains(next.message, test.message) {
				t.Errorf("next is %q (%s), want %q (%s)", next.action, next.message, test.action, test.message)
			}
			if next.reason == "" || next.message == "" {
				t.Error("the step does not tell what it is")
			}
		})
	}
}

func TestWhatCannotChangeIsImmutable(t *testing.T) {
	o := inCloud(t, component(t, ""), "RUNNING")
	w := wantedOf(component(t, `{runtimeStack: {name: OpenJDK8, type: Java, version: "1", deployMode: container}}`), body.Resolved{EnvironmentID: "e2"})
	got := diff(w, o)
	want := external.Changes{Immutable: []string{"spec.environmentRef", "spec.runtimeStack"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestAnUpdateRepeatsReplicasAndKeepsUnknownLabels(t *testing.T) {
	o := inCloud(t, component(t, ""), "RUNNING")
	w := wantedOf(component(t, `{replicas: 9, version: 2.0.0}`), body.Resolved{EnvironmentID: "e1"})
	claim := external.Claim{Token: "0123"}

	b := updateBody(w, o, diff(w, o), claim)
	if b["replica"] != 2 {
		t.Errorf("replica is %v, want what the cloud holds", b["replica"])
	}
	if _, there := b["labels"]; there {
		t.Errorf("labels that were not seen are written: %v", b["labels"])
	}

	o.labelsKnown, o.Labels = true, []servicestage.Label{{Key: "a", Value: "1"}}
	b = updateBody(w, o, external.Changes{Mark: true}, claim)
	want := []servicestage.Label{{Key: "a", Value: "1"}, {Key: external.LabelKey, Value: "0123"}}
	if diff := cmp.Diff(want, b["labels"]); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

func TestOneReplicaIsCreatedWhereTheSpecNamesNone(t *testing.T) {
	c := component(t, "")
	if b := createBody(wantedOf(c, body.Resolved{}), external.Claim{}); b["replica"] != json.Number("2") {
		t.Errorf("replica is %v, want the spec's", b["replica"])
	}
	c.Spec.Replicas = nil
	if b := createBody(wantedOf(c, body.Resolved{}), external.Claim{}); b["replica"] != 1 {
		t.Errorf("replica is %v, want 1", b["replica"])
	}
}

func TestHealth(t *testing.T) {
	tests := map[string]struct {
		spec, status string
		available    int
		want         external.State
		phase        v1alpha1.RolloutPhase
	}{
		"running":              {"", "RUNNING", 2, external.Healthy, v1alpha1.PhaseRunning},
		"running, one missing": {"", "RUNNING", 1, external.Progressing, v1alpha1.PhaseRunning},
		"deploying":            {"", "INITIALIZING", 0, external.Progressing, v1alpha1.PhaseDeploying},
		"stopped as wanted":    {"state: Stopped", "STOPPED", 0, external.Healthy, v1alpha1.PhaseStopped},
		"stopped and unwanted": {"", "STOPPED", 0, external.Progressing, v1alpha1.PhaseStopped},
		"graying":              {"", "GRAYING", 2, external.Held, v1alpha1.PhaseGraying},
		"failed":               {"", "FAILED", 0, external.Unhealthy, v1alpha1.PhaseFailed},
		"down":                 {"", "DOWN", 0, external.Unhealthy, v1alpha1.PhaseFailed},
		"something new":        {"", "DREAMING", 0, external.Progressing, v1alpha1.PhaseUnknown},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := component(t, test.spec)
			o := inCloud(t, c, test.status)
			o.Status.AvailableReplica = test.available
			health := report(c, o)
			if health.State != test.want || health.Message == "" {
				t.Errorf("health is %v (%s), want %v", health.State, health.Message, test.want)
			}
			if c.Status.Phase != test.phase {
				t.Errorf("phase is %s, want %s", c.Status.Phase, test.phase)
			}
		})
	}
}

func TestAJobTellsHowItStandsAndWhyItFailed(t *testing.T) {
	tasks := []servicestage.Task{{Name: "build", Status: "FAILED", Message: "ECC00011: Building failed."}, {Name: "deploy", Status: "SCHEDULED"}}
	for _, status := range []string{"FAILED", "CANCELLED", "PARTIALLY_FAILED", "ROLLBACKED", "UNKNOWN"} {
		p := progressOf(&servicestage.Job{Status: status, TaskCount: 2, Tasks: tasks}, nil)
		if !p.Done || !strings.Contains(p.Failure, status) || !strings.Contains(p.Failure, "Building failed.") {
			t.Errorf("%s: progress is %+v", status, p)
		}
	}
	running := progressOf(&servicestage.Job{Status: "RUNNING", TaskCount: 2, Tasks: []servicestage.Task{{Name: "build", Status: "SUCCEEDED"}, {Name: "deploy", Status: "RUNNING"}}}, nil)
	if running.Done || running.TasksDone != 1 || running.TasksTotal != 2 || running.CurrentTask != "deploy" {
		t.Errorf("a running job's progress is %+v", running)
	}
	held := progressOf(&servicestage.Job{Status: "RUNNING"}, &observed{Component: servicestage.Component{Status: servicestage.ComponentStatus{ComponentStatus: "GRAYING"}}})
	if !held.Done || held.Failure != "" {
		t.Errorf("a gray release at its first batch: progress is %+v", held)
	}
}
