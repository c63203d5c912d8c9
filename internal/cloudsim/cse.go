// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Collections of CSE.
const (
	enginesPath    = "cse/engines"
	engineJobsPath = "cse/jobs"
	itemsPath      = "cse/items"
)

const headerEnterpriseProject = "X-Enterprise-Project-ID"

// cse is the management of exclusive microservice engines (API reference 7.3) and the gateway's import and export
// (7.2). What runs inside an engine is package kie.
type cse struct {
	state        *state
	random       *random
	clock        Clock
	taskDuration time.Duration
	quirks       func() Quirks
	outcomes     *outcomes
	flavors      *engineFlavors
	network      *vpcs
	hosts        *engineHosts
	engines      *collection[engine, *engine]
	jobs         *collection[engineJob, *engineJob]
	// lastJob is the number of the last job; jobs of all engines share it.
	lastJob int64
}

// firstJob is the number before the first job.
const firstJob = 12000

func newCSE(server *Server) *cse {
	st := server.state
	s := &cse{
		state: st, random: server.random, clock: server.clock, taskDuration: server.options.EngineTaskDuration, quirks: server.Quirks,
		outcomes: server.outcomes, flavors: server.flavors, network: server.network, hosts: server.hosts,
		engines: newCollection[engine](st, enginesPath, nil),
		jobs:    newCollection[engineJob](st, engineJobsPath, (*engineJob).references),
		lastJob: firstJob,
	}
	s.engines.changed = s.hosts.follow
	st.collections[itemsPath] = &engineItems{cse: s}
	return s
}

func (s *cse) install(g *registry) {
	const engines = "/v2/{project_id}/enginemgr/engines"
	g.handle(http.MethodGet, "/v2/{project_id}/enginemgr/flavors", s.listFlavors)
	g.handle(http.MethodGet, "/v2/{project_id}/enginemgr/quotas", s.listQuotas)
	g.handle(http.MethodGet, engines, s.listEngines)
	g.handle(http.MethodPost, engines, s.createEngine)
	g.handle(http.MethodGet, engines+"/{engine_id}", s.getEngine)
	g.handle(http.MethodPut, engines+"/{engine_id}", s.updateEngine)
	g.handle(http.MethodDelete, engines+"/{engine_id}", s.deleteEngine)
	g.handle(http.MethodGet, engines+"/{engine_id}/jobs/{job_id}", s.getEngineJob)
	g.handle(http.MethodPut, engines+"/{engine_id}/actions", s.actOnEngine)
	g.handle(http.MethodPut, engines+"/{engine_id}/resize", s.resizeEngine)
	g.handle(http.MethodPut, engines+"/{engine_id}/upgrade", s.upgradeEngine)
	g.handle(http.MethodPut, engines+"/{engine_id}/config", s.configureEngine)
	g.handle(http.MethodPost, "/v1/{project_id}/kie/file", s.importItems)
	g.handle(http.MethodPost, "/v1/{project_id}/kie/download", s.exportItems)
}

// engineError is a refusal with one of the codes of 12.3.
func engineError(status int, number, message string) *apiError {
	return &apiError{status: status, code: "SVCSTG." + number, message: message, shape: shapeEngine}
}

func engineRefusal(number, format string, args ...any) *apiError {
	return engineError(http.StatusBadRequest, number, fmt.Sprintf(format, args...))
}

// badEngineParameter is the answer to input that no code of its own speaks of: 12.3 has only SVCSTG.00500400, with
// status 500; see Quirks.EngineBadParameter.
func badEngineParameter(quirks Quirks, format string, args ...any) *apiError {
	status := http.StatusInternalServerError
	if quirks.EngineBadParameter == "badRequest" {
		status = http.StatusBadRequest
	}
	return engineError(status, "00500400", "Incorrect parameter. "+fmt.Sprintf(format, args...))
}

func missingEngine(quirks Quirks) *apiError {
	if quirks.MissingEngine == "unauthorized" {
		return engineError(http.StatusUnauthorized, "00501125", "The engine does not exist or you have no permission.")
	}
	return engineRefusal("00501116", "Failed to find the engine instance.")
}

// enterpriseProject is the header that must be the same on every call about one engine.
func (c *call) enterpriseProject() string {
	return orDefaultProject(c.request.Header.Get(headerEnterpriseProject))
}

// find returns the engine in the path, which another enterprise project's header hides.
func (s *cse) find(c *call, id string) (*engine, error) {
	found, ok := s.engines.get(c.project(), id)
	if !ok || (orDefaultProject(found.EnterpriseProjectID) != c.enterpriseProject() && !c.quirks.AnyEnterpriseProject) {
		return nil, missingEngine(c.quirks)
	}
	return found, nil
}

// EngineFlavor is a flavor of engines (7.3.1).
type EngineFlavor struct {
	Flavor      string `json:"flavor"`
	Description string `json:"description"`
	// SpecType is CSE2, Nacos2 or MicroGateway.
	SpecType string `json:"specType"`
	// Instances is how many microservice instances it carries, Services how many microservices.
	Instances int `json:"instances"`
	Services  int `json:"services"`
}

// The spec types of engines.
const (
	specCSE     = "CSE2"
	specNacos   = "Nacos2"
	specGateway = "MicroGateway"
)

// engineTypes is what an engine of a spec type is called.
var engineTypes = map[string]string{specCSE: "CSE", specNacos: "NACOS", specGateway: "MICROGATEWAY"}

// DefaultEngineFlavors returns the flavors that a simulator has until SetEngineFlavors; the numbers of Nacos engines and
// gateways are made up.
func DefaultEngineFlavors() []EngineFlavor {
	return []EngineFlavor{
		{"cse.s1.small2", "HA 100-instance engine", specCSE, 100, 100},
		{"cse.s1.medium2", "HA 200-instance engine", specCSE, 200, 200},
		{"cse.s1.large2", "HA 500-instance engine", specCSE, 500, 500},
		{"cse.s1.xlarge2", "HA 2000-instance engine", specCSE, 2000, 2000},
		{"cse.nacos2.c1.large.10", "Nacos, 10 capacity units", specNacos, 500, 500},
		{"cse.nacos2.c1.xlarge.20", "Nacos, 20 capacity units", specNacos, 1000, 1000},
		{"cse.microgateway.pro.small.1", "Gateway, small", specGateway, 100, 100},
		{"cse.microgateway.pro.medium.1", "Gateway, medium", specGateway, 200, 200},
		{"cse.microgateway.pro.large.1", "Gateway, large", specGateway, 500, 500},
	}
}

// engineFlavors is the list of flavors, the same for every project.
type engineFlavors struct {
	mu      sync.Mutex
	flavors []EngineFlavor
}

func newEngineFlavors() *engineFlavors { return &engineFlavors{flavors: DefaultEngineFlavors()} }

// set replaces the flavors; nil brings the defaults back.
func (f *engineFlavors) set(list []EngineFlavor) error {
	for i, flavor := range list {
		if flavor.Flavor == "" {
			return fmt.Errorf("flavors[%d].flavor: must be set", i)
		}
		if engineTypes[flavor.SpecType] == "" {
			return fmt.Errorf("flavors[%d].specType: unknown value %q, use CSE2, Nacos2 or MicroGateway", i, flavor.SpecType)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flavors = slices.Clone(list)
	if list == nil {
		f.flavors = DefaultEngineFlavors()
	}
	return nil
}

func (f *engineFlavors) list() []EngineFlavor {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.flavors)
}

// find returns a flavor of a spec type.
func (f *engineFlavors) find(specType, name string) (EngineFlavor, bool) {
	for _, flavor := range f.list() {
		if flavor.SpecType == specType && flavor.Flavor == name {
			return flavor, true
		}
	}
	return EngineFlavor{}, false
}

// listFlavors is 7.3.1; newer definitions write specType spec_type.
func (s *cse) listFlavors(c *call) (reply, error) {
	specType := c.query.Get("specType")
	if specType == "" {
		specType = c.query.Get("spec_type")
	}
	if specType != "" && engineTypes[specType] == "" {
		return reply{}, engineRefusal("00501134", "Invalid engine type: specType %q.", specType)
	}
	data := []map[string]any{}
	for _, flavor := range s.flavors.list() {
		if specType == "" || flavor.SpecType == specType {
			data = append(data, map[string]any{"flavor": flavor.Flavor, "description": flavor.Description})
		}
	}
	return reply{status: http.StatusOK, body: map[string]any{"total": len(data), "data": data}}, nil
}

// unlimitedEngines is the quota of a project that has none.
const unlimitedEngines = 10000

// listQuotas: the path and the form are those of the vendor's SDK, the type's name is inferred.
func (s *cse) listQuotas(c *call) (reply, error) {
	quota, limited := c.quirks.Quotas[enginesPath]
	if !limited {
		quota = unlimitedEngines
	}
	resources := []map[string]any{{"type": "cse", "used": s.engines.count(c.project()), "quota": quota}}
	return reply{status: http.StatusOK, body: map[string]any{"quotas": map[string]any{"resources": resources}}}, nil
}
