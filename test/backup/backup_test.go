// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"testing"

	. "github.com/onsi/gomega"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/reconciler"
)

// restored creates what a backup holds and expects it to find its cloud resources, with which nothing is done.
func (w *world) restored(c cluster, kept []reconciler.Object, want []string) {
	w.t.Helper()
	before := w.inCloud()
	w.cloud.ResetCalls()
	for _, object := range kept {
		w.create(c, object)
	}
	w.becomes(c, v1alpha1.ReasonAvailable, kept...)
	w.Expect(ids(kept)).To(Equal(want))
	w.Expect(w.writes()).To(BeEmpty(), "calls that change something")
	w.Expect(w.inCloud()).To(Equal(before))
}

// deleted deletes the estate and expects nothing to be left in the cloud: what was found again is the object's own.
func (w *world) deleted(c cluster, estate []reconciler.Object) {
	w.t.Helper()
	for _, object := range estate {
		w.Expect(c.Delete(w.ctx, object)).To(Succeed())
	}
	w.gone(c, estate...)
	for collection, records := range w.inCloud() {
		w.Expect(records).To(BeEmpty(), collection)
	}
}

func TestRestoreIntoTheSameCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.start(home)
	estate := w.settled(home)
	want := ids(estate)
	stop()

	kept := backup(estate)
	for _, object := range kept {
		object.SetFinalizers(nil)
	}
	published := w.published(home)
	w.lose(home, estate)

	w.create(home, published...)
	w.start(home)
	w.restored(home, kept, want)
	w.deleted(home, kept)
}

func TestRestoreIntoAnotherCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.start(home)
	estate := w.settled(home)
	stop() // the cluster is lost, and nobody cleans up

	w.create(abroad, w.account()...)
	w.create(abroad, w.published(home)...)
	w.start(abroad)
	kept := backup(estate)
	w.restored(abroad, kept, ids(estate))
	w.deleted(abroad, kept)
}

// TestMove follows docs/guides/backup.md.
func TestMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(home)
	w.start(abroad)
	estate := w.settled(home)
	kept, want := backup(estate), ids(estate)

	for _, object := range estate {
		w.edit(home, object, func() { object.CommonSpec().ManagementPolicy = v1alpha1.ManagementPolicyObserve })
	}
	w.becomes(home, v1alpha1.ReasonAvailable, estate...)
	w.create(abroad, w.account()...)
	w.restored(abroad, kept, want)

	before := w.inCloud()
	for _, object := range estate {
		w.Expect(home.Delete(w.ctx, object)).To(Succeed())
	}
	w.gone(home, estate...)
	w.Expect(w.writes()).To(BeEmpty(), "calls that change something")
	w.Expect(w.inCloud()).To(Equal(before))
	w.becomes(abroad, v1alpha1.ReasonAvailable, kept...)
	w.deleted(abroad, kept)
}
