// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"net/http"
	"strconv"
	"time"
)

// Words of EXECUTION_STATUS and TASK_STATUS (tables 4-227 and 4-228).
const (
	jobSubmitted       = "SUBMITTED"
	jobRunning         = "RUNNING"
	jobFailed          = "FAILED"
	jobSucceeded       = "SUCCEEDED"
	jobCancelled       = "CANCELLED"
	jobPartiallyFailed = "PARTIALLY_FAILED"
	jobRollbacking     = "ROLLBACKING"
	jobRollbacked      = "ROLLBACKED"
	jobUnknown         = "UNKNOWN"
	taskSkipped        = "SKIPPED"
)

// job is a record of API reference 4.6.1: something that a component undergoes, task by task. Its id starts with JOB,
// its name says what it does (create, update, delete or an action). It outlives its component.
type job struct {
	meta
	ComponentID string `json:"component_id"`
	// ReleaseID is the record (5.3.8) that the job rolls out, "" for none.
	ReleaseID string `json:"release_id,omitempty"`
	Type      string `json:"type"`
	Status    string `json:"status"`
	CreatedBy string `json:"created_by"`
	// Goal is the component's status once the job has succeeded, with GoalAvailable replicas; "" removes the component.
	Goal          string `json:"goal"`
	GoalAvailable int    `json:"goal_available"`
	// FailDetail is the component's fail_detail once the job has failed.
	FailDetail string `json:"fail_detail,omitempty"`
	// Before is what the component was, nil for a create: what a job that is taken back returns to.
	Before *snapshot `json:"before,omitempty"`
	// Outcome is how the job is to end if not well.
	Outcome *Outcome `json:"outcome,omitempty"`
	// Held jobs stand still until the outcomes are set anew.
	Held  bool   `json:"held,omitempty"`
	Tasks []task `json:"tasks"`
}

// snapshot is a component's configuration and status at one moment.
type snapshot struct {
	Fields map[string]any  `json:"fields"`
	Status componentStatus `json:"status"`
}

func snapshotOf(comp *component) *snapshot {
	return &snapshot{Fields: comp.fields, Status: comp.Status}
}

// task is one line of table 4-228.
type task struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Type    string `json:"type"`
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	// CreatedAt and UpdatedAt are epoch milliseconds, 0 until the task begins.
	CreatedAt int64 `json:"created_at"`
	UpdatedAt int64 `json:"updated_at"`
	// Available is the number of available replicas while the task runs.
	Available int `json:"available"`
	// Build marks the task that builds the image.
	Build bool `json:"build,omitempty"`
}

func (j *job) ended() bool {
	switch j.Status {
	case jobSubmitted, jobRunning, jobRollbacking:
		return false
	}
	return true
}

// current is the index of the task that runs, -1 for none.
func (j *job) current() int {
	for i := range j.Tasks {
		if j.Tasks[i].Status == jobRunning {
			return i
		}
	}
	return -1
}

// step is what one task's time brings. It changes a copy that is not stored yet.
func (j *job) step(now int64) {
	if j.Status == jobRollbacking {
		j.Status = jobRollbacked
		return
	}
	at := j.current()
	if at >= 0 && j.Outcome != nil && j.Outcome.Task == j.Tasks[at].Name {
		if j.Outcome.Result == OutcomeHeld {
			j.Held = true
			return
		}
		j.fail(at, now)
		return
	}
	if at >= 0 {
		j.Tasks[at].Status, j.Tasks[at].UpdatedAt = jobSucceeded, now
	}
	j.Status = jobRunning
	if at++; at == len(j.Tasks) {
		j.Status = jobSucceeded
		return
	}
	j.Tasks[at].Status, j.Tasks[at].CreatedAt, j.Tasks[at].UpdatedAt = jobRunning, now, now
}

// fail ends the job at a task as its outcome says; what has not begun is skipped.
func (j *job) fail(at int, now int64) {
	j.Status = j.Outcome.Result
	failed := &j.Tasks[at]
	failed.Status, failed.Message, failed.UpdatedAt = jobFailed, j.Outcome.Message, now
	if j.Status == jobCancelled {
		failed.Status = jobCancelled
	}
	for i := at + 1; i < len(j.Tasks); i++ {
		j.Tasks[i].Status = taskSkipped
	}
	if j.Status == jobRollbacked {
		// What was begun is taken back first, which takes a task's time.
		j.Status = jobRollbacking
	}
}

// startJob stores a job, puts its component into the state of one that undergoes it and sets the clock on it.
func (s *serviceStage) startJob(c *call, comp *component, plan jobPlan, before *snapshot, change func(next *component)) *job {
	now := c.now.UnixMilli()
	started := &job{
		meta:        meta{ID: "JOB" + s.random.uuid(), Name: plan.name, ProjectID: comp.ProjectID, CreateTime: now, UpdateTime: now},
		ComponentID: comp.ID, Type: plan.jobType(), Status: jobSubmitted, CreatedBy: c.caller.account.creator(),
		Goal: plan.goal, GoalAvailable: plan.goalAvailable, FailDetail: plan.failDetail, Before: before,
		Tasks: make([]task, len(plan.tasks)),
	}
	for i, planned := range plan.tasks {
		planned.ID, planned.Status = "Task-"+s.random.uuid(), jobSubmitted
		started.Tasks[i] = planned
	}
	started.Outcome = s.outcomes.next(comp.Name, plan.name, plan.tasks)
	s.jobs.put(started)
	s.components.update(comp, func(next *component) {
		if change != nil {
			change(next)
		}
		available := comp.available()
		if before == nil {
			available = 0
		}
		next.Status = componentStatus{ComponentStatus: plan.during, AvailableReplica: &available, LastJobID: started.ID}
	})
	s.scheduleJob(started.ID)
	return started
}

func (s *serviceStage) scheduleJob(id string) {
	pace := s.taskDuration
	if ms := s.quirks().TaskMilliseconds; ms > 0 {
		pace = time.Duration(ms) * time.Millisecond
	}
	s.clock.AfterFunc(pace, func() { s.advanceJob(id) })
}

// advanceJob is one tick of a job. The record is looked up anew: a reset or an admin call may have removed it, a
// delete of the component may have ended it.
func (s *serviceStage) advanceJob(id string) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	current, ok := s.jobs.find(id)
	if !ok || current.ended() || current.Held {
		return
	}
	comp, ok := s.components.find(current.ComponentID)
	if !ok {
		s.cancelJob(current)
		return
	}
	s.applyClusterFault(comp, current)
	current, _ = s.jobs.find(id)
	next := s.changeJob(current, func(next *job) { next.step(s.state.nowMillis()) })
	switch {
	case next.ended():
		s.settle(comp, next)
	case !next.Held:
		s.showProgress(comp, next)
		s.scheduleJob(id)
	}
}

// changeJob is update for jobs, whose tasks are changed in place.
func (s *serviceStage) changeJob(current *job, change func(next *job)) *job {
	return s.jobs.update(current, func(next *job) {
		next.Tasks = append([]task(nil), current.Tasks...)
		change(next)
	})
}

// applyClusterFault makes a job fail at its running task when the component's cluster has vanished. Deleting works
// without the cluster.
func (s *serviceStage) applyClusterFault(comp *component, current *job) {
	fault, vanished := s.clusters.of(comp.clusterID())
	at := current.current()
	if !vanished || at < 0 || current.Name == jobDelete {
		return
	}
	s.changeJob(current, func(next *job) {
		next.Outcome = &Outcome{
			Result: jobFailed, Task: next.Tasks[at].Name, FailDetail: fault.FailDetail, Message: taskMessage("ECC00020", "Cluster: "+fault.FailDetail+"."),
		}
	})
}

// showProgress gives the component as many available replicas as the running task leaves it.
func (s *serviceStage) showProgress(comp *component, running *job) {
	at := running.current()
	if at < 0 || running.Tasks[at].Available == comp.available() {
		return
	}
	s.components.update(comp, func(next *component) { next.Status.AvailableReplica = &running.Tasks[at].Available })
}

// settle gives the component what a job that has ended leaves behind.
func (s *serviceStage) settle(comp *component, ended *job) {
	if ended.Status == jobSucceeded && ended.Goal == "" {
		s.components.remove(comp.ID)
		return
	}
	s.components.update(comp, func(next *component) { ended.leave(next) })
	s.settleRelease(comp, ended)
}

// leave changes a component that is not stored yet to what the job leaves. What CANCELLED and ROLLBACKED return to,
// and the component_status that goes with each end, is inferred.
func (j *job) leave(next *component) {
	switch {
	case j.Status == jobSucceeded:
		next.Status.ComponentStatus, next.Status.FailDetail = j.Goal, ""
		available := j.GoalAvailable
		next.Status.AvailableReplica = &available
		return
	case j.Before != nil && (j.Status == jobCancelled || j.Status == jobRollbacked):
		next.fields = j.Before.Fields
		next.Status = j.Before.Status
		next.Status.LastJobID = j.ID
		return
	case j.Status == jobPartiallyFailed || j.Status == jobUnknown:
		next.Status.ComponentStatus = j.Status
	default:
		next.Status.ComponentStatus = statusFailed
	}
	next.Status.FailDetail = j.FailDetail
	if j.Outcome != nil && j.Outcome.FailDetail != "" {
		next.Status.FailDetail = j.Outcome.FailDetail
	}
}

// cancelJob ends a job whose component is deleted or gone.
func (s *serviceStage) cancelJob(running *job) {
	at := max(running.current(), 0)
	ended := s.changeJob(running, func(next *job) {
		next.Outcome = &Outcome{Result: jobCancelled, Message: taskMessage("ECC00030", "The component is deleted.")}
		next.Held = false
		next.fail(at, s.state.nowMillis())
	})
	if comp, ok := s.components.find(running.ComponentID); ok {
		s.settleRelease(comp, ended)
	}
}

// releaseHeldJobs lets the jobs go on that an outcome holds, or would hold at a later task.
func (s *serviceStage) releaseHeldJobs() {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	for _, running := range s.jobs.everywhere() {
		if running.ended() || running.Outcome == nil || running.Outcome.Result != OutcomeHeld {
			continue
		}
		s.changeJob(running, func(next *job) { next.Held, next.Outcome = false, nil })
		if running.Held {
			s.scheduleJob(running.ID)
		}
	}
}

// runningJob returns the component's last job while it has not ended.
func (s *serviceStage) runningJob(comp *component) (*job, bool) {
	last, ok := s.jobs.find(comp.Status.LastJobID)
	if !ok || last.ended() {
		return nil, false
	}
	return last, true
}

func (s *serviceStage) installJobs(g *registry) {
	g.handle(http.MethodGet, "/v3/{project_id}/cas/jobs/{job_id}", s.getJobV3)
	g.handle(http.MethodGet, "/v2/{project_id}/cas/jobs/{job_id}", s.getJobV2)
}

// getJobV3 is the path that the V3 references of later years give, its keys in lower case as observed.
func (s *serviceStage) getJobV3(c *call) (reply, error) {
	if c.quirks.NoJobsV3 {
		return reply{}, unknownAPI()
	}
	return s.getJob(c, c.quirks.UpperCaseJobs)
}

// getJobV2 is 4.6.1 as it is printed.
func (s *serviceStage) getJobV2(c *call) (reply, error) { return s.getJob(c, true) }

const defaultTaskLimit = 20

func (s *serviceStage) getJob(c *call, upperCase bool) (reply, error) {
	found, ok := s.jobs.get(c.project(), c.params["job_id"])
	if !ok {
		return reply{}, &apiError{status: http.StatusNotFound, code: "SVCSTG.00100429", message: "Build job not found."}
	}
	limit, err := intParameter(c.query, "limit", defaultTaskLimit, maxPageLimit)
	if err != nil {
		return reply{}, err
	}
	offset, err := intParameter(c.query, "offset", 0, 1<<31-1)
	if err != nil {
		return reply{}, err
	}
	descending, err := strconv.ParseBool(c.query.Get("desc"))
	descending = err == nil && descending
	tasks := found.Tasks
	if found.Status == jobSubmitted {
		// Nothing is planned yet as far as a client can see: the list is empty at first.
		tasks = nil
	}
	items := []any{}
	for i := offset; i < len(tasks) && len(items) < limit; i++ {
		at := i
		if descending {
			at = len(tasks) - 1 - i
		}
		items = append(items, taskBody(&tasks[at], at, upperCase))
	}
	body := map[string]any{"task_count": len(tasks), "job": jobBody(found, upperCase), "tasks": items}
	return reply{status: http.StatusOK, body: body}, nil
}

func jobBody(j *job, upperCase bool) map[string]any {
	if !upperCase {
		return map[string]any{
			"job_id": j.ID, "job_name": "component/" + j.Name, "job_type": j.Type, "job_desc": "component/" + j.Name,
			"execution_status": j.Status, "rollback_enabled": false, "created_by": j.CreatedBy, "project_id": j.ProjectID,
			"service_instance_id": j.ComponentID, "order_id": "",
		}
	}
	return map[string]any{
		"JOB_ID": j.ID, "JOB_NAME": "component/" + j.Name, "JOB_TYPE": j.Type, "JOB_DESC": "component/" + j.Name,
		"EXECUTION_STATUS": j.Status, "CREATED_BY": j.CreatedBy, "PROJECT_ID": j.ProjectID,
		"SERVICE_INSTANCE_ID": j.ComponentID, "ORDER_ID": "",
	}
}

func taskBody(t *task, index int, upperCase bool) map[string]any {
	messages := t.Message
	if messages == "" {
		messages = "{}"
	}
	created, updated := jobTime(t.CreatedAt), jobTime(t.UpdatedAt)
	if !upperCase {
		return map[string]any{
			"task_id": t.ID, "task_index": index, "task_name": t.Name, "task_status": t.Status, "task_type": t.Type, "messages": messages,
			"created_at": created, "update_at": updated,
		}
	}
	return map[string]any{
		"TASK_ID": t.ID, "TASK_INDEX": index, "TASK_NAME": t.Name, "TASK_STATUS": t.Status, "TASK_TYPE": t.Type, "MESSAGES": messages,
		"CREATED_AT": created, "LAST_HEALTH_CHECK": updated, "OWNER_ID": "cas-mgr-0",
	}
}

// jobTime is the form of the reference's example; nil for a task that has not begun.
func jobTime(millis int64) any {
	if millis == 0 {
		return nil
	}
	return time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05.000Z")
}

// taskMessage is the form of MESSAGES: JSON in a string.
func taskMessage(code, detail string) string {
	return string(encodeJSON(struct{ Message, Detail string }{code, detail}))
}
