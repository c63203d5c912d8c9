// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

// crdChecks are what an API server does with an object of one kind, without the server.
type crdChecks struct {
	structural *schema.Structural
	schema     crdvalidation.SchemaValidator
	rules      *cel.Validator
}

func newCRDChecks(t testing.TB, crd *apiextensionsv1.CustomResourceDefinition) *crdChecks {
	t.Helper()
	internal := &apiextensions.CustomResourceValidation{}
	if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(crd.Spec.Versions[0].Schema, internal, nil); err != nil {
		t.Fatal(err)
	}
	structural, err := schema.NewStructural(internal.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	checks, _, err := crdvalidation.NewSchemaValidator(internal.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	return &crdChecks{structural: structural, schema: checks, rules: cel.NewValidator(structural, true, celconfig.PerCallLimit)}
}

// accept prunes an object, fills its defaults in, and says what is wrong with it, as a creation does.
func (c *crdChecks) accept(ctx context.Context, object map[string]any) field.ErrorList {
	pruning.Prune(object, c.structural, true)
	defaulting.Default(object, c.structural)
	problems := crdvalidation.ValidateCustomResource(nil, object, c.schema)
	problems = append(problems, listtype.ValidateListSetsAndMaps(nil, c.structural, object)...)
	if len(problems) > 0 {
		return problems
	}
	problems, _ = c.rules.Validate(ctx, nil, c.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return problems
}

// FuzzManifests has objects of every kind go through what an API server does with them. Whatever is accepted must be what
// the operator then reads: it decodes into the Go type, and nothing is lost on the way.
func FuzzManifests(f *testing.F) {
	root, err := rig.Root()
	if err != nil {
		f.Fatal(err)
	}
	samples := filepath.Join(root, "config", "samples")
	manifests, err := rig.ReadManifests(samples, filepath.Join(samples, "cluster"), filepath.Join(samples, "components"), filepath.Join(samples, "engines"))
	if err != nil {
		f.Fatal(err)
	}
	for _, kind := range everyKind {
		manifests = append(manifests, newObject(kind, minimal[kind]), newObject(kind, complete[kind]))
	}
	for _, manifest := range manifests {
		text, err := yaml.Marshal(manifest.Object)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	kinds := map[string]*crdChecks{}
	for kind, crd := range readCRDs(f, filepath.Join(root, "config", "crd", "bases")) {
		kinds[kind] = newCRDChecks(f, crd)
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		f.Fatal(err)
	}
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Strict: true})
	f.Fuzz(func(t *testing.T, text []byte) {
		object := &unstructured.Unstructured{}
		asJSON, err := yaml.YAMLToJSON(text)
		if err != nil || object.UnmarshalJSON(asJSON) != nil {
			return
		}
		checks := kinds[object.GetKind()]
		if checks == nil || object.GroupVersionKind().GroupVersion() != v1alpha1.GroupVersion {
			return
		}
		delete(object.Object, "metadata") // the API server has checks of its own for it
		if problems := checks.accept(t.Context(), object.Object); len(problems) > 0 {
			return
		}
		accepted, err := object.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		typed, _, err := decoder.Decode(accepted, nil, nil)
		if err != nil {
			t.Fatalf("accepted, and cannot be read: %v\n%s", err, accepted)
		}
		again, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
		if err != nil {
			t.Fatal(err)
		}
		if lost := lost("spec", object.Object["spec"], again["spec"]); len(lost) > 0 {
			t.Errorf("accepted, and not read: %q\nfrom %s", lost, accepted)
		}
	})
}

// lost returns the paths of what is in one value and not in another. Empty values may be left out; a duration and a quantity
// may be written in another way.
func lost(path string, from, in any) []string {
	switch from := from.(type) {
	case map[string]any:
		other, _ := in.(map[string]any)
		var paths []string
		for name, value := range from {
			paths = append(paths, lost(path+"."+name, value, other[name])...)
		}
		return paths
	case []any:
		other, _ := in.([]any)
		if len(other) != len(from) {
			return []string{path}
		}
		var paths []string
		for i, value := range from {
			paths = append(paths, lost(fmt.Sprintf("%s[%d]", path, i), value, other[i])...)
		}
		return paths
	case nil:
		return nil
	}
	if from == in || in == nil && reflect.ValueOf(from).IsZero() {
		return nil
	}
	a, errA := time.ParseDuration(fmt.Sprint(from))
	b, errB := time.ParseDuration(fmt.Sprint(in))
	if errA == nil && errB == nil && a == b {
		return nil
	}
	c, errC := resource.ParseQuantity(fmt.Sprint(from))
	d, errD := resource.ParseQuantity(fmt.Sprint(in))
	if errC == nil && errD == nil && c.Cmp(d) == 0 {
		return nil
	}
	return []string{path}
}
