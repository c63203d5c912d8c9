// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"net/http/httptest"
	"testing"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/cloudclient/servicestage"
	"servicestage.dev/operator/internal/cloudsim"
)

const (
	accessKey     = "AKCONFORMANCE"
	secretKey     = "secret-of-conformance"
	securityToken = "token-of-a-temporary-key"
	projectID     = "00112233445566778899aabbccddeeff"
	region        = "ap-southeast-3"
	domainName    = "acme"
	username      = "bot"
	password      = "Passw0rd-of-bot"
)

// startSimulator serves a simulated cloud and returns it with its address.
func startSimulator(t *testing.T, change ...func(*cloudsim.Options)) (*cloudsim.Server, string) {
	t.Helper()
	options := cloudsim.Options{
		AccessKey: accessKey, SecretKey: secretKey, ProjectID: projectID, Region: region,
		DomainName: domainName, Username: username, Password: password,
	}
	for _, f := range change {
		f(&options)
	}
	simulator := cloudsim.New(options)
	server := httptest.NewServer(simulator.Handler())
	t.Cleanup(server.Close)
	return simulator, server.URL
}

func temporary(options *cloudsim.Options) { options.SecurityToken = securityToken }

// newClient returns our client for the simulator.
func newClient(t *testing.T, url string, credentials cloudclient.Credentials, project string) (*cloudclient.Client, *servicestage.Client) {
	t.Helper()
	policy, err := endpoint.NewPolicy([]string{"http://127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := cloudclient.New(cloudclient.Config{
		Account: "conformance/default", Region: region, ProjectID: project, Credentials: credentials, Policy: policy,
		Endpoints: map[cloudclient.Service]string{cloudclient.IAM: url, cloudclient.ServiceStage: url},
		RateLimit: cloudclient.RateLimit{RequestsPerSecond: 1000, Burst: 1000},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	return cloud, servicestage.New(cloud)
}

// countCalls returns how many cloud calls the simulator has seen.
func countCalls(simulator *cloudsim.Server) int { return len(simulator.Calls()) }

func pointer[T any](value T) *T { return &value }
