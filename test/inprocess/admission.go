// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package inprocess runs the loops of all kinds in one process and in virtual time, against the simulated cloud and a fake
// API server that takes and refuses objects by their CustomResourceDefinitions, as a real one does.
package inprocess

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// Admission does to objects what the API server does by their CustomResourceDefinitions: it fills in defaults, and refuses
// what the schema or one of its rules refuses. It is safe for concurrent use.
type Admission struct {
	kinds map[string]kindAdmission
}

type kindAdmission struct {
	schema     *apiextensionsv1.JSONSchemaProps
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// LoadAdmission reads the definitions of a folder.
func LoadAdmission(dir string) (*Admission, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	a := &Admission{kinds: map[string]kindAdmission{}}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, crd); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if a.kinds[crd.Spec.Names.Kind], err = kindAdmissionOf(crd); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(a.kinds) == 0 {
		return nil, fmt.Errorf("no definitions in %s", dir)
	}
	return a, nil
}

func kindAdmissionOf(crd *apiextensionsv1.CustomResourceDefinition) (kindAdmission, error) {
	k := kindAdmission{schema: crd.Spec.Versions[0].Schema.OpenAPIV3Schema}
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(k.schema, internal, nil); err != nil {
		return k, err
	}
	var err error
	if k.structural, err = schema.NewStructural(internal); err != nil {
		return k, err
	}
	if k.validator, _, err = validation.NewSchemaValidator(internal); err != nil {
		return k, err
	}
	k.rules = cel.NewValidator(k.structural, true, celconfig.PerCallLimit)
	return k, nil
}

// Schema returns the schema of a kind; nil where there is no such kind.
func (a *Admission) Schema(kind string) *apiextensionsv1.JSONSchemaProps { return a.kinds[kind].schema }

// Admit fills in the defaults of an object, in place, and returns why the API server would refuse it. old is what the object
// replaces; nil where it is new.
func (a *Admission) Admit(ctx context.Context, kind string, object, old map[string]any) error {
	k, known := a.kinds[kind]
	if !known {
		return fmt.Errorf("no definition of the kind %s", kind)
	}
	pruned := pruning.PruneWithOptions(object, k.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	if len(pruned) > 0 {
		return fmt.Errorf("unknown fields: %q", pruned)
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(object, k.structural)
	defaulting.Default(object, k.structural)
	errs := validation.ValidateCustomResource(nil, object, k.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, k.structural, object)...)
	if len(errs) > 0 {
		return errs.ToAggregate() // rules are not looked at where the schema refuses
	}
	var before any
	if old != nil {
		before = old
	}
	broken, _ := k.rules.Validate(ctx, nil, k.structural, object, before, celconfig.RuntimeCELCostBudget)
	return broken.ToAggregate()
}
