// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Helm runs the pinned helm.
type Helm struct {
	binary, kubeconfig, dir string
}

// NewHelm returns a helm that acts as the kubeconfig says and keeps what it caches in dir. It is built the first time.
func NewHelm(ctx context.Context, kubeconfig, dir string) (*Helm, error) {
	binary, err := run(ctx, "hack/tools/tool.sh", "helm")
	if err != nil {
		return nil, err
	}
	return &Helm{binary: strings.TrimSpace(binary), kubeconfig: kubeconfig, dir: dir}, nil
}

// Run runs helm with the arguments and returns what it wrote to stdout. What it wrote to stderr goes into the error.
func (h *Helm) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, h.binary, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+h.kubeconfig, "HELM_DRIVER=secret",
		"HELM_CACHE_HOME="+filepath.Join(h.dir, "cache"), "HELM_CONFIG_HOME="+filepath.Join(h.dir, "config"), "HELM_DATA_HOME="+filepath.Join(h.dir, "data"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("helm %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return stdout.String(), nil
}

// Chart is the folder of the operator's chart.
func Chart() (string, error) {
	root, err := Root()
	return filepath.Join(root, "charts", "servicestage-operator"), err
}
