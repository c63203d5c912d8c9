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

// lifeSteps are what happens to objects after they are Ready.
func lifeSteps() []step {
	mark := &callMark{}
	return []step{
		{
			name: "Edit spec.description of Environment dev: the cloud has it",
			act:  mark.before(editSpec), observe: editArrived, show: mark.show,
		}, {
			name: "Change the description in the cloud, behind the operator's back: found and repaired",
			act:  mark.before(meddle), observe: mark.observe(repaired), show: mark.show,
		}, {
			name: "Delete Environment dev while Application shop needs it: held back",
			act:  deleteEnvironment, observe: deletionBlocked, show: showBlocked,
		}, {
			name: "Delete Application shop: it goes, and the Environment after it",
			act:  deleteApplication, observe: bothGone, show: showRemaining,
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

func deleteEnvironment(ctx context.Context, w *world) error {
	environment, err := w.environment(ctx, "dev")
	if err != nil {
		return err
	}
	return w.client.Delete(ctx, environment)
}

func deletionBlocked(ctx context.Context, w *world) error {
	environment, err := w.environment(ctx, "dev")
	if err != nil {
		return err
	}
	condition := meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionReady)
	if condition == nil || condition.Reason != v1alpha1.ReasonDeletionBlocked {
		return fmt.Errorf("environment dev is not held back yet: %+v", condition)
	}
	if !strings.Contains(condition.Message, "shop") {
		return fmt.Errorf("the message does not name what blocks: %s", condition.Message)
	}
	_, err = w.inCloud(ctx, environments, "dev")
	return err
}

func showBlocked(ctx context.Context, w *world) error {
	environment, err := w.environment(ctx, "dev")
	if err != nil {
		return err
	}
	condition := meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionReady)
	if condition == nil {
		return errors.New("the Ready condition is gone")
	}
	w.screen.block("what it says", condition.Reason+": "+condition.Message)
	return w.showCluster(ctx, "environments")
}

func deleteApplication(ctx context.Context, w *world) error {
	application, err := w.application(ctx, "shop")
	if err != nil {
		return err
	}
	return w.client.Delete(ctx, application)
}

func bothGone(ctx context.Context, w *world) error {
	_, applicationErr := w.application(ctx, "shop")
	_, environmentErr := w.environment(ctx, "dev")
	if err := errors.Join(gone("Application shop", applicationErr), gone("Environment dev", environmentErr)); err != nil {
		return err
	}
	records, err := w.sim.List(ctx, environments)
	if err != nil {
		return err
	}
	for _, record := range records {
		if record.Text("name") == "dev" {
			return errors.New("the cloud still has the environment dev")
		}
	}
	return w.empty(ctx, applications)
}

func deleteNamespace(ctx context.Context, w *world) error {
	return w.client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
}

func cloudEmpty(ctx context.Context, w *world) error {
	err := w.client.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})
	return errors.Join(w.empty(ctx, environments), w.empty(ctx, applications), gone("the namespace", err))
}

func (w *world) empty(ctx context.Context, collection string) error {
	records, err := w.sim.List(ctx, collection)
	if err != nil {
		return err
	}
	if len(records) > 0 {
		return fmt.Errorf("the cloud still has %d of %s", len(records), collection)
	}
	return nil
}

func showRemaining(ctx context.Context, w *world) error {
	return errors.Join(w.showCluster(ctx, "environments"), w.showCloud(ctx, environments, "name", "id", "description"))
}
