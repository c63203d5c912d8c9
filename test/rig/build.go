// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Root returns the folder that holds the project's go.mod, looking upwards from the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module servicestage.dev/operator\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not inside a checkout of servicestage.dev/operator")
		}
		dir = parent
	}
}

// Build compiles main packages (paths from the project's root, such as ./cmd/manager) into dir, each under the last
// element of its path. Go's build cache makes repetitions cheap.
func Build(ctx context.Context, dir string, packages ...string) error {
	args := append([]string{"build", "-buildvcs=false", "-o", dir + string(filepath.Separator)}, packages...)
	if _, err := run(ctx, "go", args...); err != nil {
		return err
	}
	return lookAtSources(ctx, packages)
}

// lookAtSources looks at every file that packages are built from. go test takes a result from its cache until something
// changes that the test has looked at; of what another process compiles for the test it knows nothing.
func lookAtSources(ctx context.Context, packages []string) error {
	const files = `{{if not .Standard}}{{$dir := .Dir}}{{$dir}}{{range .GoFiles}}{{"\n"}}{{$dir}}/{{.}}{{end}}` +
		`{{range .EmbedFiles}}{{"\n"}}{{$dir}}/{{.}}{{end}}{{end}}`
	list, err := run(ctx, "go", append([]string{"list", "-deps", "-f", files}, packages...)...)
	if err != nil {
		return err
	}
	for file := range strings.FieldsSeq(list) {
		if _, err := os.Stat(file); err != nil {
			return err
		}
	}
	return nil
}

// Assets returns the folder that holds kube-apiserver, kube-controller-manager and etcd: KUBEBUILDER_ASSETS where it is
// set; otherwise they are looked up, and built the first time, by hack/controlplane/assets.sh.
func Assets(ctx context.Context) (string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir, nil
	}
	out, err := run(ctx, "hack/controlplane/assets.sh")
	return strings.TrimSpace(out), err
}

// run runs a command in the project's root and returns its stdout; what it wrote to stderr goes into the error.
func run(ctx context.Context, name string, args ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	if strings.Contains(name, "/") {
		name = filepath.Join(root, name)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out), nil
}
