// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package vpc looks networks up through the VPC service's V1 API, for what the creation of an engine needs to know.
//
// Errors are of the classes of package clouderr; NotFound is the service's own word for a network that does not exist.
package vpc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/wire"
)

// Client calls the VPC service for one account. It is safe for concurrent use.
type Client struct{ cloud *cloudclient.Client }

// New returns a client that calls through cloud.
func New(cloud *cloudclient.Client) *Client { return &Client{cloud: cloud} }

// VPC is a virtual private cloud.
type VPC struct {
	ID, Name, CIDR      string
	Description         string
	EnterpriseProjectID string
	// Status is "CREATING", "OK" or "ERROR".
	Status string
}

// Subnet is a subnet of a VPC. Its ID is also the network id that other services ask for.
type Subnet struct {
	ID, Name    string
	CIDR        string
	CIDRV6      string
	GatewayIP   string
	VPCID       string
	Description string
	// Status is "ACTIVE", "UNKNOWN" or "ERROR".
	Status           string
	AvailabilityZone string
}

// GetVPC returns the VPC with the id (GET /v1/{project_id}/vpcs/{vpc_id}).
func (c *Client) GetVPC(ctx context.Context, id string) (*VPC, error) {
	var out struct {
		VPC struct {
			ID                  wire.Text `json:"id"`
			Name                wire.Text `json:"name"`
			CIDR                wire.Text `json:"cidr"`
			Description         wire.Text `json:"description"`
			EnterpriseProjectID wire.Text `json:"enterprise_project_id"`
			Status              wire.Text `json:"status"`
		} `json:"vpc"`
	}
	if err := c.get(ctx, "GetVPC", "VPC", "/v1/{project_id}/vpcs/", id, &out); err != nil {
		return nil, err
	}
	got := out.VPC
	if got.ID == "" {
		return nil, garbage("GetVPC")
	}
	return &VPC{
		ID: string(got.ID), Name: string(got.Name), CIDR: string(got.CIDR), Description: string(got.Description),
		EnterpriseProjectID: string(got.EnterpriseProjectID), Status: string(got.Status),
	}, nil
}

// GetSubnet returns the subnet with the id (GET /v1/{project_id}/subnets/{subnet_id}).
func (c *Client) GetSubnet(ctx context.Context, id string) (*Subnet, error) {
	var out struct {
		Subnet struct {
			ID               wire.Text `json:"id"`
			Name             wire.Text `json:"name"`
			CIDR             wire.Text `json:"cidr"`
			CIDRV6           wire.Text `json:"cidr_v6"`
			GatewayIP        wire.Text `json:"gateway_ip"`
			VPCID            wire.Text `json:"vpc_id"`
			Description      wire.Text `json:"description"`
			Status           wire.Text `json:"status"`
			AvailabilityZone wire.Text `json:"availability_zone"`
		} `json:"subnet"`
	}
	if err := c.get(ctx, "GetSubnet", "subnet", "/v1/{project_id}/subnets/", id, &out); err != nil {
		return nil, err
	}
	got := out.Subnet
	if got.ID == "" {
		return nil, garbage("GetSubnet")
	}
	return &Subnet{
		ID: string(got.ID), Name: string(got.Name), CIDR: string(got.CIDR), CIDRV6: string(got.CIDRV6),
		GatewayIP: string(got.GatewayIP), VPCID: string(got.VPCID), Description: string(got.Description),
		Status: string(got.Status), AvailabilityZone: string(got.AvailabilityZone),
	}, nil
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

func (c *Client) get(ctx context.Context, operation, what, path, id string, out any) error {
	if !idPattern.MatchString(id) {
		return clouderr.New(clouderr.Invalid, "%s id %.80q is not an id (1 to 64 letters, digits, hyphens and underscores)", what, id)
	}
	err := c.cloud.Do(ctx, cloudclient.Request{
		Operation: operation, Service: cloudclient.VPC, Method: http.MethodGet, Path: path + url.PathEscape(id), Out: out,
	})
	var failure *clouderr.Error
	// Each module of the service has its own code for what is missing. None of them is about anything but the id.
	if errors.As(err, &failure) && failure.Status == http.StatusNotFound && strings.HasPrefix(failure.Code, "VPC.") {
		missing := *failure
		missing.Class = clouderr.NotFound
		return &missing
	}
	return err
}

func garbage(operation string) error {
	return &clouderr.Error{
		Class: clouderr.Transient, Service: string(cloudclient.VPC), Operation: operation,
		Message: "the cloud's reply holds no id",
	}
}
