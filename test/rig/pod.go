// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodOptions says how to run a Pod's manager without a kubelet.
type PodOptions struct {
	// Pod is what to run, as the API server holds it. The manager is its only container; the log file has its name.
	Pod *corev1.Pod
	// Binary stands in for the image.
	Binary string
	// Args are flags besides those that the Pod states.
	Args []string
	// Dir is where the log goes.
	Dir string
}

// PodOf returns a Pod of the given name as the Deployment describes it.
func PodOf(deployment *appsv1.Deployment, name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: deployment.Namespace, Name: name}, Spec: deployment.Spec.Template.Spec}
}

// StartPod does what a kubelet does for the manager's Pod: it runs the binary with exactly the arguments and environment
// that the Pod states and with a token of its service account, and waits for its readiness probe. Only the
// addresses that it serves on are replaced, since all Pods share one machine here.
func (cp *ControlPlane) StartPod(ctx context.Context, o PodOptions) (*Manager, error) {
	spec := o.Pod.Spec
	if len(spec.Containers) != 1 || len(spec.Containers[0].Command) > 0 {
		return nil, fmt.Errorf("pod %s: want one container that runs its image's entry point", o.Pod.Name)
	}
	container := spec.Containers[0]
	env := map[string]string{}
	for _, variable := range container.Env {
		value, err := variableOf(variable, o.Pod.Namespace, o.Pod.Name)
		if err != nil {
			return nil, fmt.Errorf("pod %s: %w", o.Pod.Name, err)
		}
		env[variable.Name] = value
	}
	kubeconfig, err := cp.ServiceAccountKubeconfig(ctx, o.Pod.Namespace, spec.ServiceAccountName)
	if err != nil {
		return nil, err
	}
	options := ManagerOptions{Binary: o.Binary, Kubeconfig: kubeconfig, Dir: o.Dir, Name: o.Pod.Name, Args: slices.Clone(o.Args)}
	for name, value := range env {
		options.Env = append(options.Env, name+"="+value)
	}
	for _, arg := range container.Args {
		options.Args = append(options.Args, expand(arg, env))
	}
	return StartManager(ctx, options)
}

// variableOf returns the value of an environment variable.
func variableOf(variable corev1.EnvVar, namespace, name string) (string, error) {
	if variable.ValueFrom == nil {
		return variable.Value, nil
	}
	if field := variable.ValueFrom.FieldRef; field != nil {
		switch field.FieldPath {
		case "metadata.namespace":
			return namespace, nil
		case "metadata.name":
			return name, nil
		}
	}
	return "", fmt.Errorf("environment variable %s: a source that the rig does not know: %v", variable.Name, variable.ValueFrom)
}

var reference = regexp.MustCompile(`\$\(([A-Za-z_][A-Za-z0-9_]*)\)`)

// expand replaces $(NAME) as a kubelet does: what is not defined stays as it is.
func expand(arg string, env map[string]string) string {
	return reference.ReplaceAllStringFunc(arg, func(match string) string {
		if value, ok := env[reference.FindStringSubmatch(match)[1]]; ok {
			return value
		}
		return match
	})
}
