// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package packaging tests the Helm chart with the real helm on a real API server, and the built manager with what the
// chart gives it: arguments, environment, service account, rights.
package packaging

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
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
	helm  *rig.Helm
	chart string // the chart's folder
)

func TestPackaging(t *testing.T) {
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.Timeout = 15 * time.Minute
	RunSpecs(t, "Packaging", suite, reporter)
}

var _ = BeforeSuite(func(ctx context.Context) {
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()

	var err error
	chart, err = rig.Chart()
	Expect(err).NotTo(HaveOccurred())
	bin = GinkgoT().TempDir()
	By("Building the manager and the simulator")
	Expect(rig.Build(ctx, bin, "./cmd/manager", "./cmd/cloudsim")).To(Succeed())
	By("Starting the control plane")
	plane, err = rig.StartControlPlane(ctx, rig.ControlPlaneOptions{Audit: true, NoCRDs: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	By("Building helm, the first time")
	helm, err = rig.NewHelm(ctx, plane.Kubeconfig, filepath.Join(plane.Dir, "helm"))
	Expect(err).NotTo(HaveOccurred())

	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme} {
		Expect(add(scheme)).To(Succeed())
	}
	k8s, err = client.New(plane.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(8*time.Minute))
