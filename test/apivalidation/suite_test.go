// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apivalidation shows what the API server accepts and refuses of the project's kinds: every validation of the
// CRDs both ways, on a real kube-apiserver. The tables are checked for completeness against the CRDs: a validation
// without a row fails the suite, and so does a row without a validation.
package apivalidation

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

const namespace = "default"

var (
	config *rest.Config
	server client.Client
	crds   map[string]*apiextensionsv1.CustomResourceDefinition // by kind, as in config/crd/bases
)

func TestAPIValidation(t *testing.T) {
	RegisterFailHandler(Fail)
	crds = readCRDs(t, filepath.Join("..", "..", "config", "crd", "bases"))
	RunSpecs(t, "API validation")
}

var _ = BeforeSuite(func() {
	Expect(os.Getenv("KUBEBUILDER_ASSETS")).NotTo(BeEmpty(), "KUBEBUILDER_ASSETS is not set: this suite needs "+
		"kube-apiserver and etcd. Run `make test-envtest`, or export KUBEBUILDER_ASSETS=$(hack/controlplane/assets.sh)")
	installed := make([]*apiextensionsv1.CustomResourceDefinition, 0, len(crds))
	for _, crd := range crds {
		installed = append(installed, crd.DeepCopy())
	}
	env := &envtest.Environment{CRDInstallOptions: envtest.CRDInstallOptions{CRDs: installed}}
	DeferCleanup(env.Stop)
	var err error
	config, err = env.Start() // fails where a CEL rule does not compile or may cost too much
	Expect(err).NotTo(HaveOccurred())
	server, err = client.New(config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
})

// readCRDs reads every CRD in dir. It runs before the API server is up: specs are made from what it returns.
func readCRDs(t testing.TB, dir string) map[string]*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs in %s (make generate writes them): %v", dir, err)
	}
	read := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(data, crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		read[crd.Spec.Names.Kind] = crd
	}
	return read
}
