// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCustomizationsAreCurrent(t *testing.T) {
	root := os.DirFS("../..")
	files, err := render(root)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := fs.ReadFile(root, path)
		if err != nil {
			t.Errorf("%v; run make generate", err)
		} else if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not what the sources say; run make generate (-want +file):\n%s", path, diff)
		}
	}
	found, err := generated(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if _, ok := files[path]; !ok {
			t.Errorf("%s belongs to no kind; run make generate", path)
		}
	}
}
