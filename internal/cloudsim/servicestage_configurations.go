// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"net/http"
	"slices"
	"strings"
)

// configuration is the variables of one application in one environment (API reference 5.2.6 to 5.2.8). It goes with
// either of the two and holds back neither: only deployed instances make an environment "in use", only components an
// application "not empty" (table of error codes, 00100426 and 00100401).
type configuration struct {
	meta
	ApplicationID  string     `json:"application_id"`
	EnvironmentID  string     `json:"environment_id"`
	Env            []variable `json:"env"`
	AssignStrategy *bool      `json:"assign_strategy,omitempty"`
}

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (c *configuration) references() []reference {
	return []reference{
		{collection: applicationsPath, id: c.ApplicationID, owned: true},
		{collection: environmentsPath, id: c.EnvironmentID, owned: true},
	}
}

// configurationID is the id under which the admin API shows a configuration.
func configurationID(applicationID, environmentID string) string {
	return applicationID + ":" + environmentID
}

func (s *serviceStage) installConfigurations(g *registry) {
	const path = "/v3/{project_id}/cas/applications/{application_id}/configuration"
	g.handle(http.MethodGet, path, s.getConfiguration)
	g.handle(http.MethodPut, path, s.updateConfiguration)
	g.handle(http.MethodDelete, path, s.deleteConfiguration)
}

// getConfiguration is 5.2.6.
func (s *serviceStage) getConfiguration(c *call) (reply, error) {
	app, err := s.application(c)
	if err != nil {
		return reply{}, err
	}
	environmentID := c.query.Get("environment_id")
	var found []*configuration
	if environmentID != "" {
		if one, ok := s.configurations.get(c.project(), configurationID(app.ID, environmentID)); ok {
			found = append(found, one)
		}
	} else {
		for _, id := range s.state.referrerIDs(applicationsPath, app.ID, configurationsPath) {
			if one, ok := s.configurations.get(c.project(), id); ok {
				found = append(found, one)
			}
		}
		slices.SortFunc(found, func(a, b *configuration) int { return strings.Compare(a.ID, b.ID) })
	}
	items := make([]any, len(found))
	for i, one := range found {
		items[i] = configurationBody(one, c.quirks)
	}
	return reply{status: http.StatusOK, body: map[string]any{"configuration": orNull(items, c.quirks)}}, nil
}

type configurationInput struct {
	EnvironmentID *string `json:"environment_id"`
	Configuration *struct {
		Env *[]struct {
			Name  *string `json:"name"`
			Value *string `json:"value"`
		} `json:"env"`
		AssignStrategy *bool `json:"assign_strategy"`
	} `json:"configuration"`
}

// updateConfiguration is 5.2.7: it replaces the variables of one environment.
func (s *serviceStage) updateConfiguration(c *call) (reply, error) {
	app, err := s.application(c)
	if err != nil {
		return reply{}, err
	}
	var in configurationInput
	if err := c.decode(&in); err != nil {
		return reply{}, badParameter("%v.", err)
	}
	env, err := in.variables()
	if err != nil {
		return reply{}, err
	}
	if _, ok := s.environments.get(c.project(), *in.EnvironmentID); !ok {
		return reply{}, missingEnvironment(c.quirks)
	}
	id := configurationID(app.ID, *in.EnvironmentID)
	next, ok := s.configurations.get(c.project(), id)
	if !ok {
		next = &configuration{meta: s.created(c, ""), ApplicationID: app.ID, EnvironmentID: *in.EnvironmentID}
		next.ID = id
	}
	next = s.configurations.update(next, func(next *configuration) {
		next.Env, next.AssignStrategy = env, in.Configuration.AssignStrategy
	})
	return reply{status: http.StatusOK, body: configurationBody(next, c.quirks)}, nil
}

func (in configurationInput) variables() ([]variable, error) {
	if text(in.EnvironmentID) == "" {
		return nil, badParameter("environment_id is mandatory.")
	}
	if in.Configuration == nil {
		return nil, badParameter("configuration is mandatory.")
	}
	if in.Configuration.Env == nil {
		return nil, badParameter("configuration.env is mandatory.")
	}
	env := make([]variable, 0, len(*in.Configuration.Env))
	for i, v := range *in.Configuration.Env {
		if text(v.Name) == "" {
			return nil, badParameter("configuration.env[%d].name is mandatory.", i)
		}
		if v.Value == nil {
			return nil, badParameter("configuration.env[%d].value is mandatory.", i)
		}
		env = append(env, variable{*v.Name, *v.Value})
	}
	return env, nil
}

// deleteConfiguration is 5.2.8. Deleting what is not there is no error (inferred: 204 is all that fits the page).
func (s *serviceStage) deleteConfiguration(c *call) (reply, error) {
	app, err := s.application(c)
	if err != nil {
		return reply{}, err
	}
	environmentID := c.query.Get("environment_id")
	if environmentID == "" {
		return reply{}, badParameter("environment_id is mandatory.")
	}
	s.configurations.remove(configurationID(app.ID, environmentID))
	return reply{status: http.StatusNoContent}, nil
}

func configurationBody(one *configuration, quirks Quirks) map[string]any {
	inner := map[string]any{"env": orNull(one.Env, quirks)}
	if one.AssignStrategy != nil {
		inner["assign_strategy"] = *one.AssignStrategy
	}
	return map[string]any{"application_id": one.ApplicationID, "environment_id": one.EnvironmentID, "configuration": inner}
}
