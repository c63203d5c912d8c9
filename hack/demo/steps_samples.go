// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/test/rig"
)

// sampleSteps apply config/samples.
func sampleSteps() []step {
	return []step{{
		name: "Apply config/samples with the simulated cloud's keys and address: everything becomes Ready",
		act:  applySamples, observe: samplesReady, show: showAll,
	}}
}

func applySamples(ctx context.Context, w *world) error {
	if err := w.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return err
	}
	objects, err := rig.Samples(namespace, w.sim.URL, keys)
	if err != nil {
		return err
	}
	return rig.Apply(ctx, w.client, objects...)
}

// samplesReady wants every object Ready and its counterpart in the cloud.
func samplesReady(ctx context.Context, w *world) error {
	var missing []error
	for _, name := range []string{"dev", "production"} {
		environment, err := w.environment(ctx, name)
		if err == nil {
			err = ready(environment, environment.Status.Conditions)
		}
		if err == nil {
			_, err = w.inCloud(ctx, environments, name)
		}
		missing = append(missing, err)
	}
	application, err := w.application(ctx, "shop")
	if err == nil {
		err = ready(application, application.Status.Conditions)
	}
	if err == nil {
		_, err = w.inCloud(ctx, applications, "shop")
	}
	return errors.Join(append(missing, err)...)
}

func showAll(ctx context.Context, w *world) error {
	return errors.Join(
		w.showCluster(ctx, "cloudaccounts"),
		w.showCluster(ctx, "environments"),
		w.showCloud(ctx, environments, "name", "id", "deploy_mode", "description"),
		w.showCluster(ctx, "applications"),
		w.showCloud(ctx, applications, "name", "id", "description"),
	)
}
