// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("KieConfig", func() {
	It("creates an item, sees it and deletes it", func() {
		w := newWorld()
		e := w.engine("engine", rootPassword)
		k := w.config("one", []string{"color=blue"})
		w.create(k)
		available(k)
		Expect(e.values()).To(Equal([]string{"color=blue"}))
		Expect(k.Status.Summary).To(Equal("1/1"))
		e.watched()

		w.delete(k)
		gone(k)
		Expect(e.values()).To(BeEmpty())
		Eventually(e.Waiting).Should(BeZero(), "long polls of an engine that nobody is about")
	})
})
