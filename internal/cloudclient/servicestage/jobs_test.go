// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

const (
	jobLine   = "GET /jobs/JOB1?desc=false&limit=100&offset=0"
	jobLineV2 = "GET /v2/p1/cas/jobs/JOB1?desc=false&limit=100&offset=0"
)

func TestGetJob(t *testing.T) {
	lower := `{"task_count":3,"job":{"job_id":"JOB1","job_type":"PROVISION","execution_status":"FAILED","rollback_enabled":true},"tasks":[
		{"task_id":"T1","task_name":"SEPARATOR_BUILDING","task_status":"SUCCEEDED","task_type":"echo","messages":"{}",
		 "created_at":"2020-02-04T04:01:03.345Z","update_at":1580788863346},
		{"task_id":"T2","task_name":"TN00097","task_status":"FAILED","task_type":"restful",
		 "messages":"{\n \"Message\": \"ECC00011\",\n \"Detail\": \"Building failed.\"}","created_at":"1580788868962","updated_at":1580788898},null,
		{"task_id":"T3","task_name":"TN00098","task_status":"SUBMITTED","messages":null}]}`
	upper := strings.NewReplacer(
		"job_id", "JOB_ID", "job_type", "JOB_TYPE", "execution_status", "EXECUTION_STATUS", "rollback_enabled", "ROLLBACK_ENABLED",
		"task_id", "TASK_ID", "task_name", "TASK_NAME", "task_status", "TASK_STATUS", "task_type", "TASK_TYPE", "messages", "MESSAGES",
		"created_at", "CREATED_AT", "update_at", "LAST_HEALTH_CHECK", "updated_at", "LAST_HEALTH_CHECK",
	).Replace(lower)
	want := &Job{
		ID: "JOB1", Type: "PROVISION", Status: JobFailed, RollbackEnabled: true, TaskCount: 3,
		Tasks: []Task{
			{ID: "T1", Name: "SEPARATOR_BUILDING", Status: JobSucceeded, Type: "echo", CreatedAt: 1580788863345, UpdatedAt: 1580788863346},
			{ID: "T2", Name: "TN00097", Status: JobFailed, Type: "restful", Message: "ECC00011: Building failed.",
				CreatedAt: 1580788868962, UpdatedAt: 1580788898000},
			{ID: "T3", Name: "TN00098", Status: JobSubmitted},
		},
	}
	for name, tt := range map[string]struct {
		reply string
		want  *Job
	}{
		"lower case":      {lower, want},
		"upper case":      {upper, want},
		"not started":     {`{"task_count":5,"job":{"job_id":"JOB1","execution_status":"SUBMITTED"},"tasks":[]}`, &Job{ID: "JOB1", Status: JobSubmitted, TaskCount: 5}},
		"tasks are null":  {`{"job":{"job_id":"JOB1","execution_status":"running"},"tasks":null}`, &Job{ID: "JOB1", Status: JobRunning}},
		"no id, but that": {`{"job":{"execution_status":"UNKNOWN"}}`, &Job{ID: "JOB1", Status: JobUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, client := newScript(t, map[string]http.HandlerFunc{jobLine: reply(200, tt.reply)})
			got, err := client.GetJob(t.Context(), "JOB1")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("job (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{jobLine}, cloud.requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// tasksJSON is a page of a job's tasks. The job ends while the pages are read.
func tasksJSON(status string, count, from, to int) string {
	var tasks []string
	for n := from; n < to; n++ {
		tasks = append(tasks, fmt.Sprintf(`{"task_id":"T%d","task_name":"task %d","task_status":"SUCCEEDED"}`, n, n))
	}
	return fmt.Sprintf(`{"task_count":%d,"job":{"job_id":"JOB1","execution_status":%q},"tasks":[%s]}`, count, status, strings.Join(tasks, ","))
}

func TestGetJobReadsAllTasks(t *testing.T) {
	at := func(offset int) string { return strings.Replace(jobLine, "offset=0", fmt.Sprint("offset=", offset), 1) }
	tests := []struct {
		name  string
		pages map[int]string
		count int
		tasks int
	}{
		{"one page", map[int]string{0: tasksJSON("RUNNING", 99, 0, 99)}, 99, 99},
		{"a full page and nothing behind it", map[int]string{0: tasksJSON("RUNNING", 100, 0, 100), 100: tasksJSON("SUCCEEDED", 100, 0, 0)}, 100, 100},
		{"full pages", map[int]string{0: tasksJSON("RUNNING", 150, 0, 100), 100: tasksJSON("SUCCEEDED", 150, 100, 150)}, 150, 150},
		{"pages of 20 whatever was asked for", map[int]string{
			0: tasksJSON("RUNNING", 45, 0, 20), 20: tasksJSON("RUNNING", 45, 20, 40), 40: tasksJSON("SUCCEEDED", 45, 40, 45),
		}, 45, 45},
		{"a count of the page only", map[int]string{0: tasksJSON("RUNNING", 100, 0, 100), 100: tasksJSON("RUNNING", 20, 100, 120)}, 20, 120},
		{"no offset", map[int]string{0: tasksJSON("RUNNING", 30, 0, 20), 20: tasksJSON("RUNNING", 30, 0, 20)}, 30, 20},
		{"fewer than counted", map[int]string{0: tasksJSON("RUNNING", 30, 0, 20), 20: tasksJSON("RUNNING", 30, 0, 0)}, 30, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answers := map[string]http.HandlerFunc{}
			for offset, page := range tt.pages {
				answers[at(offset)] = reply(200, page)
			}
			cloud, client := newScript(t, answers)
			got, err := client.GetJob(t.Context(), "JOB1")
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != JobRunning || got.TaskCount != tt.count || len(got.Tasks) != tt.tasks {
				t.Errorf("%s with %d of %d tasks, want RUNNING, as it was at first, with %d of %d", got.Status, len(got.Tasks), got.TaskCount, tt.tasks, tt.count)
			}
			for n, task := range got.Tasks {
				if want := fmt.Sprint("T", n); task.ID != want {
					t.Fatalf("task %d is %s, want %s", n, task.ID, want)
				}
			}
			if got := len(cloud.requests()); got != len(tt.pages) {
				t.Errorf("%d requests, want %d", got, len(tt.pages))
			}
		})
	}
}

func TestGetJobBoundsItsTasks(t *testing.T) {
	var mu sync.Mutex
	pages := 0
	answers := map[string]http.HandlerFunc{}
	for offset := 0; offset <= 2*maxTasks; offset += taskPage {
		answers[strings.Replace(jobLine, "offset=0", fmt.Sprint("offset=", offset), 1)] = func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			pages++
			reply(200, tasksJSON("RUNNING", 1<<30, offset, offset+taskPage))(w, r)
		}
	}
	_, client := newScript(t, answers)
	if got, err := client.GetJob(t.Context(), "JOB1"); err != nil || len(got.Tasks) != maxTasks || pages != maxTasks/taskPage {
		t.Errorf("%d pages, %v; want %d tasks in %d", pages, err, maxTasks, maxTasks/taskPage)
	}
}

func TestGetJobWhereOnlyV2KnowsIt(t *testing.T) {
	found := reply(200, `{"job":{"JOB_ID":"JOB1","EXECUTION_STATUS":"RUNNING"},"tasks":[]}`)
	tests := []struct {
		name     string
		v3, v2   http.HandlerFunc
		want     []clouderr.Class // of one call after the other
		requests []string
	}{
		{"APIGW", failure(404, "APIGW.0101"), found, []clouderr.Class{"", ""}, []string{jobLine, jobLineV2, jobLineV2}},
		{"APIG", failure(404, "APIG.0101"), found, []clouderr.Class{"", ""}, []string{jobLine, jobLineV2, jobLineV2}},
		{"neither", failure(404, "APIGW.0101"), failure(404, "APIGW.0101"), []clouderr.Class{clouderr.Invalid, clouderr.Invalid},
			[]string{jobLine, jobLineV2, jobLine, jobLineV2}},
		{"V2 has no such job", failure(404, "APIGW.0101"), failure(404, "SVCSTG.00100429"), []clouderr.Class{clouderr.NotFound},
			[]string{jobLine, jobLineV2}},
		{"V3 has no such job", failure(404, "SVCSTG.00100429"), nil, []clouderr.Class{clouderr.NotFound, clouderr.NotFound}, []string{jobLine, jobLine}},
		{"V3 fails", failure(500, "SVCSTG.00100500"), nil, []clouderr.Class{clouderr.Transient}, []string{jobLine}},
		{"V3 fails with that code", failure(500, "APIGW.0101"), nil, []clouderr.Class{clouderr.Transient}, []string{jobLine}},
		{"V3 is a proxy's 404", reply(404, "<html>"), nil, []clouderr.Class{clouderr.Transient}, []string{jobLine}},
		{"V3 answers garbage", reply(200, `{}`), nil, []clouderr.Class{clouderr.Transient}, []string{jobLine}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answers := map[string]http.HandlerFunc{jobLine: tt.v3}
			if tt.v2 != nil {
				answers[jobLineV2] = tt.v2
			}
			cloud, client := newScript(t, answers)
			for _, want := range tt.want {
				job, err := client.GetJob(t.Context(), "JOB1")
				if clouderr.ClassOf(err) != want || (job == nil) != (err != nil) {
					t.Errorf("%v, %v; want class %q", job, err, want)
				}
			}
			if diff := cmp.Diff(tt.requests, cloud.requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJobStates(t *testing.T) {
	for state, want := range map[string]struct{ ended, succeeded bool }{
		JobSubmitted: {false, false}, JobScheduled: {false, false}, JobRunning: {false, false}, JobRollbacking: {false, false},
		"": {false, false}, "PAUSED": {false, false},
		JobSucceeded: {true, true}, JobFailed: {true, false}, JobCancelled: {true, false}, JobPartiallyFailed: {true, false},
		JobRollbacked: {true, false}, JobUnknown: {true, false},
	} {
		job := &Job{Status: state}
		if job.Ended() != want.ended || job.Succeeded() != want.succeeded {
			t.Errorf("%q: ended %v, succeeded %v; want %v", state, job.Ended(), job.Succeeded(), want)
		}
	}
}

func TestJobFailedTask(t *testing.T) {
	tests := []struct {
		name  string
		tasks []Task
		want  string
	}{
		{"no tasks", nil, ""},
		{"none failed", []Task{{Name: "a", Status: JobSucceeded}, {Name: "b", Status: TaskSkipped}, {Name: "c", Status: JobRunning}}, ""},
		{"one failed", []Task{{Name: "a", Status: JobSucceeded}, {Name: "b", Status: JobFailed}, {Name: "c", Status: JobCancelled}}, "b"},
		{"the second says why", []Task{{Name: "a", Status: JobFailed}, {Name: "b", Status: JobFailed, Message: "m"}}, "b"},
		{"none failed altogether", []Task{{Name: "a", Status: JobSucceeded}, {Name: "b", Status: JobCancelled}}, "b"},
		{"one failed in part", []Task{{Name: "a", Status: JobPartiallyFailed}, {Name: "b", Status: JobCancelled}}, "a"},
	}
	for _, tt := range tests {
		got := ""
		if task := (&Job{Tasks: tt.tasks}).FailedTask(); task != nil {
			got = task.Name
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestJobProgress(t *testing.T) {
	type progress struct {
		Done, Total int
		Current     string
	}
	started := []Task{{Name: "a", Status: JobSucceeded}, {Name: "b", Status: TaskSkipped}, {Name: "c", Status: JobSubmitted}, {Name: "d", Status: JobRunning}}
	tests := []struct {
		name string
		job  Job
		want progress
	}{
		{"no tasks yet", Job{Status: JobSubmitted, TaskCount: 5}, progress{0, 5, ""}},
		{"running", Job{Status: JobRunning, TaskCount: 6, Tasks: started}, progress{2, 6, "d"}},
		{"between two tasks", Job{Status: JobRunning, TaskCount: 3, Tasks: started[:3]}, progress{2, 3, "c"}},
		{"rolling back", Job{Status: JobRollbacking, Tasks: []Task{{Name: "a", Status: JobRollbacked}, {Name: "b", Status: JobRollbacking}}}, progress{0, 2, "b"}},
		{"failed", Job{Status: JobFailed, TaskCount: 3, Tasks: []Task{{Name: "a", Status: JobSucceeded}, {Name: "b", Status: JobFailed}, {Name: "c", Status: JobSubmitted}}}, progress{1, 3, ""}},
	}
	for _, tt := range tests {
		var got progress
		got.Done, got.Total, got.Current = tt.job.Progress()
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestTaskMessages(t *testing.T) {
	for message, want := range map[string]string{
		``:     ``,
		`{}`:   ``,
		` {} `: ``,
		`{"Message":"ECC00011","Detail":"Building failed."}`: `ECC00011: Building failed.`,
		`{"message":"ECC00011","detail":"Building failed."}`: `ECC00011: Building failed.`,
		`{"Message":"ECC00011"}`:                             `ECC00011`,
		`{"Detail":"Building failed."}`:                      `Building failed.`,
		`{"Message":"same","Detail":"same"}`:                 `same`,
		`{"Message":12,"Detail":null}`:                       `12`,
		`{"reason":"no image"}`:                              `{"reason":"no image"}`,
		"plain text\n\twith  breaks\x1b[31m":                 `plain text with breaks [31m`,
		`[1]`:                                                `[1]`,
		`{"Message`:                                          `{"Message`,
	} {
		if got := messageText(message); got != want {
			t.Errorf("%q = %q, want %q", message, got, want)
		}
	}
	if got := messageText(`{"Detail":"` + strings.Repeat("é", 1000) + `"}`); len(got) > 512 || !strings.HasSuffix(got, "...") {
		t.Errorf("a long message has %d bytes, want at most 512", len(got))
	}
}
