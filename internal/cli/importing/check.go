// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package importing

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/estate"
	"servicestage.dev/operator/internal/cli/kinds"
	"servicestage.dev/operator/internal/cli/output"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/plan"
	"servicestage.dev/operator/internal/reconciler"
)

// fieldOwner is whom objects are applied as in dry runs.
const fieldOwner = "kubectl-servicestage"

// fields are paths of a spec that cannot be written, and why.
type fields struct {
	paths []string
	why   string
}

func (f *fields) String() string {
	if len(f.paths) == 0 {
		return f.why
	}
	return strings.Join(f.paths, ", ") + ": " + f.why
}

// dryRun asks the API server whether it would take the object, and returns it with every default filled in; a refusal
// names the fields.
func (i *importer) dryRun(ctx context.Context, obj reconciler.Object) (reconciler.Object, *fields, error) {
	content, err := output.Clean(obj)
	if err != nil {
		return nil, nil, err
	}
	if i.unchecked {
		return obj, nil, nil
	}
	u := &unstructured.Unstructured{Object: content}
	err = i.cluster.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.DryRunAll, client.FieldOwner(fieldOwner))
	switch {
	case err == nil:
		accepted, err := typed(u.Object, obj)
		return accepted, nil, err
	case apierrors.IsForbidden(err):
		i.unchecked = true
		return obj, nil, nil
	case meta.IsNoMatchError(err):
		return nil, nil, fmt.Errorf("the cluster does not have the kind: install the operator's custom resources first: %w", err)
	case apierrors.IsNotFound(err):
		return nil, nil, fmt.Errorf("create the namespace %s first: %w", obj.GetNamespace(), err)
	case refusal(err) != nil:
		return nil, refusal(err), nil
	default:
		return nil, nil, err
	}
}

// inMessage finds a field in the message of an error that lists no causes.
var inMessage = regexp.MustCompile(`\.?(spec\.[A-Za-z]+)`)

// refusal reads which fields the API server refuses, nil where the error is no refusal.
func refusal(err error) *fields {
	var status apierrors.APIStatus
	refuses := apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsInternalError(err)
	if !errors.As(err, &status) || !refuses {
		return nil
	}
	f := &fields{why: "the API server refuses it: " + clouderr.UserMessage(err)}
	if details := status.Status().Details; details != nil {
		for _, cause := range details.Causes {
			if strings.HasPrefix(cause.Field, "spec.") {
				f.paths = append(f.paths, cause.Field)
			}
		}
	}
	if found := inMessage.FindStringSubmatch(err.Error()); len(f.paths) == 0 && found != nil {
		f.paths = []string{found[1]}
	}
	return f
}

// compare plans the object by its kind's own comparison. It returns why that cannot be told, where it cannot.
func compare(ctx context.Context, obj reconciler.Object, planned plan.Func) (result plan.Result, reason string, err error) {
	observing, ok := obj.DeepCopyObject().(reconciler.Object)
	if !ok {
		return plan.Result{}, "", fmt.Errorf("a copy of %T stands for no cloud resource", obj)
	}
	// What is only observed is compared with whatever the cloud holds, and never refused for being another's.
	observing.CommonSpec().ManagementPolicy = v1alpha1.ManagementPolicyObserve
	result, err = planned(ctx, observing)
	var wait *external.WaitError
	switch {
	case errors.As(err, &wait):
		return result, "it cannot be compared with the cloud: " + wait.Message, nil
	case clouderr.Is(err, clouderr.Forbidden):
		return result, "the account may not read it: " + clouderr.UserMessage(err), nil
	case err == nil && result.After == nil:
		return result, result.Message, nil
	}
	return result, "", err
}

// needed are the fields without which an object is none, or adopts nothing.
var needed = []string{
	"accountRef", "managementPolicy", "import", "name", "applicationRef", "environmentRef", "engineRef", "version", "runtimeStack", "source",
}

// drop takes the fields out of the item's spec and notes why. It returns false where nothing can be taken out.
func drop(item *estate.Item, f *fields) (bool, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(item.Object)
	if err != nil {
		return false, err
	}
	spec, _ := content["spec"].(map[string]any)
	dropped := false
	for _, path := range f.paths {
		field := topField(path)
		if _, held := spec[field]; !held || slices.Contains(needed, field) {
			continue
		}
		delete(spec, field)
		dropped = true
		item.Notes = append(item.Notes, fmt.Sprintf("spec.%s is left out and stays as it is in the cloud: %s.", field, strings.TrimSuffix(f.why, ".")))
	}
	if !dropped {
		return false, nil
	}
	item.Object, err = typed(content, item.Object)
	return true, err
}

// topField is the field of the spec that a path leads into: labels of spec.labels[stage].
func topField(path string) string {
	field := strings.TrimPrefix(path, "spec.")
	if end := strings.IndexAny(field, ".["); end >= 0 {
		field = field[:end]
	}
	return field
}

// typed turns content into an object of the type of like.
func typed(content map[string]any, like reconciler.Object) (reconciler.Object, error) {
	k, err := kinds.Of(like)
	if err != nil {
		return nil, err
	}
	empty := k.New()
	return empty, runtime.DefaultUnstructuredConverter.FromUnstructured(content, empty)
}
