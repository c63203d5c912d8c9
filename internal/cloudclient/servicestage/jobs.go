// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// The states of jobs and tasks (API reference 4.6.1, tables 4-227 and 4-228). Only tasks can be skipped.
const (
	JobSubmitted       = "SUBMITTED"
	JobScheduled       = "SCHEDULED"
	JobRunning         = "RUNNING"
	JobFailed          = "FAILED"
	JobSucceeded       = "SUCCEEDED"
	JobCancelled       = "CANCELLED"
	JobPartiallyFailed = "PARTIALLY_FAILED"
	JobRollbacking     = "ROLLBACKING"
	JobRollbacked      = "ROLLBACKED"
	JobUnknown         = "UNKNOWN"
	TaskSkipped        = "SKIPPED"
)

// Job is what the cloud does in the background for a component.
type Job struct {
	ID string
	// Type is "PROVISION", "DEPROVISION", "DAILY_OPERATION", "SYSTEM_INNER" or "UNKNOWN".
	Type string
	// Status is one of the states of jobs.
	Status          string
	RollbackEnabled bool
	// TaskCount is how many tasks the cloud says there are.
	TaskCount int
	// Tasks are in order. They can be fewer than TaskCount, or none, while the job starts.
	Tasks []Task
}

// Task is a step of a job.
type Task struct {
	ID, Name string
	// Status is one of the states of tasks.
	Status string
	Type   string
	// Message is what the task has to say, with its code before it, for example "ECC00011: Building failed.". It has
	// at most 512 bytes.
	Message string
	// CreatedAt and UpdatedAt are milliseconds since the epoch; 0 where the cloud does not tell.
	CreatedAt, UpdatedAt int64
}

// Ended says whether the job will not change any more.
func (j *Job) Ended() bool {
	switch j.Status {
	case JobSucceeded, JobFailed, JobCancelled, JobPartiallyFailed, JobRollbacked, JobUnknown:
		return true
	}
	return false
}

// Succeeded says whether the job ended well.
func (j *Job) Succeeded() bool { return j.Status == JobSucceeded }

// FailedTask returns the task that best says why the job failed, or nil where none did: the first that failed and says
// why, else the first that failed, else the first that failed in part or was cancelled.
func (j *Job) FailedTask() *Task {
	for _, fits := range []func(Task) bool{
		func(t Task) bool { return t.Status == JobFailed && t.Message != "" },
		func(t Task) bool { return t.Status == JobFailed },
		func(t Task) bool { return t.Status == JobPartiallyFailed || t.Status == JobCancelled },
	} {
		if i := slices.IndexFunc(j.Tasks, fits); i >= 0 {
			return &j.Tasks[i]
		}
	}
	return nil
}

// Progress returns how many of the job's tasks are done, of how many, and the name of the one that is running or comes
// next; "" where none is.
func (j *Job) Progress() (done, total int, current string) {
	var running, waiting string
	for _, task := range j.Tasks {
		switch task.Status {
		case JobSucceeded, TaskSkipped:
			done++
		case JobRunning, JobRollbacking:
			running = cmp.Or(running, task.Name)
		case JobSubmitted, JobScheduled:
			waiting = cmp.Or(waiting, task.Name)
		}
	}
	if !j.Ended() {
		current = cmp.Or(running, waiting)
	}
	return done, max(j.TaskCount, len(j.Tasks)), current
}

const (
	jobsPath = "/v3/{project_id}/cas/jobs/"
	// jobsPathV2 is the documented one.
	jobsPathV2 = "/v2/{project_id}/cas/jobs/"
	// taskPage is how many tasks are asked for at once; the cloud's default is 20.
	taskPage = 100
	// maxTasks bounds how many tasks are read.
	maxTasks = 2000
)

// GetJob returns a job with all its tasks. The V3 path is tried first; a client whose cloud has no such API goes on
// with the V2 path. The class is NotFound where the cloud does not know the job any more; what it came to then shows in
// the component.
func (c *Client) GetJob(ctx context.Context, id string) (*Job, error) {
	if err := checkID("job", id); err != nil {
		return nil, err
	}
	if c.jobsOfV2.Load() {
		return c.job(ctx, jobsPathV2, id)
	}
	job, err := c.job(ctx, jobsPath, id)
	if !unknownAPI(err) {
		return job, err
	}
	if job, err = c.job(ctx, jobsPathV2, id); err == nil {
		c.jobsOfV2.Store(true)
	}
	return job, err
}

// unknownAPI says whether the gateway does not know the path.
func unknownAPI(err error) bool {
	var failure *clouderr.Error
	return errors.As(err, &failure) && failure.Status == http.StatusNotFound &&
		(failure.Code == "APIGW.0101" || failure.Code == "APIG.0101")
}

// jobPage is a job with some of its tasks. Keys match in any case: V2 writes them in upper case.
type jobPage struct {
	TaskCount integer `json:"task_count"`
	Job       struct {
		JobID           text    `json:"job_id"`
		JobType         text    `json:"job_type"`
		ExecutionStatus text    `json:"execution_status"`
		RollbackEnabled boolean `json:"rollback_enabled"`
	} `json:"job"`
	Tasks []*taskRecord `json:"tasks"`
}

type taskRecord struct {
	TaskID          text        `json:"task_id"`
	TaskName        text        `json:"task_name"`
	TaskStatus      text        `json:"task_status"`
	TaskType        text        `json:"task_type"`
	Messages        taskMessage `json:"messages"`
	CreatedAt       millis      `json:"created_at"`
	UpdateAt        millis      `json:"update_at"`
	UpdatedAt       millis      `json:"updated_at"`
	LastHealthCheck millis      `json:"last_health_check"` // V2's time of the last change
}

func (t *taskRecord) export() Task {
	return Task{
		ID: string(t.TaskID), Name: string(t.TaskName), Status: upper(t.TaskStatus), Type: string(t.TaskType),
		Message: string(t.Messages), CreatedAt: int64(t.CreatedAt),
		UpdatedAt: int64(cmp.Or(t.UpdateAt, t.UpdatedAt, t.LastHealthCheck)),
	}
}

// job reads a job and its tasks page by page. Its state is the one of the first page, so that all tasks of a job that
// has ended are read after its end.
func (c *Client) job(ctx context.Context, path, id string) (*Job, error) {
	const operation = "GetJob"
	var job *Job
	seen := map[string]bool{}
	for offset := 0; ; {
		var out jobPage
		if err := c.cloud.Do(ctx, cloudclient.Request{
			Operation: operation, Service: cloudclient.ServiceStage, Method: http.MethodGet, Path: path + url.PathEscape(id),
			Query: url.Values{"limit": {strconv.Itoa(taskPage)}, "offset": {strconv.Itoa(offset)}, "desc": {"false"}},
			Out:   &out,
		}); err != nil {
			return nil, err
		}
		if job == nil {
			if err := checkIdentified(operation, string(cmp.Or(out.Job.JobID, out.Job.ExecutionStatus))); err != nil {
				return nil, err
			}
			job = &Job{
				ID: cmp.Or(string(out.Job.JobID), id), Type: string(out.Job.JobType), Status: upper(out.Job.ExecutionStatus),
				RollbackEnabled: bool(out.Job.RollbackEnabled),
			}
		}
		job.TaskCount = int(out.TaskCount)
		fresh := 0
		for i, task := range present(out.Tasks) {
			key := string(cmp.Or(task.TaskID, task.TaskName+"#"+text(strconv.Itoa(offset+i))))
			if seen[key] {
				continue
			}
			seen[key] = true
			fresh++
			job.Tasks = append(job.Tasks, task.export())
		}
		offset += len(out.Tasks)
		if fresh == 0 || len(job.Tasks) >= maxTasks || len(out.Tasks) < taskPage && len(job.Tasks) >= job.TaskCount {
			return job, nil
		}
	}
}

// taskMessage reads what a task says, which is JSON within a string: {"Message": code, "Detail": text}.
type taskMessage string

func (m *taskMessage) UnmarshalJSON(data []byte) error {
	var word text
	if err := word.UnmarshalJSON(data); err != nil {
		return err
	}
	*m = taskMessage(messageText(string(word)))
	return nil
}

// messageText returns the code and the text of a task's message on one bounded line. What is not of the known shape is
// taken as it is.
func messageText(message string) string {
	var known struct {
		Message text `json:"message"`
		Detail  text `json:"detail"`
	}
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(message), &members) == nil {
		if len(members) == 0 {
			return ""
		}
		if json.Unmarshal([]byte(message), &known) == nil {
			switch {
			case known.Message != "" && known.Detail != "" && known.Message != known.Detail:
				message = string(known.Message + ": " + known.Detail)
			case known.Message != "" || known.Detail != "":
				message = string(cmp.Or(known.Message, known.Detail))
			}
		}
	}
	return clouderr.UserMessage(errors.New(message))
}
