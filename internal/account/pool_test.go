// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
)

func TestPoolBuildsASessionOnce(t *testing.T) {
	w := newWorld(t)
	account := w.accepted(w.account())
	sessions := make([]*Session, 50)
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			session, err := w.pool.Session(t.Context(), account)
			if err != nil {
				t.Error(err)
			}
			sessions[i] = session
		})
	}
	wg.Wait()
	for i, session := range sessions {
		if session == nil || session != sessions[0] {
			t.Fatalf("caller %d got the session %p, the first one %p", i, session, sessions[0])
		}
	}
	reads := w.reads.Load()
	if _, err := w.pool.Session(t.Context(), account); err != nil || w.reads.Load() != reads {
		t.Errorf("a session that is there read a Secret: %v", err)
	}
}

func TestPoolReplacesASessionOnceTheNextIsAccepted(t *testing.T) {
	w := newWorld(t)
	account := w.account()
	handedOut := func(step string, want *Session) {
		t.Helper()
		if session, err := w.pool.Session(t.Context(), account); err != nil || session != want {
			t.Errorf("%s: Session returned another session, or %v", step, err)
		}
	}
	first, version, err := w.pool.Rebuild(t.Context(), account)
	if err != nil || version == "" {
		t.Fatal(version, err)
	}
	if _, err := w.pool.Session(t.Context(), account); !errors.Is(err, errUntried) {
		t.Errorf("credentials that were never tried: %v, want %v", err, errUntried)
	}
	w.pool.Accept(account, version)
	handedOut("accepted", first)

	same, sameVersion, err := w.pool.Rebuild(t.Context(), account)
	if err != nil || same != first || sameVersion != version {
		t.Errorf("with nothing changed: another session, or %s, %v", sameVersion, err)
	}

	w.rotate("another-secret-key")
	handedOut("the Secret changed", first)
	second, secondVersion, err := w.pool.Rebuild(t.Context(), account)
	if err != nil || second == first || secondVersion == version {
		t.Errorf("after the Secret changed: the same session or version %s, %v", secondVersion, err)
	}
	handedOut("the new key was not tried yet", first)
	if again, _, err := w.pool.Rebuild(t.Context(), account); err != nil || again != second {
		t.Errorf("what is known of an untried key got lost: another session, or %v", err)
	}
	w.pool.Accept(account, version)
	handedOut("the old key was accepted once more", first)
	w.pool.Accept(account, secondVersion)
	handedOut("the new key was accepted", second)

	account.Generation++
	if _, err := w.pool.Session(t.Context(), account); !errors.Is(err, errUntried) {
		t.Errorf("after the spec changed: %v, want %v", err, errUntried)
	}
	w.accepted(account)
	third, err := w.pool.Session(t.Context(), account)
	if err != nil || third == second {
		t.Errorf("after the changed spec was accepted: the same session, %v", err)
	}

	account.UID = "uid-of-a-namesake"
	w.accepted(account)
	if fourth, err := w.pool.Session(t.Context(), account); err != nil || fourth == third {
		t.Errorf("a namesake got its predecessor's session, %v", err)
	}
}

// A key that is wrong costs the account's own try and no call of any object.
func TestPoolHandsOutNoKeyThatWasNotTried(t *testing.T) {
	w := newWorld(t)
	w.put(w.accepted(w.account()))
	w.rotate("wrong") // while no manager ran
	resolver := NewResolver(w.api, w.pool)
	for _, purpose := range []external.Purpose{external.ForSync, external.ForDelete} {
		_, err := resolver.Resolve(t.Context(), "team", namespaced, purpose)
		waits(t, err, external.NotReady, false, "credentials have changed and were not tried yet")
	}
	w.rotate(secretKey)
	w.put(w.accepted(w.account()))
	last, err := resolver.Resolve(t.Context(), "team", namespaced, external.ForSync)
	if err != nil {
		t.Fatal(err)
	}

	w.rotate("wrong") // while one runs
	untried, _, err := w.pool.Rebuild(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	if session, err := resolver.Resolve(t.Context(), "team", namespaced, external.ForSync); err != nil || session != last {
		t.Errorf("Resolve = %v, %v; want the session that the cloud accepted", session, err)
	}
	if err := untried.Cloud.Verify(t.Context()); !clouderr.Is(err, clouderr.Unauthorized) {
		t.Fatalf("Verify returned %v, want a refusal", err)
	}
	w.put(w.account(func(a *v1alpha1.CloudAccount) { a.Status = ready(metav1.ConditionFalse, "the key is wrong") }))
	if session, err := resolver.Resolve(t.Context(), "team", namespaced, external.ForDelete); err != nil || session != last {
		t.Errorf("Resolve for deletion = %v, %v; want the session that worked last", session, err)
	}
}

func TestPoolKeepsTheLastSessionWhileTheNextCannotBeBuilt(t *testing.T) {
	w := newWorld(t)
	account := w.accepted(w.account())
	last, err := w.pool.Session(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	w.rotate("")
	if _, _, err := w.pool.Rebuild(t.Context(), account); err == nil {
		t.Fatal("a Secret without a key was taken")
	}
	if session, ok := w.pool.Pooled(client.ObjectKeyFromObject(account)); !ok || session != last {
		t.Error("the last session is gone")
	}
}

func TestPoolForgets(t *testing.T) {
	w := newWorld(t)
	account := w.accepted(w.account())
	key := client.ObjectKeyFromObject(account)
	if _, ok := w.pool.Pooled(key); ok {
		t.Error("an empty pool holds a session")
	}
	first, err := w.pool.Session(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	w.pool.Forget(key)
	if _, ok := w.pool.Pooled(key); ok {
		t.Error("the session is still there")
	}
	w.pool.Forget(key)
	w.rotate("another")
	if _, _, err := w.pool.Rebuild(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	w.pool.Forget(key)
	if len(w.pool.untried) > 0 {
		t.Error("an untried session is still there")
	}
	w.rotate(secretKey)
	w.accepted(account)
	if second, err := w.pool.Session(t.Context(), account); err != nil || second == first {
		t.Errorf("the forgotten session came back, %v", err)
	}
}

func TestPoolPassesOnWhatTheAPIServerSays(t *testing.T) {
	w := newWorld(t)
	w.broken = errors.New("etcd is down")
	_, _, err := w.pool.Rebuild(t.Context(), w.account())
	var config *ConfigError
	if !errors.Is(err, w.broken) || errors.As(err, &config) {
		t.Errorf("Rebuild returned %v, want the API server's error", err)
	}
	w.broken = nil
	if _, _, err := w.pool.Rebuild(t.Context(), w.account()); err != nil {
		t.Errorf("the failure stuck: %v", err)
	}
}

func TestRefusalsNeverBlock(t *testing.T) {
	w := newWorld(t)
	for range 5000 {
		w.pool.ReportRefused(t.Context(), "team", namespaced)
	}
	w.pool.ReportRefused(t.Context(), "team", cluster)
	w.pool.ReportRefused(t.Context(), "team", v1alpha1.AccountReference{Kind: "Nothing", Name: "of the sort"})

	for kind, want := range map[v1alpha1.AccountKind]Key{
		v1alpha1.AccountKindNamespaced: {Namespace: "team", Name: "default"},
		v1alpha1.AccountKindCluster:    {Name: "shared"},
	} {
		select {
		case e := <-w.pool.Notices(kind):
			if got := client.ObjectKeyFromObject(e.Object); got != want {
				t.Errorf("the refusal of a %s names %s, want %s", kind, got, want)
			}
		default:
			t.Errorf("no refusal of a %s arrived", kind)
		}
	}
	select {
	case e := <-w.pool.Notices(v1alpha1.AccountKindCluster):
		t.Errorf("one refusal of a ClusterCloudAccount arrived twice, or another's: %v", e.Object)
	default:
	}
}
