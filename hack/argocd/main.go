// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command argocd writes what Argo CD needs to know about every kind in config/crd/bases: config/argocd/
// resource_customizations, in the layout of Argo CD's own repository, and the same as a ConfigMap to apply. The scripts
// come from config/argocd/lua; the states that they are tested with are written by test/lifecycle.
package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "argocd:", err)
		os.Exit(1)
	}
}

// run brings config/argocd below root up to date, and removes what belongs to no kind.
func run(root string) error {
	files, err := render(os.DirFS(root))
	if err != nil {
		return err
	}
	found, err := generated(os.DirFS(root))
	if err != nil {
		return err
	}
	for _, path := range found {
		if _, ok := files[path]; !ok {
			if err := os.Remove(filepath.Join(root, path)); err != nil {
				return err
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(files[path]), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generated lists the files that render is answerable for: all of resource_customizations but the recorded states.
func generated(root fs.FS) ([]string, error) {
	found := []string{configMapFile}
	if _, err := fs.Stat(root, configMapFile); err != nil {
		found = nil
	}
	err := fs.WalkDir(root, customizations, func(path string, d fs.DirEntry, err error) error {
		if recorded, _ := filepath.Match(statesPattern, path); err != nil || d.IsDir() || recorded {
			return err
		}
		found = append(found, path)
		return nil
	})
	return found, err
}
