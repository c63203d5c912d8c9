// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/dependency"
	"servicestage.dev/operator/internal/external"
)

// What changes while it is resolved is resolved anew: the inputs that are written down are those that were used.
func TestInputsThatChangeMeanwhileAreResolvedAnew(t *testing.T) {
	for name, test := range map[string]struct {
		changes, binds int
		atRest         bool
	}{
		"that do not change":        {0, 1, true},
		"that change once":          {1, 2, true},
		"that never come to rest":   {100, maxBinds, false},
		"that change and then rest": {2, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "settings"}}
			w := newWorld(t, object(), settings)
			l, ok := w.loop.(*loop[*v1alpha1.Environment, thing])
			if !ok {
				t.Fatalf("the loop is a %T", w.loop)
			}
			must(t, l.Graph.Add(dependency.New("spec.settings", &v1alpha1.Environment{}, &corev1.ConfigMap{},
				func(*v1alpha1.Environment) []client.ObjectKey {
					return []client.ObjectKey{client.ObjectKeyFromObject(settings)}
				},
				func(c *corev1.ConfigMap) string { return c.ResourceVersion }).AsInput()))
			binds := 0
			w.cloud.bind = func(external.Purpose) error {
				if binds++; binds > test.changes {
					return nil
				}
				settings.Data = map[string]string{"changes": string(rune('0' + binds))}
				return w.api.Update(t.Context(), settings)
			}
			w.pass()
			if binds != test.binds {
				t.Errorf("resolved %d times, want %d", binds, test.binds)
			}
			now, err := l.Graph.Inputs(t.Context(), w.object())
			must(t, err)
			if atRest := w.object().Status.ObservedInputs == now; atRest != test.atRest {
				t.Errorf("the inputs written down are those that are there: %t, want %t", atRest, test.atRest)
			}
		})
	}
}
