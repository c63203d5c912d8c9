// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

const (
	editedDescription  = "Edited in the cluster"
	meddledDescription = "Edited in the cloud's console"
)

// editSteps change an object on either side.
func editSteps() []step {
	mark := &callMark{}
	return []step{
		{
			name: "Edit spec.description of Environment dev: the cloud has it",
			act:  mark.before(editSpec), observe: editArrived, show: mark.show,
		}, {
			name: "Change the description in the cloud, behind the operator's back: found and repaired",
			act:  mark.before(meddle), observe: mark.observe(repaired), show: mark.show,
		},
	}
}

// deletionSteps take everything away, the users of a thing before the thing.
func deletionSteps() []step {
	return []step{
		{
			name: "Delete Environment production and Application shop while Component checkout needs them: held back",
			act:  deleteNeeded, observe: deletionBlocked, show: showBlocked,
		}, {
			name: "Delete Component checkout: it goes, then the Application, and the Environment after it",
			act:  deleteComponent, observe: allGone, show: showRemaining,
		}, {
			name: "Delete the namespace: the cloud is empty",
			act:  deleteNamespace, observe: cloudEmpty, show: showRemaining,
		},
	}
}

// callMark remembers how many calls the cloud had answered when a step began.
type callMark struct{ calls int }

func (m *callMark) before(act func(context.Context, *world) error) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		calls, err := w.calls(ctx)
		if err != nil {
			return err
		}
		m.calls = len(calls)
		return act(ctx, w)
	}
}

func (m *callMark) observe(look func(context.Context, *world, []rig.Call) error) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		calls, err := w.calls(ctx)
		if err != nil {
			return err
		}
		return look(ctx, w, calls[m.calls:])
	}
}

func (m *callMark) show(ctx context.Context, w *world) error { return w.showCallsSince(ctx, m.calls) }

func editSpec(ctx context.Context, w *world) error {
	environment, err := w.environment(ctx, "dev")
	if err != nil {
		return err
	}
	before := environment.DeepCopy()
	environment.Spec.Description = ptr.To(editedDescription)
	return w.client.Patch(ctx, environment, client.MergeFrom(before))
}

func editArrived(ctx context.Context, w *world) error {
	record, err := w.inCloud(ctx, environments, "dev")
	if err != nil {
		return err
	}
	if got := record.Text("description"); got != editedDescription {
		return fmt.Errorf("the cloud still says %q", got)
	}
	environment, err := w.environment(ctx, "dev")
	if err != nil {
		return err
	}
	return ready(environment, environment.Status.Conditions)
}

func meddle(ctx context.Context, w *world) error {
	record, err := w.inCloud(ctx, environments, "dev")
	if err != nil {
		return err
	}
	return w.sim.Patch(ctx, environments, record.Text("id"), rig.Record{"description": meddledDescription})
}

// repaired wants the operator's own call that puts the description back, besides the description itself.
func repaired(ctx context.Context, w *world, calls []rig.Call) error {
	record, err := w.inCloud(ctx, environments, "dev")
	if err != nil {
		return err
	}
	if got := record.Text("description"); got != editedDescription {
		return fmt.Errorf("the cloud says %q", got)
	}
	for _, call := range calls {
		if call.Method == http.MethodPut && strings.HasSuffix(call.Path, record.Text("id")) && call.Status == http.StatusOK {
			return nil
		}
	}
	return errors.New("no call has put the description back")
}

func deleteNeeded(ctx context.Context, w *world) error {
	environment, err := w.environment(ctx, "production")
	if err != nil {
		return err
	}
	application, err := w.application(ctx, "shop")
	if err != nil {
		return err
	}
	return errors.Join(w.client.Delete(ctx, environment), w.client.Delete(ctx, application))
}

// deletionBlocked wants both to name what holds them back, and the cloud to have both.
func deletionBlocked(ctx context.Context, w *world) error {
	environment, application, err := w.needed(ctx)
	if err != nil {
		return err
	}
	_, environmentErr := w.inCloud(ctx, environments, "production")
	_, applicationErr := w.inCloud(ctx, applications, "shop")
	return errors.Join(blockedBy(environment, "Component "+componentName), blockedBy(application, "Component "+componentName), environmentErr, applicationErr)
}

// needed returns what Component checkout needs.
func (w *world) needed(ctx context.Context) (environment, application resource, err error) {
	environment, environmentErr := w.environment(ctx, "production")
	application, applicationErr := w.application(ctx, "shop")
	return environment, application, errors.Join(environmentErr, applicationErr)
}

func blockedBy(object resource, user string) error {
	condition := meta.FindStatusCondition(object.CommonStatus().Conditions, v1alpha1.ConditionReady)
	if condition == nil || condition.Reason != v1alpha1.ReasonDeletionBlocked {
		return fmt.Errorf("%s is not held back yet: %s", object.GetName(), readyMessage(object))
	}
	if !strings.Contains(condition.Message, user) {
		return fmt.Errorf("the message does not name what blocks: %s", condition.Message)
	}
	return nil
}

func showBlocked(ctx context.Context, w *world) error {
	environment, application, err := w.needed(ctx)
	if err != nil {
		return err
	}
	w.screen.block("what Environment production says", readyMessage(environment))
	w.screen.block("what Application shop says", readyMessage(application))
	return errors.Join(w.showCluster(ctx, "environments"), w.showCluster(ctx, "applications"))
}

func deleteComponent(ctx context.Context, w *world) error {
	component, err := w.component(ctx, componentName)
	if err != nil {
		return err
	}
	return w.client.Delete(ctx, component)
}

// allGone wants the Component and what it needed gone on both sides; the other Environments stay.
func allGone(ctx context.Context, w *world) error {
	_, componentErr := w.component(ctx, componentName)
	_, applicationErr := w.application(ctx, "shop")
	_, environmentErr := w.environment(ctx, "production")
	_, devErr := w.inCloud(ctx, environments, "dev")
	return errors.Join(
		gone("Component checkout", componentErr), gone("Application shop", applicationErr), gone("Environment production", environmentErr),
		w.empty(ctx, components), w.empty(ctx, applications), w.count(ctx, environments, 2), devErr)
}

func deleteNamespace(ctx context.Context, w *world) error {
	return w.client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
}

func cloudEmpty(ctx context.Context, w *world) error {
	err := w.client.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})
	return errors.Join(
		gone("the namespace", err),
		w.empty(ctx, components), w.empty(ctx, applications), w.empty(ctx, configurations), w.empty(ctx, environments),
		w.empty(ctx, engines), w.empty(ctx, items))
}

func (w *world) empty(ctx context.Context, collection string) error {
	return w.count(ctx, collection, 0)
}

// count is nil where the cloud has n records in a collection.
func (w *world) count(ctx context.Context, collection string, n int) error {
	records, err := w.sim.List(ctx, collection)
	if err != nil {
		return err
	}
	if len(records) != n {
		return fmt.Errorf("the cloud has %d of %s", len(records), collection)
	}
	return nil
}

func showRemaining(ctx context.Context, w *world) error {
	return errors.Join(
		w.showCluster(ctx, "environments"),
		w.showCloud(ctx, environments, "name", "id", "description"),
		w.showCloud(ctx, applications, "name", "id", "description"),
		w.showCloud(ctx, components, "name", "id", "version"),
		w.showCloud(ctx, engines, "name", "id", "status"))
}
