// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudsim"
)

const (
	tick    = time.Second
	gray    = `{"deploy_strategy":{"type":"GrayRelease","gray_release":{"type":"weight","first_batch_weight":10,"first_batch_replica":1,"remaining_batch":2}}}`
	rolling = `{"deploy_strategy":{"type":"RollingRelease","rolling_release":{"batches":3}}}`
)

// stage is a cloud with an application, an environment and what a test does to one component in them.
type stage struct {
	*cloud
	id, job string
}

func newStage(t *testing.T, body string) *stage {
	t.Helper()
	s := &stage{cloud: newCloud(t, func(o *cloudsim.Options) { o.ComponentTaskDuration = tick })}
	s.put("applications", shop)
	s.put("environments", boundEnv)
	created := s.call(http.MethodPost, compsPath, body)
	if created.status != 200 {
		t.Fatalf("create: %d %s", created.status, created.body)
	}
	s.id, _ = created.field("component_id").(string)
	s.job, _ = created.field("job_id").(string)
	return s
}

// newRunning is a stage whose component runs.
func newRunning(t *testing.T, body string) *stage {
	t.Helper()
	s := newStage(t, body)
	s.clock.Advance(time.Minute)
	s.wantStatus("RUNNING 3/3")
	return s
}

func (s *stage) path() string { return compsPath + "/" + s.id }

func (s *stage) detail() map[string]any {
	s.t.Helper()
	var body map[string]any
	got := s.call(http.MethodGet, s.path(), "")
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != 200 {
		s.t.Fatalf("detail: %d %s", got.status, got.body)
	}
	return body
}

// status is "COMPONENT_STATUS available/replica", then fail_detail where there is one.
func (s *stage) status() string {
	s.t.Helper()
	status, _ := s.detail()["status"].(map[string]any)
	text := fmt.Sprintf("%v %v/%v", status["component_status"], status["available_replica"], status["replica"])
	if status["fail_detail"] != nil {
		text += fmt.Sprintf(" %v", status["fail_detail"])
	}
	return text
}

func (s *stage) wantStatus(want string) {
	s.t.Helper()
	if got := s.status(); got != want {
		s.t.Fatalf("status %s, want %s", got, want)
	}
}

// update sends a PUT and remembers its job.
func (s *stage) update(body string) {
	s.t.Helper()
	s.remember(s.call(http.MethodPut, s.path(), body))
}

func (s *stage) act(body string) {
	s.t.Helper()
	s.remember(s.call(http.MethodPost, s.path()+"/action", body))
}

func (s *stage) remember(got answer) {
	s.t.Helper()
	if got.status != 200 {
		s.t.Fatalf("%d %s", got.status, got.body)
	}
	s.job, _ = got.field("job_id").(string)
}

// jobStatus is "EXECUTION_STATUS", then NAME=STATUS of each task.
func (s *stage) jobStatus() string {
	s.t.Helper()
	var body struct {
		Job   struct{ Execution_status string }
		Tasks []struct{ Task_name, Task_status string }
	}
	got := s.call(http.MethodGet, "/v3/p1/cas/jobs/"+s.job, "")
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != 200 {
		s.t.Fatalf("job: %d %s", got.status, got.body)
	}
	words := []string{body.Job.Execution_status}
	for _, task := range body.Tasks {
		words = append(words, task.Task_name+"="+task.Task_status)
	}
	return strings.Join(words, " ")
}

// ticks advances the clock task by task and collects the component's status after each, repetitions left out.
func (s *stage) ticks(n int) []string {
	s.t.Helper()
	seen := []string{s.status()}
	for range n {
		s.clock.Advance(tick)
		if now := s.status(); now != seen[len(seen)-1] {
			seen = append(seen, now)
		}
	}
	return seen
}

func (s *stage) wantTicks(n int, want ...string) {
	s.t.Helper()
	if got := s.ticks(n); strings.Join(got, ", ") != strings.Join(want, ", ") {
		s.t.Errorf("went through\n%s, want\n%s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// releases is "version status" of every record, the oldest first, the one in use with a star.
func (s *stage) releases() string {
	s.t.Helper()
	var body struct {
		Records []struct {
			Version, Status string
			Current_used    bool
		}
	}
	if err := json.Unmarshal([]byte(s.call(http.MethodGet, s.path()+"/records?order=asc", "").body), &body); err != nil {
		s.t.Fatal(err)
	}
	var lines []string
	for _, record := range body.Records {
		line := record.Version + " " + record.Status
		if record.Current_used {
			line += "*"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ", ")
}

func (s *stage) wantReleases(want string) {
	s.t.Helper()
	if got := s.releases(); got != want {
		s.t.Errorf("records %s, want %s", got, want)
	}
}

func TestCreateComesUp(t *testing.T) {
	s := newStage(t, jarBody(""))
	if got := s.jobStatus(); got != "SUBMITTED" {
		t.Errorf("before the first task: %s", got)
	}
	s.wantReleases("1.0.0 RUNNING")
	s.clock.Advance(tick)
	if got, want := s.jobStatus(), "RUNNING SEPARATOR_PREPARE_RESOURCES=RUNNING SEPARATOR_BUILDING=SUBMITTED TN00097=SUBMITTED SEPARATOR_DEPLOYING=SUBMITTED "+
		"DEPLOY_BATCH_1_OF_3=SUBMITTED DEPLOY_BATCH_2_OF_3=SUBMITTED DEPLOY_BATCH_3_OF_3=SUBMITTED CHECK_INSTANCES=SUBMITTED"; got != want {
		t.Errorf("job %s, want %s", got, want)
	}
	s.wantTicks(8, "INITIALIZING 0/3", "INITIALIZING 1/3", "INITIALIZING 2/3", "INITIALIZING 3/3", "RUNNING 3/3")
	if got := s.jobStatus(); !strings.HasPrefix(got, "SUCCEEDED ") || strings.Count(got, "=SUCCEEDED") != 8 {
		t.Errorf("at the end: %s", got)
	}
	s.wantReleases("1.0.0 SUCCEEDED*")
	detail := s.detail()
	compareJSON(t, fmt.Sprint(string(mustJSON(detail["build"]))), `{"parameters":{"cluster_id":"k1","dockerfile_path":"./","artifact_namespace":"cas_p1"}}`)
	status, _ := detail["status"].(map[string]any)
	compareJSON(t, string(mustJSON(status["artifact"])), `{"type":"image","url":"swr.cloud.test/cas_p1/web:1.0.0"}`)
}

func mustJSON(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

func TestJobOnBothPaths(t *testing.T) {
	s := newStage(t, vmBody(""))
	s.clock.Advance(2 * tick)
	check(t, s.call(http.MethodGet, "/v3/p1/cas/jobs/"+s.job+"?limit=1&offset=1", ""), 200, `{"task_count":4,
		"job":{"job_id":"`+s.job+`","job_name":"component/create","job_type":"PROVISION","job_desc":"component/create","execution_status":"RUNNING",
			"rollback_enabled":false,"created_by":"bot","project_id":"p1","service_instance_id":"`+s.id+`","order_id":""},
		"tasks":[{"task_id":"*","task_index":1,"task_name":"SEPARATOR_DEPLOYING","task_status":"RUNNING","task_type":"echo","messages":"{}",
			"created_at":"2026-01-02T03:04:07.000Z","update_at":"2026-01-02T03:04:07.000Z"}]}`)
	const upper = `{"task_count":4,"job":{"JOB_ID":"*","JOB_NAME":"component/create","JOB_TYPE":"PROVISION","JOB_DESC":"component/create",
			"EXECUTION_STATUS":"RUNNING","CREATED_BY":"bot","PROJECT_ID":"p1","SERVICE_INSTANCE_ID":"*","ORDER_ID":""},
		"tasks":[{"TASK_ID":"*","TASK_INDEX":3,"TASK_NAME":"CHECK_INSTANCES","TASK_STATUS":"SUBMITTED","TASK_TYPE":"kube","MESSAGES":"{}","CREATED_AT":null,
			"LAST_HEALTH_CHECK":null,"OWNER_ID":"cas-mgr-0"}]}`
	check(t, s.call(http.MethodGet, "/v2/p1/cas/jobs/"+s.job+"?limit=1&desc=true", ""), 200, upper)
	s.sim(http.MethodPut, "quirks", `{"upperCaseJobs":true}`, 200)
	check(t, s.call(http.MethodGet, "/v3/p1/cas/jobs/"+s.job+"?limit=1&desc=true", ""), 200, upper)
	s.sim(http.MethodPut, "quirks", `{"noJobsV3":true}`, 200)
	check(t, s.call(http.MethodGet, "/v3/p1/cas/jobs/"+s.job, ""), 404, `"*"`)
	check(t, s.call(http.MethodGet, "/v2/p1/cas/jobs/"+s.job+"?limit=x", ""), 400, badRequest("limit must be an integer from 0 to 100."))
}

func TestTasksPageAtTwenty(t *testing.T) {
	s := newStage(t, webBody(`{"replica":30}`))
	s.clock.Advance(time.Minute)
	s.update(webBody(`{"version":"1.0.1","replica":30,"deploy_strategy":{"type":"RollingRelease","rolling_release":{"batches":30}}}`))
	s.clock.Advance(tick)
	for query, want := range map[string]int{"": 20, "?limit=100": 33, "?offset=20": 13, "?limit=0": 0} {
		got := s.call(http.MethodGet, "/v3/p1/cas/jobs/"+s.job+query, "")
		tasks, _ := got.field("tasks").([]any)
		if len(tasks) != want || got.field("task_count") != 33.0 {
			t.Errorf("%q: %d tasks of %v, want %d", query, len(tasks), got.field("task_count"), want)
		}
	}
}

func TestRollingUpdateInThreeBatches(t *testing.T) {
	s := newRunning(t, webBody(`{"labels":[{"key":"k","value":"v"}],"envs":[{"name":"A"}],"replica":3}`))
	s.update(patched(webBody(`{"version":"1.0.1","replica":7}`), rolling))
	check(t, s.call(http.MethodPut, s.path(), webBody(`{"version":"1.0.2"}`)), 409, wrongState)
	check(t, s.call(http.MethodPost, s.path()+"/action", `{"action":"stop"}`), 409, wrongState)
	s.wantReleases("1.0.0 SUCCEEDED*, 1.0.1 RUNNING")
	s.wantTicks(7, "UPGRADING 3/3", "UPGRADING 2/3", "UPGRADING 3/3", "RUNNING 3/3")
	s.wantReleases("1.0.0 SUCCEEDED, 1.0.1 SUCCEEDED*")
	record, err := s.GetResource("servicestage", "components", s.id)
	if err != nil {
		t.Fatal(err)
	}
	// What the PUT left out is gone, but for labels; the number of instances changes by scaling only.
	if record["envs"] != nil || record["labels"] == nil || record["replica"] != 3.0 || record["version"] != "1.0.1" {
		t.Errorf("the record is %s", mustJSON(record))
	}
	s.sim(http.MethodPut, "quirks", `{"busyCode":"release","putKeepsAbsent":true}`, 200)
	s.update(webBody(`{"version":"1.0.2"}`))
	check(t, s.call(http.MethodPut, s.path(), webBody("")), 409, `{"error_code":"SVCSTG.00100432","error_msg":"The component is already in the release task."}`)
	if s.detail()["deploy_strategy"] == nil {
		t.Error("putKeepsAbsent lost the deployment strategy")
	}
}

func TestVersionsAreUsedOnce(t *testing.T) {
	const used = `{"error_code":"SVCSTG.00100441","error_msg":"The component instance version number has been used in the environment."}`
	s := newRunning(t, webBody(""))
	put := func(version string) answer {
		got := s.call(http.MethodPut, s.path(), webBody(`{"version":"`+version+`"}`))
		s.clock.Advance(time.Minute)
		return got
	}
	check(t, put("1.0.0"), 200, `{"job_id":"*"}`)
	check(t, put("1.0.1"), 200, `{"job_id":"*"}`)
	check(t, put("1.0.0"), 404, used)
	s.sim(http.MethodPut, "quirks", `{"versionReuse":"never"}`, 200)
	check(t, put("1.0.1"), 404, used)
	s.sim(http.MethodPut, "quirks", `{"versionReuse":"any"}`, 200)
	check(t, put("1.0.0"), 200, `{"job_id":"*"}`)
}

func TestGrayReleaseHeldShiftedAndContinued(t *testing.T) {
	s := newRunning(t, webBody(""))
	s.update(patched(webBody(`{"version":"2.0.0"}`), gray))
	s.wantTicks(5, "UPGRADING 3/3", "UPGRADING 2/3", "UPGRADING 3/3", "GRAYING 3/3")
	if got := s.jobStatus(); !strings.HasPrefix(got, "SUCCEEDED ") {
		t.Errorf("the job of the first batch is %s", got)
	}
	s.clock.Advance(time.Hour)
	s.wantStatus("GRAYING 3/3")
	s.wantReleases("1.0.0 SUCCEEDED*, 2.0.0 GRAYING")
	check(t, s.call(http.MethodPost, s.path()+"/action", `{"action":"check_gray_release"}`), 200, `{"job_id":null,"result":"succeeded"}`)

	s.act(`{"action":"modify_gray_rule","parameters":{"first_batch_weight":50}}`)
	s.wantTicks(2, "GRAYING 3/3")
	s.act(`{"action":"modify_gray_rule","parameters":{"gray_release":{"first_batch_weight":60}}}`)
	s.clock.Advance(time.Minute)
	compareJSON(t, string(mustJSON(s.detail()["deploy_strategy"])),
		`{"type":"GrayRelease","gray_release":{"type":"weight","first_batch_weight":60,"first_batch_replica":1,"remaining_batch":2}}`)

	s.act(`{"action":"continue_deploy"}`)
	s.wantTicks(5, "UPGRADING 3/3", "UPGRADING 2/3", "UPGRADING 3/3", "RUNNING 3/3")
	s.wantReleases("1.0.0 SUCCEEDED, 2.0.0 SUCCEEDED*")
	check(t, s.call(http.MethodGet, s.path()+"/records?limit=1", ""), 200, `{"count":2,"records":[{"begin_time":"2026-01-02T03:05:05Z","end_time":"*","description":null,
		"instance_id":"`+s.id+`","version":"2.0.0","current_used":true,"status":"SUCCEEDED","deploy_type":"GrayRelease","jobs":[
			{"sequence":1,"deploy_type":"GrayRelease","job_id":"*","job_info":{"deploy_type":"GrayRelease","source_url":"swr.test/ns/web:1","first_batch_weight":10,"first_batch_replica":1,"replica":3,"remaining_batch":2}},
			{"sequence":2,"deploy_type":"GrayRelease","job_id":"`+s.job+`","job_info":{"deploy_type":"GrayRelease","source_url":"swr.test/ns/web:1","first_batch_weight":60,"first_batch_replica":1,"replica":3,"remaining_batch":2}}]}]}`)
}

func TestGrayReleaseGivenUp(t *testing.T) {
	for name, giveUp := range map[string]func(s *stage){
		"by an update to the old version": func(s *stage) { s.update(webBody("")) },
		"by a rollback":                   func(s *stage) { s.act(`{"action":"rollback","parameters":{"version":"1.0.0"}}`) },
		"by rollback_current":             func(s *stage) { s.act(`{"action":"rollback_current"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newRunning(t, webBody(""))
			s.update(patched(webBody(`{"version":"2.0.0"}`), gray))
			s.clock.Advance(time.Minute)
			s.wantStatus("GRAYING 3/3")
			giveUp(s)
			s.wantTicks(4, "UPGRADING 3/3", "UPGRADING 2/3", "UPGRADING 3/3", "RUNNING 3/3")
			s.wantReleases("1.0.0 SUCCEEDED, 2.0.0 ROLLBACKED, 1.0.0 SUCCEEDED*")
			if got := s.detail()["version"]; got != "1.0.0" {
				t.Errorf("version %v", got)
			}
		})
	}
}

func TestGrayReleaseAfterAJobThatWasTakenBack(t *testing.T) {
	s := newRunning(t, webBody(""))
	s.update(patched(webBody(`{"version":"2.0.0"}`), gray))
	s.clock.Advance(time.Minute)
	s.sim(http.MethodPut, "outcomes", `[{"job":"continue_deploy","nth":1,"result":"CANCELLED"},{"job":"rollback","nth":1,"result":"ROLLBACKED"}]`, 200)
	s.act(`{"action":"continue_deploy"}`)
	s.clock.Advance(time.Minute)
	s.wantStatus("GRAYING 3/3")
	s.wantReleases("1.0.0 SUCCEEDED*, 2.0.0 GRAYING")
	s.act(`{"action":"rollback","parameters":{"version":"1.0.0"}}`)
	s.clock.Advance(time.Minute)
	s.wantStatus("GRAYING 3/3")
	s.wantReleases("1.0.0 SUCCEEDED*, 2.0.0 GRAYING, 1.0.0 ROLLBACKED")
	s.act(`{"action":"continue_deploy"}`)
	s.clock.Advance(time.Minute)
	s.wantStatus("RUNNING 3/3")
	s.wantReleases("1.0.0 SUCCEEDED, 2.0.0 SUCCEEDED*, 1.0.0 ROLLBACKED")
}

func TestRollback(t *testing.T) {
	s := newRunning(t, webBody(`{"envs":[{"name":"A","value":"old"}]}`))
	s.update(webBody(`{"version":"2.0.0"}`))
	s.clock.Advance(time.Minute)
	s.act(`{"action":"scale","parameters":{"replica":2}}`)
	s.clock.Advance(time.Minute)
	s.act(`{"action":"rollback","parameters":{"version":"1.0.0"}}`)
	s.wantTicks(4, "UPGRADING 2/2", "UPGRADING 0/2", "UPGRADING 2/2", "RUNNING 2/2")
	s.wantReleases("1.0.0 SUCCEEDED, 2.0.0 SUCCEEDED, 1.0.0 SUCCEEDED*")
	envs, _ := s.detail()["envs"].([]any)
	compareJSON(t, string(mustJSON(envs[0])), `{"name":"A","value":"old"}`)
}

func TestScaleStopStartRestart(t *testing.T) {
	s := newRunning(t, webBody(""))
	s.act(`{"action":"scale","parameters":{"replica":5}}`)
	s.wantTicks(5, "UPGRADING 3/5", "UPGRADING 4/5", "UPGRADING 5/5", "RUNNING 5/5")
	s.act(`{"action":"scale","parameters":{"replica":2}}`)
	s.wantTicks(3, "UPGRADING 5/2", "UPGRADING 2/2", "RUNNING 2/2")
	s.act(`{"action":"stop"}`)
	s.wantTicks(3, "STOPPING 2/2", "STOPPING 0/2", "STOPPED 0/2")
	s.update(webBody(`{"version":"1.0.1"}`))
	s.wantTicks(5, "UPGRADING 0/2", "STOPPED 0/2")
	s.act(`{"action":"start"}`)
	s.wantTicks(5, "STARTING 0/2", "STARTING 1/2", "STARTING 2/2", "RUNNING 2/2")
	s.act(`{"action":"restart"}`)
	s.wantTicks(5, "RESTARTING 2/2", "RESTARTING 0/2", "RESTARTING 1/2", "RESTARTING 2/2", "RUNNING 2/2")
	s.wantReleases("1.0.0 SUCCEEDED, 1.0.1 SUCCEEDED*")
}

func TestScaleOnVirtualMachines(t *testing.T) {
	s := newStage(t, vmBody(""))
	s.clock.Advance(time.Minute)
	s.act(`{"action":"scale","parameters":{"hosts":["h1","h2"]}}`)
	s.clock.Advance(time.Minute)
	s.wantStatus("RUNNING 2/2")
	compareJSON(t, string(mustJSON(s.detail()["refer_resources"])), `[{"id":"Default","type":"ecs","parameters":{"hosts":["h1","h2"]}}]`)
}

func TestJobsThatEndBadly(t *testing.T) {
	for _, tc := range []struct {
		result, create, update, version string
	}{
		{"FAILED", "FAILED 0/3 create_failed", "FAILED 3/3", "2.0.0"},
		{"CANCELLED", "FAILED 0/3 create_failed", "RUNNING 3/3", "1.0.0"},
		{"PARTIALLY_FAILED", "PARTIALLY_FAILED 0/3 create_failed", "PARTIALLY_FAILED 3/3", "2.0.0"},
		{"ROLLBACKED", "FAILED 0/3 create_failed", "RUNNING 3/3", "1.0.0"},
		{"UNKNOWN", "UNKNOWN 0/3 create_failed", "UNKNOWN 3/3", "2.0.0"},
	} {
		t.Run(tc.result, func(t *testing.T) {
			s := newStage(t, jarBody(`{"name":"api"}`))
			s.sim(http.MethodPut, "outcomes", `[{"component":"w*","job":"create","nth":1,"result":"`+tc.result+`"},{"component":"api","job":"update","result":"`+tc.result+`"}]`, 200)
			s.clock.Advance(time.Minute)
			s.update(jarBody(`{"name":"api","version":"2.0.0"}`))
			s.clock.Advance(time.Minute)
			s.wantStatus(tc.update)
			if got := s.detail()["version"]; got != tc.version {
				t.Errorf("version %v, want %s", got, tc.version)
			}
			if got := s.jobStatus(); !strings.HasPrefix(got, tc.result+" ") || !strings.Contains(got, "CHECK_INSTANCES=SKIPPED") {
				t.Errorf("job %s", got)
			}
			s.wantReleases("1.0.0 SUCCEEDED*, 2.0.0 " + tc.result)
			created := s.call(http.MethodPost, compsPath, jarBody(""))
			s.id, _ = created.field("component_id").(string)
			s.clock.Advance(time.Minute)
			s.wantStatus(tc.create)
			states := s.Outcomes()
			if states[0].Hits != 1 || states[1].Hits != 1 {
				t.Errorf("outcomes %+v", states)
			}
		})
	}
}

func TestBuildThatFailsAndIsFixed(t *testing.T) {
	s := newRunning(t, jarBody(""))
	s.sim(http.MethodPut, "outcomes", `[{"job":"update","nth":1,"result":"FAILED"}]`, 200)
	s.update(jarBody(`{"version":"2.0.0"}`))
	s.wantTicks(4, "UPGRADING 3/3", "FAILED 3/3")
	if got, want := s.jobStatus(), "FAILED SEPARATOR_PREPARE_RESOURCES=SUCCEEDED SEPARATOR_BUILDING=SUCCEEDED TN00097=FAILED SEPARATOR_DEPLOYING=SKIPPED DEPLOY_BATCH_1_OF_1=SKIPPED CHECK_INSTANCES=SKIPPED"; got != want {
		t.Errorf("job %s, want %s", got, want)
	}
	tasks, _ := s.call(http.MethodGet, "/v3/p1/cas/jobs/"+s.job, "").field("tasks").([]any)
	failed, _ := tasks[2].(map[string]any)
	if failed["messages"] != `{"Message":"ECC00011","Detail":"Building failed."}` {
		t.Errorf("messages %v", failed["messages"])
	}
	s.update(jarBody(`{"version":"2.0.0","build":{"parameters":{"build_cmd":"mvn package"}}}`))
	s.clock.Advance(time.Minute)
	s.wantStatus("RUNNING 3/3")
	s.wantReleases("1.0.0 SUCCEEDED, 2.0.0 FAILED, 2.0.0 SUCCEEDED*")
}

func TestRollbackingComesBeforeRollbacked(t *testing.T) {
	s := newRunning(t, webBody(""))
	s.sim(http.MethodPut, "outcomes", `[{"job":"restart","nth":2,"task":"SEPARATOR_*","result":"ROLLBACKED"}]`, 200)
	s.act(`{"action":"restart"}`)
	s.clock.Advance(time.Minute)
	if got := s.jobStatus(); !strings.HasPrefix(got, "SUCCEEDED ") {
		t.Errorf("the first restart %s", got)
	}
	s.act(`{"action":"restart"}`)
	for _, want := range []string{"RUNNING", "ROLLBACKING", "ROLLBACKED"} {
		s.clock.Advance(tick)
		if got := s.jobStatus(); !strings.HasPrefix(got, want+" ") {
			t.Errorf("the second restart %s, want %s", got, want)
		}
	}
	s.wantStatus("RUNNING 3/3")
}

// The reference's own example: 5 instances in 3 batches are 2:2:1.
func TestRemainingBatchesGoFromLargeToSmall(t *testing.T) {
	s := newStage(t, webBody(`{"replica":6}`))
	s.clock.Advance(time.Minute)
	s.update(patched(webBody(`{"version":"2.0.0","replica":6}`), patched(gray, `{"deploy_strategy":{"gray_release":{"remaining_batch":3}}}`)))
	s.clock.Advance(time.Minute)
	s.act(`{"action":"continue_deploy"}`)
	s.wantTicks(6, "UPGRADING 6/6", "UPGRADING 4/6", "UPGRADING 5/6", "UPGRADING 6/6", "RUNNING 6/6")
}

func TestHeldJobsGoOnWhenTheOutcomesAreSetAnew(t *testing.T) {
	s := newRunning(t, webBody(""))
	s.sim(http.MethodPut, "outcomes", `[{"job":"update","task":"DEPLOY_BATCH_2_*","result":"HELD"}]`, 200)
	s.update(patched(webBody(`{"version":"2.0.0"}`), rolling))
	s.clock.Advance(time.Hour)
	s.wantStatus("UPGRADING 2/3")
	if got := s.jobStatus(); !strings.Contains(got, "DEPLOY_BATCH_2_OF_3=RUNNING") {
		t.Errorf("job %s", got)
	}
	s.sim(http.MethodDelete, "outcomes", "", 204)
	s.clock.Advance(time.Minute)
	s.wantStatus("RUNNING 3/3")
}

func TestJobsAreNotHeldByOutcomesThatAreGone(t *testing.T) {
	s := newRunning(t, webBody(""))
	s.sim(http.MethodPut, "outcomes", `[{"job":"update","task":"DEPLOY_BATCH_2_*","result":"HELD"}]`, 200)
	s.update(patched(webBody(`{"version":"2.0.0"}`), rolling))
	s.sim(http.MethodDelete, "outcomes", "", 204)
	s.clock.Advance(time.Minute)
	s.wantStatus("RUNNING 3/3")
}

func TestDeleteAtAnyTime(t *testing.T) {
	for name, before := range map[string]func(s *stage){
		"while running":                 func(s *stage) { s.clock.Advance(time.Minute) },
		"before the first task":         func(*stage) {},
		"in the middle of the creation": func(s *stage) { s.clock.Advance(3 * tick) },
		"while upgrading": func(s *stage) {
			s.clock.Advance(time.Minute)
			s.update(webBody(`{"version":"2.0.0"}`))
			s.clock.Advance(tick)
		},
		"while gray": func(s *stage) {
			s.clock.Advance(time.Minute)
			s.update(patched(webBody(`{"version":"2.0.0"}`), gray))
			s.clock.Advance(time.Minute)
		},
		"once it has failed": func(s *stage) { s.patch(`{"status":{"component_status":"FAILED"}}`) },
		"while a job is held": func(s *stage) {
			s.sim(http.MethodPut, "outcomes", `[{"job":"restart","result":"HELD"}]`, 200)
			s.clock.Advance(time.Minute)
			s.act(`{"action":"restart"}`)
			s.clock.Advance(time.Minute)
		},
		"when its cluster has vanished": func(s *stage) {
			s.sim(http.MethodPut, "clusters", `[{"id":"k1","failDetail":"cluster_deleted"}]`, 200)
			s.clock.Advance(time.Minute)
		},
		"while it is being deleted": func(s *stage) { check(s.t, s.call(http.MethodDelete, s.path(), ""), 200, `"*"`) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, webBody(""))
			before(s)
			check(t, s.call(http.MethodDelete, s.path(), ""), 200, `{"component_id":"`+s.id+`"}`)
			if got := s.status(); !strings.HasPrefix(got, "DELETING ") {
				t.Errorf("status %s", got)
			}
			check(t, s.call(http.MethodDelete, envsPath+"/e1", ""), 409, `"*"`)
			check(t, s.call(http.MethodDelete, appsPath+"/a1", ""), 409, `"*"`)
			check(t, s.call(http.MethodPut, s.path(), webBody("")), 409, wrongState)
			s.clock.Advance(4 * tick)
			check(t, s.call(http.MethodGet, s.path(), ""), 401, missingComp)
			if got := s.jobStatus(); strings.Contains(got, "RUNNING") {
				t.Errorf("the job before it is still %s", got)
			}
			if n, err := s.Resources("servicestage", "releases"); err != nil || len(n) != 0 {
				t.Errorf("records left: %v, %v", n, err)
			}
			check(t, s.call(http.MethodDelete, envsPath+"/e1", ""), 204, "")
			check(t, s.call(http.MethodDelete, appsPath+"/a1", ""), 204, "")
		})
	}
}

func (s *stage) patch(document string) {
	s.t.Helper()
	s.sim(http.MethodPatch, "resources/servicestage/components/"+s.id, document, 200)
}

func TestDeleteAnswersAsDocumented(t *testing.T) {
	s := newRunning(t, webBody(""))
	s.sim(http.MethodPut, "quirks", `{"emptyComponentDelete":true,"keepStatusWhileDeleting":true}`, 200)
	s.sim(http.MethodPut, "outcomes", `[{"job":"delete","count":1,"result":"FAILED"}]`, 200)
	check(t, s.call(http.MethodDelete, s.path(), ""), 200, "")
	s.wantStatus("RUNNING 3/3")
	s.clock.Advance(time.Minute)
	s.wantStatus("FAILED 0/3 delete_failed")
	check(t, s.call(http.MethodDelete, s.path(), ""), 200, "")
	s.clock.Advance(time.Minute)
	check(t, s.call(http.MethodGet, s.path(), ""), 401, missingComp)
}

func TestClusterThatVanishes(t *testing.T) {
	s := newRunning(t, webBody(""))
	s.sim(http.MethodPut, "clusters", `[{"id":"k1","failDetail":"cluster_inaccessible","componentStatus":"UNKNOWN"}]`, 200)
	s.wantStatus("UNKNOWN 0/3 cluster_inaccessible")
	s.update(webBody(`{"version":"2.0.0"}`))
	s.clock.Advance(time.Minute)
	if got := s.jobStatus(); !strings.HasPrefix(got, "FAILED ") {
		t.Errorf("job %s", got)
	}
	s.sim(http.MethodDelete, "clusters", "", 204)
	s.wantStatus("FAILED 3/3 cluster_inaccessible")
	s.update(webBody(`{"version":"2.0.0"}`))
	s.clock.Advance(time.Minute)
	s.wantStatus("RUNNING 3/3")
}

func TestComponentChangedBehindEverybodysBack(t *testing.T) {
	s := newRunning(t, webBody(`{"envs":[{"name":"A","value":"1"}]}`))
	s.patch(`{"envs":[{"name":"A","value":"2"}],"status":{"component_status":"DOWN","available_replica":1,"fail_detail":"namespace_deleted"}}`)
	s.wantStatus("DOWN 1/3 namespace_deleted")
	envs, _ := s.detail()["envs"].([]any)
	compareJSON(t, string(mustJSON(envs[0])), `{"name":"A","value":"2"}`)

	s.update(webBody(`{"version":"2.0.0"}`))
	s.sim(http.MethodDelete, "resources/servicestage/components/"+s.id, "", 204)
	s.clock.Advance(time.Minute)
	if got := s.jobStatus(); !strings.HasPrefix(got, "CANCELLED ") {
		t.Errorf("the job of a component that is gone is %s", got)
	}
	if got := s.sim(http.MethodPut, "resources/servicestage/components/c9", `{"status":{"available":1}}`, 400).body; !strings.Contains(got, `status: json: unknown field \"available\"`) {
		t.Errorf("a misspelt status: %s", got)
	}
}

func TestMinimalRecordRunsAndCanBeActedOn(t *testing.T) {
	c := newCloud(t)
	c.put("applications", shop)
	c.put("components", `{"id":"c1","name":"web","application_id":"a1"}`)
	s := &stage{cloud: c, id: "c1"}
	s.wantStatus("RUNNING 0/0")
	s.act(`{"action":"scale","parameters":{"replica":2}}`)
	c.clock.Advance(time.Minute)
	s.wantStatus("RUNNING 2/2")
	check(t, c.call(http.MethodDelete, s.path(), ""), 200, `{"component_id":"c1"}`)
	c.clock.Advance(time.Minute)
	check(t, c.call(http.MethodGet, s.path(), ""), 401, missingComp)
}

func TestResetEndsJobs(t *testing.T) {
	s := newStage(t, webBody(""))
	s.sim(http.MethodPut, "outcomes", `[{"result":"HELD"}]`, 200)
	s.sim(http.MethodPut, "clusters", `[{"id":"k1","failDetail":"cluster_deleted"}]`, 200)
	s.sim(http.MethodPost, "reset", "", 204)
	s.clock.Advance(time.Hour)
	if len(s.Outcomes())+len(s.Clusters()) != 0 {
		t.Error("something is left")
	}
	check(t, s.call(http.MethodGet, "/v3/p1/cas/jobs/"+s.job, ""), 404, `"*"`)
}

func TestRecordTimesAndTaskTimeAreSwitches(t *testing.T) {
	s := newStage(t, webBody(""))
	times := func() any {
		records, _ := s.call(http.MethodGet, s.path()+"/records", "").field("records").([]any)
		record, _ := records[0].(map[string]any)
		return []any{record["begin_time"], record["end_time"]}
	}
	for quirk, want := range map[string]string{"": `["2026-01-02T03:04:05Z",null]`, "millis": `["1767323045000",null]`, "number": `[1767323045000,null]`} {
		s.sim(http.MethodPut, "quirks", `{"recordTimes":"`+quirk+`"}`, 200)
		compareJSON(t, string(mustJSON(times())), want)
	}
	s.sim(http.MethodPut, "quirks", `{"taskMilliseconds":10}`, 200)
	s.clock.Advance(tick + 60*time.Millisecond)
	s.wantStatus("RUNNING 3/3")
}

func TestBadOutcomesAndClusters(t *testing.T) {
	c := newCloud(t)
	for _, tc := range []struct{ path, body, want string }{
		{"outcomes", `[{"result":"BAD"}]`, "outcomes[0].result: unknown value"},
		{"outcomes", `[{"result":"FAILED","job":"jump"}]`, "outcomes[0].job: unknown value"},
		{"outcomes", `[{"result":"FAILED","nth":-1}]`, "outcomes[0].nth and count must not be negative"},
		{"outcomes", `[{"outcome":"FAILED"}]`, "unknown field"},
		{"clusters", `[{"failDetail":"cluster_deleted"}]`, "clusters[0].id: must be set"},
		{"clusters", `[{"id":"k1","failDetail":"gone"}]`, "clusters[0].failDetail: unknown value"},
	} {
		if got := c.sim(http.MethodPut, tc.path, tc.body, 400).body; !strings.Contains(got, tc.want) {
			t.Errorf("%s %s: %s, want %q", tc.path, tc.body, got, tc.want)
		}
	}
}

func TestJobsWhileEverybodyCalls(t *testing.T) {
	c := newCloud(t, func(o *cloudsim.Options) { o.ComponentTaskDuration = time.Millisecond })
	for collection, documents := range world {
		for _, document := range documents {
			c.put(collection, document)
		}
	}
	done := make(chan struct{})
	var clock, callers sync.WaitGroup
	clock.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				c.clock.Advance(time.Millisecond)
			}
		}
	})
	for worker := range 4 {
		callers.Go(func() {
			for i := range 5 {
				name := fmt.Sprintf("web-%d-%d", worker, i)
				created := c.call(http.MethodPost, compsPath, webBody(fmt.Sprintf(`{"name":%q}`, name)))
				path := fmt.Sprintf("%s/%v", compsPath, created.field("component_id"))
				c.call(http.MethodPut, path, webBody(fmt.Sprintf(`{"name":%q,"version":"2.0.0"}`, name)))
				c.call(http.MethodGet, path, "")
				c.call(http.MethodGet, compsPath, "")
				c.call(http.MethodGet, path+"/records", "")
				c.call(http.MethodGet, fmt.Sprintf("/v3/p1/cas/jobs/%v", created.field("job_id")), "")
				if i%2 == 1 {
					c.call(http.MethodDelete, path, "")
				}
			}
		})
	}
	callers.Wait()
	close(done)
	clock.Wait()
	c.clock.Advance(time.Minute)
	left, err := c.Resources("servicestage", "components")
	if err != nil || len(left) != 12 {
		t.Errorf("%d components left, want 12: %v", len(left), err)
	}
	jobs, err := c.Resources("servicestage", "jobs")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range jobs {
		if one["status"] != "SUCCEEDED" && one["status"] != "CANCELLED" {
			t.Errorf("a job is %v at the end", one["status"])
		}
	}
}
