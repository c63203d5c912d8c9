// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package vpc

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
)

// answering returns a client of a server that gives one answer, and the lines of the requests it got.
func answering(t *testing.T, status int, body string) (*Client, *[]string) {
	t.Helper()
	var lines []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines = append(lines, r.Method+" "+r.URL.RequestURI())
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	policy, err := endpoint.NewPolicy([]string{"http://127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := cloudclient.New(cloudclient.Config{
		Region: "ap-southeast-3", ProjectID: "p1", Policy: policy,
		Credentials: cloudclient.Credentials{AccessKey: "AK", SecretKey: "SK"},
		Endpoints:   map[cloudclient.Service]string{cloudclient.VPC: server.URL},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	return New(cloud), &lines
}

func TestGetVPC(t *testing.T) {
	client, lines := answering(t, 200, `{"vpc":{"id":"v1","name":"vpc-demo","cidr":"10.0.0.0/16","description":null,
		"status":"OK","enterprise_project_id":"0","routes":[]}}`)
	got, err := client.GetVPC(t.Context(), "v1")
	if err != nil {
		t.Fatal(err)
	}
	want := &VPC{ID: "v1", Name: "vpc-demo", CIDR: "10.0.0.0/16", Status: "OK", EnterpriseProjectID: "0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("VPC (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"GET /v1/p1/vpcs/v1"}, *lines); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestGetSubnet(t *testing.T) {
	client, lines := answering(t, 200, `{"subnet":{"id":"s1","name":"subnet-1","cidr":"10.0.1.0/24","cidr_v6":null,
		"gateway_ip":"10.0.1.1","vpc_id":"v1","status":"ACTIVE","dnsList":["100.125.1.250"],"dhcp_enable":true,
		"availability_zone":"az1","neutron_network_id":"s1"}}`)
	got, err := client.GetSubnet(t.Context(), "s1")
	if err != nil {
		t.Fatal(err)
	}
	want := &Subnet{
		ID: "s1", Name: "subnet-1", CIDR: "10.0.1.0/24", GatewayIP: "10.0.1.1", VPCID: "v1", Status: "ACTIVE", AvailabilityZone: "az1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("subnet (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"GET /v1/p1/subnets/s1"}, *lines); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestFailures(t *testing.T) {
	tests := []struct {
		status int
		body   string
		want   clouderr.Class
	}{
		{404, `{"code":"VPC.0003","message":"VPC does not exist."}`, clouderr.NotFound},
		{404, `{"code":"VPC.0202","message":"Subnet does not exist."}`, clouderr.NotFound},
		{404, `{"error_code":"APIGW.0101","error_msg":"The API does not exist"}`, clouderr.Invalid},
		{404, ``, clouderr.Transient},
		{403, `{"code":"VPC.2701","message":"Token not allowed to do this action."}`, clouderr.Forbidden},
		{400, `{"code":"VPC.0007","message":"urlTenantId is not equal tokenTenantId"}`, clouderr.Invalid},
		{401, `{"code":"VPC.0008","message":"Invalid token in the header."}`, clouderr.Unauthorized},
		{200, `{}`, clouderr.Transient},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, tt.body), func(t *testing.T) {
			client, _ := answering(t, tt.status, tt.body)
			if _, err := client.GetVPC(t.Context(), "v1"); !clouderr.Is(err, tt.want) {
				t.Errorf("GetVPC: %v, want class %s", err, tt.want)
			}
			client, _ = answering(t, tt.status, tt.body)
			if _, err := client.GetSubnet(t.Context(), "s1"); !clouderr.Is(err, tt.want) {
				t.Errorf("GetSubnet: %v, want class %s", err, tt.want)
			}
		})
	}
}

func TestIDsThatChangeThePath(t *testing.T) {
	client, lines := answering(t, 200, `{}`)
	for _, id := range []string{"", ".", "..", "a/b", "a?b", "a b"} {
		if _, err := client.GetVPC(t.Context(), id); !clouderr.Is(err, clouderr.Invalid) {
			t.Errorf("GetVPC(%q) = %v, want class Invalid", id, err)
		}
		if _, err := client.GetSubnet(t.Context(), id); !clouderr.Is(err, clouderr.Invalid) {
			t.Errorf("GetSubnet(%q) = %v, want class Invalid", id, err)
		}
	}
	if len(*lines) != 0 {
		t.Errorf("%d requests were sent: %v", len(*lines), *lines)
	}
}
