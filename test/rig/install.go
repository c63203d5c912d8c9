// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The operator's namespace and service account, as config/ names them.
const (
	OperatorNamespace      = "servicestage-system"
	OperatorServiceAccount = "servicestage-operator"
)

// InstallOperator applies what config/ gives the operator besides its Deployment: namespace, service account, roles.
func InstallOperator(ctx context.Context, c client.Client) error {
	root, err := Root()
	if err != nil {
		return err
	}
	config := filepath.Join(root, "config")
	objects, err := ReadManifests(filepath.Join(config, "manager", "namespace.yaml"), filepath.Join(config, "rbac"))
	if err != nil {
		return err
	}
	return Apply(ctx, c, objects...)
}
