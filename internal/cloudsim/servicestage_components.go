// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"encoding/json"
	"maps"
)

// component is a record of API reference 5.3 whose fields the simulator does not interpret: only what it refers to
// counts. It keeps an environment in use and an application from being empty.
type component struct {
	meta
	ApplicationID string
	EnvironmentID string
	fields        map[string]any
}

func (c *component) references() []reference {
	return []reference{
		{collection: applicationsPath, id: c.ApplicationID},
		{collection: environmentsPath, id: c.EnvironmentID},
	}
}

// componentFields are the fields that a component is interpreted by.
type componentFields struct {
	meta
	ApplicationID string `json:"application_id"`
	EnvironmentID string `json:"environment_id"`
}

// MarshalJSON implements json.Marshaler.
func (c *component) MarshalJSON() ([]byte, error) {
	known, err := json.Marshal(componentFields{c.meta, c.ApplicationID, c.EnvironmentID})
	if err != nil {
		return nil, err
	}
	all := maps.Clone(c.fields)
	if all == nil {
		all = map[string]any{}
	}
	if err := json.Unmarshal(known, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *component) UnmarshalJSON(data []byte) error {
	var known componentFields
	if err := json.Unmarshal(data, &known); err != nil {
		return err
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	*c = component{meta: known.meta, ApplicationID: known.ApplicationID, EnvironmentID: known.EnvironmentID, fields: fields}
	return nil
}
