// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package component

import (
	"fmt"
	"slices"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/controller/internal/body"
	"servicestage.dev/operator/internal/controller/internal/labels"
	"servicestage.dev/operator/internal/external"
)

// wanted is what the spec comes to once everything it refers to is resolved.
type wanted struct {
	name          string
	environmentID string
	// body holds what the spec owns, in the words of an update.
	body map[string]any
	// sensitive are values that must not show up in errors.
	sensitive []string
	// strategy is sent with every update.
	strategy map[string]any
	labels   map[string]string
	version  string
	replicas *int32
	hosts    []string
	stopped  bool
	// restartedAt is the annotation's value; handledRestart the one that was acted on.
	restartedAt, handledRestart string
	// gray is the gray release that is wanted, if one is.
	gray *v1alpha1.GrayRelease
	// recorded are the versions that can be rolled back to.
	recorded []string
	// unclaimed is set while nobody has seen the claim on the component.
	unclaimed bool
	// workloadContent is taken at creation only.
	workloadContent string
}

// observed is a component as the cloud holds it.
type observed struct {
	servicestage.Component
	// labelsKnown is false where the call that was made leaves labels out.
	labelsKnown bool
	// partial is set where no more than the ids are known.
	partial bool
	// records are the last releases; nil where they were not looked at.
	records []*servicestage.ComponentRecord
	// batch and batches say how far a rollout is, where the job tells.
	batch, batches int32
	// restartedAt is the restart that was carried out by this pass.
	restartedAt string
}

// wantedOf reads the spec.
func wantedOf(obj *v1alpha1.Component, refs body.Resolved) wanted {
	spec := &obj.Spec
	w := wanted{
		name: obj.CloudName(), environmentID: refs.EnvironmentID, body: body.Wanted(obj, refs), strategy: body.Strategy(spec),
		sensitive: body.Values(obj), labels: spec.Labels, version: spec.Version, replicas: spec.Replicas, hosts: spec.Hosts,
		workloadContent: spec.WorkloadContent,
		// What was created carries the claim; what is to be adopted has not been looked at.
		unclaimed:   obj.Status.ID == "",
		stopped:     spec.State == v1alpha1.ComponentStopped,
		restartedAt: obj.Annotations[v1alpha1.RestartedAtAnnotation], handledRestart: obj.Status.RestartedAt,
	}
	if spec.DeployStrategy != nil {
		w.gray = spec.DeployStrategy.GrayRelease
	}
	for _, r := range obj.Status.Records {
		w.recorded = append(w.recorded, r.Version)
	}
	return w
}

// clusterBound says whether the environment has the cluster that the component runs in, as far as that can be seen: an
// environment whose resources are not managed does not show them.
func clusterBound(obj *v1alpha1.Component, environment *v1alpha1.Environment) error {
	if obj.Spec.RuntimeStack.DeployMode != v1alpha1.DeployModeContainer || environment.Spec.Resources == nil {
		return nil
	}
	for i, ref := range obj.Spec.References {
		if ref.Type != "cce" {
			continue
		}
		bound := slices.ContainsFunc(environment.Status.Resources, func(r v1alpha1.ObservedEnvironmentResource) bool {
			return r.Type == "cce" && r.ID == ref.ID
		})
		if !bound {
			return &external.WaitError{
				Cause: external.WaitForReference, Reason: external.NotReady,
				Message: fmt.Sprintf("spec.references[%d]: the CCE cluster %s is not bound to Environment %q yet; list it in the Environment's spec.resources", i, ref.ID, environment.Name),
			}
		}
	}
	return nil
}

// Paths of what is no field of an update.
const (
	pathState   = "spec.state"
	pathHold    = "spec.deployStrategy.grayRelease.hold"
	pathWeight  = "spec.deployStrategy.grayRelease.firstBatchWeight"
	pathRestart = "metadata.annotations[" + v1alpha1.RestartedAtAnnotation + "]"
	pathVersion = "spec.version"
	pathScale   = "spec.replicas"
	pathHosts   = "spec.hosts"
)

// diff compares what is wanted with what was observed. While the cloud is at work on the component nothing differs: what
// is there says nothing about what will be.
func diff(w wanted, o *observed) external.Changes {
	var c external.Changes
	if working(o.Status.ComponentStatus) {
		return c
	}
	if w.environmentID != "" && o.EnvironmentID != "" && w.environmentID != o.EnvironmentID {
		c.Immutable = append(c.Immutable, "spec.environmentRef")
	}
	for _, path := range body.Diff(w.body, o.Fields) {
		if path == "spec.runtimeStack" || path == "spec.name" {
			c.Immutable = append(c.Immutable, path)
			continue
		}
		c.Paths = append(c.Paths, path)
	}
	if o.labelsKnown {
		c.Paths = append(c.Paths, labels.Diff("spec.labels", w.labels, o.Labels)...)
	}
	if o.Status.ComponentStatus == servicestage.ComponentGraying {
		c.Paths = append(diffGray(w, o), without(c.Paths, pathScale)...)
	}
	if w.stopped != (o.Status.ComponentStatus == servicestage.ComponentStopped) && canSwitch(o.Status.ComponentStatus) {
		c.Paths = append(c.Paths, pathState)
	}
	if w.stopped {
		c.Paths = without(c.Paths, pathScale)
	}
	if w.restartedAt != "" && w.restartedAt != w.handledRestart && !w.stopped {
		c.Paths = append(c.Paths, pathRestart)
	}
	slices.Sort(c.Paths)
	return c
}

// diffGray compares a gray release that waits at its first batch with what is wanted of it.
func diffGray(w wanted, o *observed) []string {
	if w.version != o.Version {
		return nil // given up, or overtaken: the version says it
	}
	if w.gray == nil || !w.gray.Hold {
		return []string{pathHold}
	}
	if held, ok := body.Int(o.Fields, "deploy_strategy", "gray_release", "first_batch_weight"); ok && w.gray.FirstBatchWeight != nil && held != *w.gray.FirstBatchWeight {
		return []string{pathWeight}
	}
	return nil
}

// working says whether the cloud is at work on a component. Words that are not known count as work.
func working(status string) bool {
	switch status {
	case servicestage.ComponentRunning, servicestage.ComponentFailed, servicestage.ComponentDown, servicestage.ComponentStopped,
		servicestage.ComponentPartiallyFailed, servicestage.ComponentGraying, servicestage.ComponentReserved:
		return false
	default:
		return true
	}
}

// failed says whether a component does not work.
func failed(status string) bool {
	switch status {
	case servicestage.ComponentFailed, servicestage.ComponentDown, servicestage.ComponentPartiallyFailed:
		return true
	default:
		return false
	}
}

// canSwitch says whether a component can be started or stopped.
func canSwitch(status string) bool {
	return status == servicestage.ComponentRunning || status == servicestage.ComponentStopped
}

func without(paths []string, path string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return p == path })
}

// step is one thing to do to a component: an action, or an update of the whole body where there is none.
type step struct {
	action     servicestage.Action
	parameters map[string]any
	// check asks the cloud first whether a gray release can go on.
	check           bool
	reason, message string
}

// nextStep decides what to do first about the changes. What is left differs again once that is done.
func nextStep(w wanted, o *observed, c external.Changes) step {
	graying := o.Status.ComponentStatus == servicestage.ComponentGraying
	scale := c.Has(pathScale) || c.Has(pathHosts)
	// The cloud takes no action on what failed: an update repairs it first.
	repair := failed(o.Status.ComponentStatus)
	others := slices.ContainsFunc(c.Paths, func(p string) bool {
		return !slices.Contains([]string{pathState, pathHold, pathWeight, pathRestart, pathScale, pathHosts}, p)
	})
	switch {
	case c.Has(pathState) && !w.stopped:
		return step{action: servicestage.ActionStart, reason: "Starting", message: "Starting."}
	case c.Has(pathVersion) && slices.Contains(w.recorded, w.version):
		return step{
			action: servicestage.ActionRollback, parameters: map[string]any{"version": w.version},
			reason: "RollingBack", message: fmt.Sprintf("Rolling back from version %s to %s.", o.Version, w.version),
		}
	case c.Has(pathHold):
		return step{action: servicestage.ActionContinueDeploy, check: true, reason: "Continuing", message: fmt.Sprintf("Continuing the gray release of version %s.", o.Version)}
	case c.Has(pathWeight):
		return step{
			action: servicestage.ActionModifyGrayRule, parameters: map[string]any{"first_batch_weight": *w.gray.FirstBatchWeight},
			reason: "ShiftingTraffic", message: fmt.Sprintf("Giving version %s %d %% of the traffic.", o.Version, *w.gray.FirstBatchWeight),
		}
	case others || repair || c.Mark || c.Unmark:
		return step{reason: "Upgrading", message: upgradeMessage(w, o, c)}
	case scale && !graying:
		return scaleStep(w, o)
	case c.Has(pathRestart):
		return step{action: servicestage.ActionRestart, reason: "Restarting", message: "Restarting all instances."}
	default:
		return step{action: servicestage.ActionStop, reason: "Stopping", message: "Stopping."}
	}
}

func scaleStep(w wanted, o *observed) step {
	parameters := map[string]any{}
	message := "Changing the hosts."
	if w.replicas != nil {
		parameters["replica"] = *w.replicas
		message = fmt.Sprintf("Scaling from %d to %d replicas.", o.Status.Replica, *w.replicas)
	}
	if len(w.hosts) > 0 {
		parameters["hosts"] = w.hosts
	}
	return step{action: servicestage.ActionScale, parameters: parameters, reason: "Scaling", message: message}
}

func upgradeMessage(w wanted, o *observed, c external.Changes) string {
	if !c.Has(pathVersion) {
		return fmt.Sprintf("Updating version %s.", w.version)
	}
	message := fmt.Sprintf("Upgrading from version %s to %s", o.Version, w.version)
	kind, _ := w.strategy["type"].(string)
	switch v1alpha1.DeployStrategyType(kind) {
	case v1alpha1.RollingReleaseType:
		batches, _ := body.Int(w.strategy, "rolling_release", "batches")
		return fmt.Sprintf("%s in %d batches.", message, batches)
	case v1alpha1.GrayReleaseType:
		weight, _ := body.Int(w.strategy, "gray_release", "first_batch_weight")
		return fmt.Sprintf("%s by a gray release that begins with %d %% of the traffic.", message, weight)
	case v1alpha1.OneBatchReleaseType:
	}
	return message + "."
}

// createBody is the body of a creation.
func createBody(w wanted, claim external.Claim) map[string]any {
	b := withStrategy(body.Overlay(map[string]any{}, w.body), w.strategy)
	b["environment_id"] = w.environmentID
	if w.replicas == nil {
		b["replica"] = 1 // mandatory (table 5-96)
	}
	b["labels"] = labels.Merge(w.labels, nil, claim)
	if metrics, ok := b["custom_metric"]; ok {
		b["custom_metrics"] = metrics // the name that the create table has (5-96)
	}
	if w.workloadContent != "" {
		b["config_mode"], b["workload_content"] = "yaml", w.workloadContent
	}
	return b
}

// updateBody is the body of an update: what the cloud holds, overlaid with what the spec owns. Replicas change through
// scaling only, so that what the cloud holds is repeated.
func updateBody(w wanted, o *observed, c external.Changes, claim external.Claim) map[string]any {
	have := body.Observed(o.Fields)
	b := withStrategy(body.Overlay(have, w.body), w.strategy)
	b["replica"] = o.Status.Replica
	if list := labels.Update("spec.labels", w.labels, o.Labels, c, claim); list != nil {
		b["labels"] = *list
	} else if !o.labelsKnown {
		delete(b, "labels") // absent keeps
	}
	return b
}

func withStrategy(b, strategy map[string]any) map[string]any {
	if strategy != nil {
		b["deploy_strategy"] = strategy
	}
	return b
}
