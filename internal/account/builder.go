// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/valuefrom"
)

// Builder makes sessions from accounts and their Secrets.
type Builder struct {
	// Reader reads Secrets and ConfigMaps one by one from the API server: they must never be cached.
	Reader client.Reader
	// Policy says which endpoints may be called.
	Policy *endpoint.Policy
	// Metrics counts the calls.
	Metrics *cloudclient.Metrics
	// UserAgent of the calls.
	UserAgent string
	// Clock of the calls; the system's where nil.
	Clock cloudclient.Clock
}

// ConfigError says that an account cannot be used as it is written, or that its Secret cannot.
type ConfigError struct {
	// Waiting is set where something is missing that may appear by itself.
	Waiting bool
	// Message names the field and the way out.
	Message string
}

func (e *ConfigError) Error() string { return e.Message }

func userMessage(err error) string {
	if config := (*ConfigError)(nil); errors.As(err, &config) {
		return config.Message
	}
	return clouderr.UserMessage(err)
}

// inputs is what an account's client is made of, read at one time.
type inputs struct {
	credentials cloudclient.Credentials
	roots       *x509.CertPool
	insecure    bool
	version     string
}

// read reads the account's Secret and certificates.
func (b *Builder) read(ctx context.Context, account Object) (*inputs, error) {
	ref := account.SecretReference()
	if err := valuefrom.CheckName("spec.credentials.secretRef", "Secret", ref.Name); err != nil {
		return nil, asConfigError(err)
	}
	secret := &corev1.Secret{}
	err := b.Reader.Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, &ConfigError{Waiting: true, Message: fmt.Sprintf("spec.credentials.secretRef: there is no Secret %q in namespace %s; create it with the keys accessKey and secretKey, or domainName, username and password", ref.Name, ref.Namespace)}
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	credentials := credentialsOf(secret.Data)
	if err := credentials.Validate(); err != nil {
		return nil, &ConfigError{Waiting: true, Message: fmt.Sprintf("Secret %q in namespace %s: %v", ref.Name, ref.Namespace, err)}
	}
	bundle, insecure, bundleVersion, err := b.trust(ctx, account)
	if err != nil {
		return nil, err
	}
	in := &inputs{credentials: credentials, insecure: insecure}
	if bundle != "" {
		in.roots = x509.NewCertPool()
		if !in.roots.AppendCertsFromPEM([]byte(bundle)) {
			return nil, &ConfigError{Message: "spec.tls: the CA bundle holds no PEM certificate"}
		}
	}
	in.version = version(string(account.GetUID()), fmt.Sprint(account.GetGeneration()), string(secret.UID), secret.ResourceVersion, bundleVersion)
	return in, nil
}

// credentialsOf reads the keys of a Secret. White space around a value is never part of it, but editors add it.
func credentialsOf(data map[string][]byte) cloudclient.Credentials {
	value := func(key string) string { return strings.TrimSpace(string(data[key])) }
	return cloudclient.Credentials{
		AccessKey: value("accessKey"), SecretKey: value("secretKey"), SecurityToken: value("securityToken"),
		DomainName: value("domainName"), Username: value("username"), Password: string(data["password"]),
	}
}

// trust returns the CA bundle that the account trusts and the version of where it came from.
func (b *Builder) trust(ctx context.Context, account Object) (bundle string, insecure bool, version string, err error) {
	switch a := account.(type) {
	case *v1alpha1.ClusterCloudAccount:
		if a.Spec.TLS == nil {
			return "", false, "", nil
		}
		return a.Spec.TLS.CABundle, a.Spec.TLS.InsecureSkipVerify, "", nil
	case *v1alpha1.CloudAccount:
		if a.Spec.TLS == nil {
			return "", false, "", nil
		}
		if a.Spec.TLS.CABundleRef == nil {
			return "", a.Spec.TLS.InsecureSkipVerify, "", nil
		}
		bundle, version, err = valuefrom.Read(ctx, b.Reader, account.GetNamespace(), "spec.tls.caBundleRef", *a.Spec.TLS.CABundleRef)
		return bundle, false, version, asConfigError(err)
	default:
		return "", false, "", fmt.Errorf("%T is no account", account)
	}
}

// asConfigError turns what a reference waits for into what is wrong with the account. Other errors stay as they are.
func asConfigError(err error) error {
	if wait := (*external.WaitError)(nil); errors.As(err, &wait) {
		return &ConfigError{Waiting: !wait.Stalled, Message: wait.Message}
	}
	return err
}

// build makes the session. The function is told when the cloud's rate limits have changed.
func (b *Builder) build(key Key, account Object, in *inputs, limitsChanged func()) (*Session, error) {
	spec := account.AccountSpec()
	endpoints, err := b.endpoints(spec.Endpoints)
	if err != nil {
		return nil, err
	}
	config := cloudclient.Config{
		Account:            metricsName(key),
		Region:             spec.Region,
		ProjectID:          spec.ProjectID,
		ProjectName:        spec.ProjectName,
		Credentials:        in.credentials,
		Endpoints:          endpoints,
		RootCAs:            in.roots,
		InsecureSkipVerify: in.insecure,
		Policy:             b.Policy,
		Metrics:            b.Metrics,
		UserAgent:          b.UserAgent,
		Clock:              b.Clock,
		LimitsChanged:      limitsChanged,
	}
	if spec.RateLimit != nil {
		config.RateLimit = cloudclient.RateLimit{RequestsPerSecond: float64(spec.RateLimit.RequestsPerSecond), Burst: int(spec.RateLimit.Burst)}
		if config.RateLimit.Burst == 0 {
			config.RateLimit.Burst = int(spec.RateLimit.RequestsPerSecond)
		}
	}
	cloud, err := cloudclient.New(config)
	if err != nil {
		return nil, &ConfigError{Message: clouderr.UserMessage(err)}
	}
	return &Session{Cloud: cloud, Version: in.version, EnterpriseProjectID: spec.EnterpriseProjectID}, nil
}

// endpoints checks the overrides against the policy.
func (b *Builder) endpoints(e *v1alpha1.Endpoints) (map[cloudclient.Service]string, error) {
	if e == nil {
		return map[cloudclient.Service]string{}, nil
	}
	all := map[cloudclient.Service]v1alpha1.EndpointURL{
		cloudclient.IAM: e.IAM, cloudclient.ServiceStage: e.ServiceStage, cloudclient.CSE: e.CSE, cloudclient.VPC: e.VPC,
	}
	checked := map[cloudclient.Service]string{}
	var problems []string
	for service, url := range all {
		if url == "" {
			continue
		}
		if err := b.Policy.Check(string(url)); err != nil {
			problems = append(problems, fmt.Sprintf("spec.endpoints.%s: %s", service, clouderr.UserMessage(err)))
			continue
		}
		checked[service] = string(url)
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return nil, &ConfigError{Message: strings.Join(problems, "; ")}
	}
	return checked, nil
}

// version identifies what a client was made of.
func version(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write([]byte(part + "\n"))
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}
