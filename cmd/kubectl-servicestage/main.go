// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command kubectl-servicestage is a plugin of kubectl: it imports what an account holds, plans, shows and waits.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	_ "golang.org/x/crypto/x509roots/fallback" // the same CA roots as the manager's
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"servicestage.dev/operator/internal/cli/exit"
)

// version is set by the build.
var version = "devel"

func main() {
	// What goes wrong is said by the commands; the libraries' own logs would tear the lines that are redrawn.
	klog.SetLogger(logr.Discard())
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	os.Exit(run(ctx, os.Args[1:], streams))
}

// run runs a command line and returns the exit code.
func run(ctx context.Context, args []string, streams genericiooptions.IOStreams) int {
	root := newRoot(streams)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := exit.Code(err)
	switch {
	case code == exit.Interrupted || ctx.Err() != nil:
		fmt.Fprintln(streams.ErrOut, "interrupted")
		return exit.Interrupted
	case err != nil && err.Error() != "":
		fmt.Fprintln(streams.ErrOut, "error:", err)
	}
	return code
}
