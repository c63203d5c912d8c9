// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

const (
	namespace = "shop"
	project   = "0123456789abcdef0123456789abcdef"

	environments   = "servicestage/environments"
	applications   = "servicestage/applications"
	configurations = "servicestage/configurations"
	components     = "servicestage/components"
	jobs           = "servicestage/jobs"
	engines        = "cse/engines"
	items          = "cse/items"

	// taskDuration is what each task of a component's job takes, and each phase of an engine's: a whole job ends before the manager's first poll.
	taskDuration = 150 * time.Millisecond
)

var keys = rig.Keys{AccessKey: "DEMOACCESSKEY", SecretKey: "demo-secret-key"}

// world is everything that runs, and how to look at it.
type world struct {
	screen  *screen
	stack   rig.Stack
	dir     string // logs, keys, data
	bin     string // the manager and the simulator
	plane   *rig.ControlPlane
	sim     *rig.Simulator
	manager *rig.Manager
	client  client.Client
}

func newClient(plane *rig.ControlPlane) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return client.New(plane.Config, client.Options{Scheme: scheme})
}

func (w *world) environment(ctx context.Context, name string) (*v1alpha1.Environment, error) {
	environment := &v1alpha1.Environment{}
	return environment, w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, environment)
}

func (w *world) application(ctx context.Context, name string) (*v1alpha1.Application, error) {
	application := &v1alpha1.Application{}
	return application, w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, application)
}

// inCloud returns the cloud's record of the given name, and an error where there is none.
func (w *world) inCloud(ctx context.Context, collection, name string) (rig.Record, error) {
	records, err := w.sim.List(ctx, collection)
	if err != nil {
		return nil, err
	}
	for _, record := range records {
		if record.Text("name") == name {
			return record, nil
		}
	}
	return nil, fmt.Errorf("the cloud has no %s named %s", collection, name)
}

// resource is an object with the conditions that every kind has.
type resource interface {
	client.Object
	CommonStatus() *v1alpha1.ResourceStatus
}

// readyMessage is what the Ready condition says.
func readyMessage(object resource) string {
	condition := meta.FindStatusCondition(object.CommonStatus().Conditions, v1alpha1.ConditionReady)
	if condition == nil {
		return "no Ready condition yet"
	}
	return condition.Reason + ": " + condition.Message
}

// ready is nil once the object is Ready for its current generation.
func ready(object client.Object, conditions []metav1.Condition) error {
	condition := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	name := fmt.Sprintf("%T %s", object, object.GetName())
	name = strings.TrimPrefix(name, "*v1alpha1.")
	switch {
	case condition == nil:
		return fmt.Errorf("%s has no Ready condition yet", name)
	case condition.Status != metav1.ConditionTrue || condition.ObservedGeneration != object.GetGeneration():
		return fmt.Errorf("%s: Ready is %s, %s: %s", name, condition.Status, condition.Reason, condition.Message)
	default:
		return nil
	}
}

// gone is nil once reading the object answers that it does not exist.
func gone(what string, err error) error {
	if err == nil {
		return fmt.Errorf("%s is still there", what)
	}
	return client.IgnoreNotFound(err)
}

// evidence is what helps to find out why a step failed.
func (w *world) evidence() error {
	if w.manager == nil {
		return nil
	}
	return errors.New(w.manager.Tail(20))
}

// showCluster prints the objects of a resource as kubectl does.
func (w *world) showCluster(ctx context.Context, resource string) error {
	table, err := rig.Table(ctx, w.plane.Config, v1alpha1.GroupVersion.WithResource(resource), namespace)
	if err != nil {
		return err
	}
	if strings.Count(table, "\n") < 2 {
		table = "No resources found in " + namespace + " namespace."
	}
	w.screen.block("$ kubectl get "+resource+" --namespace "+namespace, table)
	return nil
}

// showCloud prints a collection of the simulated cloud, with the given fields; a dot leads into nested ones.
func (w *world) showCloud(ctx context.Context, collection string, fields ...string) error {
	records, err := w.sim.List(ctx, collection)
	if err != nil {
		return err
	}
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 8, 3, ' ', 0)
	var header []string
	for _, field := range fields {
		header = append(header, strings.ToUpper(field[strings.LastIndex(field, ".")+1:]))
	}
	fmt.Fprintln(t, strings.Join(header, "\t"))
	for _, record := range records {
		var cells []string
		for _, field := range fields {
			cells = append(cells, record.At(strings.Split(field, ".")...))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(records) == 0 {
		table.Reset()
		table.WriteString("nothing")
	}
	w.screen.block("the cloud's "+collection, table.String())
	return nil
}

// showCallsSince prints the calls that the cloud answered after the first n.
func (w *world) showCallsSince(ctx context.Context, n int) error {
	calls, err := w.sim.Calls(ctx)
	if err != nil {
		return err
	}
	var lines []string
	for _, call := range calls[min(n, len(calls)):] {
		lines = append(lines, call.String())
	}
	w.screen.block("cloud calls of this step", strings.Join(lines, "\n"))
	return nil
}

// stay waits for the end of ctx after saying how to reach what runs.
func (w *world) stay(ctx context.Context) error {
	file, err := w.writeEnvironment()
	if err != nil {
		return err
	}
	lines := []string{
		"source " + file,
		"",
		"$KUBECONFIG            " + w.plane.Kubeconfig,
		"$SIM, the cloud        " + w.sim.URL,
		"its resources          curl -s $SIM/_sim/resources/" + environments,
		"its call log           curl -s $SIM/_sim/calls",
	}
	var managerDone <-chan struct{}
	if w.manager == nil {
		lines = append(lines, "the logs of Pods       "+filepath.Join(w.dir, "POD.log"))
	} else {
		managerDone = w.manager.Done()
		lines = append(lines, "$METRICS, the manager's "+w.manager.MetricsURL, "$LOG, the manager's    "+w.manager.LogFile)
	}
	w.screen.block("Everything is up. Ctrl-C ends it. In another terminal, for the guides:", strings.Join(lines, "\n"))
	select {
	case <-ctx.Done():
		return nil
	case <-managerDone:
		return errors.Join(errors.New("the manager ended by itself"), w.evidence())
	case <-w.sim.Done():
		return errors.New("the simulated cloud ended by itself: see " + w.sim.LogFile)
	}
}

// writeEnvironment writes the file that a shell sources to reach what runs, and returns its name. kubectl acts on the
// samples' namespace then, as an administrator, and finds the plugin.
func (w *world) writeEnvironment() (string, error) {
	config, err := clientcmd.LoadFromFile(w.plane.Kubeconfig)
	if err != nil {
		return "", err
	}
	variables := []string{"KUBECONFIG=" + w.plane.Kubeconfig, "SIM=" + w.sim.URL}
	if w.manager != nil {
		config.Contexts[config.CurrentContext].Namespace = namespace
		variables = append(variables, "METRICS="+w.manager.MetricsURL, "LOG="+w.manager.LogFile)
	}
	if err := clientcmd.WriteToFile(*config, w.plane.Kubeconfig); err != nil {
		return "", err
	}
	bin, err := filepath.Abs(w.bin)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, variable := range append(variables, "PATH='"+bin+"':$PATH") {
		fmt.Fprintln(&text, "export", variable)
	}
	file := filepath.Join(w.bin, "playground.env")
	w.stack.Push(func() error { return os.Remove(file) })
	return file, os.WriteFile(file, []byte(text.String()), 0o600)
}
