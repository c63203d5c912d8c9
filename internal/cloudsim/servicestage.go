// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Collections of ServiceStage.
const (
	environmentsPath   = "servicestage/environments"
	applicationsPath   = "servicestage/applications"
	configurationsPath = "servicestage/configurations"
	componentsPath     = "servicestage/components"
	releasesPath       = "servicestage/releases"
	jobsPath           = "servicestage/jobs"
)

const (
	defaultUnpagedLimit = 1000
	maxPageLimit        = 100
)

// serviceStage is ServiceStage V3 (API reference 5). Each collection has its file.
type serviceStage struct {
	state          *state
	random         *random
	clock          Clock
	taskDuration   time.Duration
	quirks         func() Quirks
	outcomes       *outcomes
	clusters       *clusters
	stacks         *runtimeStacks
	environments   *collection[environment, *environment]
	applications   *collection[application, *application]
	configurations *collection[configuration, *configuration]
	components     *collection[component, *component]
	releases       *collection[release, *release]
	jobs           *collection[job, *job]
}

func newServiceStage(server *Server) *serviceStage {
	st := server.state
	return &serviceStage{
		state:          st,
		random:         server.random,
		clock:          server.clock,
		taskDuration:   server.options.ComponentTaskDuration,
		quirks:         server.Quirks,
		outcomes:       server.outcomes,
		clusters:       server.clusters,
		stacks:         server.stacks,
		environments:   newCollection[environment](st, environmentsPath, nil),
		applications:   newCollection[application](st, applicationsPath, nil),
		configurations: newCollection[configuration](st, configurationsPath, (*configuration).references),
		components:     newCollection[component](st, componentsPath, (*component).references),
		releases:       newCollection[release](st, releasesPath, (*release).references),
		jobs:           newCollection[job](st, jobsPath, nil),
	}
}

func (s *serviceStage) install(g *registry) {
	s.installEnvironments(g)
	s.installApplications(g)
	s.installConfigurations(g)
	s.installComponents(g)
	s.installJobs(g)
	g.handle(http.MethodGet, "/v3/{project_id}/cas/runtimestacks", s.listRuntimeStacks)
}

// badParameter is the answer to input that the reference does not allow.
func badParameter(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "SVCSTG.00100400", message: "Invalid parameter. " + fmt.Sprintf(format, args...)}
}

// missing is the answer to an id that no record has; code is the documented one.
func missing(quirks Quirks, code, what string) *apiError {
	if quirks.MissingResource == "notFound" {
		return &apiError{status: http.StatusNotFound, code: code, message: what + " not found."}
	}
	return &apiError{status: http.StatusUnauthorized, code: "SVCSTG.00100401", message: what + " does not exist or you have no permission."}
}

func missingEnvironment(quirks Quirks) *apiError {
	return missing(quirks, "SVCSTG.00100411", "Environment")
}

func missingApplication(quirks Quirks) *apiError {
	return missing(quirks, "SVCSTG.00100403", "Application")
}

// checkQuota refuses a record too many. The answer is inferred: of the documented codes only SVCSTG.00100421 (405,
// "the account quota has been suspended") speaks of quota, so that is the default; see Quirks.QuotaError.
func checkQuota(quirks Quirks, path string, used int) error {
	quota, limited := quirks.Quotas[path]
	if !limited || used < quota {
		return nil
	}
	refused := &apiError{status: http.StatusMethodNotAllowed, code: "SVCSTG.00100421"}
	switch quirks.QuotaError {
	case "forbidden":
		refused.status = http.StatusForbidden
	case "badRequest":
		refused.status, refused.code = http.StatusBadRequest, "SVCSTG.00100400"
	}
	refused.message = fmt.Sprintf("The account quota is insufficient: %d of %d %s are used.", used, quota, path)
	return refused
}

// created fills in what the cloud gives a new record.
func (s *serviceStage) created(c *call, name string) meta {
	now := c.now.UnixMilli()
	return meta{ID: s.random.uuid(), Name: name, ProjectID: c.project(), CreateTime: now, UpdateTime: now}
}

// paging is what all V3 lists have in common.
type paging struct {
	limit, offset int
	orderBy       sortKey
	descending    bool
}

// parsePaging reads limit, offset, order_by and order. limit is 0 to 100 (0 is an empty page with the count); left
// out, it is one page of up to 1000. Unknown values of order_by and order take the defaults, as documented.
func parsePaging(query url.Values, quirks Quirks) (paging, error) {
	unpaged := quirks.UnpagedLimit
	if unpaged == 0 {
		unpaged = defaultUnpagedLimit
	}
	limit, err := intParameter(query, "limit", unpaged, maxPageLimit)
	if err != nil {
		return paging{}, err
	}
	offset, err := intParameter(query, "offset", 0, math.MaxInt32)
	if err != nil {
		return paging{}, err
	}
	p := paging{limit: limit, offset: offset, orderBy: byCreateTime, descending: query.Get("order") != "asc"}
	switch key := sortKey(query.Get("order_by")); key {
	case byName, byUpdateTime:
		p.orderBy = key
	case byCreateTime:
	}
	return p, nil
}

func intParameter(query url.Values, name string, absent, highest int) (int, error) {
	if !query.Has(name) {
		return absent, nil
	}
	n, err := strconv.Atoi(query.Get(name))
	if err != nil || n < 0 || n > highest {
		return 0, badParameter("%s must be an integer from 0 to %d.", name, highest)
	}
	return n, nil
}
