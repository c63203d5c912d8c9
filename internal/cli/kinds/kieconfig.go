// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/controller/kieconfig"
	"servicestage.dev/operator/internal/inventory"
	"servicestage.dev/operator/internal/plan"
	"servicestage.dev/operator/internal/reconciler"
)

// planKieConfigs plans sets of items. Their kind reads items through pollers, which run until ctx ends, and finds other
// sets by an index, which only caches have.
func planKieConfigs(ctx context.Context, c Cloud) plan.Func {
	indexed := peers{c.Client}
	inventory := kieconfig.NewInventory(indexed, inventory.Options{})
	go func() {
		_ = inventory.Start(ctx) // it ends with ctx, and without an error
	}()
	planned := plan.Of(kieconfig.Definition(kieconfig.Options{
		Accounts: c.Accounts, Client: indexed, Live: c.Client, Policy: c.Policy, UserAgent: c.UserAgent,
	}, inventory).Kind)
	return func(ctx context.Context, obj reconciler.Object) (plan.Result, error) {
		// One look is enough: nobody waits for changes.
		defer inventory.Forget(client.ObjectKeyFromObject(obj))
		return planned(ctx, obj)
	}
}

// peers answers lists by the index of KieConfigs as a cache does: it lists them all and picks.
type peers struct{ client.Client }

func (p peers) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	configs, ok := list.(*v1alpha1.KieConfigList)
	o := (&client.ListOptions{}).ApplyOptions(opts)
	if !ok || o.FieldSelector == nil {
		return p.Client.List(ctx, list, opts...)
	}
	wanted, selects := o.FieldSelector.RequiresExactMatch(kieconfig.PeersIndex)
	if !selects {
		return p.Client.List(ctx, list, opts...)
	}
	if err := p.Client.List(ctx, configs, client.InNamespace(o.Namespace)); err != nil {
		return err
	}
	configs.Items = slices.DeleteFunc(configs.Items, func(k v1alpha1.KieConfig) bool {
		return !slices.Contains(kieconfig.Peers(&k), wanted)
	})
	return nil
}
