// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"testing"

	"servicestage.dev/operator/internal/external"
)

// An API server that fails once must not leave an object waiting for a watch that never fires.
func TestResolveWhileTheAPIServerFails(t *testing.T) {
	w := newWorld(t)
	w.put(w.account())
	w.broken = errors.New("etcd is down")
	_, err := NewResolver(w.api, w.pool).Resolve(t.Context(), "team", namespaced, external.ForSync)
	var wait *external.WaitError
	if errors.As(err, &wait) {
		t.Errorf("Resolve says %+v: nothing wakes the object again", wait)
	}
}
