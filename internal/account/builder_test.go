// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/cloudsim"
)

func TestSecretKeys(t *testing.T) {
	for _, tc := range []struct {
		name string
		data map[string]string
		// want are words of the error; none where the Secret is good.
		want []string
	}{
		{"an access key", map[string]string{"accessKey": "AK", "secretKey": "SK"}, nil},
		{"white space around it", map[string]string{"accessKey": " AK\n", "secretKey": "\tSK \r\n"}, nil},
		{"temporary keys", map[string]string{"accessKey": "AK", "secretKey": "SK", "securityToken": "token"}, nil},
		{"a user", map[string]string{"domainName": "acme", "username": "bot", "password": "hunter2 "}, nil},
		{"more than is needed", map[string]string{"accessKey": "AK", "secretKey": "SK", "note": "mine"}, nil},
		{"nothing", nil, []string{"empty", "accessKey and secretKey"}},
		{"no secretKey", map[string]string{"accessKey": "AK"}, []string{"lack secretKey"}},
		{"no accessKey", map[string]string{"secretKey": "SK-value"}, []string{"lack accessKey"}},
		{"an empty secretKey", map[string]string{"accessKey": "AK", "secretKey": " \n"}, []string{"lack secretKey"}},
		{"no password", map[string]string{"domainName": "acme", "username": "bot"}, []string{"lack password"}},
		{"both", map[string]string{"accessKey": "AK", "secretKey": "SK-value", "username": "bot"}, []string{"both an access key and a user"}},
		{"keys of other names", map[string]string{"AK": "AK", "SK": "SK-value"}, []string{"empty", "accessKey and secretKey"}},
		{"a space within", map[string]string{"accessKey": "AK", "secretKey": "SK value"}, []string{"secretKey", "space"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "other"}, Data: map[string][]byte{}}
			for key, value := range tc.data {
				secret.Data[key] = []byte(value)
			}
			w := newWorld(t, secret)
			account := w.account(func(a *v1alpha1.CloudAccount) { a.Spec.Credentials.SecretRef.Name = "other" })
			_, _, err := w.pool.Rebuild(t.Context(), account)
			if tc.want == nil {
				if err != nil {
					t.Errorf("Rebuild: %v", err)
				}
				return
			}
			config := refuses(t, err, true, append(tc.want, `Secret "other" in namespace team`)...)
			for _, key := range []string{"secretKey", "SK", "password"} {
				if value := strings.TrimSpace(tc.data[key]); value != "" && strings.Contains(config.Message, value) {
					t.Errorf("message %q holds a secret", config.Message)
				}
			}
		})
	}
}

// refuses checks that err says that an account cannot be used as it is.
func refuses(t *testing.T, err error, waiting bool, words ...string) *ConfigError {
	t.Helper()
	var config *ConfigError
	if !errors.As(err, &config) {
		t.Fatalf("the error is %v, want a ConfigError", err)
	}
	if config.Waiting != waiting {
		t.Errorf("waiting is %t for %q", config.Waiting, config.Message)
	}
	for _, word := range words {
		if !strings.Contains(config.Message, word) {
			t.Errorf("message %q does not hold %q", config.Message, word)
		}
	}
	if err.Error() != config.Message || strings.Contains(config.Message, secretKey) {
		t.Errorf("message is %q", err.Error())
	}
	return config
}

func TestPasswordIsTakenAsItIs(t *testing.T) {
	got := credentialsOf(map[string][]byte{"domainName": []byte(" acme "), "username": []byte("bot\n"), "password": []byte(" hunter2 ")})
	if got.DomainName != "acme" || got.Username != "bot" || got.Password != " hunter2 " {
		t.Errorf("domain %q, user %q, password %q", got.DomainName, got.Username, got.Password)
	}
}

func TestRefusedAccounts(t *testing.T) {
	selects := func(secret, key string) *v1alpha1.TLS {
		return &v1alpha1.TLS{CABundleRef: &v1alpha1.ValueSource{ConfigMapKeyRef: &v1alpha1.KeySelector{Name: secret, Key: key}}}
	}
	for _, tc := range []struct {
		name    string
		change  func(*v1alpha1.CloudAccount)
		waiting bool
		want    []string
	}{
		{
			"no Secret", func(a *v1alpha1.CloudAccount) { a.Spec.Credentials.SecretRef.Name = "nowhere" }, true,
			[]string{"spec.credentials.secretRef", `no Secret "nowhere" in namespace team`, "create it with the keys accessKey and secretKey"},
		},
		{
			"a Secret whose name has a slash", func(a *v1alpha1.CloudAccount) { a.Spec.Credentials.SecretRef.Name = "../../other/secrets/keys" }, false,
			[]string{"spec.credentials.secretRef", `no Secret can be called "../../other/secrets/keys"`, "may not contain '/'", "correct the name"},
		},
		{
			"a CA bundle whose name has a slash", func(a *v1alpha1.CloudAccount) { a.Spec.TLS = selects("other/trust", "ca.crt") }, false,
			[]string{"spec.tls.caBundleRef", `no ConfigMap can be called "other/trust"`, "may not contain '/'"},
		},
		{
			"an endpoint that is not allowed", func(a *v1alpha1.CloudAccount) { a.Spec.Endpoints.IAM = "https://iam.evil.example.com" }, false,
			[]string{"spec.endpoints.iam", "iam.evil.example.com", "--allow-endpoint-host"},
		},
		{
			"plain http", func(a *v1alpha1.CloudAccount) {
				a.Spec.Endpoints.ServiceStage = "http://servicestage.ap-southeast-3.myhuaweicloud.com"
			}, false,
			[]string{"spec.endpoints.servicestage", "http"},
		},
		{
			"the metadata service", func(a *v1alpha1.CloudAccount) { a.Spec.Endpoints.CSE = "https://169.254.169.254" }, false,
			[]string{"spec.endpoints.cse", "169.254.169.254"},
		},
		{
			"several endpoints that are not allowed", func(a *v1alpha1.CloudAccount) {
				a.Spec.Endpoints = &v1alpha1.Endpoints{IAM: "https://a.example.com", VPC: "https://b.example.com"}
			}, false, []string{"spec.endpoints.iam: ", "; spec.endpoints.vpc: "},
		},
		{"no CA bundle", func(a *v1alpha1.CloudAccount) { a.Spec.TLS = selects("nowhere", "ca.pem") }, true, []string{"spec.tls.caBundleRef", `no ConfigMap "nowhere"`}},
		{"no such key", func(a *v1alpha1.CloudAccount) { a.Spec.TLS = selects("trust", "ca.crt") }, true, []string{"spec.tls.caBundleRef", `no key "ca.crt"`}},
		{"a CA bundle that is none", func(a *v1alpha1.CloudAccount) { a.Spec.TLS = selects("trust", "garbage") }, false, []string{"spec.tls", "no PEM certificate"}},
		{"no region", func(a *v1alpha1.CloudAccount) { a.Spec.Region = "" }, false, []string{"region"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "trust"}, Data: map[string]string{"garbage": "not a certificate"},
			})
			_, _, err := w.pool.Rebuild(t.Context(), w.account(tc.change))
			_ = refuses(t, err, tc.waiting, tc.want...)
			if calls := w.cloud.Calls(); len(calls) > 0 {
				t.Errorf("the cloud was called: %v", calls)
			}
		})
	}
}

func TestTrust(t *testing.T) {
	cloud := cloudsim.New(cloudsim.Options{SecretKey: secretKey})
	server := httptest.NewTLSServer(cloud.Handler())
	defer server.Close()
	bundle := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	there := v1alpha1.EndpointURL(server.URL)
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "trust"}, Data: map[string]string{"ca.pem": bundle}}
	clusterAccount := func(w *world, tls *v1alpha1.ClusterTLS) Object {
		spec := w.account().Spec.AccountSpec
		spec.Endpoints.ServiceStage = there
		return &v1alpha1.ClusterCloudAccount{
			ObjectMeta: metav1.ObjectMeta{Name: "shared"},
			Spec: v1alpha1.ClusterCloudAccountSpec{
				AccountSpec: spec, TLS: tls,
				Credentials: v1alpha1.ClusterCredentials{SecretRef: v1alpha1.NamespacedObjectReference{Namespace: "team", Name: "keys"}},
			},
		}
	}
	account := func(w *world, tls *v1alpha1.TLS) Object {
		return w.account(func(a *v1alpha1.CloudAccount) { a.Spec.Endpoints.ServiceStage, a.Spec.TLS = there, tls })
	}
	fromConfigMap := &v1alpha1.TLS{CABundleRef: &v1alpha1.ValueSource{ConfigMapKeyRef: &v1alpha1.KeySelector{Name: "trust", Key: "ca.pem"}}}
	for _, tc := range []struct {
		name    string
		account func(*world) Object
		trusted bool
	}{
		{"the system's roots", func(w *world) Object { return account(w, nil) }, false},
		{"a bundle", func(w *world) Object { return account(w, fromConfigMap) }, true},
		{"anything", func(w *world) Object { return account(w, &v1alpha1.TLS{InsecureSkipVerify: true}) }, true},
		{"the cluster account: the system's roots", func(w *world) Object { return clusterAccount(w, nil) }, false},
		{"the cluster account: a bundle", func(w *world) Object { return clusterAccount(w, &v1alpha1.ClusterTLS{CABundle: bundle}) }, true},
		{"the cluster account: anything", func(w *world) Object { return clusterAccount(w, &v1alpha1.ClusterTLS{InsecureSkipVerify: true}) }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, configMap.DeepCopy())
			policy, err := endpoint.NewPolicy([]string{strings.TrimPrefix(server.URL, "https://")})
			if err != nil {
				t.Fatal(err)
			}
			w.pool.builder.Policy = policy
			session, _, err := w.pool.Rebuild(t.Context(), tc.account(w))
			if err != nil {
				t.Fatal(err)
			}
			err = session.Cloud.Verify(t.Context())
			if tc.trusted && err != nil {
				t.Errorf("Verify: %v", err)
			}
			if !tc.trusted && (!clouderr.Is(err, clouderr.Transient) || !strings.Contains(err.Error(), "certificate")) {
				t.Errorf("Verify: %v, want a complaint about the certificate", err)
			}
		})
	}
}

func TestVersionMovesWithEverythingThatAClientIsMadeOf(t *testing.T) {
	w := newWorld(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "trust"}, Data: map[string]string{"ca.pem": "not a certificate"},
	})
	seen := map[string]string{}
	version := func(what string, account Object) {
		t.Helper()
		in, err := w.pool.builder.read(t.Context(), account)
		if err != nil {
			t.Fatal(what, err)
		}
		if before, found := seen[in.version]; found {
			t.Errorf("%s has the version of %s", what, before)
		}
		seen[in.version] = what
		if again, err := w.pool.builder.read(t.Context(), account); err != nil || again.version != in.version {
			t.Errorf("%s: version %s, then %s, %v", what, in.version, again.version, err)
		}
	}
	version("the account", w.account())
	version("an edited account", w.account(func(a *v1alpha1.CloudAccount) { a.Generation++ }))
	version("a namesake", w.account(func(a *v1alpha1.CloudAccount) { a.UID = "other" }))
	w.rotate("another-key")
	version("a changed Secret", w.account())
}

func TestErrorsOfAReadHoldNoSecret(t *testing.T) {
	w := newWorld(t)
	session, _, err := w.pool.Rebuild(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	in, err := w.pool.builder.read(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", session.Cloud, session.Cloud, session.Cloud), fmt.Sprintf("%+v", in.credentials)} {
		if strings.Contains(text, secretKey) {
			t.Errorf("%q holds the secret key", text)
		}
	}
}
