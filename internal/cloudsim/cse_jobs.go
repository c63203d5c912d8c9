// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// Words of an engine's jobs (table 7-62).
const (
	engineJobInit      = "Init"
	engineJobExecuting = "Executing"
	engineJobError     = "Error"
	engineJobTimeout   = "Timeout"
	engineJobFinished  = "Finished"

	jobTypeCreate    = "Create"
	jobTypeDelete    = "Delete"
	jobTypeUpgrade   = "Upgrade"
	jobTypeModify    = "Modify"
	jobTypeConfigure = "Configure"
)

// engineJob is something that an engine undergoes, phase by phase (7.3.6). Its id is a number; it goes with its engine.
type engineJob struct {
	meta
	EngineID   string `json:"engine_id"`
	EngineName string `json:"engine_name"`
	Type       string `json:"type"`
	Status     string `json:"status"`
	CreateUser string `json:"create_user"`
	// EndTime is in epoch milliseconds, 0 while the job runs.
	EndTime int64         `json:"end_time"`
	Phases  []enginePhase `json:"phases"`
	// Change is what a job that finishes makes of the engine.
	Change engineChange `json:"change,omitzero"`
	// Outcome is how the job is to end if not well.
	Outcome *Outcome `json:"outcome,omitempty"`
	// Held jobs stand still until the outcomes are set anew.
	Held bool `json:"held,omitempty"`
}

// engineChange is empty where nothing changes.
type engineChange struct {
	Flavor       string            `json:"flavor,omitempty"`
	Version      string            `json:"version,omitempty"`
	AuthType     string            `json:"auth_type,omitempty"`
	RootPassword string            `json:"root_password,omitempty"`
	Inputs       map[string]string `json:"inputs,omitempty"`
}

// enginePhase is one of the phases of table 7-63, with its sub-jobs; they run together.
type enginePhase struct {
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Status      string       `json:"status"`
	StartTime   int64        `json:"start_time"`
	EndTime     int64        `json:"end_time"`
	Log         string       `json:"log,omitempty"`
	Tasks       []engineTask `json:"tasks"`
}

type engineTask struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

func (j *engineJob) references() []reference {
	return []reference{{collection: enginesPath, id: j.EngineID, owned: true}}
}

// number is the id as the API gives it: a JSON integer.
func (j *engineJob) number() int64 {
	n, err := strconv.ParseInt(j.ID, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (j *engineJob) ended() bool { return j.Status != engineJobInit && j.Status != engineJobExecuting }

// enginePlans are the phases of each kind of job. resourcePrepare with TenantTaskExecutor is the reference's example, the
// other names are made up.
var enginePlans = map[string][]enginePhase{
	jobTypeCreate: {
		phase("resourcePrepare", "Resource preparation", engineTask{"TenantTaskExecutor", "Tenant processing"}),
		phase("clusterCreate", "Cluster creation", engineTask{"ClusterTaskExecutor", "Cluster processing"}, engineTask{"NodeTaskExecutor", "Node processing"}),
		phase("engineInstall", "Engine installation", engineTask{"ServiceCenterTaskExecutor", "Service center"}, engineTask{"KieTaskExecutor", "Configuration center"}),
		phase("accessConfigure", "Access configuration", engineTask{"AccessTaskExecutor", "Access processing"}),
	},
	jobTypeDelete: {
		phase("engineUninstall", "Engine removal", engineTask{"EngineTaskExecutor", "Engine processing"}),
		phase("resourceRelease", "Resource release", engineTask{"TenantTaskExecutor", "Tenant processing"}),
	},
	jobTypeUpgrade: {
		phase("engineBackup", "Backup", engineTask{"BackupTaskExecutor", "Backup processing"}),
		phase("engineUpgrade", "Engine upgrade", engineTask{"EngineTaskExecutor", "Engine processing"}),
	},
	jobTypeModify: {
		phase("resourcePrepare", "Resource preparation", engineTask{"TenantTaskExecutor", "Tenant processing"}),
		phase("engineResize", "Specification change", engineTask{"EngineTaskExecutor", "Engine processing"}),
	},
	jobTypeConfigure: {
		phase("engineConfigure", "Authentication", engineTask{"EngineTaskExecutor", "Engine processing"}),
	},
}

func phase(name, description string, tasks ...engineTask) enginePhase {
	return enginePhase{Name: name, Description: description, Tasks: tasks}
}

// engineStates are an engine's status while a job of a type runs and after it has failed.
var engineStates = map[string]struct{ during, failed string }{
	jobTypeCreate:    {engineCreating, engineCreateFailed},
	jobTypeDelete:    {engineDeleting, engineDeleteFailed},
	jobTypeUpgrade:   {engineUpgrading, engineUpgradeFailed},
	jobTypeModify:    {engineModifying, engineModifyFailed},
	jobTypeConfigure: {engineModifying, engineModifyFailed},
}

// current is the index of the phase that runs or has failed, -1 for none.
func (j *engineJob) current() int {
	for i := range j.Phases {
		switch j.Phases[i].Status {
		case engineJobExecuting, engineJobError, engineJobTimeout:
			return i
		}
	}
	return -1
}

// step is what one phase's time brings. It changes a copy that is not stored yet.
func (j *engineJob) step(now int64) {
	at := j.current()
	if at >= 0 && j.Outcome != nil && j.Outcome.Task == j.Phases[at].Name {
		if j.Outcome.Result == OutcomeHeld {
			j.Held = true
			return
		}
		j.Status, j.EndTime = j.Outcome.Result, now
		j.Phases[at].Status, j.Phases[at].EndTime, j.Phases[at].Log = j.Outcome.Result, now, j.Outcome.Message
		return
	}
	if at >= 0 {
		j.Phases[at].Status, j.Phases[at].EndTime = engineJobFinished, now
	}
	j.Status = engineJobExecuting
	if at = j.next(); at < 0 {
		j.Status, j.EndTime = engineJobFinished, now
		return
	}
	j.Phases[at].Status, j.Phases[at].StartTime = engineJobExecuting, now
}

// next is the index of the first phase that has not begun, -1 for none.
func (j *engineJob) next() int {
	for i := range j.Phases {
		if j.Phases[i].Status == engineJobInit {
			return i
		}
	}
	return -1
}

// startJob stores a job, puts its engine into the state of one that undergoes it and sets the clock on it.
func (s *cse) startJob(c *call, of *engine, kind string, change engineChange) *engineJob {
	s.lastJob++
	now := c.now.UnixMilli()
	started := &engineJob{
		meta:     meta{ID: strconv.FormatInt(s.lastJob, 10), Name: kind, ProjectID: of.ProjectID, CreateTime: now, UpdateTime: now},
		EngineID: of.ID, EngineName: of.Name, Type: kind, Status: engineJobInit, CreateUser: c.caller.account.creator(), Change: change,
	}
	for _, planned := range enginePlans[kind] {
		planned.Status = engineJobInit
		started.Phases = append(started.Phases, planned)
	}
	started.Outcome = s.outcomes.nextEngine(of.Name, kind, started.Phases)
	s.jobs.put(started)
	s.engines.update(of, func(next *engine) {
		next.Status, next.LatestJobID = engineStates[kind].during, started.number()
	})
	s.schedule(started.ID)
	return started
}

// retryJob goes on where a job has failed; it keeps its number (observed).
func (s *cse) retryJob(of *engine, failed *engineJob) *engineJob {
	retried := s.changeJob(failed, func(next *engineJob) {
		at := next.current()
		next.Status, next.EndTime = engineJobInit, 0
		next.Phases[at].Status, next.Phases[at].StartTime, next.Phases[at].EndTime, next.Phases[at].Log = engineJobInit, 0, 0, ""
		next.Outcome = s.outcomes.nextEngine(of.Name, next.Type, next.Phases[at:])
	})
	s.engines.update(of, func(next *engine) { next.Status = engineStates[retried.Type].during })
	s.schedule(retried.ID)
	return retried
}

// changeJob is update for jobs, whose phases are changed in place.
func (s *cse) changeJob(j *engineJob, change func(next *engineJob)) *engineJob {
	return s.jobs.update(j, func(next *engineJob) {
		next.Phases = append([]enginePhase{}, next.Phases...)
		change(next)
	})
}

func (s *cse) schedule(id string) {
	pace := s.taskDuration
	if ms := s.quirks().TaskMilliseconds; ms > 0 {
		pace = time.Duration(ms) * time.Millisecond
	}
	s.clock.AfterFunc(pace, func() { s.advance(id) })
}

// advance is one tick of a job. Job and engine are looked up anew: a reset or an admin call may have removed them.
func (s *cse) advance(id string) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	running, ok := s.jobs.find(id)
	if !ok || running.ended() || running.Held {
		return
	}
	of, ok := s.engines.find(running.EngineID)
	if !ok {
		return
	}
	next := s.changeJob(running, func(next *engineJob) { next.step(s.state.nowMillis()) })
	switch {
	case next.ended():
		s.settle(of, next)
	case !next.Held:
		s.schedule(id)
	}
}

// settle makes of the engine what the end of its job does.
func (s *cse) settle(of *engine, ended *engineJob) {
	if ended.Status == engineJobFinished && ended.Type == jobTypeDelete {
		s.engines.remove(of.ID)
		return
	}
	s.engines.update(of, func(next *engine) {
		if ended.Status != engineJobFinished {
			next.Status = engineStates[ended.Type].failed
			return
		}
		next.Status = engineAvailable
		ended.Change.apply(next)
	})
}

func (c engineChange) apply(to *engine) {
	for _, f := range []struct {
		value string
		into  *string
	}{{c.Flavor, &to.Flavor}, {c.Version, &to.Version}, {c.AuthType, &to.AuthType}, {c.RootPassword, &to.RootPassword}} {
		if f.value != "" {
			*f.into = f.value
		}
	}
	if c.Inputs != nil {
		to.Inputs = c.Inputs
	}
}

// releaseHeldJobs lets the jobs go on that an outcome holds, or would hold at a later task.
func (s *cse) releaseHeldJobs() {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	for _, running := range s.jobs.everywhere() {
		if running.ended() || running.Outcome == nil || running.Outcome.Result != OutcomeHeld {
			continue
		}
		s.changeJob(running, func(next *engineJob) { next.Held, next.Outcome = false, nil })
		if running.Held {
			s.schedule(running.ID)
		}
	}
}

var jobNumber = regexp.MustCompile(`^[0-9]{1,18}$`)

// getEngineJob is 7.3.6.
func (s *cse) getEngineJob(c *call) (reply, error) {
	of, err := s.find(c, c.params["engine_id"])
	if err != nil {
		return reply{}, err
	}
	id := c.params["job_id"]
	if !jobNumber.MatchString(id) {
		return reply{}, engineRefusal("00501152", "Incorrect task ID format: %q.", id)
	}
	found, ok := s.jobs.get(c.project(), id)
	if !ok || found.EngineID != of.ID {
		return reply{}, engineRefusal("00501153", "Failed to find the task.")
	}
	return reply{status: http.StatusOK, body: s.jobBody(found)}, nil
}

func (s *cse) jobBody(j *engineJob) map[string]any {
	scheduling := 1
	if j.ended() {
		scheduling = 0
	}
	phases := make([]map[string]any, len(j.Phases))
	for i := range j.Phases {
		phases[i] = s.phaseBody(j, i)
	}
	return map[string]any{
		"id": j.number(), "engineId": j.EngineID, "type": j.Type, "description": "", "status": j.Status, "scheduling": scheduling,
		"createUser": j.CreateUser, "startTime": j.CreateTime, "endTime": j.EndTime, "context": "", "tasks": phases,
	}
}

func (s *cse) phaseBody(j *engineJob, at int) map[string]any {
	p := j.Phases[at]
	brief := func(description string) map[string]any {
		return map[string]any{"duration": s.taskDuration.Milliseconds(), "description": description}
	}
	names, tasks := []string{}, []map[string]any{}
	for i, t := range p.Tasks {
		names = append(names, t.Name)
		tasks = append(tasks, map[string]any{
			"jobId": j.number(), "id": j.number()*100 + int64(at*10+i), "type": j.Type, "assigned": "", "taskName": t.Name,
			"engineName": j.EngineName, "taskOrder": i, "status": p.Status, "startTime": p.StartTime, "endTime": p.EndTime,
			"createTime": j.CreateTime, "updateTime": j.UpdateTime, "timeout": -1, "log": p.Log, "output": "{}",
			"taskExecutorBrief": brief(t.Description),
		})
	}
	return map[string]any{
		"taskName": p.Name, "taskNames": names, "status": p.Status, "startTime": p.StartTime, "endTime": p.EndTime,
		"taskExecutorBrief": brief(p.Description), "tasks": tasks,
	}
}
