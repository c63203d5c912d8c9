// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"regexp"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// PodOptions says how to run a Pod's manager without a kubelet.
type PodOptions struct {
	// Deployment whose Pod it is, as the API server holds it. The manager is its only container.
	Deployment *appsv1.Deployment
	// Binary stands in for the image.
	Binary string
	// Name of the Pod, and of its log file.
	Name string
	// Dir is where the log goes.
	Dir string
}

// StartPod does what a kubelet does for the manager's Pod: it runs the binary with exactly the arguments and environment
// that the Deployment states and with a token of its service account, and waits for its readiness probe. Only the
// addresses that it serves on are replaced, since all Pods share one machine here.
func (cp *ControlPlane) StartPod(ctx context.Context, o PodOptions) (*Manager, error) {
	spec := o.Deployment.Spec.Template.Spec
	if len(spec.Containers) != 1 || len(spec.Containers[0].Command) > 0 {
		return nil, fmt.Errorf("deployment %s: want one container that runs its image's entry point", o.Deployment.Name)
	}
	container := spec.Containers[0]
	env := map[string]string{}
	for _, variable := range container.Env {
		value, err := variableOf(variable, o.Deployment.Namespace, o.Name)
		if err != nil {
			return nil, fmt.Errorf("deployment %s: %w", o.Deployment.Name, err)
		}
		env[variable.Name] = value
	}
	kubeconfig, err := cp.ServiceAccountKubeconfig(ctx, o.Deployment.Namespace, spec.ServiceAccountName)
	if err != nil {
		return nil, err
	}
	options := ManagerOptions{Binary: o.Binary, Kubeconfig: kubeconfig, Dir: o.Dir, Name: o.Name}
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
