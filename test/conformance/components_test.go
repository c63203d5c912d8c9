// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/cloudsim"
)

// sharedClock is the simulator's clock, seen by the client: signatures stay fresh however far it moves.
type sharedClock struct{ *cloudsim.ManualClock }

func (c sharedClock) Sleep(context.Context, time.Duration) error { return nil }

// deployment is one component in a simulated cloud whose time the test moves.
type deployment struct {
	*testing.T
	stage                            *servicestage.Client
	simulator                        *cloudsim.Server
	clock                            *cloudsim.ManualClock
	environmentID, applicationID, id string
}

func newDeployment(t *testing.T, quirks cloudsim.Quirks) *deployment {
	t.Helper()
	clock := cloudsim.NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	simulator, url := startSimulator(t, func(o *cloudsim.Options) { o.Clock, o.Quirks = clock, quirks })
	policy, err := endpoint.NewPolicy([]string{"http://127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := cloudclient.New(cloudclient.Config{
		Account: "conformance/default", Region: region, ProjectID: projectID, Credentials: key, Policy: policy,
		Endpoints: map[cloudclient.Service]string{cloudclient.ServiceStage: url}, Clock: sharedClock{clock},
		RateLimit: cloudclient.RateLimit{RequestsPerSecond: 1000, Burst: 1_000_000},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	d := &deployment{T: t, stage: servicestage.New(cloud), simulator: simulator, clock: clock}
	d.environmentID = must[*servicestage.Environment](t)(d.stage.CreateEnvironment(t.Context(), servicestage.EnvironmentCreate{
		Name: "dev", DeployMode: "container", VPCID: "vpc-1",
	})).ID
	must[[]servicestage.EnvironmentResource](t)(d.stage.SetEnvironmentResources(t.Context(), d.environmentID,
		[]servicestage.EnvironmentResource{{ID: "cluster-1", Type: "cce"}}))
	d.applicationID = must[*servicestage.Application](t)(d.stage.CreateApplication(t.Context(), servicestage.ApplicationCreate{Name: "shop"})).ID
	return d
}

// stack is a supported runtime stack for container images.
func (d *deployment) stack() servicestage.RuntimeStack {
	d.Helper()
	for _, stack := range must[[]servicestage.RuntimeStack](d.T)(d.stage.ListRuntimeStacks(d.Context())) {
		if stack.Type == "Docker" && stack.DeployMode == "container" && stack.Status == "Supported" {
			return stack
		}
	}
	d.Fatal("no supported runtime stack for container images")
	return servicestage.RuntimeStack{}
}

func (d *deployment) body(version string, more map[string]any) map[string]any {
	d.Helper()
	stack := d.stack()
	body := map[string]any{
		"name": "web", "environment_id": d.environmentID, "version": version, "replica": 3,
		"runtime_stack":   map[string]any{"name": stack.Name, "type": stack.Type, "version": stack.Version, "deploy_mode": stack.DeployMode},
		"source":          map[string]any{"kind": "image", "storage": "swr", "url": "swr.example.com/shop/web:" + version},
		"refer_resources": []any{map[string]any{"id": "cluster-1", "type": "cce", "parameters": map[string]any{"namespace": "default"}}},
	}
	maps.Copy(body, more)
	return body
}

func (d *deployment) get() *servicestage.Component {
	d.Helper()
	return must[*servicestage.Component](d.T)(d.stage.GetComponent(d.Context(), d.applicationID, d.id))
}

// finish moves the time until a job has ended, and returns it. Its progress only ever grows.
func (d *deployment) finish(jobID string) *servicestage.Job {
	d.Helper()
	before := 0
	for range 10_000 {
		job := must[*servicestage.Job](d.T)(d.stage.GetJob(d.Context(), jobID))
		done, total, _ := job.Progress()
		if job.ID != jobID || done < before || done > total {
			d.Fatalf("job %s: %d of %d tasks done after %d", job.ID, done, total, before)
		}
		if before = done; job.Ended() {
			return job
		}
		d.clock.Advance(time.Second)
	}
	d.Fatalf("job %s does not end", jobID)
	return nil
}

// settle moves the time until the component is as wanted.
func (d *deployment) settle(status string, available int) *servicestage.Component {
	d.Helper()
	var got *servicestage.Component
	for range 10_000 {
		got = d.get()
		if got.Status.ComponentStatus == status && got.Status.AvailableReplica == available {
			return got
		}
		d.clock.Advance(time.Second)
	}
	d.Fatalf("status = %+v, want %s with %d available", got.Status, status, available)
	return nil
}

// succeed waits for a job that must end well.
func (d *deployment) succeed(what, jobID string) {
	d.Helper()
	if job := d.finish(jobID); !job.Succeeded() || job.FailedTask() != nil {
		d.Fatalf("%s: %+v, want success", what, job)
	}
}

func (d *deployment) create(version string, more map[string]any) {
	d.Helper()
	created := must[*servicestage.ComponentJob](d.T)(d.stage.CreateComponent(d.Context(), d.applicationID, d.body(version, more)))
	d.id = created.ComponentID
	d.succeed("create", created.JobID)
	d.settle(servicestage.ComponentRunning, 3)
}

// update sends back what the cloud holds, overlaid with what changes, as an owner of a few fields does.
func (d *deployment) update(changes map[string]any) string {
	d.Helper()
	body := maps.Clone(d.get().Fields)
	for _, own := range []string{"id", "status", "application_id", "environment_id", "application_name", "environment_name", "workload_kind", "platform_type", "creator"} {
		delete(body, own)
	}
	maps.Copy(body, changes)
	return must[string](d.T)(d.stage.UpdateComponent(d.Context(), d.applicationID, d.id, body))
}

func (d *deployment) act(action servicestage.Action, parameters map[string]any) {
	d.Helper()
	result := must[*servicestage.ActionResult](d.T)(d.stage.ComponentAction(d.Context(), d.applicationID, d.id, action, parameters))
	if result.Failed() {
		d.Fatalf("%s: %+v", action, result)
	}
	if result.JobID != "" {
		d.succeed(string(action), result.JobID)
	}
}

func (d *deployment) records() []*servicestage.ComponentRecord {
	d.Helper()
	var records []*servicestage.ComponentRecord
	for record, err := range d.stage.ListComponentRecords(d.Context(), d.applicationID, d.id) {
		if err != nil {
			d.Fatal(err)
		}
		records = append(records, record)
	}
	return records
}

// dialects are the forms in which clouds tell the same.
var dialects = map[string]cloudsim.Quirks{
	"observed": {},
	"documented": {
		MissingResource: "notFound", DetailLabels: true, NoServerValues: true, EmptyComponentDelete: true, NoJobsV3: true,
		ComponentApplicationFilter: true, RecordTimes: "millis", EmptyCollections: "array",
	},
	"mixed": {
		UpperCaseJobs: true, RecordTimes: "number", BusyCode: "release", KeepStatusWhileDeleting: true, DetailAccesses: true,
		GatewayPrefix: "APIG", VersionReuse: "any", PutKeepsAbsent: true, ErrorShape: "error_message",
	},
	"V2 of another gateway": {NoJobsV3: true, GatewayPrefix: "APIG", ErrorShape: "camelCase"},
}

func TestOurClientManagesAComponentsWholeLife(t *testing.T) {
	for name, quirks := range dialects {
		t.Run(name, func(t *testing.T) {
			d := newDeployment(t, quirks)
			ctx := t.Context()
			d.create("1.0.0", map[string]any{
				"limit_cpu": json.Number("0.5"), "labels": []any{map[string]any{"key": "team", "value": "a"}},
				"envs": []any{map[string]any{"name": "MODE", "value": "test"}},
			})
			got := d.get()
			if got.ID != d.id || got.Name != "web" || got.Version != "1.0.0" || got.EnvironmentID != d.environmentID ||
				got.ApplicationID != d.applicationID || got.Status.Replica != 3 || got.Status.LastJobID == "" || got.CreateTime == 0 {
				t.Errorf("detail = %+v", got)
			}
			if cpu, ok := got.Fields["limit_cpu"].(json.Number); !ok || cpu.String() != "0.5" {
				t.Errorf("limit_cpu = %v, want the number 0.5", got.Fields["limit_cpu"])
			}
			_, err := d.stage.CreateComponent(ctx, d.applicationID, d.body("1.0.0", nil))
			if err == nil {
				t.Error("the same component again was taken")
			}
			_, err = d.stage.CreateComponent(ctx, d.applicationID, d.body("one", map[string]any{"name": "other"}))
			wantClass(t, "a bad version", err, clouderr.Invalid)
			_, err = d.stage.CreateComponent(ctx, "no-such-application", d.body("1.0.0", nil))
			wantClass(t, "a missing application", err, clouderr.NotFound)
			wantClass(t, "delete its application", d.stage.DeleteApplication(ctx, d.applicationID), clouderr.InUse)

			for what, list := range map[string]struct {
				applicationID string
				options       servicestage.ComponentListOptions
				want          int
			}{
				"application":    {d.applicationID, servicestage.ComponentListOptions{}, 1},
				"project":        {"", servicestage.ComponentListOptions{}, 1},
				"by names":       {"", servicestage.ComponentListOptions{ApplicationName: "shop", Name: "web"}, 1},
				"by other names": {"", servicestage.ComponentListOptions{ApplicationName: "shop", Name: "w"}, 0},
			} {
				found := 0
				for component, err := range d.stage.ListComponents(ctx, list.applicationID, list.options) {
					if err != nil {
						t.Fatal(err)
					}
					found++
					if component.ID != d.id || component.ApplicationName != "shop" || component.EnvironmentName != "dev" ||
						!slices.Equal(component.Labels, []servicestage.Label{{Key: "team", Value: "a"}}) {
						t.Errorf("%s: item = %+v", what, component)
					}
				}
				if found != list.want {
					t.Errorf("%s: %d components, want %d", what, found, list.want)
				}
			}

			job := d.update(map[string]any{"version": "1.0.1"})
			_, err = d.stage.ComponentAction(ctx, d.applicationID, d.id, servicestage.ActionRestart, nil)
			wantClass(t, "an action during an update", err, clouderr.Busy)
			d.succeed("update", job)
			if got := d.settle(servicestage.ComponentRunning, 3); got.Version != "1.0.1" || got.Fields["limit_cpu"] != json.Number("0.5") {
				t.Errorf("after the update: version %s, limit_cpu %v; want 1.0.1 and 0.5 kept", got.Version, got.Fields["limit_cpu"])
			}

			d.act(servicestage.ActionScale, map[string]any{"replica": 5})
			d.settle(servicestage.ComponentRunning, 5)
			d.act(servicestage.ActionScale, map[string]any{"replica": 2})
			d.settle(servicestage.ComponentRunning, 2)
			d.act(servicestage.ActionStop, nil)
			d.settle(servicestage.ComponentStopped, 0)
			d.act(servicestage.ActionStart, nil)
			d.settle(servicestage.ComponentRunning, 2)
			d.act(servicestage.ActionRestart, nil)
			d.settle(servicestage.ComponentRunning, 2)
			d.act(servicestage.ActionRollback, map[string]any{"version": "1.0.0"})
			if got := d.settle(servicestage.ComponentRunning, 2); got.Version != "1.0.0" {
				t.Errorf("after the rollback: version %s, want 1.0.0", got.Version)
			}

			if err := d.stage.DeleteComponent(ctx, d.applicationID, d.id); err != nil {
				t.Fatal(err)
			}
			gone := false
			for range 10_000 {
				if _, err := d.stage.GetComponent(ctx, d.applicationID, d.id); err != nil {
					wantClass(t, "get after deletion", err, clouderr.NotFound)
					gone = true
					break
				}
				d.clock.Advance(time.Second)
			}
			if !gone {
				t.Fatal("the component is never gone")
			}
			wantClass(t, "delete after deletion", d.stage.DeleteComponent(ctx, d.applicationID, d.id), clouderr.NotFound)
			_, err = d.stage.UpdateComponent(ctx, d.applicationID, d.id, d.body("1.0.2", nil))
			wantClass(t, "update after deletion", err, clouderr.NotFound)
			_, err = d.stage.GetJob(ctx, "JOB-that-never-was")
			wantClass(t, "a job that never was", err, clouderr.NotFound)
			if err := d.stage.DeleteApplication(ctx, d.applicationID); err != nil {
				t.Errorf("delete the application: %v", err)
			}
			_, err = d.stage.GetComponent(ctx, d.applicationID, d.id)
			wantClass(t, "get after the application's deletion", err, clouderr.NotFound)
		})
	}
}

func TestOurClientReadsTheRecordsOfADeployment(t *testing.T) {
	for name, quirks := range dialects {
		t.Run(name, func(t *testing.T) { readRecords(newDeployment(t, quirks)) })
	}
}

func readRecords(d *deployment) {
	d.create("1.0.0", nil)
	d.clock.Advance(time.Minute)
	d.succeed("update", d.update(map[string]any{
		"version": "1.0.1", "deploy_strategy": map[string]any{"type": "RollingRelease", "rolling_release": map[string]any{"batches": 3}},
	}))
	records := d.records()
	if len(records) != 2 {
		d.Fatalf("%d records, want 2", len(records))
	}
	for i, want := range []struct {
		version, deployType string
		current             bool
	}{{"1.0.1", "RollingRelease", true}, {"1.0.0", "OneBatchRelease", false}} {
		got := records[i]
		if got.Version != want.version || got.DeployType != want.deployType || got.Current != want.current || got.JobID == "" {
			d.Errorf("record %d = %+v, want %+v", i, got, want)
		}
		if begun := time.UnixMilli(got.BeginTime); begun.Before(d.clock.Now().Add(-time.Hour)) || begun.After(d.clock.Now()) || got.EndTime < got.BeginTime {
			d.Errorf("record %d runs from %v to %v, want within the hour", i, begun, time.UnixMilli(got.EndTime))
		}
	}
}

func TestOurClientGuidesAGrayRelease(t *testing.T) {
	d := newDeployment(t, cloudsim.Quirks{})
	d.create("1.0.0", nil)
	job := d.update(map[string]any{"version": "1.0.1", "deploy_strategy": map[string]any{
		"type": "GrayRelease",
		"gray_release": map[string]any{
			"type": "weight", "first_batch_weight": 20, "first_batch_replica": 1, "remaining_batch": 1, "remaining_batches": 1,
		},
	}})
	held := false
	for range 10_000 {
		if held = d.get().Status.ComponentStatus == servicestage.ComponentGraying; held {
			break
		}
		d.clock.Advance(time.Second)
	}
	if !held {
		t.Fatal("the gray release never waits at its first batch")
	}
	d.clock.Advance(time.Hour)
	if got := d.get().Status.ComponentStatus; got != servicestage.ComponentGraying {
		t.Errorf("status after an hour = %s, want it to wait", got)
	}
	d.act(servicestage.ActionCheckGrayRelease, nil)
	d.act(servicestage.ActionModifyGrayRule, map[string]any{"first_batch_weight": 50})
	d.act(servicestage.ActionContinueDeploy, nil)
	if got := d.settle(servicestage.ComponentRunning, 3); got.Version != "1.0.1" {
		t.Errorf("version = %s, want 1.0.1", got.Version)
	}
	d.finish(job)
}

func TestOurClientReadsAJobThatFails(t *testing.T) {
	for name, quirks := range dialects {
		t.Run(name, func(t *testing.T) {
			d := newDeployment(t, quirks)
			d.create("1.0.0", nil)
			for i, result := range []string{
				servicestage.JobFailed, servicestage.JobCancelled, servicestage.JobPartiallyFailed, servicestage.JobRollbacked, servicestage.JobUnknown,
			} {
				if err := d.simulator.SetOutcomes([]cloudsim.Outcome{{
					Job: "update", Result: result, Message: `{"Message":"ECC00011","Detail":"Updating failed."}`,
				}}); err != nil {
					t.Fatal(err)
				}
				job := d.finish(d.update(map[string]any{"version": fmt.Sprintf("1.1.%d", i)}))
				if job.Status != result || job.Succeeded() {
					t.Errorf("%s: job = %+v", result, job)
				}
				if task := job.FailedTask(); result == servicestage.JobFailed && (task == nil || task.Name == "" || task.Message != "ECC00011: Updating failed.") {
					t.Errorf("%s: the failed task is %+v of %+v", result, task, job.Tasks)
				}
			}

			if err := d.simulator.SetOutcomes(nil); err != nil {
				t.Fatal(err)
			}
			d.succeed("repair", d.update(map[string]any{"version": "1.2.0"}))
			if got := d.settle(servicestage.ComponentRunning, 3); got.Status.FailDetail != "" {
				t.Errorf("status after the repair = %+v", got.Status)
			}

			if err := d.simulator.SetClusters([]cloudsim.ClusterFault{{ID: "cluster-1", FailDetail: "cluster_deleted"}}); err != nil {
				t.Fatal(err)
			}
			got := d.settle(servicestage.ComponentFailed, 0)
			if got.Status.FailDetail != "cluster_deleted" {
				t.Errorf("status without a cluster = %+v", got.Status)
			}
		})
	}
}
