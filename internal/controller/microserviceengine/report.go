// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package microserviceengine

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/cse"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/reconciler"
	"servicestage.dev/operator/internal/roster"
)

// report copies what was observed into the status and judges health.
func report(obj *v1alpha1.MicroserviceEngine, o *observed) external.Health {
	status := &obj.Status
	if o.job != nil {
		status.Job = jobOf(o.job)
	}
	if o.retries != 0 {
		status.CreateRetries = o.retries
	}
	if o.ID == "" { // a poll looked at the job alone
		return judgeState(status.EngineStatus)
	}
	status.Name, status.EngineStatus = o.Name, o.Status
	status.EnterpriseProjectID = cmp.Or(o.EnterpriseProjectID, cse.DefaultEnterpriseProject)
	if o.partial {
		status.Endpoints, status.Instances, status.CreateRetries = nil, nil, 0
		return judgeState(o.Status)
	}
	if job := status.Job; job != nil && !working(o.Status) && (job.State == cse.JobInit || job.State == cse.JobExecuting) {
		status.Job = nil // it has ended since it was last asked about, and how is not known
	}
	status.Version, status.LatestVersion = o.Version, o.LatestVersion
	status.Flavor, status.AuthType = o.Flavor, o.AuthType
	status.Endpoints = endpointsOf(o)
	reportInstances(status, o)
	if created(o.Status) {
		status.CreateRetries = 0
	}
	return judge(obj, o)
}

// fingerprint is of what both the list and the detail show of an engine, which has no time of update, and of how many
// instances are registered.
func fingerprint(e *cse.Engine) string {
	return roster.Fingerprint(e.Status, e.LatestJobID, e.Flavor, e.Version, e.Description, e.UsedInstances)
}

// SpecOf is the spec that says what the cloud holds of an engine: applied, it changes nothing. The inputs of its creation are
// left out, which the cloud adds to.
func SpecOf(e *cse.Engine) v1alpha1.MicroserviceEngineSpec {
	spec := v1alpha1.MicroserviceEngineSpec{
		Name: e.Name, Flavor: e.Flavor, AvailabilityZones: e.Reference.AZList, AuthType: v1alpha1.EngineAuthType(e.AuthType),
		PublicIPID: e.Reference.PublicIPID, EnterpriseProjectID: cmp.Or(e.EnterpriseProjectID, cse.DefaultEnterpriseProject),
	}
	if e.Description != "" {
		spec.Description = &e.Description
	}
	if r := e.Reference; r.VPCID != "" && r.NetworkID != "" {
		spec.Network = &v1alpha1.EngineNetwork{VPCID: r.VPCID, VPCName: r.VPC, SubnetID: r.NetworkID, SubnetCIDR: r.SubnetCIDR}
	}
	return spec
}

// reportInstances copies the quota, and its use where that was looked at.
func reportInstances(status *v1alpha1.MicroserviceEngineStatus, o *observed) {
	if o.Reference.InstanceLimit == 0 {
		return
	}
	if status.Instances == nil {
		status.Instances = &v1alpha1.EngineInstances{}
	}
	status.Instances.Limit = conditions.Count(int(o.Reference.InstanceLimit))
	if o.usageKnown {
		status.Instances.Used = conditions.Count(int(o.UsedInstances))
	}
}

// created says whether an engine in the state has come into being.
func created(status string) bool {
	return status != "" && status != cse.StatusCreating && status != cse.StatusCreateFailed
}

// endpointsOf copies the addresses; nil where there are none.
func endpointsOf(o *observed) *v1alpha1.EngineEndpoints {
	endpoints := v1alpha1.EngineEndpoints{
		ServiceCenter: v1alpha1.EngineEntryPoint(o.ServiceCenter), Kie: v1alpha1.EngineEntryPoint(o.Kie),
		PublicServiceCenter: v1alpha1.EngineEntryPoint(o.PublicServiceCenter), PublicKie: v1alpha1.EngineEntryPoint(o.PublicKie),
	}
	if endpoints == (v1alpha1.EngineEndpoints{}) {
		return nil
	}
	return &endpoints
}

func jobOf(job *cse.Job) *v1alpha1.EngineJob {
	done, total, phase := job.Progress()
	return &v1alpha1.EngineJob{
		ID: strconv.FormatInt(job.ID, 10), Type: job.Type, State: job.Status,
		PhasesDone: conditions.Count(done), PhasesTotal: conditions.Count(total), Phase: phase,
	}
}

// judge says how an engine is.
func judge(obj *v1alpha1.MicroserviceEngine, o *observed) external.Health {
	switch o.Status {
	case cse.StatusAvailable:
		return external.Health{State: external.Healthy, Message: fmt.Sprintf("The engine %s is available.", o.Name)}
	case cse.StatusCreateFailed:
		message := "The creation of the engine failed"
		if n := obj.Status.CreateRetries; n > 0 {
			message += fmt.Sprintf(", and so did %d of %d retries", n, obj.Spec.RetryFailedCreate)
		}
		return external.Health{State: external.Unhealthy, Message: message + "; raise spec.retryFailedCreate to try again, or delete this object."}
	}
	return judgeState(o.Status)
}

// judgeState says how an engine in a state is, and what to do about it.
func judgeState(status string) external.Health {
	unhealthy := map[string]string{
		cse.StatusUnavailable:   "The engine is not available; look at its events in the CSE console, the operator does not restart it.",
		cse.StatusFreezed:       "The cloud froze the engine, for an unpaid bill or by a policy; settle the bill and unfreeze it in the console.",
		cse.StatusDeleted:       "The engine is deleted in the cloud.",
		cse.StatusCreateFailed:  "The creation of the engine failed; raise spec.retryFailedCreate to try again, or delete this object.",
		cse.StatusDeleteFailed:  "A deletion of the engine failed; retry it in the CSE console, or delete this object to try again.",
		cse.StatusUpgradeFailed: "The upgrade of the engine failed; retry it in the CSE console.",
		cse.StatusModifyFailed:  "The last change of the engine failed; retry it in the CSE console.",
	}
	if message, known := unhealthy[status]; known {
		return external.Health{State: external.Unhealthy, Message: message}
	}
	if status == cse.StatusAvailable {
		return external.Health{State: external.Healthy}
	}
	return external.Health{State: external.Progressing, Message: fmt.Sprintf("The engine is %s.", cmp.Or(status, "in a state that the cloud does not tell"))}
}

// progressOf says how a job stands, by its phases.
func progressOf(job *cse.Job) external.Progress {
	done, total, current := job.Progress()
	p := external.Progress{TasksDone: done, TasksTotal: total, CurrentTask: current, Message: "The cloud is at work."}
	if total > 0 {
		p.Message = fmt.Sprintf("%d of %d phases done", done, total)
		if current != "" {
			p.Message += "; now: " + current
		}
		p.Message += "."
	}
	if job.Ended() {
		p.Done = true
	}
	if job.Ended() && !job.Succeeded() {
		p.Failure = failureOf(job)
	}
	return p
}

// failureOf tells why a job failed, by the task that did.
func failureOf(job *cse.Job) string {
	task := job.FailedTask()
	switch {
	case task == nil:
		return fmt.Sprintf("the job ended as %s.", job.Status)
	case task.Message == "":
		return fmt.Sprintf("the job ended as %s in %q.", job.Status, task.Name)
	}
	return fmt.Sprintf("the job ended as %s in %q: %s", job.Status, task.Name, task.Message)
}

// progressByState is the progress of an operation that the cloud gave no job for.
func progressByState(status string) external.Progress {
	switch {
	case working(status):
		return external.Progress{Message: judgeState(status).Message}
	case strings.HasSuffix(status, "Failed"):
		return external.Progress{Done: true, Failure: fmt.Sprintf("the engine is %s.", status)}
	}
	return external.Progress{Done: true}
}

// publication is what Pods need to reach the engine. The password is not part of it.
func publication(obj *v1alpha1.MicroserviceEngine) reconciler.Publication {
	status := &obj.Status
	p := reconciler.Publication{
		Field: "spec.connection", Target: targetOf(obj.Spec.Connection), Written: targetOf(status.Connection),
		Record: func(t reconciler.Target) { status.Connection = connectionOf(t) },
	}
	if status.Endpoints == nil {
		return p
	}
	p.Data = map[string]string{}
	for key, value := range map[string]string{
		"ENGINE_ID": status.ID, "ENGINE_NAME": status.Name, "AUTH_TYPE": status.AuthType,
		"SERVICE_CENTER_ADDRESS": addresses(status.Endpoints.ServiceCenter), "KIE_ADDRESS": addresses(status.Endpoints.Kie),
		"SERVICE_CENTER_PUBLIC_ADDRESS": addresses(status.Endpoints.PublicServiceCenter),
		"KIE_PUBLIC_ADDRESS":            addresses(status.Endpoints.PublicKie),
	} {
		if value != "" {
			p.Data[key] = value
		}
	}
	return p
}

// addresses lists the URLs of an entry point in the order in which they are best tried.
func addresses(e v1alpha1.EngineEntryPoint) string {
	return strings.Join(cse.EntryPoint(e).Addresses(), ",")
}

func targetOf(c *v1alpha1.Connection) reconciler.Target {
	switch {
	case c == nil:
		return reconciler.Target{}
	case c.Secret != "":
		return reconciler.Target{Kind: reconciler.KindSecret, Name: c.Secret}
	}
	return reconciler.Target{Kind: reconciler.KindConfigMap, Name: c.ConfigMap}
}

func connectionOf(t reconciler.Target) *v1alpha1.Connection {
	switch t.Kind {
	case reconciler.KindSecret:
		return &v1alpha1.Connection{Secret: t.Name}
	case reconciler.KindConfigMap:
		return &v1alpha1.Connection{ConfigMap: t.Name}
	}
	return nil
}
