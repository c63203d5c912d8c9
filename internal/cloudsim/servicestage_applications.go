// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import "net/http"

// application is a record of API reference 5.2.
type application struct {
	meta
	Description         string  `json:"description"`
	EnterpriseProjectID string  `json:"enterprise_project_id"`
	Creator             string  `json:"creator"`
	Labels              []label `json:"labels"`
}

func (s *serviceStage) installApplications(g *registry) {
	const all, one = "/v3/{project_id}/cas/applications", "/v3/{project_id}/cas/applications/{application_id}"
	g.handle(http.MethodPost, all, s.createApplication)
	g.handle(http.MethodGet, all, s.listApplications)
	g.handle(http.MethodPut, one, s.updateApplication)
	g.handle(http.MethodDelete, one, s.deleteApplication)
	g.handle(http.MethodGet, one, s.getApplication)
}

type applicationInput struct {
	Name                *string       `json:"name"`
	Description         *string       `json:"description"`
	EnterpriseProjectID *string       `json:"enterprise_project_id"`
	Labels              *[]labelInput `json:"labels"`
}

// check validates what is there; labels come back parsed.
func (in applicationInput) check(quirks Quirks) ([]label, error) {
	labels, err := parseLabels(in.Labels, quirks.LabelRule)
	if err != nil {
		return nil, err
	}
	if in.Name != nil {
		if err := checkName(*in.Name, quirks.ApplicationNames); err != nil {
			return nil, err
		}
	}
	if err := checkLength("description", text(in.Description), maxDescriptionLength); err != nil {
		return nil, err
	}
	return labels, checkLength("enterprise_project_id", text(in.EnterpriseProjectID), maxReferenceLength)
}

// createApplication is 5.2.1.
func (s *serviceStage) createApplication(c *call) (reply, error) {
	var in applicationInput
	if err := c.decode(&in); err != nil {
		return reply{}, badParameter("%v.", err)
	}
	if in.Name == nil {
		return reply{}, badParameter("name is mandatory.")
	}
	labels, err := in.check(c.quirks)
	if err != nil {
		return reply{}, err
	}
	if err := s.checkApplicationName(c, *in.Name, ""); err != nil {
		return reply{}, err
	}
	if err := checkQuota(c.quirks, applicationsPath, s.applications.count(c.project())); err != nil {
		return reply{}, err
	}
	app := &application{
		meta:                s.created(c, *in.Name),
		Description:         text(in.Description),
		EnterpriseProjectID: orDefaultProject(text(in.EnterpriseProjectID)),
		Creator:             c.caller.account.creator(),
		Labels:              labels,
	}
	s.applications.put(app)
	// Table 5-48 has no component_count, alone of the four answers.
	return reply{status: http.StatusOK, body: s.applicationBody(app, viewChanged, c.quirks, false)}, nil
}

// checkApplicationName refuses a name that another application of the project has. The code is the one of the
// troubleshooting pages, its status 400 is inferred.
func (s *serviceStage) checkApplicationName(c *call, name, self string) error {
	for _, other := range s.applications.named(c.project(), name) {
		if other.ID != self && sameName(other.Name, name, c.quirks) {
			return &apiError{status: http.StatusBadRequest, code: "SVCSTG.00100458", message: "The application name already exists."}
		}
	}
	return nil
}

// listApplications is 5.2.2; it has no filters.
func (s *serviceStage) listApplications(c *call) (reply, error) {
	p, err := parsePaging(c.query, c.quirks)
	if err != nil {
		return reply{}, err
	}
	records, total := s.applications.page(c.project(), p)
	items := make([]any, len(records))
	for i, app := range records {
		items[i] = s.applicationBody(app, viewListItem, c.quirks, true)
	}
	return reply{status: http.StatusOK, body: map[string]any{"count": total, "applications": items}}, nil
}

// application returns the record that the path names.
func (s *serviceStage) application(c *call) (*application, error) {
	app, ok := s.applications.get(c.project(), c.params["application_id"])
	if !ok {
		return nil, missingApplication(c.quirks)
	}
	return app, nil
}

// getApplication is 5.2.5.
func (s *serviceStage) getApplication(c *call) (reply, error) {
	app, err := s.application(c)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: s.applicationBody(app, viewDetail, c.quirks, true)}, nil
}

// updateApplication is 5.2.3: every field is optional, absent ones stay, labels [] clears.
func (s *serviceStage) updateApplication(c *call) (reply, error) {
	app, err := s.application(c)
	if err != nil {
		return reply{}, err
	}
	var in applicationInput
	if err := c.decode(&in); err != nil {
		return reply{}, badParameter("%v.", err)
	}
	labels, err := in.check(c.quirks)
	if err != nil {
		return reply{}, err
	}
	if in.Name != nil {
		if err := s.checkApplicationName(c, *in.Name, app.ID); err != nil {
			return reply{}, err
		}
	}
	updated := s.applications.update(app, func(next *application) {
		if in.Name != nil {
			next.Name = *in.Name
		}
		if in.Description != nil {
			next.Description = *in.Description
		}
		if in.EnterpriseProjectID != nil && c.quirks.PutMovesEnterpriseProject {
			next.EnterpriseProjectID = orDefaultProject(*in.EnterpriseProjectID)
		}
		if labels != nil {
			next.Labels = labels
		}
	})
	return reply{status: http.StatusOK, body: s.applicationBody(updated, viewChanged, c.quirks, true)}, nil
}

// deleteApplication is 5.2.4; 409 while it has components.
func (s *serviceStage) deleteApplication(c *call) (reply, error) {
	app, err := s.application(c)
	if err != nil {
		return reply{}, err
	}
	if s.state.inUse(applicationsPath, app.ID) {
		return reply{}, &apiError{status: http.StatusConflict, code: "SVCSTG.00100401", message: "The application is not empty."}
	}
	s.applications.remove(app.ID)
	return reply{status: http.StatusNoContent}, nil
}

func (s *serviceStage) applicationBody(app *application, v view, quirks Quirks, counted bool) map[string]any {
	body := commonFields(&app.meta, app.Description, app.EnterpriseProjectID, app.Creator)
	if counted {
		body["component_count"] = s.state.referrers(applicationsPath, app.ID, componentsPath)
	}
	addLabels(body, app.Labels, v, quirks)
	return body
}
