// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
)

// environment is a record of API reference 5.1.
type environment struct {
	meta
	Description         string                `json:"description"`
	EnterpriseProjectID string                `json:"enterprise_project_id"`
	DeployMode          string                `json:"deploy_mode"`
	VPCID               string                `json:"vpc_id"`
	Creator             string                `json:"creator"`
	Labels              []label               `json:"labels"`
	Resources           []environmentResource `json:"resources"`
}

// environmentResource is a cloud resource that an environment uses.
type environmentResource struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

var (
	deployModes = []string{"virtualmachine", "container", "mixed"}
	// resourceTypes are those of table 5-35 and then the newer ones.
	resourceTypes = []string{
		"eip", "elb", "cce", "ecs", "as", "cse", "dcs", "rds", "nacos", "ms_gateway", "subnet", "acl",
	}
)

func (s *serviceStage) installEnvironments(g *registry) {
	const all, one = "/v3/{project_id}/cas/environments", "/v3/{project_id}/cas/environments/{environment_id}"
	g.handle(http.MethodPost, all, s.createEnvironment)
	g.handle(http.MethodGet, all, s.listEnvironments)
	g.handle(http.MethodGet, one, s.getEnvironment)
	g.handle(http.MethodPut, one, s.updateEnvironment)
	g.handle(http.MethodDelete, one, s.deleteEnvironment)
	g.handle(http.MethodPut, one+"/resources", s.updateEnvironmentResources)
	g.handle(http.MethodGet, one+"/resources", s.getEnvironmentResources)
}

type environmentInput struct {
	Name                *string       `json:"name"`
	DeployMode          *string       `json:"deploy_mode"`
	Description         *string       `json:"description"`
	EnterpriseProjectID *string       `json:"enterprise_project_id"`
	VPCID               *string       `json:"vpc_id"`
	Labels              *[]labelInput `json:"labels"`
}

// createEnvironment is 5.1.1.
func (s *serviceStage) createEnvironment(c *call) (reply, error) {
	var in environmentInput
	if err := c.decode(&in); err != nil {
		return reply{}, badParameter("%v.", err)
	}
	env, err := s.newEnvironment(c, in)
	if err != nil {
		return reply{}, err
	}
	if err := s.checkEnvironmentName(c, env.Name, ""); err != nil {
		return reply{}, err
	}
	if err := checkQuota(c.quirks, environmentsPath, s.environments.count(c.project())); err != nil {
		return reply{}, err
	}
	s.environments.put(env)
	return reply{status: http.StatusOK, body: environmentBody(env, viewChanged, c.quirks)}, nil
}

// newEnvironment validates the input of a create.
func (s *serviceStage) newEnvironment(c *call, in environmentInput) (*environment, error) {
	if in.Name == nil {
		return nil, badParameter("name is mandatory.")
	}
	if text(in.VPCID) == "" {
		return nil, badParameter("vpc_id is mandatory.")
	}
	// The mode of an environment that names none is not documented; mixed is what a public client sends.
	deployMode := "mixed"
	if text(in.DeployMode) != "" {
		deployMode = *in.DeployMode
	}
	labels, err := parseLabels(in.Labels, c.quirks.LabelRule)
	if err != nil {
		return nil, err
	}
	for _, err := range []error{
		checkName(*in.Name, c.quirks.EnvironmentNames),
		checkEnum("deploy_mode", deployMode, deployModes),
		checkLength("description", text(in.Description), maxDescriptionLength),
		checkLength("enterprise_project_id", text(in.EnterpriseProjectID), maxReferenceLength),
		checkLength("vpc_id", *in.VPCID, maxReferenceLength),
	} {
		if err != nil {
			return nil, err
		}
	}
	return &environment{
		meta:                s.created(c, *in.Name),
		Description:         text(in.Description),
		EnterpriseProjectID: orDefaultProject(text(in.EnterpriseProjectID)),
		DeployMode:          deployMode,
		VPCID:               *in.VPCID,
		Creator:             c.caller.account.creator(),
		Labels:              labels,
	}, nil
}

// checkEnvironmentName refuses a name that another environment of the project has; self is the one being renamed.
func (s *serviceStage) checkEnvironmentName(c *call, name, self string) error {
	for _, other := range s.environments.named(c.project(), name) {
		if other.ID != self && sameName(other.Name, name, c.quirks) {
			return &apiError{status: http.StatusBadRequest, code: "SVCSTG.00100449", message: "The environment name already exists."}
		}
	}
	return nil
}

// sameName compares names that are equal but for case.
func sameName(a, b string, quirks Quirks) bool { return a == b || !quirks.CaseSensitiveNames }

// listEnvironments is 5.1.2.
func (s *serviceStage) listEnvironments(c *call) (reply, error) {
	p, err := parsePaging(c.query, c.quirks)
	if err != nil {
		return reply{}, err
	}
	var records []*environment
	var total int
	if candidates, filtered := s.filterEnvironments(c); filtered {
		records, total = s.environments.pageOf(candidates, p)
	} else {
		records, total = s.environments.page(c.project(), p)
	}
	items := make([]any, len(records))
	for i, env := range records {
		items[i] = environmentBody(env, viewListItem, c.quirks)
	}
	return reply{status: http.StatusOK, body: map[string]any{"count": total, "environments": items}}, nil
}

// filterEnvironments returns the environments that the query's filters leave; false says that it has none. An id or a
// name is looked up rather than searched for.
func (s *serviceStage) filterEnvironments(c *call) ([]*environment, bool) {
	name, id, enterpriseProject := c.query.Get("name"), c.query.Get("environment_id"), c.query.Get("enterprise_project_id")
	var candidates []*environment
	switch {
	case id != "":
		if env, ok := s.environments.get(c.project(), id); ok {
			candidates = append(candidates, env)
		}
	case name != "" && !c.quirks.FuzzyNameFilter:
		candidates = s.environments.named(c.project(), name)
	case name != "" || enterpriseProject != "":
		candidates = s.environments.all(c.project())
	default:
		return nil, false
	}
	return slices.DeleteFunc(candidates, func(env *environment) bool {
		return !nameFits(env.Name, name, c.quirks) || enterpriseProject != "" && env.EnterpriseProjectID != enterpriseProject
	}), true
}

// nameFits applies the name filter.
func nameFits(name, filter string, quirks Quirks) bool {
	if quirks.FuzzyNameFilter {
		return strings.Contains(strings.ToLower(name), strings.ToLower(filter))
	}
	return filter == "" || strings.EqualFold(name, filter) && sameName(name, filter, quirks)
}

// environment returns the record that the path names.
func (s *serviceStage) environment(c *call) (*environment, error) {
	env, ok := s.environments.get(c.project(), c.params["environment_id"])
	if !ok {
		return nil, missingEnvironment(c.quirks)
	}
	return env, nil
}

// getEnvironment is 5.1.5.
func (s *serviceStage) getEnvironment(c *call) (reply, error) {
	env, err := s.environment(c)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: environmentBody(env, viewDetail, c.quirks)}, nil
}

// updateEnvironment is 5.1.4: name is mandatory, absent fields stay, labels [] clears. What the table does not list
// (vpc_id, deploy_mode, enterprise_project_id) is ignored.
func (s *serviceStage) updateEnvironment(c *call) (reply, error) {
	env, err := s.environment(c)
	if err != nil {
		return reply{}, err
	}
	var in environmentInput
	if err := c.decode(&in); err != nil {
		return reply{}, badParameter("%v.", err)
	}
	if in.Name == nil {
		return reply{}, badParameter("name is mandatory.")
	}
	labels, err := parseLabels(in.Labels, c.quirks.LabelRule)
	if err != nil {
		return reply{}, err
	}
	for _, err := range []error{
		checkName(*in.Name, c.quirks.EnvironmentNames),
		checkLength("description", text(in.Description), maxDescriptionLength),
		s.checkEnvironmentName(c, *in.Name, env.ID),
	} {
		if err != nil {
			return reply{}, err
		}
	}
	updated := s.environments.update(env, func(next *environment) {
		next.Name = *in.Name
		if in.Description != nil {
			next.Description = *in.Description
		}
		if labels != nil {
			next.Labels = labels
		}
	})
	body := environmentBody(updated, viewChanged, c.quirks)
	body["resources"] = orNull(shownResources(updated, c.quirks), c.quirks)
	return reply{status: http.StatusOK, body: body}, nil
}

// deleteEnvironment is 5.1.3; 409 while something is deployed in it.
func (s *serviceStage) deleteEnvironment(c *call) (reply, error) {
	env, err := s.environment(c)
	if err != nil {
		return reply{}, err
	}
	if s.state.inUse(environmentsPath, env.ID) {
		return reply{}, &apiError{status: http.StatusConflict, code: "SVCSTG.00100426", message: "The environment is in use."}
	}
	s.environments.remove(env.ID)
	return reply{status: http.StatusNoContent}, nil
}

type resourceInput struct {
	ID   *string `json:"id"`
	Name *string `json:"name"`
	Type *string `json:"type"`
}

// updateEnvironmentResources is 5.1.6.
func (s *serviceStage) updateEnvironmentResources(c *call) (reply, error) {
	env, err := s.environment(c)
	if err != nil {
		return reply{}, err
	}
	var in struct {
		Resources *[]resourceInput `json:"resources"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, badParameter("%v.", err)
	}
	if in.Resources == nil {
		return reply{}, badParameter("resources is mandatory.")
	}
	var resources []environmentResource
	if c.quirks.AddResources {
		resources = slices.Clone(env.Resources)
	}
	for i, item := range *in.Resources {
		resource, err := parseResource(fmt.Sprintf("resources[%d]", i), item)
		if err != nil {
			return reply{}, err
		}
		resources = putResource(resources, resource)
	}
	updated := s.environments.update(env, func(next *environment) { next.Resources = resources })
	return reply{status: http.StatusOK, body: resourcesBody(updated, c.quirks)}, nil
}

func parseResource(field string, in resourceInput) (environmentResource, error) {
	if text(in.ID) == "" {
		return environmentResource{}, badParameter("%s.id is mandatory.", field)
	}
	if text(in.Type) == "" {
		return environmentResource{}, badParameter("%s.type is mandatory.", field)
	}
	for _, err := range []error{
		checkLength(field+".id", *in.ID, maxReferenceLength),
		checkLength(field+".name", text(in.Name), maxReferenceLength),
		checkEnum(field+".type", *in.Type, resourceTypes),
	} {
		if err != nil {
			return environmentResource{}, err
		}
	}
	return environmentResource{ID: *in.ID, Name: text(in.Name), Type: *in.Type}, nil
}

// putResource keeps the list free of repetitions: the same type and id is the same resource.
func putResource(resources []environmentResource, resource environmentResource) []environmentResource {
	i := slices.IndexFunc(resources, func(r environmentResource) bool { return r.ID == resource.ID && r.Type == resource.Type })
	if i < 0 {
		return append(resources, resource)
	}
	resources[i] = resource
	return resources
}

// getEnvironmentResources is 5.1.7.
func (s *serviceStage) getEnvironmentResources(c *call) (reply, error) {
	env, err := s.environment(c)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: resourcesBody(env, c.quirks)}, nil
}

func resourcesBody(env *environment, quirks Quirks) map[string]any {
	return map[string]any{"resources": orNull(shownResources(env, quirks), quirks)}
}

// environmentBody renders an environment; only the detail and the answer of an update carry resources.
func environmentBody(env *environment, v view, quirks Quirks) map[string]any {
	body := commonFields(&env.meta, env.Description, env.EnterpriseProjectID, env.Creator)
	body["deploy_mode"], body["vpc_id"] = env.DeployMode, env.VPCID
	addLabels(body, env.Labels, v, quirks)
	if v == viewDetail {
		resources := shownResources(env, quirks)
		if quirks.DetailListsVPC {
			resources = append(resources, environmentResource{ID: env.VPCID, Type: "vpc"})
		}
		body["resources"] = orNull(resources, quirks)
	}
	return body
}

// shownResources returns the resources as the cloud shows them: without names and in an order of its own, unless the
// switches say otherwise. That order is the same on every read, and not that of the request where there are two or more.
func shownResources(env *environment, quirks Quirks) []environmentResource {
	shown := slices.Clone(env.Resources)
	if !quirks.KeepResourceNames {
		for i := range shown {
			shown[i].Name = ""
		}
	}
	if quirks.KeepResourceOrder || len(shown) < 2 {
		return shown
	}
	slices.SortStableFunc(shown, func(a, b environmentResource) int {
		return cmp.Compare(rank(a), rank(b))
	})
	if shown[0].ID == env.Resources[0].ID && shown[0].Type == env.Resources[0].Type {
		slices.Reverse(shown)
	}
	return shown
}

func rank(r environmentResource) uint32 {
	h := fnv.New32a()
	// Writes to a hash never fail.
	_, _ = h.Write([]byte(r.Type + "/" + r.ID))
	return h.Sum32()
}
