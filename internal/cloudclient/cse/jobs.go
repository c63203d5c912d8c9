// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cse

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/wire"
)

// The states of jobs, of their phases and of their tasks (API reference 7.3.6).
const (
	JobInit      = "Init"
	JobExecuting = "Executing"
	JobError     = "Error"
	JobTimeout   = "Timeout"
	JobFinished  = "Finished"
)

var jobStatuses = []string{JobInit, JobExecuting, JobError, JobTimeout, JobFinished}

// Job is what the cloud does in the background for an engine.
type Job struct {
	ID       int64
	EngineID string
	// Type is "Create", "Delete", "Upgrade", "Modify" or "Configure".
	Type        string
	Description string
	// Status is one of the states of jobs.
	Status string
	// Scheduling says whether the job is being executed.
	Scheduling bool
	// StartTime and EndTime are milliseconds since the epoch; 0 where the cloud does not tell.
	StartTime, EndTime int64
	// Phases are in order. There may be none while the job starts.
	Phases []Phase
}

// Phase is a part of a job.
type Phase struct {
	// Name is a word such as "resourcePrepare", Description what it says to people.
	Name, Description string
	// Status is one of the states of jobs.
	Status             string
	StartTime, EndTime int64
	Tasks              []Task
}

// Task is a step of a phase, or a phase in the role of one.
type Task struct {
	Name, Description string
	// Status is one of the states of jobs.
	Status string
	// Message is what the task has logged, on one line of at most 512 bytes.
	Message string
}

// Ended says whether the job will not change any more, unless it is retried.
func (j *Job) Ended() bool {
	return j.Status == JobFinished || failed(j.Status)
}

// Succeeded says whether the job ended well.
func (j *Job) Succeeded() bool { return j.Status == JobFinished }

func failed(status string) bool { return status == JobError || status == JobTimeout }

// FailedTask returns the task that best says why the job failed, or nil where none did: the first that failed and says
// why, else the first that failed, else the first phase that failed.
func (j *Job) FailedTask() *Task {
	var silent, whole *Task
	for _, phase := range j.Phases {
		for _, task := range phase.Tasks {
			switch {
			case !failed(task.Status):
			case task.Message != "":
				return &task
			case silent == nil:
				silent = &task
			}
		}
		if whole == nil && failed(phase.Status) {
			whole = &Task{Name: phase.Name, Description: phase.Description, Status: phase.Status}
		}
	}
	if silent != nil {
		return silent
	}
	return whole
}

// Progress returns how many of the job's phases are done, of how many, and the name of the one that is being executed or
// comes next; "" where none is.
func (j *Job) Progress() (done, total int, current string) {
	var running, waiting string
	for _, phase := range j.Phases {
		switch phase.Status {
		case JobFinished:
			done++
		case JobExecuting:
			running = cmp.Or(running, phase.Name)
		case JobInit:
			waiting = cmp.Or(waiting, phase.Name)
		}
	}
	if !j.Ended() {
		current = cmp.Or(running, waiting)
	}
	return done, len(j.Phases), current
}

type briefJSON struct {
	Description wire.Text `json:"description"`
}

type jobJSON struct {
	ID          wire.Integer         `json:"id"`
	EngineID    wire.Text            `json:"engineId"`
	Type        wire.Text            `json:"type"`
	Description wire.Text            `json:"description"`
	Status      wire.Text            `json:"status"`
	Scheduling  wire.Boolean         `json:"scheduling"`
	StartTime   wire.Millis          `json:"startTime"`
	EndTime     wire.Millis          `json:"endTime"`
	Tasks       wire.List[phaseJSON] `json:"tasks"`
}

type phaseJSON struct {
	TaskName  wire.Text           `json:"taskName"`
	Status    wire.Text           `json:"status"`
	StartTime wire.Millis         `json:"startTime"`
	EndTime   wire.Millis         `json:"endTime"`
	Brief     lenient[briefJSON]  `json:"taskExecutorBrief"`
	Tasks     wire.List[taskJSON] `json:"tasks"`
}

type taskJSON struct {
	TaskName  wire.Text          `json:"taskName"`
	TaskOrder wire.Integer       `json:"taskOrder"`
	Status    wire.Text          `json:"status"`
	Log       wire.Text          `json:"log"`
	Brief     lenient[briefJSON] `json:"taskExecutorBrief"`
}

// lenient reads an object, and anything else as an empty one.
type lenient[T any] struct{ value T }

func (l *lenient[T]) UnmarshalJSON(data []byte) error {
	var value T
	if json.Unmarshal(data, &value) == nil {
		l.value = value
	}
	return nil
}

// UnmarshalJSON reads a job. What a job says in "context" and "output" is for the cloud itself and is left out.
func (j *Job) UnmarshalJSON(data []byte) error {
	var read jobJSON
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	*j = Job{
		ID: int64(read.ID), EngineID: string(read.EngineID), Type: string(read.Type), Description: string(read.Description),
		Status: spelled(string(read.Status), jobStatuses), Scheduling: bool(read.Scheduling),
		StartTime: int64(read.StartTime), EndTime: int64(read.EndTime),
	}
	for _, phase := range read.Tasks {
		j.Phases = append(j.Phases, phase.export())
	}
	return nil
}

func (p phaseJSON) export() Phase {
	phase := Phase{
		Name: string(p.TaskName), Description: string(p.Brief.value.Description), Status: spelled(string(p.Status), jobStatuses),
		StartTime: int64(p.StartTime), EndTime: int64(p.EndTime),
	}
	slices.SortStableFunc(p.Tasks, func(a, b taskJSON) int { return cmp.Compare(a.TaskOrder, b.TaskOrder) })
	for _, task := range p.Tasks {
		one := Task{
			Name: string(task.TaskName), Description: string(task.Brief.value.Description), Status: spelled(string(task.Status), jobStatuses),
		}
		if task.Log != "" {
			one.Message = clouderr.UserMessage(errors.New(string(task.Log)))
		}
		phase.Tasks = append(phase.Tasks, one)
	}
	return phase
}

// GetEngineJob returns a job of an engine (7.3.6). The class is NotFound where the cloud does not know the engine or the
// job any more; the error's code tells which (CodeEngineJobMissing).
func (c *Client) GetEngineJob(ctx context.Context, enterpriseProjectID, id string, jobID int64) (*Job, error) {
	const operation = "GetEngineJob"
	if jobID <= 0 {
		return nil, clouderr.New(clouderr.Invalid, "job id %d is not an id", jobID)
	}
	engine := target{enterpriseProjectID, id}
	var out Job
	if err := c.about(ctx, engine, cloudclient.Request{
		Operation: operation, Method: http.MethodGet, Path: engine.path("/jobs/" + strconv.FormatInt(jobID, 10)), Out: &out,
	}); err != nil {
		return nil, err
	}
	if out.ID == 0 && out.Status == "" {
		return nil, garbage(operation, "job")
	}
	out.ID = cmp.Or(out.ID, jobID)
	return &out, nil
}
