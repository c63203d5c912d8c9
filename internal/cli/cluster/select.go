// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/cli-runtime/pkg/resource"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/kinds"
	"servicestage.dev/operator/internal/reconciler"
)

// Select reads objects that stand for cloud resources: those that args name as kubectl get takes them (component/web,
// components, environment dev), or all of the namespace. The selector is of labels.
func (c *Cluster) Select(args []string, selector string) ([]reconciler.Object, error) {
	all := len(args) == 0
	if all {
		args = []string{}
		for _, k := range kinds.All() {
			args = append(args, k.Resource+"."+v1alpha1.GroupVersion.Group)
		}
		args = []string{strings.Join(args, ",")}
	}
	infos, err := resource.NewBuilder(c.options.Getter).WithScheme(Scheme(), v1alpha1.GroupVersion).
		NamespaceParam(c.Namespace).DefaultNamespace().LabelSelectorParam(selector).
		ResourceTypeOrNameArgs(true, args...).ContinueOnError().Latest().Flatten().Do().Infos()
	if err != nil {
		return nil, err
	}
	var objects []reconciler.Object
	for _, info := range infos {
		obj, ok := info.Object.(reconciler.Object)
		if !ok {
			return nil, fmt.Errorf("%s %s stands for no cloud resource", info.Mapping.GroupVersionKind.Kind, info.Name)
		}
		objects = append(objects, obj)
	}
	if len(objects) == 0 && !all {
		return nil, errors.New("no objects found in namespace " + c.Namespace)
	}
	return objects, nil
}
