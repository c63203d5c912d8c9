// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// ControlPlaneOptions says what control plane to start.
type ControlPlaneOptions struct {
	// Assets is the folder that holds the binaries; Assets() where left out.
	Assets string
	// CRDs are files or folders with CustomResourceDefinitions to install; config/crd/bases of the checkout where left
	// out.
	CRDs []string
	// NoCRDs leaves them out: they come with what is to be tested.
	NoCRDs bool
	// Workloads has Deployments make ReplicaSets and Pods, which StartNode runs.
	Workloads bool
	// Audit keeps a log of every request, for ControlPlane.Audit.
	Audit bool
	// Dir is where data, keys and logs go. A temporary folder, removed by Stop, where left out.
	Dir string
}

// ControlPlane is a real Kubernetes control plane without nodes: objects are stored, validated, garbage collected and
// their namespaces emptied; no Pod ever runs, unless StartNode runs the operator's.
type ControlPlane struct {
	// Config is an administrator's.
	Config *rest.Config
	// Kubeconfig is a file with the same access.
	Kubeconfig string
	// Dir holds the logs.
	Dir string

	auditLog string
	stack    Stack
}

// tokens of the two users that exist from the start. The servers listen on the loopback interface only and last as long
// as a test.
const (
	adminToken             = "admin-of-a-test-control-plane"
	controllerManagerToken = "controller-manager-of-a-test-control-plane"
)

// auditPolicy logs every request of everyone but the control plane itself, once, when it is answered.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: None
  users: [system:apiserver, system:kube-controller-manager]
- level: Metadata
`

// StartControlPlane starts etcd, kube-apiserver and kube-controller-manager and installs the CRDs. ctx bounds the start
// alone.
func StartControlPlane(ctx context.Context, o ControlPlaneOptions) (_ *ControlPlane, err error) {
	cp := &ControlPlane{Dir: o.Dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, cp.Stop())
		}
	}()
	if cp.Dir, err = cp.ownDir(o.Dir); err != nil {
		return nil, err
	}
	if o.Assets == "" {
		if o.Assets, err = Assets(ctx); err != nil {
			return nil, err
		}
	}
	if len(o.CRDs) == 0 {
		root, err := Root()
		if err != nil {
			return nil, err
		}
		o.CRDs = []string{filepath.Join(root, "config", "crd", "bases")}
	}
	ports, err := freePorts(ctx, 4)
	if err != nil {
		return nil, err
	}
	etcdURL, err := cp.startEtcd(ctx, o.Assets, ports[0], ports[1])
	if err != nil {
		return nil, err
	}
	if err := cp.startAPIServer(ctx, o, etcdURL, ports[2]); err != nil {
		return nil, err
	}
	if !o.NoCRDs {
		if _, err := envtest.InstallCRDs(cp.Config, envtest.CRDInstallOptions{Paths: o.CRDs, ErrorIfPathMissing: true}); err != nil {
			return nil, fmt.Errorf("installing the CRDs of %v: %w", o.CRDs, err)
		}
	}
	if err := cp.startControllerManager(ctx, o, ports[3]); err != nil {
		return nil, err
	}
	return cp, nil
}

// Stop ends everything and removes the temporary folder.
func (cp *ControlPlane) Stop() error { return cp.stack.Stop() }

func (cp *ControlPlane) ownDir(dir string) (string, error) {
	if dir != "" {
		return dir, os.MkdirAll(dir, 0o700)
	}
	dir, err := os.MkdirTemp("", "controlplane-")
	if err != nil {
		return "", err
	}
	cp.stack.Push(func() error { return os.RemoveAll(dir) })
	return dir, nil
}

func (cp *ControlPlane) startEtcd(ctx context.Context, assets string, port, peerPort int) (string, error) {
	url, peerURL := "http://"+loopback(port), "http://"+loopback(peerPort)
	p, err := startReady(ctx, command{
		name: "etcd", path: filepath.Join(assets, "etcd"), dir: cp.Dir,
		args: []string{
			"--data-dir=" + filepath.Join(cp.Dir, "etcd"),
			"--listen-client-urls=" + url, "--advertise-client-urls=" + url,
			"--listen-peer-urls=" + peerURL, "--initial-advertise-peer-urls=" + peerURL, "--initial-cluster=default=" + peerURL,
			"--unsafe-no-fsync", // nothing here outlives a crash of the machine
			"--log-level=warn",
		},
	}, probeHTTP(http.DefaultClient, url+"/health"))
	if err != nil {
		return "", err
	}
	cp.stack.Push(p.Stop)
	return url, nil
}

func (cp *ControlPlane) startAPIServer(ctx context.Context, o ControlPlaneOptions, etcdURL string, port int) error {
	if err := cp.writeAPIServerFiles(); err != nil {
		return err
	}
	url := "https://" + loopback(port)
	args := []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--cert-dir=" + cp.Dir, // a self-signed certificate is made here
		"--token-auth-file=" + cp.file("tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file=" + cp.file("service-account.key"),
		"--service-account-key-file=" + cp.file("service-account.key"),
		"--service-cluster-ip-range=10.0.0.0/24",
		"--endpoint-reconciler-type=none",
	}
	if o.Audit {
		cp.auditLog = cp.file("audit.jsonl")
		args = append(args, "--audit-policy-file="+cp.file("audit-policy.yaml"), "--audit-log-path="+cp.auditLog)
	}
	insecure := &http.Client{Transport: &http.Transport{TLSClientConfig: insecureTLS()}}
	p, err := startReady(ctx, command{
		name: "kube-apiserver", path: filepath.Join(o.Assets, "kube-apiserver"), dir: cp.Dir, args: args,
	}, probeHTTP(insecure, url+"/readyz"))
	if err != nil {
		return err
	}
	cp.stack.Push(p.Stop)

	ca, err := os.ReadFile(cp.file("apiserver.crt"))
	if err != nil {
		return err
	}
	cp.Config = &rest.Config{
		Host: url, BearerToken: adminToken, TLSClientConfig: rest.TLSClientConfig{CAData: ca},
		QPS: -1, // the server's own fairness is limit enough
	}
	cp.Kubeconfig, err = cp.writeKubeconfig("admin", adminToken)
	return err
}

func (cp *ControlPlane) writeAPIServerFiles() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	tokens := adminToken + ",admin,admin,system:masters\n" +
		controllerManagerToken + ",system:kube-controller-manager,kube-controller-manager,system:masters\n"
	return errors.Join(
		os.WriteFile(cp.file("service-account.key"), pemKey, 0o600),
		os.WriteFile(cp.file("tokens.csv"), []byte(tokens), 0o600),
		os.WriteFile(cp.file("audit-policy.yaml"), []byte(auditPolicy), 0o600),
	)
}

func (cp *ControlPlane) startControllerManager(ctx context.Context, o ControlPlaneOptions, port int) error {
	kubeconfig, err := cp.writeKubeconfig("kube-controller-manager", controllerManagerToken)
	if err != nil {
		return err
	}
	controllers := "namespace-controller,garbage-collector-controller,serviceaccount-controller,clusterrole-aggregation-controller"
	if o.Workloads {
		controllers += ",deployment-controller,replicaset-controller"
	}
	insecure := &http.Client{Transport: &http.Transport{TLSClientConfig: insecureTLS()}}
	p, err := startReady(ctx, command{
		name: "kube-controller-manager", path: filepath.Join(o.Assets, "kube-controller-manager"), dir: cp.Dir,
		args: []string{
			"--kubeconfig=" + kubeconfig,
			"--controllers=" + controllers,
			"--leader-elect=false",
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port), "--cert-dir=" + filepath.Join(cp.Dir, "kube-controller-manager"),
			"--kube-api-qps=200", "--kube-api-burst=400",
		},
	}, probeHTTP(insecure, fmt.Sprintf("https://%s/healthz", loopback(port))))
	if err != nil {
		return err
	}
	cp.stack.Push(p.Stop)
	return nil
}

// ServiceAccountKubeconfig returns a kubeconfig file with a service account's own access, good for a day.
func (cp *ControlPlane) ServiceAccountKubeconfig(ctx context.Context, namespace, name string) (string, error) {
	clients, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		return "", err
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64((24 * time.Hour).Seconds()))}}
	token, err := clients.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("a token for service account %s/%s: %w", namespace, name, err)
	}
	return cp.writeKubeconfig(namespace+"-"+name, token.Status.Token)
}

func (cp *ControlPlane) writeKubeconfig(user, token string) (string, error) {
	const name = "rig"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: cp.Config.Host, CertificateAuthorityData: cp.Config.CAData}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: user}
	config.CurrentContext = name
	path := cp.file(user + ".kubeconfig")
	return path, clientcmd.WriteToFile(*config, path)
}

func (cp *ControlPlane) file(name string) string { return filepath.Join(cp.Dir, name) }

// probeHTTP is ready once the URL answers 200.
func probeHTTP(client *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s: %s", url, resp.Status, body)
		}
		return nil
	}
}
