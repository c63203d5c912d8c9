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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/rig"
)

const (
	engineName      = "shop-engine"
	engineUser      = "with-engine"
	slowPhase       = "engineInstall"
	kieConfigName   = "shop-settings"
	kieItems        = 50
	sampleItems     = 2 // of the sample
	meddledItem     = "shop.setting.07"
	meddledSetting  = "edited in the engine"
	intendedSetting = "value 07"
)

// engineSteps bring an engine up and keep configuration items in it.
func engineSteps() []step {
	mark := &callMark{}
	return []step{
		{
			name: "Apply config/samples/engines: while a phase is slow, the status tells how far the cloud is",
			act:  applyEngine, observe: phaseTold, show: showEngine,
		}, {
			name: "The phase ends: the engine is Ready, its addresses in a ConfigMap, what waited for it Ready, too",
			act:  endSlowTask, observe: engineReady, show: showConnection,
		}, {
			name: fmt.Sprintf("Create one more KieConfig, of %d items: all are in the engine, one login serves both", kieItems),
			act:  mark.before(createKieConfig), observe: mark.observe(itemsWritten), show: showKieConfig,
		}, {
			name: "Edit an item in the engine, behind the operator's back: the long poll tells, it is repaired at once",
			act:  mark.before(meddleWithItem), observe: mark.observe(itemRepaired), show: mark.show,
		},
	}
}

func applyEngine(ctx context.Context, w *world) error {
	slow := cloudsim.Outcome{Engine: engineName, Job: "Create", Task: slowPhase, Result: cloudsim.OutcomeHeld}
	if err := w.sim.Outcomes(ctx, slow); err != nil {
		return err
	}
	objects, err := rig.EngineSample(namespace, "Demo-Passw0rd")
	if err != nil {
		return err
	}
	return rig.Apply(ctx, w.client, objects...)
}

func (w *world) engine(ctx context.Context) (*v1alpha1.MicroserviceEngine, error) {
	engine := &v1alpha1.MicroserviceEngine{}
	return engine, w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: engineName}, engine)
}

// phaseTold wants the status to name the phase that the cloud stands at, and the Environment to wait for the engine.
func phaseTold(ctx context.Context, w *world) error {
	engine, err := w.engine(ctx)
	if err != nil {
		return err
	}
	operation := engine.Status.Operation
	switch {
	case operation == nil:
		return errors.New("the status tells no operation")
	case operation.CurrentTask != slowPhase || operation.TasksDone == 0 || operation.TasksTotal <= operation.TasksDone:
		return fmt.Errorf("the status tells %d of %d phases, now %q", operation.TasksDone, operation.TasksTotal, operation.CurrentTask)
	}
	environment, err := w.environment(ctx, engineUser)
	if err != nil {
		return err
	}
	if message := readyMessage(environment); !strings.Contains(message, engineName) {
		return fmt.Errorf("Environment %s does not name what it waits for: %s", engineUser, message) //nolint:staticcheck // a kind's name
	}
	return nil
}

func showEngine(ctx context.Context, w *world) error {
	engine, err := w.engine(ctx)
	if err != nil {
		return err
	}
	w.screen.block("what MicroserviceEngine "+engineName+" says", readyMessage(engine))
	environment, err := w.environment(ctx, engineUser)
	if err != nil {
		return err
	}
	w.screen.block("what Environment "+engineUser+" says", readyMessage(environment))
	return w.showCluster(ctx, "microserviceengines")
}

// engineReady wants the engine Ready, its addresses published, and what waited for it Ready.
func engineReady(ctx context.Context, w *world) error {
	engine, err := w.engine(ctx)
	if err != nil {
		return err
	}
	if err := ready(engine, engine.Status.Conditions); err != nil {
		return err
	}
	connection, err := w.connection(ctx)
	if err != nil {
		return err
	}
	if kie := connection.Data["KIE_ADDRESS"]; kie == "" || kie != engine.Status.Endpoints.Kie.Master {
		return fmt.Errorf("the ConfigMap says that Kie is at %q", kie)
	}
	environment, err := w.environment(ctx, engineUser)
	if err != nil {
		return err
	}
	config, err := w.kieConfig(ctx, "shop")
	if err != nil {
		return err
	}
	return errors.Join(ready(environment, environment.Status.Conditions), ready(config, config.Status.Conditions))
}

func (w *world) kieConfig(ctx context.Context, name string) (*v1alpha1.KieConfig, error) {
	config := &v1alpha1.KieConfig{}
	return config, w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, config)
}

func (w *world) connection(ctx context.Context) (*corev1.ConfigMap, error) {
	connection := &corev1.ConfigMap{}
	return connection, w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: engineName}, connection)
}

func showConnection(ctx context.Context, w *world) error {
	connection, err := w.connection(ctx)
	if err != nil {
		return err
	}
	lines := make([]string, 0, len(connection.Data))
	for _, key := range []string{"ENGINE_NAME", "AUTH_TYPE", "SERVICE_CENTER_ADDRESS", "KIE_ADDRESS"} {
		lines = append(lines, key+"="+connection.Data[key])
	}
	w.screen.block("ConfigMap "+engineName, strings.Join(lines, "\n"))
	return errors.Join(
		w.showCluster(ctx, "microserviceengines"),
		w.showCloud(ctx, engines, "name", "id", "status", "flavor"))
}

// createKieConfig lists many items of one set of labels.
func createKieConfig(ctx context.Context, w *world) error {
	config := &v1alpha1.KieConfig{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: kieConfigName}}
	config.Spec.EngineRef = &v1alpha1.ObjectReference{Name: engineName}
	config.Spec.TLS = &v1alpha1.TLS{InsecureSkipVerify: true} // the simulated engine signs its certificate itself
	config.Spec.Labels = map[string]string{"app": "shop", "environment": "demo"}
	for i := range kieItems {
		config.Spec.Items = append(config.Spec.Items, v1alpha1.KieItem{
			Key: fmt.Sprintf("shop.setting.%02d", i), Value: ptr.To(fmt.Sprintf("value %02d", i)),
		})
	}
	return w.client.Create(ctx, config)
}

// itemsWritten wants every item in the engine, by one write each, and no login but the first.
func itemsWritten(ctx context.Context, w *world, calls []rig.Call) error {
	config, err := w.kieConfig(ctx, kieConfigName)
	if err != nil {
		return err
	}
	if err := ready(config, config.Status.Conditions); err != nil {
		return err
	}
	all, err := w.calls(ctx)
	if err != nil {
		return err
	}
	logins := countCalls(all, func(call rig.Call) bool { return strings.HasSuffix(call.Path, "/v4/token") })
	writes := countCalls(calls, func(call rig.Call) bool { return call.IsWrite() && strings.HasSuffix(call.Path, "/kie/kv") })
	if logins != 1 || writes != kieItems {
		return fmt.Errorf("%d logins and %d writes", logins, writes)
	}
	return w.count(ctx, items, sampleItems+kieItems)
}

func countCalls(calls []rig.Call, which func(rig.Call) bool) int {
	n := 0
	for _, call := range calls {
		if which(call) {
			n++
		}
	}
	return n
}

func showKieConfig(ctx context.Context, w *world) error { return w.showCluster(ctx, "kieconfigs") }

// meddledRecord is the item that is edited behind the operator's back.
func meddledRecord(ctx context.Context, w *world) (rig.Record, error) {
	records, err := w.sim.List(ctx, items)
	if err != nil {
		return nil, err
	}
	for _, record := range records {
		if record.Text("key") == meddledItem {
			return record, nil
		}
	}
	return nil, fmt.Errorf("the engine has no item %s", meddledItem)
}

func meddleWithItem(ctx context.Context, w *world) error {
	record, err := meddledRecord(ctx, w)
	if err != nil {
		return err
	}
	return w.sim.Patch(ctx, items, record.Text("id"), rig.Record{"value": meddledSetting})
}

// itemRepaired wants the operator's own call that puts the value back, besides the value itself.
func itemRepaired(ctx context.Context, w *world, calls []rig.Call) error {
	record, err := meddledRecord(ctx, w)
	if err != nil {
		return err
	}
	if got := record.Text("value"); got != intendedSetting {
		return fmt.Errorf("the engine says %q", got)
	}
	for _, call := range calls {
		if call.Method == http.MethodPut && strings.Contains(call.Path, "/kie/kv/") && call.Status == http.StatusOK {
			return nil
		}
	}
	return errors.New("no call has put the value back")
}
