// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cse

import (
	"encoding/json"
	"strings"

	"servicestage.dev/operator/internal/cloudclient/wire"
)

// The states of engines. A state that is not among them is one of something in progress.
const (
	StatusCreating      = "Creating"
	StatusAvailable     = "Available"
	StatusUnavailable   = "Unavailable"
	StatusDeleting      = "Deleting"
	StatusDeleted       = "Deleted"
	StatusUpgrading     = "Upgrading"
	StatusModifying     = "Modifying"
	StatusCreateFailed  = "CreateFailed"
	StatusDeleteFailed  = "DeleteFailed"
	StatusUpgradeFailed = "UpgradeFailed"
	StatusModifyFailed  = "ModifyFailed"
	StatusFreezed       = "Freezed"
)

var engineStatuses = []string{
	StatusCreating, StatusAvailable, StatusUnavailable, StatusDeleting, StatusDeleted, StatusUpgrading, StatusModifying,
	StatusCreateFailed, StatusDeleteFailed, StatusUpgradeFailed, StatusModifyFailed, StatusFreezed,
}

// The ways in which an engine knows its users.
const (
	AuthRBAC = "RBAC"
	AuthNone = "NONE"
)

// SpecTypeCSE2 is the kind of engine that this package creates.
const SpecTypeCSE2 = "CSE2"

// Engine is an engine as the cloud reports it (API reference 7.3.2 and 7.3.4).
type Engine struct {
	ID, Name string
	// Alias is the name that is shown, which unlike Name can be changed.
	Alias, Description    string
	ProjectID             string
	EnterpriseProjectID   string
	EnterpriseProjectName string
	// Type is "CSE", "CSE_SHARE" and others, SpecType "CSE2" and others.
	Type, SpecType string
	Flavor         string
	// Payment is "0" for a prepaid engine, "1" on demand and "2" free of charge.
	Payment string
	// AuthType is "RBAC" or "NONE".
	AuthType string
	// Status is one of the states of engines, or one that is not known.
	Status                 string
	Version, LatestVersion string
	// Default says whether it is the project's default engine.
	Default    bool
	CreateUser string
	// CreateTime is milliseconds since the epoch.
	CreateTime  int64
	LatestJobID int64
	// AdditionalActions are what the cloud offers to do with the engine, for example "Retry".
	AdditionalActions []string
	// ExternalAddress is the engine's address in its VPC, PublicAddress the one on the internet.
	ExternalAddress, PublicAddress string
	// ServiceCenter and Kie are reached from the VPC, PublicServiceCenter and PublicKie from the internet.
	ServiceCenter, Kie, PublicServiceCenter, PublicKie EntryPoint
	// The numbers of instances are part of lists; the detail lacks them.
	TotalInstances, UsedInstances, AvailableInstances int64

	Reference Reference
}

// EntryPoint is the base URLs of a part of an engine, for example "https://192.168.0.169:30110". Absent ones are empty.
type EntryPoint struct {
	Master, MasterIPv6, Slave, SlaveIPv6 string
}

// Addresses returns the URLs in the order in which they are best tried.
func (e EntryPoint) Addresses() []string {
	var addresses []string
	for _, address := range []string{e.Master, e.Slave, e.MasterIPv6, e.SlaveIPv6} {
		if address != "" {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// Reference is what an engine was created with, and what its flavor allows. The cloud does not keep the order of AZList
// and adds to Inputs.
type Reference struct {
	VPC, VPCID, NetworkID                   string
	SubnetCIDR, SubnetCIDRV6, SubnetGateway string
	PublicIPID                              string
	AZList                                  []string
	ServiceLimit, InstanceLimit             int64
	Inputs                                  map[string]string
}

// endpointsJSON are the addresses of an engine, at the top of list items and inside a member of details.
type endpointsJSON struct {
	ExternalAddress       wire.Text    `json:"externalAddress"`
	PublicAddress         wire.Text    `json:"publicAddress"`
	ServiceEndpoint       serviceEntry `json:"serviceEndpoint"`
	PublicServiceEndpoint serviceEntry `json:"publicServiceEndpoint"`
}

// serviceEntry is the entry points by the names of their services.
type serviceEntry map[string]EntryPoint

func (s *serviceEntry) UnmarshalJSON(data []byte) error {
	*s = nil
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return nil // absent, null or "" while the engine is created
	}
	*s = serviceEntry{}
	for name, member := range members {
		// Members match in any case: masterEntryPoint is documented, masterEntrypoint is sent.
		var entry struct {
			Master     wire.Text `json:"masterEntrypoint"`
			MasterIPv6 wire.Text `json:"masterEntrypointIpv6"`
			Slave      wire.Text `json:"slaveEntrypoint"`
			SlaveIPv6  wire.Text `json:"slaveEntrypointIpv6"`
		}
		if json.Unmarshal(member, &entry) == nil {
			(*s)[strings.ToLower(name)] = EntryPoint{
				Master: string(entry.Master), MasterIPv6: string(entry.MasterIPv6), Slave: string(entry.Slave), SlaveIPv6: string(entry.SlaveIPv6),
			}
		}
	}
	return nil
}

// find returns the first entry point that has an address.
func find(entries []serviceEntry, names ...string) EntryPoint {
	for _, name := range names {
		for _, entry := range entries {
			if point := entry[strings.ToLower(name)]; point != (EntryPoint{}) {
				return point
			}
		}
	}
	return EntryPoint{}
}

type engineJSON struct {
	ID                    wire.Text            `json:"id"`
	Name                  wire.Text            `json:"name"`
	Alias                 wire.Text            `json:"alias"`
	Description           wire.Text            `json:"description"`
	ProjectID             wire.Text            `json:"projectId"`
	EnterpriseProjectID   wire.Text            `json:"enterpriseProjectId"`
	EnterpriseProjectName wire.Text            `json:"enterpriseProjectName"`
	Type                  wire.Text            `json:"type"`
	SpecType              wire.Text            `json:"specType"`
	Flavor                wire.Text            `json:"flavor"`
	Payment               wire.Text            `json:"payment"`
	AuthType              wire.Text            `json:"authType"`
	Status                wire.Text            `json:"status"`
	Version               wire.Text            `json:"version"`
	LatestVersion         wire.Text            `json:"latestVersion"`
	Default               wire.Boolean         `json:"beDefault"`
	CreateUser            wire.Text            `json:"createUser"`
	CreateTime            wire.Millis          `json:"createTime"`
	LatestJobID           wire.Integer         `json:"latestJobId"`
	AdditionalActions     wire.List[wire.Text] `json:"engineAdditionalActions"`
	TotalInstances        wire.Integer         `json:"totalInstance"`
	UsedInstances         wire.Integer         `json:"usedInstance"`
	AvailableInstances    wire.Integer         `json:"availableInstance"`
	Reference             *referenceJSON       `json:"reference"`
	endpointsJSON
	Nested *endpointsJSON `json:"externalEntrypoint"`
}

type referenceJSON struct {
	VPC           wire.Text            `json:"vpc"`
	VPCID         wire.Text            `json:"vpcId"`
	NetworkID     wire.Text            `json:"networkId"`
	SubnetCIDR    wire.Text            `json:"subnetCidr"`
	SubnetCIDRV6  wire.Text            `json:"subnetCidrV6"`
	SubnetGateway wire.Text            `json:"subnetGateway"`
	PublicIPID    wire.Text            `json:"publicIpId"`
	AZList        wire.List[wire.Text] `json:"azList"`
	ServiceLimit  wire.Integer         `json:"serviceLimit"`
	InstanceLimit wire.Integer         `json:"instanceLimit"`
	Inputs        wire.Texts           `json:"inputs"`
}

// UnmarshalJSON reads an engine from a list or a detail.
func (e *Engine) UnmarshalJSON(data []byte) error {
	var read engineJSON
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	*e = Engine{
		ID: string(read.ID), Name: string(read.Name), Alias: string(read.Alias), Description: string(read.Description),
		ProjectID: string(read.ProjectID), EnterpriseProjectID: string(read.EnterpriseProjectID),
		EnterpriseProjectName: string(read.EnterpriseProjectName), Type: string(read.Type), SpecType: string(read.SpecType),
		Flavor: string(read.Flavor), Payment: string(read.Payment), AuthType: strings.ToUpper(string(read.AuthType)),
		Status: spelled(string(read.Status), engineStatuses), Version: string(read.Version), LatestVersion: string(read.LatestVersion),
		Default: bool(read.Default), CreateUser: string(read.CreateUser), CreateTime: int64(read.CreateTime),
		LatestJobID: int64(read.LatestJobID), AdditionalActions: wire.Strings(read.AdditionalActions),
		TotalInstances: int64(read.TotalInstances), UsedInstances: int64(read.UsedInstances), AvailableInstances: int64(read.AvailableInstances),
	}
	e.readEndpoints(read)
	if from := read.Reference; from != nil {
		e.Reference = Reference{
			VPC: string(from.VPC), VPCID: string(from.VPCID), NetworkID: string(from.NetworkID), SubnetCIDR: string(from.SubnetCIDR),
			SubnetCIDRV6: string(from.SubnetCIDRV6), SubnetGateway: string(from.SubnetGateway), PublicIPID: string(from.PublicIPID),
			AZList: wire.Strings(from.AZList), ServiceLimit: int64(from.ServiceLimit), InstanceLimit: int64(from.InstanceLimit),
			Inputs: from.Inputs,
		}
	}
	return nil
}

// readEndpoints takes every address from where it is: replies have been seen that nest some and not others.
func (e *Engine) readEndpoints(read engineJSON) {
	places := []endpointsJSON{read.endpointsJSON}
	if read.Nested != nil {
		places = append([]endpointsJSON{*read.Nested}, places...)
	}
	var inner, public []serviceEntry
	for _, place := range places {
		if e.ExternalAddress == "" {
			e.ExternalAddress = string(place.ExternalAddress)
		}
		if e.PublicAddress == "" {
			e.PublicAddress = string(place.PublicAddress)
		}
		inner = append(inner, place.ServiceEndpoint)
		public = append(public, place.PublicServiceEndpoint)
	}
	e.ServiceCenter, e.Kie = find(inner, "serviceCenter"), find(inner, "kie", "configCenter")
	e.PublicServiceCenter, e.PublicKie = find(public, "serviceCenter"), find(public, "kie", "configCenter")
}

// spelled returns the known word that a word is but for its case, or the word.
func spelled(word string, known []string) string {
	for _, candidate := range known {
		if strings.EqualFold(word, candidate) {
			return candidate
		}
	}
	return word
}
