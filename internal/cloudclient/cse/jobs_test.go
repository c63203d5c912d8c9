// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cse

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

func TestGetEngineJob(t *testing.T) {
	const uri = "GET " + enginesURI + "/e1/jobs/12339"
	_, client := newScript(t, map[string]http.HandlerFunc{uri: reply(200, `{"id":12339,"engineId":"e1","type":"Create","description":"","status":"Executing",
		"scheduling":1,"createUser":"u","startTime":1636540095901,"endTime":null,"context":"{\"pwd\":\"x\"}","tasks":[
		{"taskName":"resourcePrepare","taskNames":["Tenant","Cluster"],"status":"Finished","startTime":1636540100216,"endTime":1636540110215,
		 "taskExecutorBrief":{"duration":60000,"description":"Resource preparation"},"tasks":[
			{"jobId":12339,"id":2,"taskName":"Cluster","taskOrder":1,"status":"Finished","timeout":-1,"log":"","output":"{}","taskExecutorBrief":null},
			{"jobId":12339,"id":"1","taskName":"Tenant","taskOrder":0,"status":"finished","log":"line one\nline two","output":"{}",
			 "taskExecutorBrief":{"description":"Tenant processing"}}]},
		null,
		{"taskName":"install","status":"Executing","taskExecutorBrief":"","tasks":null},
		{"taskName":"verify","status":"Init"}]}`)})
	got, err := client.GetEngineJob(t.Context(), "", "e1", 12339)
	if err != nil {
		t.Fatal(err)
	}
	want := &Job{
		ID: 12339, EngineID: "e1", Type: "Create", Status: JobExecuting, Scheduling: true, StartTime: 1636540095901,
		Phases: []Phase{
			{
				Name: "resourcePrepare", Description: "Resource preparation", Status: JobFinished, StartTime: 1636540100216, EndTime: 1636540110215,
				Tasks: []Task{
					{Name: "Tenant", Description: "Tenant processing", Status: JobFinished, Message: "line one line two"},
					{Name: "Cluster", Status: JobFinished},
				},
			},
			{Name: "install", Status: JobExecuting},
			{Name: "verify", Status: JobInit},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("job (-want +got):\n%s", diff)
	}
	if done, total, current := got.Progress(); done != 1 || total != 3 || current != "install" {
		t.Errorf("progress %d of %d at %q, want 1 of 3 at install", done, total, current)
	}
}

func TestAMissingJob(t *testing.T) {
	const uri = "GET " + enginesURI + "/e1/jobs/7"
	for code, want := range map[string]clouderr.Class{"SVCSTG.00501153": clouderr.NotFound, "SVCSTG.00501152": clouderr.Invalid} {
		_, client := newScript(t, map[string]http.HandlerFunc{uri: failure(400, code)})
		if _, err := client.GetEngineJob(t.Context(), "", "e1", 7); !clouderr.Is(err, want) {
			t.Errorf("%s: %v, want class %s", code, err, want)
		}
	}
	_, client := newScript(t, map[string]http.HandlerFunc{uri: reply(200, `{}`)})
	if _, err := client.GetEngineJob(t.Context(), "", "e1", 7); !clouderr.Is(err, clouderr.Transient) {
		t.Errorf("an empty object: %v, want class Transient", err)
	}
}

func TestJobOutcome(t *testing.T) {
	for status, want := range map[string][2]bool{
		JobInit: {false, false}, JobExecuting: {false, false}, JobFinished: {true, true}, JobError: {true, false}, JobTimeout: {true, false}, "Paused": {false, false},
	} {
		job := Job{Status: status, Phases: []Phase{{Name: "a", Status: JobFinished}, {Name: "b", Status: JobInit}}}
		if got := [2]bool{job.Ended(), job.Succeeded()}; got != want {
			t.Errorf("%s: ended, succeeded = %v, want %v", status, got, want)
		}
		done, total, current := job.Progress()
		if wantCurrent := map[bool]string{true: "", false: "b"}[want[0]]; done != 1 || total != 2 || current != wantCurrent {
			t.Errorf("%s: progress %d of %d at %q, want 1 of 2 at %q", status, done, total, current, wantCurrent)
		}
	}
}

func TestFailedTask(t *testing.T) {
	good := Task{Name: "good", Status: JobFinished, Message: "fine"}
	silent := Task{Name: "silent", Status: JobError}
	late := Task{Name: "late", Status: JobTimeout, Message: "no quota"}
	tests := []struct {
		name   string
		phases []Phase
		want   *Task
	}{
		{"no phases", nil, nil},
		{"none failed", []Phase{{Status: JobFinished, Tasks: []Task{good}}}, nil},
		{"the one that says why", []Phase{{Status: JobError, Tasks: []Task{good, silent}}, {Status: JobTimeout, Tasks: []Task{late}}}, &late},
		{"the one that says nothing", []Phase{{Name: "p", Status: JobError, Tasks: []Task{good, silent}}}, &silent},
		{"the phase alone", []Phase{{Name: "p", Description: "d", Status: JobError, Tasks: []Task{good}}}, &Task{Name: "p", Description: "d", Status: JobError}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			job := Job{Status: JobError, Phases: tt.phases}
			if diff := cmp.Diff(tt.want, job.FailedTask()); diff != "" {
				t.Errorf("task (-want +got):\n%s", diff)
			}
		})
	}
}
