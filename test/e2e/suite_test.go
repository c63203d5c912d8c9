// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the operator as it is shipped: the built manager, the built simulator and a real API server, as
// separate processes.
package e2e

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

// What every spec shares.
var (
	plane *rig.ControlPlane
	k8s   client.Client
	bin   string // the folder with the built binaries
)

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.Timeout = 15 * time.Minute
	RunSpecs(t, "End to end", suite, reporter)
}

var _ = BeforeSuite(func(ctx context.Context) {
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()

	bin = GinkgoT().TempDir()
	By("Building the manager, the simulator and the plugin")
	Expect(rig.Build(ctx, bin, "./cmd/manager", "./cmd/cloudsim", "./cmd/kubectl-servicestage")).To(Succeed())
	By("Starting the control plane")
	var err error
	plane, err = rig.StartControlPlane(ctx, rig.ControlPlaneOptions{Audit: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)

	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	k8s, err = client.New(plane.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	Expect(rig.InstallOperator(ctx, k8s)).To(Succeed())
}, NodeTimeout(3*time.Minute))
