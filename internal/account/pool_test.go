// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"sync"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
)

func TestPoolBuildsASessionOnce(t *testing.T) {
	w := newWorld(t)
	account := w.account()
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

func TestPoolReplacesASessionWhenItsMakingsChange(t *testing.T) {
	w := newWorld(t)
	account := w.account()
	first, version, err := w.pool.Rebuild(t.Context(), account)
	if err != nil || version == "" {
		t.Fatal(version, err)
	}

	same, sameVersion, err := w.pool.Rebuild(t.Context(), account)
	if err != nil || same != first || sameVersion != version {
		t.Errorf("with nothing changed: another session, or %s, %v", sameVersion, err)
	}

	w.rotate("another-secret-key")
	if session, err := w.pool.Session(t.Context(), account); err != nil || session != first {
		t.Errorf("Session looked at the Secret on its own: %v", err)
	}
	second, secondVersion, err := w.pool.Rebuild(t.Context(), account)
	if err != nil || second == first || secondVersion == version {
		t.Errorf("after the Secret changed: the same session or version %s, %v", secondVersion, err)
	}
	if session, err := w.pool.Session(t.Context(), account); err != nil || session != second {
		t.Errorf("the pool does not hand out the new session: %v", err)
	}

	account.Generation++
	third, err := w.pool.Session(t.Context(), account)
	if err != nil || third == second {
		t.Errorf("after the spec changed: the same session, %v", err)
	}

	account.UID = "uid-of-a-namesake"
	if fourth, err := w.pool.Session(t.Context(), account); err != nil || fourth == third {
		t.Errorf("a namesake got its predecessor's session, %v", err)
	}
}

func TestPoolKeepsTheLastSessionWhileTheNextCannotBeBuilt(t *testing.T) {
	w := newWorld(t)
	account := w.account()
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
	account := w.account()
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
