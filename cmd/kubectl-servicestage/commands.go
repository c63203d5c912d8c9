// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/resource"

	"servicestage.dev/operator/internal/cli/importing"
	"servicestage.dev/operator/internal/cli/output"
	"servicestage.dev/operator/internal/cli/planning"
	"servicestage.dev/operator/internal/cli/tree"
	"servicestage.dev/operator/internal/cli/waiting"
)

func newImport(c *common) *cobra.Command {
	o := importing.Options{}
	var format *string
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Write what an account holds as manifests that adopt it",
		Long: `Read the environments, applications and components of an account and write them as manifests that adopt them by id
and refer to each other by name.

Applying the manifests changes nothing in the cloud: they observe (managementPolicy: Observe). With --manage they manage
what no other object claims; the operator then writes its claim on each resource, a label, and nothing else.

Each manifest was accepted by the API server in a dry run and compared with the cloud before it is written. Values that
may be secret are in no manifest: a comment says what was left out, or which Secret to create.`,
		Example: `  # The estate of the account "default" in this namespace, one file per object
  kubectl servicestage import --dir=estate

  # Only environments and applications, of a cluster-wide account, as one stream
  kubectl servicestage import --account=ClusterCloudAccount/company --resources=environments,applications

  # Manifests that manage, with Secrets created for values that may be secret
  kubectl servicestage import --manage --create-secrets --dir=estate`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Format, err = output.Parse(*format, output.YAML, output.JSON); err != nil {
				return err
			}
			connection, err := c.connect()
			if err != nil {
				return err
			}
			return importing.Run(cmd.Context(), connection, o, c.streams)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Account, "account", "default", "Account whose estate is read: the name of a CloudAccount, or ClusterCloudAccount/name.")
	flags.StringSliceVar(&o.Resources, "resources", nil, "Resources to import, for example environments,applications; all where left out.")
	flags.BoolVar(&o.Manage, "manage", false, "Have the objects manage the resources, instead of observing them.")
	flags.BoolVar(&o.CreateSecrets, "create-secrets", false, "Create the Secrets that imported objects take values from, with the values that the cloud holds.")
	flags.StringVarP(&o.Dir, "dir", "d", "", "Folder to write one file per object to; the standard output where left out.")
	flags.BoolVar(&o.Overwrite, "overwrite", false, "Replace files that are there.")
	format = addOutput(cmd, output.YAML)
	c.addHosts(cmd)
	c.completeImport(cmd)
	return cmd
}

func newPlan(c *common) *cobra.Command {
	o := planning.Options{}
	var format *string
	cmd := &cobra.Command{
		Use:   "plan [TYPE[/NAME] ...] [-f FILE]",
		Short: "Show what the operator would change in the cloud",
		Long: `Show for each object what the operator would change in the cloud, by field, and change nothing. Objects are those of the
cluster (all of the namespace, or those that are named), or those of files as they would be once applied.

Exit code 0: nothing would change; 2: something would; 1: for some object it cannot be told, or someone must act first.`,
		Example: `  # Everything in this namespace
  kubectl servicestage plan

  # One object, and all of a kind
  kubectl servicestage plan environment/dev
  kubectl servicestage plan components

  # Files, before they are applied
  kubectl servicestage plan --filename=estate/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.Format, err = output.Parse(*format, output.Text, output.YAML, output.JSON); err != nil {
				return err
			}
			connection, err := c.connect()
			if err != nil {
				return err
			}
			o.Args, o.Getter = args, c.config
			return planning.Run(cmd.Context(), connection, o, c.streams)
		},
		ValidArgsFunction: c.completeObjects,
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Selector, "selector", "l", "", "Selector of labels, for example app=shop.")
	files := resource.FilenameOptions{}
	flags.StringSliceVarP(&files.Filenames, "filename", "f", nil, "File, folder or URL with the objects to plan; - for the standard input.")
	flags.BoolVarP(&files.Recursive, "recursive", "R", false, "Read folders and all that is below them.")
	flags.StringVarP(&files.Kustomize, "kustomize", "k", "", "Kustomization to plan.")
	cmd.PreRunE = func(_ *cobra.Command, args []string) error {
		o.Files = files
		return o.Validate(args)
	}
	format = addOutput(cmd, output.Text)
	c.addHosts(cmd)
	return cmd
}

func newTree(c *common) *cobra.Command {
	o := tree.Options{}
	var format *string
	cmd := &cobra.Command{
		Use:   "tree",
		Short: "Show environments, applications and components as they belong together",
		Example: `  # This namespace
  kubectl servicestage tree

  # All namespaces, for a program
  kubectl servicestage tree --all-namespaces --output=json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Format, err = output.Parse(*format, output.Text, output.YAML, output.JSON); err != nil {
				return err
			}
			connection, err := c.connect()
			if err != nil {
				return err
			}
			return tree.Run(cmd.Context(), connection, o, c.streams)
		},
	}
	cmd.Flags().BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, "Show all namespaces.")
	format = addOutput(cmd, output.Text)
	return cmd
}

func newWait(c *common) *cobra.Command {
	o := waiting.Options{}
	var format *string
	cmd := &cobra.Command{
		Use:   "wait [TYPE[/NAME] ...]",
		Short: "Wait until objects are Ready, and show how far they are",
		Long: `Wait until objects are Ready: all that are in the namespace now, or those that are named. On a terminal each object has a
line of its own that shows how far the cloud is; elsewhere a line is written for each change.

Exit code 0: all are Ready; 4: an object is stalled, someone must act; 5: time is up; 1: any other error; 130: Ctrl-C.`,
		Example: `  # Everything in this namespace
  kubectl servicestage wait

  # Two objects, for at most ten minutes
  kubectl servicestage wait component/web environment/dev --timeout=10m`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.Format, err = output.Parse(*format, output.Text, output.YAML, output.JSON); err != nil {
				return err
			}
			connection, err := c.connect()
			if err != nil {
				return err
			}
			o.Args = args
			return waiting.Run(cmd.Context(), connection, o, c.streams)
		},
		ValidArgsFunction: c.completeObjects,
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Selector, "selector", "l", "", "Selector of labels, for example app=shop.")
	flags.DurationVar(&o.Timeout, "timeout", 30*time.Minute, "How long to wait; 0 is for ever.")
	flags.BoolVar(&o.KeepGoing, "keep-going", false, "Wait on when an object is stalled: someone may act meanwhile.")
	format = addOutput(cmd, output.Text)
	return cmd
}
