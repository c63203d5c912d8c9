// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package importing

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/estate"
)

func TestAccount(t *testing.T) {
	for text, want := range map[string]v1alpha1.AccountReference{
		"default":                     {Kind: v1alpha1.AccountKindNamespaced, Name: "default"},
		"CloudAccount/a":              {Kind: v1alpha1.AccountKindNamespaced, Name: "a"},
		"clustercloudaccount/company": {Kind: v1alpha1.AccountKindCluster, Name: "company"},
	} {
		if got, err := Account(text); err != nil || got != want {
			t.Errorf("Account(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x/y", "ClusterCloudAccount/"} {
		if _, err := Account(text); err == nil || !strings.Contains(err.Error(), "--account is") {
			t.Errorf("Account(%q): err = %v", text, err)
		}
	}
}

func TestSelected(t *testing.T) {
	selected, err := Options{Resources: []string{"components", "environments"}}.selected()
	if err != nil || len(selected) != 2 || selected[0].Name != "Environment" || selected[1].Name != "Component" {
		t.Errorf("selected = %v, %v", selected, err)
	}
}

func TestRefusalNamesTheFields(t *testing.T) {
	invalid := apierrors.NewInvalid(schema.GroupKind{Kind: "Component"}, "web", field.ErrorList{
		field.Invalid(field.NewPath("spec", "labels").Key("x"), "v", "too long"),
		field.Required(field.NewPath("spec", "version"), ""),
		field.Invalid(field.NewPath("metadata", "name"), "v", "no name"),
	})
	duplicate := apierrors.NewInternalError(errors.New(`failed to create typed patch object: .spec.env: duplicate entries for key [name="A"]`))
	for name, tc := range map[string]struct {
		err  error
		want []string
		none bool
	}{
		"causes":          {err: invalid, want: []string{"spec.labels[x]", "spec.version"}},
		"a message":       {err: duplicate, want: []string{"spec.env"}},
		"something else":  {err: apierrors.NewTooManyRequestsError("slow down"), none: true},
		"no answer":       {err: errors.New("connection refused: spec.env"), none: true},
		"without a field": {err: apierrors.NewBadRequest("what?")},
	} {
		t.Run(name, func(t *testing.T) {
			got := refusal(tc.err)
			if (got == nil) != tc.none {
				t.Fatalf("refusal = %v", got)
			}
			if got != nil && !slices.Equal(got.paths, tc.want) {
				t.Errorf("paths %v, want %v", got.paths, tc.want)
			}
		})
	}
}

func TestDropTakesOutWhatMayGo(t *testing.T) {
	description := "long"
	item := func() *estate.Item {
		e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "dev"}}
		e.Spec.Description, e.Spec.Labels, e.Spec.Name = &description, map[string]string{"a": "b"}, "Dev"
		e.Spec.Import = &v1alpha1.Import{ID: "e1"}
		return &estate.Item{Object: e}
	}
	some := item()
	dropped, err := drop(some, &fields{paths: []string{"spec.labels[a]", "spec.name", "spec.resources"}, why: "the cloud's is odd."})
	if err != nil || !dropped {
		t.Fatalf("drop = %t, %v", dropped, err)
	}
	want := item().Object.(*v1alpha1.Environment).Spec
	want.Labels = nil
	if diff := cmp.Diff(want, some.Object.(*v1alpha1.Environment).Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"spec.labels is left out and stays as it is in the cloud: the cloud's is odd."}, some.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if dropped, err := drop(some, &fields{paths: []string{"spec.name", "spec.import.id", "spec.labels"}}); dropped || err != nil {
		t.Errorf("drop of what is needed = %t, %v", dropped, err)
	}
}

func TestFilesAreWrittenAllOrNone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "estate")
	all := []manifest{{file: "a.yaml", data: []byte("a")}, {file: "b.yaml", data: []byte("b")}}
	if err := writeFiles(dir, all[1:], false); err != nil {
		t.Fatal(err)
	}
	if err := writeFiles(dir, all, false); err == nil || !strings.Contains(err.Error(), "b.yaml is there already") {
		t.Errorf("err = %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a.yaml was written although b.yaml was in the way (%v)", err)
	}
	if err := writeFiles(dir, all, true); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("folder holds %v, %v", entries, err)
	}
}
