// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package valuefrom

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/external"
)

func reader() client.Client {
	return fake.NewClientBuilder().WithObjects(
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "db", UID: "secret-uid"},
			Data:       map[string][]byte{"password": []byte("s3cret\n"), "empty": {}},
		},
		&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "db", UID: "config-uid"},
			Data:       map[string]string{"host": "db.example.com"},
		},
	).Build()
}

func fromSecret(name, key string) v1alpha1.ValueSource {
	return v1alpha1.ValueSource{SecretKeyRef: &v1alpha1.KeySelector{Name: name, Key: key}}
}

func fromConfigMap(name, key string) v1alpha1.ValueSource {
	return v1alpha1.ValueSource{ConfigMapKeyRef: &v1alpha1.KeySelector{Name: name, Key: key}}
}

func TestRead(t *testing.T) {
	for _, tc := range []struct {
		name, namespace string
		source          v1alpha1.ValueSource
		want, uid       string
		waits           string
		stalled         bool
	}{
		{name: "a Secret, byte for byte", source: fromSecret("db", "password"), want: "s3cret\n", uid: "secret-uid/"},
		{name: "an empty value is a value", source: fromSecret("db", "empty"), want: "", uid: "secret-uid/"},
		{name: "a ConfigMap", source: fromConfigMap("db", "host"), want: "db.example.com", uid: "config-uid/"},
		{name: "no such Secret", source: fromSecret("other", "password"), waits: `spec.x: there is no Secret "other" in namespace team`},
		{name: "no such key in the Secret", source: fromSecret("db", "host"), waits: `spec.x: Secret "db" has no key "host"`},
		{name: "no such ConfigMap", source: fromConfigMap("other", "host"), waits: `spec.x: there is no ConfigMap "other" in namespace team`},
		{name: "no such key in the ConfigMap", source: fromConfigMap("db", "password"), waits: `spec.x: ConfigMap "db" has no key "password"`},
		{name: "another namespace's", namespace: "others", source: fromSecret("db", "password"), waits: `spec.x: there is no Secret "db" in namespace others`},
		{
			name: "a name that leads elsewhere", source: fromSecret("../../others/secrets/db", "password"), stalled: true,
			waits: `spec.x: no Secret can be called "../../others/secrets/db": a name may not contain '/'; correct the name`,
		},
		{name: "nothing selected", waits: "spec.x: set one of configMapKeyRef and secretKeyRef"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			namespace := "team"
			if tc.namespace != "" {
				namespace = tc.namespace
			}
			value, version, err := Read(t.Context(), reader(), namespace, "spec.x", tc.source)
			if tc.waits == "" {
				if err != nil || value != tc.want || !strings.HasPrefix(version, tc.uid) {
					t.Errorf("Read = %q, %q, %v, want %q with version %s...", value, version, err, tc.want, tc.uid)
				}
				return
			}
			var wait *external.WaitError
			if !errors.As(err, &wait) || wait.Message != tc.waits || wait.Cause != external.WaitForReference || wait.Reason != external.NotFound || wait.Stalled != tc.stalled {
				t.Errorf("Read returned %#v, want a wait with %q, stalled %t", err, tc.waits, tc.stalled)
			}
			if value != "" || version != "" {
				t.Errorf("Read = %q, %q with an error", value, version)
			}
		})
	}
}

func TestReadVersionMovesWithTheObject(t *testing.T) {
	c := reader()
	_, before, err := Read(t.Context(), c, "team", "spec.x", fromSecret("db", "password"))
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "team", Name: "db"}, secret); err != nil {
		t.Fatal(err)
	}
	secret.Data["password"] = []byte("changed")
	if err := c.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	value, after, err := Read(t.Context(), c, "team", "spec.x", fromSecret("db", "password"))
	if err != nil || value != "changed" || after == before {
		t.Errorf("Read = %q, %q, %v, want the new value with another version than %q", value, after, err, before)
	}
}

// brokenReader fails as an API server does.
type brokenReader struct{ client.Reader }

var errBroken = errors.New("etcd is down")

func (brokenReader) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errBroken
}

func TestReadPassesOnWhatTheAPIServerSays(t *testing.T) {
	for _, source := range []v1alpha1.ValueSource{fromSecret("db", "password"), fromConfigMap("db", "host")} {
		_, _, err := Read(t.Context(), brokenReader{}, "team", "spec.x", source)
		var wait *external.WaitError
		if !errors.Is(err, errBroken) || errors.As(err, &wait) || !strings.HasPrefix(err.Error(), "spec.x: ") {
			t.Errorf("Read returned %v, want the API server's error with the field, and no wait", err)
		}
	}
}

// counting counts what is read, and answers with an error where there is one.
type counting struct {
	client.Reader
	reads int
}

func (c *counting) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	c.reads++
	return c.Reader.Get(ctx, key, into, options...)
}

func TestOnceReadsEachObjectOnce(t *testing.T) {
	live := &counting{Reader: fake.NewClientBuilder().WithObjects(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "both"}, Data: map[string][]byte{"a": []byte("1"), "b": []byte("2")}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "both"}, Data: map[string]string{"a": "3"}},
	).Build()}
	reader := Once(live)
	secret := func(name, key string) v1alpha1.ValueSource {
		return v1alpha1.ValueSource{SecretKeyRef: &v1alpha1.KeySelector{Name: name, Key: key}}
	}
	for _, tc := range []struct {
		source v1alpha1.ValueSource
		want   string
		reads  int
	}{
		{secret("both", "a"), "1", 1},
		{secret("both", "b"), "2", 1},
		{v1alpha1.ValueSource{ConfigMapKeyRef: &v1alpha1.KeySelector{Name: "both", Key: "a"}}, "3", 2},
		{secret("both", "a"), "1", 2},
	} {
		got, _, err := Read(context.Background(), reader, "ns", "spec.items[0].valueFrom", tc.source)
		if err != nil || got != tc.want || live.reads != tc.reads {
			t.Errorf("got %q, %v after %d reads, want %q after %d", got, err, live.reads, tc.want, tc.reads)
		}
	}
	for range 2 {
		if _, _, err := Read(context.Background(), reader, "ns", "spec.items[0].valueFrom", secret("none", "a")); err == nil {
			t.Error("a missing Secret is no error")
		}
	}
	if live.reads != 3 {
		t.Errorf("%d reads, want 3: what is missing is looked for once, too", live.reads)
	}
}
