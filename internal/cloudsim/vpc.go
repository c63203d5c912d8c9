// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"net/http"
	"time"
)

// Collections of the VPC service.
const (
	vpcsPath    = "vpc/vpcs"
	subnetsPath = "vpc/subnets"
)

// The VPC and the subnet that the first account's project has from the start.
const (
	DefaultVPCID      = "00000000-0000-4000-8000-0000000000a1"
	DefaultVPCName    = "vpc-default"
	DefaultVPCCIDR    = "192.168.0.0/16"
	DefaultSubnetID   = "00000000-0000-4000-8000-0000000000b1"
	DefaultSubnetName = "subnet-default"
	DefaultSubnetCIDR = "192.168.0.0/24"
)

// vpcs is as much of the VPC service (v1) as engines need: look-ups. The admin API makes records.
type vpcs struct {
	state   *state
	project string
	vpcs    *collection[vpc, *vpc]
	subnets *collection[subnet, *subnet]
}

type vpc struct {
	meta
	CIDR                string `json:"cidr"`
	Description         string `json:"description"`
	Status              string `json:"status"`
	EnterpriseProjectID string `json:"enterprise_project_id"`
}

// subnet has the id that engines call networkId.
type subnet struct {
	meta
	VPCID            string `json:"vpc_id"`
	CIDR             string `json:"cidr"`
	CIDRv6           string `json:"cidr_v6"`
	GatewayIP        string `json:"gateway_ip"`
	Description      string `json:"description"`
	Status           string `json:"status"`
	AvailabilityZone string `json:"availability_zone"`
}

func newVPCs(server *Server) *vpcs {
	v := &vpcs{
		state:   server.state,
		project: server.options.ProjectID,
		vpcs:    newCollection[vpc](server.state, vpcsPath, nil),
		subnets: newCollection[subnet](server.state, subnetsPath, nil),
	}
	v.seed()
	return v
}

// seed stores the default VPC and subnet.
func (v *vpcs) seed() {
	now := v.state.nowMillis()
	header := func(id, name string) meta {
		return meta{ID: id, Name: name, ProjectID: v.project, CreateTime: now, UpdateTime: now}
	}
	v.vpcs.put(&vpc{meta: header(DefaultVPCID, DefaultVPCName), CIDR: DefaultVPCCIDR, Status: "OK", EnterpriseProjectID: "0"})
	v.subnets.put(&subnet{
		meta: header(DefaultSubnetID, DefaultSubnetName), VPCID: DefaultVPCID, CIDR: DefaultSubnetCIDR, GatewayIP: "192.168.0.1", Status: "ACTIVE",
	})
}

func (v *vpcs) install(g *registry) {
	g.handle(http.MethodGet, "/v1/{project_id}/vpcs", v.listVPCs)
	g.handle(http.MethodGet, "/v1/{project_id}/vpcs/{vpc_id}", v.getVPC)
	g.handle(http.MethodGet, "/v1/{project_id}/subnets", v.listSubnets)
	g.handle(http.MethodGet, "/v1/{project_id}/subnets/{subnet_id}", v.getSubnet)
}

func (v *vpcs) getVPC(c *call) (reply, error) {
	found, ok := v.vpcs.get(c.project(), c.params["vpc_id"])
	if !ok {
		return reply{}, &apiError{status: http.StatusNotFound, code: "VPC.0003", message: "VPC does not exist.", shape: shapeVPC}
	}
	return reply{status: http.StatusOK, body: map[string]any{"vpc": found.render()}}, nil
}

// getSubnet: the code of a subnet that does not exist is inferred.
func (v *vpcs) getSubnet(c *call) (reply, error) {
	found, ok := v.subnets.get(c.project(), c.params["subnet_id"])
	if !ok {
		return reply{}, &apiError{status: http.StatusNotFound, code: "VPC.0202", message: "Subnet does not exist.", shape: shapeVPC}
	}
	return reply{status: http.StatusOK, body: map[string]any{"subnet": found.render()}}, nil
}

func (v *vpcs) listVPCs(c *call) (reply, error) {
	id := c.query.Get("id")
	items, err := markerPage(c, v.vpcs, func(found *vpc) bool { return id == "" || found.ID == id }, (*vpc).render)
	return reply{status: http.StatusOK, body: map[string]any{"vpcs": items}}, err
}

func (v *vpcs) listSubnets(c *call) (reply, error) {
	id := c.query.Get("vpc_id")
	items, err := markerPage(c, v.subnets, func(found *subnet) bool { return id == "" || found.VPCID == id }, (*subnet).render)
	return reply{status: http.StatusOK, body: map[string]any{"subnets": items}}, err
}

// markerPage is what follows the record that marker names, in the order of creation; limit is 0 to 2000 (inferred).
func markerPage[T any, R record[T]](c *call, records *collection[T, R], fits func(R) bool, render func(R) map[string]any) ([]map[string]any, error) {
	limit, err := intParameter(c.query, "limit", 2000, 2000)
	if err != nil {
		return nil, &apiError{status: http.StatusBadRequest, code: "VPC.0002", message: "limit must be an integer from 0 to 2000.", shape: shapeVPC}
	}
	marker := c.query.Get("marker")
	passed := marker == ""
	items := []map[string]any{}
	for _, found := range records.all(c.project()) {
		if passed && fits(found) && len(items) < limit {
			items = append(items, render(found))
		}
		passed = passed || found.header().ID == marker
	}
	return items, nil
}

// vpcTime is the form of the times of VPC.
func vpcTime(millis int64) string { return time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05") }

func (v *vpc) render() map[string]any {
	return map[string]any{
		"id": v.ID, "name": v.Name, "description": v.Description, "cidr": v.CIDR, "status": v.Status, "routes": []any{},
		"enterprise_project_id": orDefaultProject(v.EnterpriseProjectID), "tenant_id": v.ProjectID,
		"created_at": vpcTime(v.CreateTime), "updated_at": vpcTime(v.UpdateTime),
	}
}

func (s *subnet) render() map[string]any {
	return map[string]any{
		"id": s.ID, "name": s.Name, "description": s.Description, "cidr": s.CIDR, "cidr_v6": s.CIDRv6, "gateway_ip": s.GatewayIP,
		"vpc_id": s.VPCID, "status": s.Status, "availability_zone": s.AvailabilityZone, "dhcp_enable": true, "dnsList": []string{},
		"neutron_network_id": s.ID, "neutron_subnet_id": derivedID("subnet", s.ID), "tenant_id": s.ProjectID,
		"created_at": vpcTime(s.CreateTime), "updated_at": vpcTime(s.UpdateTime),
	}
}
