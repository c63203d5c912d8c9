// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package faults tries to break the operator as it is shipped: the built manager, the built simulator and a real API
// server, with a tripwire between them. Every check compares what comes of a fault with what comes without one.
package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/internal/manager"
	"servicestage.dev/operator/test/faults/report"
	"servicestage.dev/operator/test/rig"
)

// What every world shares.
var (
	plane *rig.ControlPlane
	k8s   client.Client
	bin   string // the folder with the built binaries
	table report.Table
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	root, err := rig.Root()
	if err != nil {
		return 0, err
	}
	bin = filepath.Join(root, "bin", "faults")
	if err := rig.Build(ctx, bin, "./cmd/manager", "./cmd/cloudsim"); err != nil {
		return 0, err
	}
	if plane, err = rig.StartControlPlane(ctx, rig.ControlPlaneOptions{}); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	if k8s, err = client.New(plane.Config, client.Options{Scheme: manager.Scheme()}); err != nil {
		return 0, err
	}
	if err := rig.InstallOperator(ctx, k8s); err != nil {
		return 0, err
	}
	code = m.Run()
	return code, table.Write()
}
