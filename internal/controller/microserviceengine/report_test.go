// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package microserviceengine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/cse"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/reconciler"
)

// running is an engine that can be used, as the detail and the list show it.
func running() *observed {
	o := applied(full())
	o.Version, o.LatestVersion = "2.3.1", "2.3.3"
	o.ServiceCenter = cse.EntryPoint{Master: "https://10.0.0.1:30100", Slave: "https://10.0.0.2:30100", MasterIPv6: "https://[::1]:30100"}
	o.Kie = cse.EntryPoint{Master: "https://10.0.0.1:30110"}
	o.usageKnown, o.UsedInstances = true, 7
	return o
}

func TestReport(t *testing.T) {
	e := &v1alpha1.MicroserviceEngine{}
	e.Status.CreateRetries = 2
	health := report(e, running())
	want := v1alpha1.MicroserviceEngineStatus{
		Name: "main", EngineStatus: "Available", Version: "2.3.1", LatestVersion: "2.3.3", Flavor: "cse.s1.small2", AuthType: "RBAC",
		EnterpriseProjectID: "ep-1", Instances: &v1alpha1.EngineInstances{Limit: 100, Used: 7},
		Endpoints: &v1alpha1.EngineEndpoints{
			ServiceCenter: v1alpha1.EngineEntryPoint{Master: "https://10.0.0.1:30100", Slave: "https://10.0.0.2:30100", MasterIPv6: "https://[::1]:30100"},
			Kie:           v1alpha1.EngineEntryPoint{Master: "https://10.0.0.1:30110"},
		},
	}
	if diff := cmp.Diff(want, e.Status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if health.State != external.Healthy || !strings.Contains(health.Message, "main") {
		t.Errorf("health is %+v", health)
	}

	// A look that leaves the use out keeps what was known of it.
	o := running()
	o.usageKnown, o.UsedInstances, o.Reference.InstanceLimit = false, 0, 200
	report(e, o)
	if got := *e.Status.Instances; got != (v1alpha1.EngineInstances{Limit: 200, Used: 7}) {
		t.Errorf("instances are %+v", got)
	}
}

func TestReportOfWhatIsBeingCreated(t *testing.T) {
	e := &v1alpha1.MicroserviceEngine{}
	report(e, running())
	e.Status.CreateRetries = 1 // of the one before
	o := &observed{partial: true}
	o.ID, o.Name, o.Status = "id-2", "main", cse.StatusCreating
	if health := report(e, o); health.State != external.Progressing {
		t.Errorf("health is %+v", health)
	}
	if s := e.Status; s.EngineStatus != "Creating" || s.Endpoints != nil || s.Instances != nil || s.CreateRetries != 0 {
		t.Errorf("status is %+v: what was known of the engine before outlives it", s)
	}
}

func TestReportOfAPollOfTheJobAlone(t *testing.T) {
	e := &v1alpha1.MicroserviceEngine{}
	e.Status.EngineStatus, e.Status.Name = "Creating", "main"
	report(e, &observed{job: halfDone()})
	want := v1alpha1.MicroserviceEngineStatus{
		Name: "main", EngineStatus: "Creating",
		Job: &v1alpha1.EngineJob{ID: "12001", Type: "Create", State: "Executing", PhasesDone: 1, PhasesTotal: 3, Phase: "engineInstall"},
	}
	if diff := cmp.Diff(want, e.Status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestReportKeepsOnlyTheJobWhoseEndIsKnown(t *testing.T) {
	e := &v1alpha1.MicroserviceEngine{}
	report(e, &observed{job: halfDone()})
	report(e, running())
	if e.Status.Job != nil {
		t.Errorf("the engine is at rest, and its job still %s", e.Status.Job.State)
	}
	done := halfDone()
	done.Status = cse.JobFinished
	report(e, &observed{job: done})
	report(e, running())
	if e.Status.Job == nil || e.Status.Job.State != cse.JobFinished {
		t.Errorf("job is %+v, want the one that finished", e.Status.Job)
	}
}

func TestReportCountsRetries(t *testing.T) {
	e := &v1alpha1.MicroserviceEngine{}
	o := running()
	o.Status, o.retries = cse.StatusCreating, 2
	report(e, o)
	if got := e.Status.CreateRetries; got != 2 {
		t.Errorf("retries are %d, want the one that was made counted", got)
	}
	o.Status, o.retries = cse.StatusCreateFailed, 0
	report(e, o)
	if got := e.Status.CreateRetries; got != 2 {
		t.Errorf("retries are %d, want them kept while the creation fails", got)
	}
	report(e, running())
	if got := e.Status.CreateRetries; got != 0 {
		t.Errorf("retries are %d, want none once it is there", got)
	}
}

func TestHealth(t *testing.T) {
	for _, tc := range []struct {
		status string
		want   external.State
		says   string
	}{
		{cse.StatusAvailable, external.Healthy, "The engine main is available."},
		{cse.StatusCreating, external.Progressing, "The engine is Creating."},
		{cse.StatusUpgrading, external.Progressing, "The engine is Upgrading."},
		{cse.StatusModifying, external.Progressing, "The engine is Modifying."},
		{cse.StatusDeleting, external.Progressing, "The engine is Deleting."},
		{"Configuring", external.Progressing, "The engine is Configuring."},
		{"", external.Progressing, "does not tell"},
		{cse.StatusUnavailable, external.Unhealthy, "CSE console"},
		{cse.StatusFreezed, external.Unhealthy, "unpaid bill or by a policy; settle the bill and unfreeze it in the console"},
		{cse.StatusCreateFailed, external.Unhealthy, "failed; raise spec.retryFailedCreate to try again, or delete this object"},
		{cse.StatusDeleteFailed, external.Unhealthy, "delete this object to try again"},
		{cse.StatusUpgradeFailed, external.Unhealthy, "retry it in the CSE console"},
		{cse.StatusModifyFailed, external.Unhealthy, "retry it in the CSE console"},
		{cse.StatusDeleted, external.Unhealthy, "deleted"},
	} {
		t.Run(tc.status, func(t *testing.T) {
			o := running()
			o.Status = tc.status
			health := report(&v1alpha1.MicroserviceEngine{}, o)
			if health.State != tc.want || !strings.Contains(health.Message, tc.says) {
				t.Errorf("health is %+v, want %d and %q", health, tc.want, tc.says)
			}
		})
	}
	e := &v1alpha1.MicroserviceEngine{}
	e.Spec.RetryFailedCreate, e.Status.CreateRetries = 2, 2
	o := running()
	o.Status = cse.StatusCreateFailed
	if got := report(e, o).Message; !strings.Contains(got, "failed, and so did 2 of 2 retries; raise") {
		t.Errorf("the message is %q", got)
	}
}

func halfDone() *cse.Job {
	return &cse.Job{ID: 12001, Type: "Create", Status: cse.JobExecuting, Phases: []cse.Phase{
		{Name: "resourcePrepare", Status: cse.JobFinished}, {Name: "engineInstall", Status: cse.JobExecuting}, {Name: "accessConfigure", Status: cse.JobInit},
	}}
}

func TestProgress(t *testing.T) {
	finished := halfDone()
	finished.Status = cse.JobFinished
	failed := halfDone()
	failed.Status, failed.Phases[1].Status = cse.JobError, cse.JobError
	failed.Phases[1].Tasks = []cse.Task{{Name: "KieTaskExecutor", Status: cse.JobError, Message: "no room"}}
	silent := halfDone()
	silent.Status, silent.Phases[1].Status = cse.JobTimeout, cse.JobTimeout
	for _, tc := range []struct {
		name string
		job  *cse.Job
		want external.Progress
	}{
		{"no phases yet", &cse.Job{Status: cse.JobInit}, external.Progress{Message: "The cloud is at work."}},
		{"half done", halfDone(), external.Progress{TasksDone: 1, TasksTotal: 3, CurrentTask: "engineInstall", Message: "1 of 3 phases done; now: engineInstall."}},
		{"finished", finished, external.Progress{TasksDone: 1, TasksTotal: 3, Done: true, Message: "1 of 3 phases done."}},
		{"failed", failed, external.Progress{TasksDone: 1, TasksTotal: 3, Done: true, Message: "1 of 3 phases done.",
			Failure: `the job ended as Error in "KieTaskExecutor": no room`}},
		{"timed out", silent, external.Progress{TasksDone: 1, TasksTotal: 3, Done: true, Message: "1 of 3 phases done.",
			Failure: `the job ended as Timeout in "engineInstall".`}},
		{"failed without a word", &cse.Job{Status: cse.JobError}, external.Progress{Done: true, Message: "The cloud is at work.", Failure: "the job ended as Error."}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, progressOf(tc.job)); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
		})
	}
	for status, want := range map[string]external.Progress{
		"Creating": {Message: "The engine is Creating."}, "Available": {Done: true}, "Freezed": {Done: true},
		"CreateFailed": {Done: true, Failure: "the engine is CreateFailed."},
	} {
		if diff := cmp.Diff(want, progressByState(status)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", status, diff)
		}
	}
}

func TestPublication(t *testing.T) {
	e := &v1alpha1.MicroserviceEngine{}
	if p := publication(e); p.Target != (reconciler.Target{}) || p.Written != (reconciler.Target{}) || p.Data != nil || p.Field != "spec.connection" {
		t.Errorf("an engine without a connection: %+v", p)
	}
	e.Spec.Connection = &v1alpha1.Connection{ConfigMap: "shop"}
	e.Status.Connection = &v1alpha1.Connection{Secret: "old"}
	p := publication(e)
	if p.Target != (reconciler.Target{Kind: "ConfigMap", Name: "shop"}) || p.Written != (reconciler.Target{Kind: "Secret", Name: "old"}) || p.Data != nil {
		t.Errorf("an engine without addresses: %+v", p)
	}
	p.Record(p.Target)
	if diff := cmp.Diff(e.Spec.Connection, e.Status.Connection); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	p.Record(reconciler.Target{})
	if e.Status.Connection != nil {
		t.Errorf("recorded %+v, want nothing", e.Status.Connection)
	}

	e.Status.ID = "id"
	report(e, running())
	want := map[string]string{
		"ENGINE_ID": "id", "ENGINE_NAME": "main", "AUTH_TYPE": "RBAC", "KIE_ADDRESS": "https://10.0.0.1:30110",
		"SERVICE_CENTER_ADDRESS": "https://10.0.0.1:30100,https://10.0.0.2:30100,https://[::1]:30100",
	}
	if diff := cmp.Diff(want, publication(e).Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	o := running()
	o.PublicServiceCenter, o.PublicKie = cse.EntryPoint{Master: "https://1.2.3.4:30100"}, cse.EntryPoint{Master: "https://1.2.3.4:30110"}
	report(e, o)
	want["SERVICE_CENTER_PUBLIC_ADDRESS"], want["KIE_PUBLIC_ADDRESS"] = "https://1.2.3.4:30100", "https://1.2.3.4:30110"
	if diff := cmp.Diff(want, publication(e).Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}
