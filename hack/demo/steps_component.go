// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/rig"
)

const (
	componentName = "checkout"
	oldVersion    = "1.0.0"
	newVersion    = "1.1.0"
	// slowTask is where the deployment stands still until its progress has been seen.
	slowTask = "DEPLOY_BATCH_2_OF_3"
)

// deploySteps bring the sample of a gray release up.
func deploySteps() []step {
	return []step{
		{
			name: "Apply config/samples/components/gray_release.yaml: while a batch is slow, the status tells how far the cloud is",
			act:  applyComponent, observe: progressTold, show: showComponent,
		}, {
			name: "The batch comes up: Component checkout is Ready",
			act:  endSlowTask, observe: runs(oldVersion), show: showComponent,
		},
	}
}

// releaseSteps are a gray release of a new version, and the way back.
func releaseSteps() []step {
	mark := &callMark{}
	return []step{
		{
			name: "Set version 1.1.0: the gray release is held at its first batch with 10 % of the traffic",
			act:  mark.before(editComponent(setVersion(newVersion))), observe: held(10), show: mark.showReleased,
		}, {
			name: "Set firstBatchWeight 50: the traffic is shifted, the release still held",
			act:  mark.before(editComponent(setWeight(50))), observe: held(50), show: mark.showReleased,
		}, {
			name: "Set hold false: the release is continued, version 1.1.0 runs everywhere",
			act:  mark.before(editComponent(setHold(false))), observe: runs(newVersion), show: mark.showReleased,
		}, {
			name: "Set version 1.0.0, which the cloud has a record of: rolled back",
			act:  mark.before(editComponent(setVersion(oldVersion))), observe: mark.observe(rolledBack), show: mark.showStory,
		},
	}
}

func applyComponent(ctx context.Context, w *world) error {
	slow := cloudsim.Outcome{Component: componentName, Job: "create", Task: slowTask, Result: cloudsim.OutcomeHeld}
	if err := w.sim.Outcomes(ctx, slow); err != nil {
		return err
	}
	objects, err := rig.ComponentSample(namespace, "gray_release.yaml")
	if err != nil {
		return err
	}
	return rig.Apply(ctx, w.client, objects...)
}

func endSlowTask(ctx context.Context, w *world) error { return w.sim.Outcomes(ctx) }

// progressTold wants the status to name the task that the cloud stands at.
func progressTold(ctx context.Context, w *world) error {
	component, record, err := w.bothSides(ctx)
	if err != nil {
		return err
	}
	operation := component.Status.Operation
	switch {
	case operation == nil:
		return errors.New("the status tells no operation")
	case operation.CurrentTask != slowTask || operation.TasksDone == 0 || operation.TasksTotal <= operation.TasksDone:
		return fmt.Errorf("the status tells %d of %d tasks, now %q", operation.TasksDone, operation.TasksTotal, operation.CurrentTask)
	case component.Status.Phase != v1alpha1.PhaseDeploying:
		return fmt.Errorf("the phase is %s", component.Status.Phase)
	}
	job, err := w.sim.Get(ctx, jobs, record.At("status", "last_job_id"))
	if err != nil {
		return err
	}
	if job.At("held") != "true" {
		return errors.New("the cloud has not come to the slow batch")
	}
	return inCloudsWords(record, "INITIALIZING", oldVersion)
}

// runs wants a version Ready with all its replicas.
func runs(version string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		component, record, err := w.bothSides(ctx)
		if err != nil {
			return err
		}
		if err := ready(component, component.Status.Conditions); err != nil {
			return err
		}
		status := component.Status
		if status.Phase != v1alpha1.PhaseRunning || status.Version != version || status.ReadyReplicas != "5/5" {
			return fmt.Errorf("the status says %s %s %s", status.Phase, status.Version, status.ReadyReplicas)
		}
		return inCloudsWords(record, "RUNNING", version)
	}
}

// held wants a gray release of the new version that waits with a share of the traffic, in percent.
func held(weight int32) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		component, record, err := w.bothSides(ctx)
		if err != nil {
			return err
		}
		status := component.Status
		if status.Phase != v1alpha1.PhaseGraying || status.Operation != nil || status.GrayWeight == nil || *status.GrayWeight != weight {
			return fmt.Errorf("the release is not held with %d %% yet: %s", weight, readyMessage(component))
		}
		if got := record.At("deploy_strategy", "gray_release", "first_batch_weight"); got != fmt.Sprint(weight) {
			return fmt.Errorf("the cloud still gives it %s %%", got)
		}
		return inCloudsWords(record, "GRAYING", newVersion)
	}
}

// rolledBack wants the old version back by the cloud's own rollback, and by nothing else.
func rolledBack(ctx context.Context, w *world, calls []rig.Call) error {
	if err := runs(oldVersion)(ctx, w); err != nil {
		return err
	}
	writes := slices.DeleteFunc(calls, func(call rig.Call) bool { return !call.IsWrite() })
	if len(writes) != 1 || writes[0].Status != http.StatusOK || !strings.Contains(writes[0].Action(), `"action":"rollback"`) {
		return fmt.Errorf("not one rollback, but %v", writes)
	}
	return nil
}

// inCloudsWords compares the cloud's record with what it is to say.
func inCloudsWords(record rig.Record, status, version string) error {
	if got := record.At("status", "component_status"); got != status {
		return fmt.Errorf("the cloud says %s", got)
	}
	if got := record.At("source", "url"); !strings.HasSuffix(got, ":"+version) || record.At("version") != version {
		return fmt.Errorf("the cloud runs %s", got)
	}
	return nil
}

func editComponent(change func(*v1alpha1.ComponentSpec)) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		component, err := w.component(ctx, componentName)
		if err != nil {
			return err
		}
		before := component.DeepCopy()
		change(&component.Spec)
		return w.client.Patch(ctx, component, client.MergeFrom(before))
	}
}

func setVersion(version string) func(*v1alpha1.ComponentSpec) {
	return func(spec *v1alpha1.ComponentSpec) {
		image := spec.Source.Image.URL
		spec.Version, spec.Source.Image.URL = version, image[:strings.LastIndex(image, ":")+1]+version
	}
}

func setWeight(weight int32) func(*v1alpha1.ComponentSpec) {
	return func(spec *v1alpha1.ComponentSpec) { spec.DeployStrategy.GrayRelease.FirstBatchWeight = &weight }
}

func setHold(hold bool) func(*v1alpha1.ComponentSpec) {
	return func(spec *v1alpha1.ComponentSpec) { spec.DeployStrategy.GrayRelease.Hold = hold }
}

func (w *world) component(ctx context.Context, name string) (*v1alpha1.Component, error) {
	component := &v1alpha1.Component{}
	return component, w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, component)
}

// bothSides returns the Component and the cloud's record of it.
func (w *world) bothSides(ctx context.Context) (*v1alpha1.Component, rig.Record, error) {
	component, err := w.component(ctx, componentName)
	if err != nil {
		return nil, nil, err
	}
	record, err := w.inCloud(ctx, components, componentName)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; %s", err, readyMessage(component))
	}
	return component, record, nil
}

// showComponent prints the Component and the cloud's record of it.
func showComponent(ctx context.Context, w *world) error {
	component, err := w.component(ctx, componentName)
	if err != nil {
		return err
	}
	err = w.showCluster(ctx, "components")
	w.screen.block("what it says", readyMessage(component))
	return errors.Join(err, w.showCloud(ctx, components, "name", "version", "status.component_status", "status.available_replica", "replica",
		"deploy_strategy.gray_release.first_batch_weight"))
}

// showReleased prints besides what the step has asked of the cloud.
func (m *callMark) showReleased(ctx context.Context, w *world) error {
	return errors.Join(showComponent(ctx, w), m.showWrites(ctx, w))
}

// showWrites prints the calls of the step that asked for a change.
func (m *callMark) showWrites(ctx context.Context, w *world) error {
	calls, err := w.calls(ctx)
	if err != nil {
		return err
	}
	var lines []string
	for _, call := range calls[m.calls:] {
		if call.IsWrite() {
			lines = append(lines, call.String())
		}
	}
	w.screen.block("what this step asked of the cloud, besides looking", strings.Join(lines, "\n"))
	return nil
}

// showStory prints besides the events of the Component, which tell the whole story.
func (m *callMark) showStory(ctx context.Context, w *world) error {
	component, err := w.component(ctx, componentName)
	if err != nil {
		return err
	}
	var events eventsv1.EventList
	if err := w.client.List(ctx, &events, client.InNamespace(namespace)); err != nil {
		return err
	}
	slices.SortFunc(events.Items, func(a, b eventsv1.Event) int { return a.EventTime.Compare(b.EventTime.Time) })
	var lines []string
	for _, event := range events.Items {
		if event.Regarding.UID == component.UID {
			lines = append(lines, fmt.Sprintf("%-16s %s", event.Reason, event.Note))
		}
	}
	err = m.showReleased(ctx, w)
	w.screen.block("the events of Component "+componentName, strings.Join(lines, "\n"))
	return err
}
