// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command manager runs the operator.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/go-logr/logr"
	_ "golang.org/x/crypto/x509roots/fallback" // the image is empty: the CA roots travel in the binary
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"servicestage.dev/operator/internal/manager"
)

// version is set by the build.
var version = ""

func main() {
	if err := run(os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "manager:", err)
			os.Exit(1)
		}
	}
}

func run(args []string) error {
	options, err := parse(args)
	if err != nil {
		return err
	}
	logger := logr.FromSlogHandler(handler(options))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)

	ctx := ctrl.SetupSignalHandler()
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster (--kubeconfig, $KUBECONFIG, or a Pod's service account): %w", err)
	}
	restConfig.QPS, restConfig.Burst = options.qps, options.burst
	if options.qps == 0 {
		restConfig.QPS = -1 // client-go takes 0 for a limit of its own
	}
	options.config.Version = buildVersion()
	mgr, err := manager.New(ctx, restConfig, options.config)
	if err != nil {
		return err
	}
	logger.Info("Starting", "version", options.config.Version)
	return mgr.Start(ctx)
}

func handler(o *options) slog.Handler {
	opts := &slog.HandlerOptions{Level: o.logLevel}
	if o.logFormat == "text" {
		return slog.NewTextHandler(os.Stderr, opts)
	}
	return slog.NewJSONHandler(os.Stderr, opts)
}

// buildVersion is the version that the build set, or the revision that Go recorded.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "devel"
}
