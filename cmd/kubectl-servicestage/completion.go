// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/kinds"
)

// completeConfig completes the flags that say where the cluster is.
func (c *common) completeConfig(root *cobra.Command) {
	fromKubeconfig := func(names func() []string) cobra.CompletionFunc {
		return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return names(), cobra.ShellCompDirectiveNoFileComp
		}
	}
	complete(root, "context", fromKubeconfig(func() []string {
		config, err := c.config.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil
		}
		return sortedKeys(config.Contexts)
	}))
	complete(root, "cluster", fromKubeconfig(func() []string {
		config, err := c.config.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil
		}
		return sortedKeys(config.Clusters)
	}))
	complete(root, "namespace", func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return c.names(cmd, &corev1.NamespaceList{}, ""), cobra.ShellCompDirectiveNoFileComp
	})
}

// completeImport completes the flags of import.
func (c *common) completeImport(cmd *cobra.Command) {
	complete(cmd, "resources", func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndex(typed, ",")+1]
		var all []cobra.Completion
		for _, r := range kinds.Resources() {
			all = append(all, before+r)
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
	complete(cmd, "account", func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		own := c.names(cmd, &v1alpha1.CloudAccountList{}, "")
		return append(own, c.names(cmd, &v1alpha1.ClusterCloudAccountList{}, "ClusterCloudAccount/")...), cobra.ShellCompDirectiveNoFileComp
	})
	complete(cmd, "dir", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
}

// completeObjects completes kind/name, once the kind is there.
func (c *common) completeObjects(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var all []cobra.Completion
	for _, k := range kinds.All() {
		kind := strings.ToLower(k.Name)
		if strings.HasPrefix(typed, kind+"/") {
			return c.names(cmd, k.NewList(), kind+"/"), cobra.ShellCompDirectiveNoFileComp
		}
		all = append(all, kind+"/")
	}
	return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// names lists the names of objects, each behind a prefix; none where the cluster does not tell.
func (c *common) names(cmd *cobra.Command, list client.ObjectList, prefix string) []cobra.Completion {
	connection, err := c.connect()
	if err != nil {
		return nil
	}
	return kinds.Names(cmd.Context(), connection.Client, list, connection.Namespace, prefix)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
