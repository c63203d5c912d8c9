// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("Validation of", func() {
	for _, kind := range everyKind {
		Describe(kind, func() {
			It("accepts the minimal object", func(ctx SpecContext) {
				Expect(create(ctx, newObject(kind, minimal[kind]))).To(Succeed())
			})
			It("accepts the complete object", func(ctx SpecContext) {
				Expect(create(ctx, newObject(kind, complete[kind]))).To(Succeed())
			})
			for _, row := range fieldRows(kind) {
				It(row.path+" "+row.keyword, func(ctx SpecContext) { checkField(ctx, kind, row) })
			}
			for _, row := range ruleRows(kind) {
				It(row.String(), func(ctx SpecContext) { checkRule(ctx, kind, row) })
			}
		})
	}
})

func (r ruleRow) String() string {
	step := "create " + r.after
	if r.before != "" {
		step = r.before + " -> " + r.after
	}
	return fmt.Sprintf("%s %q: %s is %s", r.path, r.says, abbreviate(step), r.verdict)
}

func abbreviate(s string) string {
	if len(s) > 160 {
		return s[:80] + "..." + s[len(s)-40:]
	}
	return s
}

func checkField(ctx context.Context, kind string, row fieldRow) {
	submit := submission(ctx, kind, row.path)
	for _, value := range row.accepted {
		obj := newObject(kind, complete[kind], row.with)
		set(obj, row.path, value)
		Expect(submit(ctx, obj)).To(Succeed(), "%s: %v", row.path, value)
	}
	for _, value := range row.refused {
		obj := newObject(kind, complete[kind], row.with)
		set(obj, row.path, value)
		expectRefusal(submit(ctx, obj), schemaPath(row.path), words[row.keyword], "%s: %v", row.path, value)
	}
}

func checkRule(ctx context.Context, kind string, row ruleRow) {
	obj := newObject(kind, minimal[kind], row.after)
	submit := submission(ctx, kind, row.path)
	if row.before != "" {
		stored := newObject(kind, minimal[kind], row.before)
		store(ctx, stored)
		obj = newObject(kind, minimal[kind], row.before, row.after)
		obj.SetResourceVersion(stored.GetResourceVersion())
		submit = func(ctx context.Context, obj *unstructured.Unstructured) error {
			return server.Update(ctx, obj, client.DryRunAll)
		}
	}
	if row.verdict == accepted {
		Expect(submit(ctx, obj)).To(Succeed())
		return
	}
	expectRefusal(submit(ctx, obj), row.path, row.says, "%s", row.after)
}

// submission is how a value at the path is tried: in a creation, or, in the status, in a write to that of a stored object.
func submission(ctx context.Context, kind, path string) func(context.Context, *unstructured.Unstructured) error {
	if !strings.HasPrefix(path, "status.") {
		return create
	}
	stored := newObject(kind, minimal[kind])
	stored.SetName("stored")
	store(ctx, stored)
	return func(ctx context.Context, obj *unstructured.Unstructured) error {
		obj.SetName(stored.GetName())
		obj.SetResourceVersion(stored.GetResourceVersion())
		return server.Status().Update(ctx, obj, client.DryRunAll)
	}
}

// create tries a creation without storing anything.
func create(ctx context.Context, obj *unstructured.Unstructured) error {
	return server.Create(ctx, obj, client.DryRunAll)
}

// store creates the object until the spec ends.
func store(ctx context.Context, obj *unstructured.Unstructured) {
	GinkgoHelper()
	Expect(server.Create(ctx, obj)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(server.Delete(ctx, obj))).To(Succeed())
	})
}

// expectRefusal expects an Invalid answer with a cause that has the words at the field.
func expectRefusal(err error, field, says, format string, args ...any) {
	GinkgoHelper()
	Expect(err).To(HaveOccurred(), fmt.Sprintf(format, args...))
	Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%s: %v", fmt.Sprintf(format, args...), err)
	var status apierrors.APIStatus
	Expect(errors.As(err, &status)).To(BeTrue())
	Expect(status.Status().Details.Causes).To(ContainElement(Satisfy(func(cause metav1.StatusCause) bool {
		at := schemaPath(cause.Field)
		return (at == field || at == field+"[]") && strings.Contains(cause.Message, says)
	})), "%s: expected %q at %q; got %v", fmt.Sprintf(format, args...), says, field, err)
}
