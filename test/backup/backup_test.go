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

// stalled waits until someone has to act for the object, since what it wants is another's, and returns what it says.
func (w *world) stalled(c cluster, object reconciler.Object) string {
	w.t.Helper()
	w.becomes(c, v1alpha1.ReasonAlreadyExists, object)
	stalled := condition(object, v1alpha1.ConditionStalled)
	w.Expect(string(stalled.Status)+"/"+stalled.Reason).To(Equal("True/"+v1alpha1.ReasonAlreadyExists), "%T", object)
	return stalled.Message
}

func TestWhatIsAnotherClustersIsNotTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(home)
	estate := w.settled(home)
	environment, application, component, engine, config := 0, 1, 2, 3, 4
	before := w.inCloud()
	w.cloud.ResetCalls()

	// The same manifests, from a repository: without the claims.
	w.create(abroad, w.account()...)
	w.start(abroad)
	second := w.estate()
	inHome := func(i int) v1alpha1.Reference { return v1alpha1.Reference{ID: estate[i].CommonStatus().ID} }
	shop, isApplication := second[application].(*v1alpha1.Application)
	web, isComponent := second[component].(*v1alpha1.Component)
	w.Expect(isApplication && isComponent).To(BeTrue())
	shop.Spec.Configurations[0].EnvironmentRef = inHome(environment)
	web.Spec.ApplicationRef, web.Spec.EnvironmentRef = inHome(application), inHome(environment)
	for _, object := range second[:config] {
		w.create(abroad, object)
	}
	for i, name := range map[int]string{environment: "dev", application: "shop", component: "web"} {
		w.Expect(w.stalled(abroad, second[i])).To(ContainSubstring("home/%s/%s claims it", w.namespace, name))
	}
	w.Expect(w.stalled(abroad, second[engine])).To(ContainSubstring("this object did not create"), "an engine cannot tell whose it is")

	// Asking for it does not help where there is a claim.
	for _, object := range second[:engine] {
		w.edit(abroad, object, func() { object.CommonSpec().Import = &v1alpha1.Import{ByName: true} })
		w.Expect(w.stalled(abroad, object)).To(ContainSubstring("home/%s/%s claims it", w.namespace, object.GetName()))
	}

	// Another cluster's engine can be used; the items in it are not taken.
	w.edit(abroad, second[engine], func() {
		spec := second[engine].CommonSpec()
		spec.ManagementPolicy, spec.Import = v1alpha1.ManagementPolicyObserve, &v1alpha1.Import{ID: estate[engine].CommonStatus().ID}
	})
	w.becomes(abroad, v1alpha1.ReasonAvailable, second[engine])
	w.create(abroad, second[config])
	w.Expect(w.stalled(abroad, second[config])).To(ContainSubstring("this object did not write it"))

	w.Expect(w.writes()).To(BeEmpty(), "calls that change something")
	w.Expect(w.inCloud()).To(Equal(before))

	// Deleting what was never theirs leaves it alone.
	for _, object := range second {
		w.Expect(abroad.Delete(w.ctx, object)).To(Succeed())
	}
	w.gone(abroad, second...)
	w.Expect(w.inCloud()).To(Equal(before))
	w.deleted(home, estate)
}
