// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"errors"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/kie"
	"servicestage.dev/operator/internal/external"
)

func TestExplain(t *testing.T) {
	c := &Connection{Key: "version", secret: `Secret "login" (spec.authSecretRef)`, address: "https://192.0.2.1:30110"}
	notSent := func(message string) error {
		err := clouderr.New(clouderr.Transient, "%s", message)
		err.Err = cloudclient.ErrNotSent
		return err
	}
	if err := c.Explain(nil, false); err != nil {
		t.Errorf("no error became %v", err)
	}
	for _, tc := range []struct {
		name     string
		err      error
		deleting bool
		says     []string
	}{
		{"a certificate", notSent("the engine's certificate is signed by an unknown authority"), false, []string{"spec.tls", "https://192.0.2.1:30110"}},
		{"an address", notSent("the connection was refused"), false, []string{"https://192.0.2.1:30110", "spec.access: Gateway"}},
		{"an address, when deleting", notSent("the connection was refused"), true, []string{"spec.deletionPolicy: Orphan"}},
		{"anything else", clouderr.New(clouderr.Quota, "full"), false, []string{"full"}},
	} {
		err := c.Explain(tc.err, tc.deleting)
		for _, words := range tc.says {
			if clouderr.ClassOf(err) != clouderr.ClassOf(tc.err) || !strings.Contains(clouderr.UserMessage(err), words) {
				t.Errorf("%s: %v lacks %q", tc.name, err, words)
			}
		}
	}
	var wait *external.WaitError
	if err := c.Explain(clouderr.New(clouderr.Unauthorized, "wrong"), false); !errors.As(err, &wait) || !wait.Stalled || wait.Cause != external.WaitForCredentials ||
		!strings.Contains(wait.Message, `Secret "login"`) {
		t.Errorf("a refused password: %v", err)
	}
	if err := (&Connection{}).Explain(clouderr.New(clouderr.Unauthorized, "wrong"), false); !clouderr.Is(err, clouderr.Unauthorized) {
		t.Errorf("a refused account: %v", err)
	}
}

func TestALoginWhoseNameLeadsElsewhereIsNotRead(t *testing.T) {
	source := passwordSource{field: "spec.authSecretRef", name: "../../other/secrets/login"}
	_, err := Finder{}.direct(t.Context(), fake.NewFakeClient(), &v1alpha1.KieConfig{}, &Connection{}, kie.Config{}, source)
	var wait *external.WaitError
	if !errors.As(err, &wait) || !wait.Stalled || !strings.HasPrefix(wait.Message, `spec.authSecretRef: no Secret can be called "../../other/secrets/login"`) {
		t.Errorf("the error is %v, want one that names the field and the name", err)
	}
}

func TestALoginThatWasRefusedIsNotTriedAgain(t *testing.T) {
	c := &Connection{Key: "version", secret: `Secret "login" (spec.authSecretRef)`}
	if err := c.Unrefused("version"); err == nil || !strings.Contains(err.Error(), `Secret "login"`) {
		t.Errorf("the refused one: %v", err)
	}
	for name, err := range map[string]error{
		"another version": c.Unrefused("older"), "none was refused": c.Unrefused(""), "no login": (&Connection{Key: "version"}).Unrefused("version"),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
