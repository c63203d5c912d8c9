// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package component

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/controller/internal/body"
	"servicestage.dev/operator/internal/controller/internal/labels"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/roster"
)

const (
	// maxRecords is how many releases the status lists.
	maxRecords = 10
	// maxAddresses is how many addresses it lists.
	maxAddresses = 16
)

// report copies what was observed into the status and judges health.
func report(obj *v1alpha1.Component, o *observed) external.Health {
	status := &obj.Status
	status.ApplicationID, status.EnvironmentID = orKept(o.ApplicationID, status.ApplicationID), orKept(o.EnvironmentID, status.EnvironmentID)
	if o.restartedAt != "" {
		status.RestartedAt = o.restartedAt
	}
	if o.partial {
		status.Phase = v1alpha1.PhaseDeploying
		return external.Health{State: external.Progressing}
	}
	status.ComponentStatus = o.Status.ComponentStatus
	status.Phase = phaseOf(o.Status.ComponentStatus)
	status.Version = o.Version
	status.Replicas, status.AvailableReplicas = conditions.Count(o.Status.Replica), conditions.Count(o.Status.AvailableReplica)
	status.ReadyReplicas = fmt.Sprintf("%d/%d", status.AvailableReplicas, status.Replicas)
	status.FailDetail = o.Status.FailDetail
	status.Batch, status.Batches = o.batch, o.batches
	status.GrayWeight = grayWeight(o)
	reportParts(status, o)
	return judge(obj, o)
}

// reportParts copies what an observation may leave out.
func reportParts(status *v1alpha1.ComponentStatus, o *observed) {
	if a := o.Status.Artifact; a.URL != "" {
		status.Artifact = &v1alpha1.ComponentArtifact{Type: a.Type, URL: a.URL}
	}
	if o.ExternalAccesses != nil {
		status.ExternalAddresses = addresses(o.ExternalAccesses)
	}
	if o.records == nil {
		return
	}
	status.Records, status.LastJobID = nil, o.Status.LastJobID
	for _, r := range o.records[:min(len(o.records), maxRecords)] {
		status.Records = append(status.Records, v1alpha1.ComponentRecord{
			Version: r.Version, State: r.Status, DeployType: r.DeployType, Current: r.Current,
			StartTime: moment(r.BeginTime), EndTime: moment(r.EndTime),
		})
	}
}

// judge says how a component is. It is healthy when it is as the spec wants it, and not merely deployed.
func judge(obj *v1alpha1.Component, o *observed) external.Health {
	stopped := obj.Spec.State == v1alpha1.ComponentStopped
	switch o.Status.ComponentStatus {
	case servicestage.ComponentGraying:
		return external.Health{State: external.Held, Message: fmt.Sprintf(
			"The gray release of version %s waits at its first batch%s; set spec.deployStrategy.grayRelease.hold: false to go on, or the old version to give up.", o.Version, withWeight(o))}
	case servicestage.ComponentFailed, servicestage.ComponentDown, servicestage.ComponentPartiallyFailed, servicestage.ComponentReserved:
		return external.Health{State: external.Unhealthy, Message: fmt.Sprintf("The component is %s%s.", o.Status.ComponentStatus, withDetail(o))}
	case servicestage.ComponentStopped:
		if stopped {
			return external.Health{State: external.Healthy, Message: "The component is stopped, as it should be."}
		}
		return external.Health{State: external.Progressing, Message: "The component is stopped."}
	case servicestage.ComponentRunning:
		return judgeRunning(obj, o)
	default:
		return external.Health{State: external.Progressing, Message: fmt.Sprintf("The component is %s.", o.Status.ComponentStatus)}
	}
}

func judgeRunning(obj *v1alpha1.Component, o *observed) external.Health {
	asked := o.Status.Replica
	if obj.Spec.Replicas != nil {
		asked = int(*obj.Spec.Replicas)
	}
	if o.Status.AvailableReplica < asked {
		return external.Health{State: external.Progressing, Message: fmt.Sprintf("%d of %d replicas are available%s.", o.Status.AvailableReplica, asked, withDetail(o))}
	}
	return external.Health{State: external.Healthy, Message: fmt.Sprintf("Version %s runs with %d replicas.", o.Version, o.Status.AvailableReplica)}
}

// progressOf says how a job stands. What a gray release at its first batch waits for is no work of the cloud's.
func progressOf(job *servicestage.Job, o *observed) external.Progress {
	done, total, current := job.Progress()
	p := external.Progress{TasksDone: done, TasksTotal: total, CurrentTask: current, Message: "The cloud is at work."}
	if total > 0 {
		p.Message = fmt.Sprintf("%d of %d tasks done", done, total)
		if current != "" {
			p.Message += "; now: " + current
		}
		p.Message += "."
	}
	graying := o != nil && o.Status.ComponentStatus == servicestage.ComponentGraying
	switch {
	case job.Ended() && !job.Succeeded():
		p.Done, p.Failure = true, failureOf(job)
	case job.Ended() || graying:
		p.Done = true
	}
	return p
}

// batchPattern finds the batch in the name of a task.
var batchPattern = regexp.MustCompile(`(?i)batch[_ -]?([0-9]{1,4})[_ -]?of[_ -]?([0-9]{1,4})`)

// batchOf reads batch n of m out of the name of the current task; 0 and 0 where it does not tell. The names are in no
// reference.
func batchOf(task string) (batch, batches int32) {
	found := batchPattern.FindStringSubmatch(task)
	if found == nil {
		return 0, 0
	}
	n, _ := strconv.Atoi(found[1]) // digits, by the pattern
	m, _ := strconv.Atoi(found[2])
	return conditions.Count(n), conditions.Count(m)
}

// failureOf tells why a job failed, by the task that did.
func failureOf(job *servicestage.Job) string {
	task := job.FailedTask()
	if task == nil {
		return fmt.Sprintf("the job ended as %s.", job.Status)
	}
	if task.Message == "" {
		return fmt.Sprintf("the job ended as %s in the task %q.", job.Status, task.Name)
	}
	return fmt.Sprintf("the job ended as %s in the task %q: %s", job.Status, task.Name, task.Message)
}

// phaseOf translates the cloud's word.
func phaseOf(status string) v1alpha1.RolloutPhase {
	phases := map[string]v1alpha1.RolloutPhase{
		servicestage.ComponentInitializing: v1alpha1.PhaseDeploying, servicestage.ComponentPending: v1alpha1.PhaseDeploying,
		servicestage.ComponentUpgrading: v1alpha1.PhaseUpgrading, servicestage.ComponentGraying: v1alpha1.PhaseGraying,
		servicestage.ComponentRunning: v1alpha1.PhaseRunning, servicestage.ComponentStopped: v1alpha1.PhaseStopped,
		servicestage.ComponentStarting: v1alpha1.PhaseRestarting, servicestage.ComponentRestarting: v1alpha1.PhaseRestarting,
		servicestage.ComponentStopping: v1alpha1.PhaseStopped, servicestage.ComponentFailed: v1alpha1.PhaseFailed,
		servicestage.ComponentDown: v1alpha1.PhaseFailed, servicestage.ComponentPartiallyFailed: v1alpha1.PhaseFailed,
	}
	if phase, known := phases[status]; known {
		return phase
	}
	return v1alpha1.PhaseUnknown
}

// grayWeight is the share of traffic that the new version gets while a gray release waits.
func grayWeight(o *observed) *int32 {
	if o.Status.ComponentStatus != servicestage.ComponentGraying {
		return nil
	}
	if weight, ok := body.Int(o.Fields, "deploy_strategy", "gray_release", "first_batch_weight"); ok {
		return &weight
	}
	return nil
}

func withWeight(o *observed) string {
	if weight := grayWeight(o); weight != nil {
		return fmt.Sprintf(" with %d %% of the traffic", *weight)
	}
	return ""
}

func withDetail(o *observed) string {
	if o.Status.FailDetail == "" {
		return ""
	}
	return " (" + o.Status.FailDetail + ")"
}

func addresses(accesses []servicestage.ExternalAccess) []string {
	var list []string
	for _, a := range accesses[:min(len(accesses), maxAddresses)] {
		address := fmt.Sprintf("%s://%s", a.Protocol, a.Address)
		if a.ForwardPort != 0 {
			address = fmt.Sprintf("%s:%d", address, a.ForwardPort)
		}
		list = append(list, address)
	}
	return list
}

func orKept(value, kept string) string {
	if value != "" {
		return value
	}
	return kept
}

func moment(millis int64) *metav1.Time {
	if millis == 0 {
		return nil
	}
	return new(metav1.NewTime(time.UnixMilli(millis)).Rfc3339Copy())
}

// fingerprint is of what both the lists and the detail show of a component. What only the detail shows, such as the build
// and the configuration, shows in the time of update.
func fingerprint(c *servicestage.Component) string {
	return roster.Fingerprint(c.UpdateTime, c.Status.ComponentStatus, c.Status.Replica, c.Status.AvailableReplica, c.Status.FailDetail,
		c.Status.Artifact.URL, c.Version)
}

// SpecOf is the spec that says what the cloud holds of a component, as its detail shows it: applied, it changes nothing.
// Labels come from the list where the detail lacks them. What is referred to is referred to by id, and every value is
// there in the clear.
func SpecOf(c *servicestage.Component, listed []servicestage.Label) v1alpha1.ComponentSpec {
	spec := body.Spec(c.Fields)
	spec.Name = c.Name
	spec.ApplicationRef = v1alpha1.Reference{ID: c.ApplicationID}
	spec.EnvironmentRef = v1alpha1.Reference{ID: c.EnvironmentID}
	spec.Labels = labels.Spec(c.Labels)
	if c.Labels == nil {
		spec.Labels = labels.Spec(listed)
	}
	switch c.Status.ComponentStatus {
	case servicestage.ComponentStopped:
		spec.State = v1alpha1.ComponentStopped
	case servicestage.ComponentGraying:
		spec.DeployStrategy = body.HeldStrategy(c.Fields)
	}
	return spec
}
