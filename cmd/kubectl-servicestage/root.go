// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"servicestage.dev/operator/internal/cli/cluster"
	"servicestage.dev/operator/internal/cli/output"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
)

// displayName is how users call the command.
const displayName = "kubectl servicestage"

// common is what all commands share.
type common struct {
	streams genericiooptions.IOStreams
	config  *genericclioptions.ConfigFlags
	hosts   []string
}

func newRoot(streams genericiooptions.IOStreams) *cobra.Command {
	c := &common{streams: streams, config: genericclioptions.NewConfigFlags(true)}
	root := &cobra.Command{
		Use:   "kubectl-servicestage",
		Short: "Import, plan, show and wait for ServiceStage resources",
		Long: "Import what a Huawei Cloud account holds, see what the operator would change, show objects as they belong together, " +
			"and wait until they are Ready.",
		Version:       version,
		SilenceErrors: true, SilenceUsage: true,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: displayName},
	}
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())
	})
	c.config.AddFlags(root.PersistentFlags())
	root.AddCommand(newImport(c), newPlan(c), newTree(c), newWait(c))
	c.completeConfig(root)
	return root
}

// connect connects to the cluster that the flags name.
func (c *common) connect() (*cluster.Cluster, error) {
	return cluster.Connect(cluster.Options{Getter: c.config, AllowEndpointHosts: c.hosts, Version: version})
}

// addOutput adds --output, and returns where its value will be.
func addOutput(cmd *cobra.Command, initial output.Format) *string {
	value := cmd.Flags().StringP("output", "o", string(initial), "Output format: json or yaml.")
	complete(cmd, "output", cobra.FixedCompletions([]cobra.Completion{string(output.JSON), string(output.YAML)}, cobra.ShellCompDirectiveNoFileComp))
	return value
}

// addHosts adds --allow-endpoint-host to commands that call the cloud.
func (c *common) addHosts(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&c.hosts, "allow-endpoint-host", endpoint.DefaultPatterns(), strings.Join([]string{
		"Hosts that the endpoints of accounts may name: host, host:port, *.suffix, or http://host[:port] for plain http.",
		"Name those that the manager's flag of the same name allows.",
	}, " "))
}

// complete has a flag completed. It fails only for flags that are not there.
func complete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc(flag, f))
}
