// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

var (
	separator = regexp.MustCompile(`(?m)^---$`)
	fenced    = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
)

var _ = Describe("Every example", func() {
	root := filepath.Join("..", "..")
	It("in the documentation is accepted", func(ctx SpecContext) {
		count := 0
		for _, file := range append(filesIn(filepath.Join(root, "docs"), ".md"), filepath.Join(root, "README.md")) {
			for _, block := range fenced.FindAllStringSubmatch(read(file), -1) {
				count += apply(ctx, file, block[1])
			}
		}
		Expect(count).To(BeNumerically(">=", len(everyKind)))
	})
	It("in config/samples is accepted", func(ctx SpecContext) {
		count := 0
		for _, file := range filesIn(filepath.Join(root, "config", "samples"), ".yaml") {
			if filepath.Base(file) != "kustomization.yaml" {
				count += apply(ctx, file, read(file))
			}
		}
		Expect(count).To(BeNumerically(">=", len(everyKind)))
	})
})

// apply tries to create each object of the text, unknown fields refused, and returns how many there are.
func apply(ctx SpecContext, file, text string) int {
	GinkgoHelper()
	strict := client.WithFieldValidation(server, metav1.FieldValidationStrict)
	count := 0
	for _, document := range separator.Split(text, -1) {
		obj := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(document), &obj.Object)).To(Succeed(), "%s:\n%s", file, document)
		if obj.GetKind() != clusterCloudAccount { // the namespace that it names need not be there
			obj.SetNamespace(namespace)
		}
		Expect(strict.Create(ctx, obj, client.DryRunAll)).To(Succeed(), "%s:\n%s", file, document)
		count++
	}
	return count
}

func filesIn(dir, extension string) []string {
	GinkgoHelper()
	var files []string
	Expect(filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, extension) {
			files = append(files, path)
		}
		return err
	})).To(Succeed())
	return files
}

func read(file string) string {
	GinkgoHelper()
	data, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	return string(data)
}
