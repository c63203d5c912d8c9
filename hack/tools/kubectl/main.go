// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command kubectl is kubectl, built from its library: the command itself is in a module that cannot be required.
package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
