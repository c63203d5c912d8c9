// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package connection finds the way to an engine that a KieConfig names: its addresses, the login, and whom to trust; or
// the cloud's gateway.
package connection

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/cse"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/cloudclient/kie"
	"servicestage.dev/operator/internal/controller/internal/items"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/valuefrom"
)

// Finder finds connections.
type Finder struct {
	Accounts *account.Resolver
	// Client reads engines from the cache.
	Client client.Client
	// Policy says which addresses in a spec may be called.
	Policy *endpoint.Policy
	// Metrics count the calls to engines.
	Metrics   *cloudclient.Metrics
	UserAgent string
	// Clock of the calls to engines; the system's where nil.
	Clock cloudclient.Clock
	// ParallelWrites is how many items of an engine are written at once; items.Parallel where 0.
	ParallelWrites int
}

// Connection is a way to an engine, before it is opened.
type Connection struct {
	// ID of the engine, as status has it.
	ID string
	// Label names the engine in metrics.
	Label string
	// Key is the same where calls would be: addresses, versions of credentials, trust.
	Key string
	// Open makes the connection. It calls nobody.
	Open func() (items.Store, error)
	// secret names where the password is from; "" where there is none.
	secret string
	// address to name where it cannot be reached.
	address string
}

// Find finds out how the engine is reached. It reads Secrets and ConfigMaps through live, and returns an
// *external.WaitError while something is missing.
func (k Finder) Find(ctx context.Context, live client.Reader, obj *v1alpha1.KieConfig, purpose external.Purpose) (*Connection, error) {
	if obj.Spec.Endpoint != nil {
		return k.toEndpoint(ctx, live, obj)
	}
	engine, err := k.engine(ctx, obj)
	if err != nil {
		return nil, err
	}
	if why := unavailable(engine); why != "" {
		return nil, waitFor(external.WaitForReference, external.NotReady, false, "spec.engineRef: MicroserviceEngine %q cannot be used: %s", engine.Name, why)
	}
	if obj.Spec.Access == v1alpha1.KieAccessGateway {
		return k.throughGateway(ctx, obj, engine, purpose)
	}
	return k.toEngine(ctx, live, obj, engine)
}

func (k Finder) engine(ctx context.Context, obj *v1alpha1.KieConfig) (*v1alpha1.MicroserviceEngine, error) {
	if obj.Spec.EngineRef == nil {
		return nil, clouderr.New(clouderr.Invalid, "spec: set engineRef or endpoint")
	}
	engine := &v1alpha1.MicroserviceEngine{}
	err := k.Client.Get(ctx, types.NamespacedName{Namespace: obj.Namespace, Name: obj.Spec.EngineRef.Name}, engine)
	if apierrors.IsNotFound(err) {
		return nil, waitFor(external.WaitForReference, external.NotFound, false,
			"spec.engineRef: there is no MicroserviceEngine %q in namespace %s; create it, or create a new KieConfig that names another", obj.Spec.EngineRef.Name, obj.Namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("spec.engineRef: %w", err)
	}
	return engine, nil
}

// toEngine connects to the addresses of an engine that the cloud told.
func (k Finder) toEngine(ctx context.Context, live client.Reader, obj *v1alpha1.KieConfig, engine *v1alpha1.MicroserviceEngine) (*Connection, error) {
	at := engine.Status.Endpoints
	config := kie.Config{
		KieAddresses:           addresses(at.Kie, at.PublicKie),
		ServiceCenterAddresses: addresses(at.ServiceCenter, at.PublicServiceCenter),
	}
	var err error
	if config.Policy, err = k.Policy.Told(slices.Concat(config.KieAddresses, config.ServiceCenterAddresses)); err != nil {
		return nil, clouderr.New(clouderr.Invalid, "spec.engineRef: MicroserviceEngine %q: %s", engine.Name, clouderr.UserMessage(err))
	}
	if len(config.KieAddresses) == 0 {
		return nil, waitFor(external.WaitForReference, external.NotReady, false, "spec.engineRef: MicroserviceEngine %q has no address of a configuration center yet", engine.Name)
	}
	c := &Connection{ID: engine.Status.ID, Label: engine.Namespace + "/" + engine.Name, address: config.KieAddresses[0]}
	source := passwordSource{field: "spec.authSecretRef"}
	authType := cmp.Or(engine.Status.AuthType, string(engine.Spec.AuthType))
	switch root := engine.Spec.RootPasswordSecretRef; {
	case obj.Spec.AuthSecretRef != nil:
		source.name = obj.Spec.AuthSecretRef.Name
	case authType != string(v1alpha1.EngineAuthRBAC):
	case root != nil:
		source = passwordSource{
			field: fmt.Sprintf("spec.rootPasswordSecretRef of MicroserviceEngine %q", engine.Name),
			name:  root.Name, key: root.Key, username: kie.DefaultUsername,
		}
	default:
		return nil, waitFor(external.WaitForCredentials, external.NotFound, true,
			"spec.authSecretRef: MicroserviceEngine %q asks for a login and its spec.rootPasswordSecretRef names no Secret; name one with the keys username and password", engine.Name)
	}
	return k.direct(ctx, live, obj, c, config, source)
}

// addresses lists those of both entry points, the ones in the VPC first.
func addresses(points ...v1alpha1.EngineEntryPoint) []string {
	var all []string
	for _, p := range points {
		all = append(all, cse.EntryPoint(p).Addresses()...)
	}
	return all
}

// toEndpoint connects to addresses that a user wrote: only those that the operator's flag allows.
func (k Finder) toEndpoint(ctx context.Context, live client.Reader, obj *v1alpha1.KieConfig) (*Connection, error) {
	at := obj.Spec.Endpoint
	for _, address := range []struct{ field, url string }{
		{"spec.endpoint.kie", at.Kie},
		{"spec.endpoint.serviceCenter", at.ServiceCenter},
	} {
		if address.url == "" {
			continue
		}
		if err := k.Policy.Check(address.url); err != nil {
			return nil, clouderr.New(clouderr.Invalid, "%s: %s", address.field, clouderr.UserMessage(err))
		}
	}
	config := kie.Config{KieAddresses: []string{at.Kie}, Policy: k.Policy}
	source := passwordSource{field: "spec.authSecretRef"}
	if obj.Spec.AuthSecretRef != nil {
		config.ServiceCenterAddresses = []string{at.ServiceCenter}
		source.name = obj.Spec.AuthSecretRef.Name
	}
	c := &Connection{ID: at.Kie, Label: at.Kie, address: at.Kie}
	if parsed, err := url.Parse(at.Kie); err == nil {
		c.Label = parsed.Host
	}
	return k.direct(ctx, live, obj, c, config, source)
}

// passwordSource is the Secret that a password is from. Without a key it is one with the keys username and password.
type passwordSource struct {
	field, name, key, username string
}

// direct completes a connection that goes straight to addresses.
func (k Finder) direct(ctx context.Context, live client.Reader, obj *v1alpha1.KieConfig, c *Connection, config kie.Config, source passwordSource) (*Connection, error) {
	config.Account, config.UserAgent, config.Metrics, config.Clock = c.Label, k.UserAgent, k.Metrics, k.Clock
	version := ""
	if source.name != "" {
		if err := valuefrom.CheckName(source.field, "Secret", source.name); err != nil {
			return nil, err
		}
		secret := &corev1.Secret{}
		err := live.Get(ctx, types.NamespacedName{Namespace: obj.Namespace, Name: source.name}, secret)
		if apierrors.IsNotFound(err) {
			return nil, waitFor(external.WaitForCredentials, external.NotFound, false, "%s: there is no Secret %q in namespace %s", source.field, source.name, obj.Namespace)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: read Secret %s/%s: %w", source.field, obj.Namespace, source.name, err)
		}
		key := cmp.Or(source.key, "password")
		config.Username = cmp.Or(source.username, strings.TrimSpace(string(secret.Data["username"])), kie.DefaultUsername)
		config.Password = string(secret.Data[key])
		if config.Password == "" {
			return nil, waitFor(external.WaitForCredentials, external.NotFound, false, "%s: Secret %q has no key %q, or it is empty", source.field, source.name, key)
		}
		version = fmt.Sprintf("%s/%s/%s", secret.UID, secret.ResourceVersion, key)
		c.secret = fmt.Sprintf("Secret %q (%s)", source.name, source.field)
	}
	trust, err := trust(ctx, live, obj, &config)
	if err != nil {
		return nil, err
	}
	c.Key = hash("engine", c.ID, strings.Join(config.KieAddresses, " "), strings.Join(config.ServiceCenterAddresses, " "), config.Username, version, trust)
	c.Open = func() (items.Store, error) {
		opened, err := kie.New(config)
		if err != nil {
			return nil, err
		}
		return items.NewEngine(opened, cmp.Or(k.ParallelWrites, items.Parallel)), nil
	}
	return c, nil
}

// trust fills in what the engine's certificate is checked by, and returns a text that identifies it.
func trust(ctx context.Context, live client.Reader, obj *v1alpha1.KieConfig, config *kie.Config) (string, error) {
	if obj.Spec.TLS == nil {
		return "", nil
	}
	config.InsecureSkipVerify = obj.Spec.TLS.InsecureSkipVerify
	if obj.Spec.TLS.CABundleRef == nil {
		return fmt.Sprint(config.InsecureSkipVerify), nil
	}
	bundle, _, err := valuefrom.Read(ctx, live, obj.Namespace, "spec.tls.caBundleRef", *obj.Spec.TLS.CABundleRef)
	if err != nil {
		return "", err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM([]byte(bundle)) {
		return "", clouderr.New(clouderr.Invalid, "spec.tls.caBundleRef: it holds no PEM certificate")
	}
	return fmt.Sprint(config.InsecureSkipVerify, " ", hash(bundle)), nil
}

// throughGateway connects by import and export.
func (k Finder) throughGateway(ctx context.Context, obj *v1alpha1.KieConfig, engine *v1alpha1.MicroserviceEngine, purpose external.Purpose) (*Connection, error) {
	session, err := k.Accounts.Resolve(ctx, obj.Namespace, obj.Spec.AccountRef, purpose)
	if err != nil {
		return nil, err
	}
	return &Connection{
		ID: engine.Status.ID, Label: engine.Namespace + "/" + engine.Name,
		// An account whose credentials change has another client.
		Key: hash("gateway", engine.Status.ID, engine.Status.EnterpriseProjectID, session.Version),
		Open: func() (items.Store, error) {
			return items.NewGateway(cse.New(session.Cloud), engine.Status.EnterpriseProjectID, engine.Status.ID), nil
		},
	}, nil
}

// Gone says whether the engine that held an object's items is gone, or will go with all that is in it.
func (k Finder) Gone(ctx context.Context, obj *v1alpha1.KieConfig) (bool, error) {
	if obj.Spec.EngineRef == nil {
		return false, nil
	}
	engine, err := k.engine(ctx, obj)
	var wait *external.WaitError
	if errors.As(err, &wait) {
		return false, nil // nobody can say what became of it
	}
	if err != nil {
		return false, err
	}
	spec := engine.Spec.ResourceSpec
	goes := !engine.DeletionTimestamp.IsZero() && spec.DeletionPolicy != v1alpha1.DeletionPolicyOrphan && spec.ManagementPolicy != v1alpha1.ManagementPolicyObserve
	replaced := obj.Status.ID != "" && engine.Status.ID != "" && engine.Status.ID != obj.Status.ID
	return goes || replaced || missing(engine), nil
}

// unavailable says why an engine cannot be called now; "" where it can.
func unavailable(e *v1alpha1.MicroserviceEngine) string {
	const available = "Available"
	switch {
	case !e.DeletionTimestamp.IsZero():
		return "it is being deleted"
	case e.Status.EngineStatus == available && e.Status.Endpoints != nil && e.Status.ID != "":
		return ""
	}
	if ready := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Message != "" {
		return ready.Message
	}
	return fmt.Sprintf("its status is %q", e.Status.EngineStatus)
}

// missing says whether the cloud was seen not to have the engine.
func missing(engine *v1alpha1.MicroserviceEngine) bool {
	for _, c := range engine.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady && c.Reason == v1alpha1.ReasonNotFound {
			return engine.Status.ID == ""
		}
	}
	return false
}

// Explain says of an error of the connection what can be done about it. A refused password is waited for: it is not
// tried again.
func (c *Connection) Explain(err error, deleting bool) error {
	var failure *clouderr.Error
	switch {
	case c.Refuses(err):
		return c.Refused()
	case c.address == "" || !errors.As(err, &failure) || !errors.Is(err, cloudclient.ErrNotSent):
		return err
	}
	explained := *failure
	if strings.Contains(failure.Message, "certificate") {
		explained.Message = fmt.Sprintf("spec.tls: %s (%s)", failure.Message, c.address)
	} else {
		explained.Message = fmt.Sprintf("the engine cannot be reached at %s: %s; make the address reachable from the operator, or set spec.access: Gateway", c.address, failure.Message)
	}
	if deleting {
		explained.Message += "; spec.deletionPolicy: Orphan leaves the items in the engine"
	}
	return &explained
}

// Refused is what is waited for while a password is wrong.
func (c *Connection) Refused() error {
	return waitFor(external.WaitForCredentials, external.NotReady, true,
		"the engine refused the password in %s; it is not tried again, since three wrong logins lock the account: correct the Secret", c.secret)
}

// Unrefused says whether there is a login that the engine has not refused: refused holds the Key of the one that it did.
func (c *Connection) Unrefused(refused string) error {
	if c.secret != "" && refused == c.Key {
		return c.Refused()
	}
	return nil
}

// Refuses says whether an error is the refusal of the connection's login.
func (c *Connection) Refuses(err error) bool {
	return c.secret != "" && clouderr.Is(err, clouderr.Unauthorized)
}

func waitFor(cause external.WaitCause, reason external.WaitReason, stalled bool, format string, args ...any) error {
	return &external.WaitError{Cause: cause, Reason: reason, Stalled: stalled, Message: fmt.Sprintf(format, args...)}
}

// hash identifies its parts.
func hash(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(sum, "%d %s\n", len(part), part) // a hash.Hash never returns an error
	}
	return hex.EncodeToString(sum.Sum(nil)[:12])
}
