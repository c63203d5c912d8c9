// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cse

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/wire"
)

const (
	enginePage = 100
	// maxRestarts is how often a list is read again from its start because it changed under way.
	maxRestarts = 3
)

// ListEngines yields the engines of all enterprise projects that the account may see (7.3.2), each once. An error ends
// the list; one of class Transient also says that the list was incomplete.
//
// The list is paged by its total, because a list of one engine returns it at the offsets 0 and 1. Where the total
// changes between two pages, engines may have moved past the reader, and the list is read again.
func (c *Client) ListEngines(ctx context.Context) iter.Seq2[*Engine, error] {
	return func(yield func(*Engine, error) bool) {
		seen := map[string]bool{}
		for restarts := 0; restarts <= maxRestarts; restarts++ {
			settled, more, err := c.readEngines(ctx, func(engine *Engine) bool {
				if seen[engine.ID] {
					return true
				}
				seen[engine.ID] = true
				return yield(engine, nil)
			})
			if err != nil {
				yield(nil, err)
			}
			if settled || !more || err != nil {
				return
			}
		}
		yield(nil, incomplete("the cloud's list of engines does not settle: its total changed %d times", maxRestarts+1))
	}
}

// readEngines reads the list once. It is not settled where the total changed, and there is no more to come where the
// caller has had enough.
func (c *Client) readEngines(ctx context.Context, yield func(*Engine) bool) (settled, more bool, err error) {
	total, seen := 0, map[string]bool{}
	for offset := 0; ; offset += enginePage {
		var out struct {
			Total *wire.Integer `json:"total"`
			Data  *[]*Engine    `json:"data"`
		}
		if err := c.cloud.Do(ctx, cloudclient.Request{
			Operation: "ListEngines", Service: cloudclient.CSE, Method: http.MethodGet, Path: enginesPath, Out: &out,
			Query: url.Values{"type": {"CSE"}, "limit": {strconv.Itoa(enginePage)}, "offset": {strconv.Itoa(offset)}},
		}); err != nil {
			return false, false, err
		}
		if out.Total == nil && out.Data == nil {
			return false, false, garbage("ListEngines", "list")
		}
		var engines []*Engine
		if out.Data != nil {
			engines = slices.DeleteFunc(*out.Data, func(e *Engine) bool { return e == nil || e.ID == "" })
		}
		count := len(engines)
		if out.Total != nil {
			count = int(*out.Total)
		}
		if offset > 0 && count != total {
			return false, true, nil
		}
		total = count
		before := len(seen)
		for _, engine := range engines {
			seen[engine.ID] = true
			if !yield(engine) {
				return true, false, nil
			}
		}
		switch {
		case len(seen) >= total:
			return true, true, nil
		case len(seen) == before:
			return false, false, incomplete("the cloud's list of engines is incomplete: %d of %d", len(seen), total)
		}
	}
}

func incomplete(format string, args ...any) error {
	failure := clouderr.New(clouderr.Transient, format, args...)
	failure.Service, failure.Operation = string(cloudclient.CSE), "ListEngines"
	return failure
}

// Flavor is a size of engines.
type Flavor struct {
	// Name is what a creation names, for example "cse.s1.small2".
	Name        string
	Description string
}

// ListFlavors returns the flavors of a kind of engines, for example of "CSE2" (7.3.1).
func (c *Client) ListFlavors(ctx context.Context, enterpriseProjectID, specType string) ([]Flavor, error) {
	if enterpriseProjectID != "" {
		if err := checkID("enterprise project", enterpriseProjectID); err != nil {
			return nil, err
		}
	}
	var out struct {
		Data *wire.List[struct {
			Flavor      wire.Text `json:"flavor"`
			Description wire.Text `json:"description"`
		}] `json:"data"`
	}
	const operation = "ListFlavors"
	if err := c.cloud.Do(ctx, cloudclient.Request{
		Operation: operation, Service: cloudclient.CSE, Method: http.MethodGet, Path: flavorsPath,
		Query: url.Values{"specType": {specType}}, Header: enterpriseProject(enterpriseProjectID), Out: &out,
	}); err != nil {
		return nil, err
	}
	if out.Data == nil {
		return nil, garbage(operation, "list")
	}
	var flavors []Flavor
	for _, one := range *out.Data {
		if one.Flavor != "" {
			flavors = append(flavors, Flavor{Name: string(one.Flavor), Description: string(one.Description)})
		}
	}
	return flavors, nil
}

// EngineCreate is what an engine is created with (table 7-38). Empty optional fields are left out. It is printed without
// the password.
type EngineCreate struct {
	// Name has 3 to 24 letters, digits and hyphens, starts with a letter and does not end in a hyphen.
	Name        string
	Description string
	// Payment is "1", on demand, where empty.
	Payment string
	Flavor  string
	AZList  []string
	// AuthType is "RBAC" or "NONE".
	AuthType string
	// VPC is the VPC's name, VPCID its id; NetworkID is the subnet's id and SubnetCIDR its range.
	VPC, VPCID, NetworkID, SubnetCIDR string
	// SpecType is "CSE2" where empty.
	SpecType   string
	PublicIPID string
	Inputs     map[string]string
	// RootPassword is the password of the engine's account "root", mandatory with RBAC.
	RootPassword string
}

type engineCreateJSON struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Payment     string            `json:"payment"`
	Flavor      string            `json:"flavor"`
	AZList      []string          `json:"azList"`
	AuthType    string            `json:"authType"`
	VPC         string            `json:"vpc"`
	VPCID       string            `json:"vpcId"`
	NetworkID   string            `json:"networkId"`
	SubnetCIDR  string            `json:"subnetCidr"`
	SpecType    string            `json:"specType"`
	PublicIPID  string            `json:"publicIpId,omitempty"`
	AuthCred    *authCredJSON     `json:"auth_cred,omitempty"`
	Inputs      map[string]string `json:"inputs,omitempty"`
}

type authCredJSON struct {
	Password string `json:"pwd"`
}

func (e EngineCreate) body() engineCreateJSON {
	body := engineCreateJSON{
		Name: e.Name, Description: e.Description, Payment: cmp.Or(e.Payment, "1"), Flavor: e.Flavor, AZList: e.AZList,
		AuthType: e.AuthType, VPC: e.VPC, VPCID: e.VPCID, NetworkID: e.NetworkID, SubnetCIDR: e.SubnetCIDR,
		SpecType: cmp.Or(e.SpecType, SpecTypeCSE2), PublicIPID: e.PublicIPID, Inputs: e.Inputs,
	}
	if body.AZList == nil {
		body.AZList = []string{}
	}
	if e.RootPassword != "" {
		body.AuthCred = &authCredJSON{Password: e.RootPassword}
	}
	return body
}

// Format keeps the password out of everything that prints a creation.
func (e EngineCreate) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "cse.EngineCreate{Name: %q, Flavor: %q, AuthType: %q}", e.Name, e.Flavor, e.AuthType)
}

// LogValue keeps the password out of log/slog.
func (e EngineCreate) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(e)) }

// EngineJob is what the cloud answers to a change that it makes in the background. JobID is 0 where it does not tell;
// the engine's LatestJobID is the same.
type EngineJob struct {
	ID, Name string
	JobID    int64
}

type engineJobJSON struct {
	ID       wire.Text    `json:"id"`
	Name     wire.Text    `json:"name"`
	JobID    wire.Integer `json:"jobId"`
	JobIDToo wire.Integer `json:"job_id"`
}

func (j engineJobJSON) export() *EngineJob {
	return &EngineJob{ID: string(j.ID), Name: string(j.Name), JobID: int64(cmp.Or(j.JobID, j.JobIDToo))}
}

// CreateEngine starts the creation of an engine (7.3.3). The class is Exists where the name is taken and Quota where the
// account may have no more. There is no idempotency token: after a Transient error the engine may be on its way, and a
// list tells.
func (c *Client) CreateEngine(ctx context.Context, enterpriseProjectID string, create EngineCreate) (*EngineJob, error) {
	const operation = "CreateEngine"
	if enterpriseProjectID != "" {
		if err := checkID("enterprise project", enterpriseProjectID); err != nil {
			return nil, err
		}
	}
	var out engineJobJSON
	if err := c.cloud.Do(ctx, cloudclient.Request{
		Operation: operation, Service: cloudclient.CSE, Method: http.MethodPost, Path: enginesPath,
		Header: enterpriseProject(enterpriseProjectID), Body: create.body(), Out: &out, Sensitive: []string{create.RootPassword},
	}); err != nil {
		return nil, err
	}
	if out.ID == "" {
		return nil, garbage(operation, "id")
	}
	return out.export(), nil
}

// GetEngine returns an engine (7.3.4). The class is NotFound only where it is gone for certain.
func (c *Client) GetEngine(ctx context.Context, enterpriseProjectID, id string) (*Engine, error) {
	const operation = "GetEngine"
	engine := target{enterpriseProjectID, id}
	var out Engine
	if err := c.about(ctx, engine, cloudclient.Request{
		Operation: operation, Method: http.MethodGet, Path: engine.path(""), Out: &out,
	}); err != nil {
		return nil, err
	}
	if out.ID == "" {
		return nil, garbage(operation, "id")
	}
	return &out, nil
}

// EngineUpdate is what can be changed without a job. A nil pointer keeps what is there. The cloud does not clear a
// description.
type EngineUpdate struct {
	Description *string `json:"description,omitempty"`
	Alias       *string `json:"alias,omitempty"`
}

// UpdateEngine changes an engine's description and alias.
func (c *Client) UpdateEngine(ctx context.Context, enterpriseProjectID, id string, update EngineUpdate) error {
	engine := target{enterpriseProjectID, id}
	return c.about(ctx, engine, cloudclient.Request{
		Operation: "UpdateEngine", Method: http.MethodPut, Path: engine.path(""), Body: update,
	})
}

// DeleteEngine starts the deletion of an engine (7.3.5). The class is Busy where the engine cannot be deleted in the
// state that it is in, and NotFound where it is gone already.
func (c *Client) DeleteEngine(ctx context.Context, enterpriseProjectID, id string) (*EngineJob, error) {
	return c.change(ctx, "DeleteEngine", http.MethodDelete, target{enterpriseProjectID, id}, "", nil)
}

// ActionRetry repeats the job of an engine that failed, with the same job id.
const ActionRetry = "Retry"

// EngineAction makes the cloud do one of the engine's AdditionalActions, for example ActionRetry.
func (c *Client) EngineAction(ctx context.Context, enterpriseProjectID, id, action string) error {
	engine := target{enterpriseProjectID, id}
	return c.about(ctx, engine, cloudclient.Request{
		Operation: "EngineAction", Method: http.MethodPut, Path: engine.path("/actions"),
		Body: struct {
			Action string `json:"action"`
		}{action},
	})
}

// ResizeEngine starts the change of an engine's flavor.
func (c *Client) ResizeEngine(ctx context.Context, enterpriseProjectID, id, flavor string, inputs map[string]string) (*EngineJob, error) {
	return c.change(ctx, "ResizeEngine", http.MethodPut, target{enterpriseProjectID, id}, "/resize", struct {
		Flavor string            `json:"flavor"`
		Inputs map[string]string `json:"inputs,omitempty"`
	}{flavor, inputs})
}

// UpgradeEngine starts the upgrade of an engine to a version, for example its LatestVersion.
func (c *Client) UpgradeEngine(ctx context.Context, enterpriseProjectID, id, version string) (*EngineJob, error) {
	return c.change(ctx, "UpgradeEngine", http.MethodPut, target{enterpriseProjectID, id}, "/upgrade", struct {
		Version string `json:"version"`
	}{version})
}

// SetAuthType starts the change of how an engine knows its users, "RBAC" or "NONE".
func (c *Client) SetAuthType(ctx context.Context, enterpriseProjectID, id, authType string) (*EngineJob, error) {
	return c.change(ctx, "SetAuthType", http.MethodPut, target{enterpriseProjectID, id}, "/config", struct {
		AuthType string `json:"authType"`
	}{authType})
}

// change starts a job on an engine.
func (c *Client) change(ctx context.Context, operation, method string, engine target, below string, body any) (*EngineJob, error) {
	var out engineJobJSON
	if err := c.about(ctx, engine, cloudclient.Request{
		Operation: operation, Method: method, Path: engine.path(below), Body: body, Out: &out,
	}); err != nil {
		return nil, err
	}
	job := out.export()
	job.ID = cmp.Or(job.ID, engine.id)
	return job, nil
}
