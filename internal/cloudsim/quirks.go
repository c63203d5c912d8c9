// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Quirks are the switches between what the API reference documents and what clients met. The zero value of every
// field is the observed behaviour, or the documented one where nothing else was observed.
type Quirks struct {
	// MissingResource is the answer to an id that does not exist: "" is 401 SVCSTG.00100401 (observed),
	// "notFound" is 404 with SVCSTG.00100411, 00100403 or 00100404 (documented).
	MissingResource string `json:"missingResource"`
	// KeepResourceNames returns the names of environment resources; observed: they come back "".
	KeepResourceNames bool `json:"keepResourceNames"`
	// KeepResourceOrder returns environment resources in the order of the PUT; observed: the order is not kept.
	KeepResourceOrder bool `json:"keepResourceOrder"`
	// AddResources makes the resources PUT add to the list (the reference's "resource to be added"); observed: it
	// replaces the whole list.
	AddResources bool `json:"addResources"`
	// DetailListsVPC shows the environment's VPC among the resources of the detail.
	DetailListsVPC bool `json:"detailListsVPC"`
	// DetailLabels puts labels into the detail GET of environments and applications (documented); observed: the key
	// may be absent there and only the list carries it.
	DetailLabels bool `json:"detailLabels"`
	// HideListLabels leaves labels out of lists; observed: lists carry them.
	HideListLabels bool `json:"hideListLabels"`
	// EmptyCollections is how empty labels, resources and configurations look: "" is null, "array" is [].
	EmptyCollections string `json:"emptyCollections"`
	// CaseSensitiveNames lets names that differ only in case coexist; the reference says they do not.
	CaseSensitiveNames bool `json:"caseSensitiveNames"`
	// EnvironmentNames is the name rule of environments: "" is the reference's, "lowercase" is ^[a-z0-9-]+$ (OpenAPI).
	EnvironmentNames string `json:"environmentNames"`
	// ApplicationNames is the name rule of applications: "" is the reference's, "loose" is ^[a-zA-Z0-9_-]+$ (OpenAPI).
	ApplicationNames string `json:"applicationNames"`
	// FuzzyNameFilter makes the name filter of the environment list match substrings; otherwise the whole name.
	FuzzyNameFilter bool `json:"fuzzyNameFilter"`
	// PutMovesEnterpriseProject makes an application PUT change enterprise_project_id (documented); observed: it is
	// ignored there.
	PutMovesEnterpriseProject bool `json:"putMovesEnterpriseProject"`
	// LabelRule is the check on labels: "" allows keys of 128 and values of 255 characters (newer tag sites), "strict"
	// 36 and 43 (the older tag rule), "none" checks only that key and value are there. The first two also allow at
	// most 10 labels, with unique keys.
	LabelRule string `json:"labelRule"`
	// UnpagedLimit is how many records a list without limit returns; 0 is 1000 (observed).
	UnpagedLimit int `json:"unpagedLimit"`
	// Quotas caps the number of records per project, keyed "service/collection".
	Quotas map[string]int `json:"quotas"`
	// QuotaError is the answer when a quota is used up, which no reference states: "" is 405 SVCSTG.00100421,
	// "forbidden" is 403 SVCSTG.00100421, "badRequest" is 400 SVCSTG.00100400.
	QuotaError string `json:"quotaError"`
	// GatewayPrefix starts the gateway's codes: "" is APIGW, "APIG" the other spelling that is met.
	GatewayPrefix string `json:"gatewayPrefix"`
	// ErrorShape is the body of service errors: "" is {error_code, error_msg}, "error_message" is {error_code,
	// error_message}, "camelCase" is {errorCode, errorMessage, detail}, "text" is text/plain, "empty" has no body.
	ErrorShape string `json:"errorShape"`
	// RetryAfter adds a Retry-After header to 429; not documented.
	RetryAfter bool `json:"retryAfter"`
	// TokenLifetimeSeconds is the life of IAM tokens issued from now on; 0 is 24 hours (documented).
	TokenLifetimeSeconds int `json:"tokenLifetimeSeconds"`
}

// validate names the first field whose value is not one of its own.
func (q Quirks) validate() error {
	for _, f := range []struct {
		name, value string
		allowed     []string
	}{
		{"missingResource", q.MissingResource, []string{"", "notFound"}},
		{"emptyCollections", q.EmptyCollections, []string{"", "array"}},
		{"environmentNames", q.EnvironmentNames, []string{"", "lowercase"}},
		{"applicationNames", q.ApplicationNames, []string{"", "loose"}},
		{"labelRule", q.LabelRule, []string{"", "strict", "none"}},
		{"quotaError", q.QuotaError, []string{"", "forbidden", "badRequest"}},
		{"gatewayPrefix", q.GatewayPrefix, []string{"", "APIG"}},
		{"errorShape", q.ErrorShape, []string{"", "error_message", "camelCase", "text", "empty"}},
	} {
		if !slices.Contains(f.allowed, f.value) {
			return fmt.Errorf("%s: unknown value %q, use one of %q", f.name, f.value, f.allowed)
		}
	}
	if q.UnpagedLimit < 0 {
		return fmt.Errorf("unpagedLimit: %d is negative, use 0 for the default", q.UnpagedLimit)
	}
	if q.TokenLifetimeSeconds < 0 {
		return fmt.Errorf("tokenLifetimeSeconds: %d is negative, use 0 for the default", q.TokenLifetimeSeconds)
	}
	for name, n := range q.Quotas {
		if n < 0 {
			return fmt.Errorf("quotas.%s: %d is negative, leave the collection out for no quota", name, n)
		}
	}
	return nil
}

// merge returns q with the fields that the JSON document names replaced; quotas are merged by collection, null
// removing one.
func (q Quirks) merge(document []byte) (Quirks, error) {
	var quotas struct {
		Quotas map[string]*int `json:"quotas"`
	}
	merged := q
	merged.Quotas = nil
	if err := decodeStrict(document, &merged); err != nil {
		return Quirks{}, err
	}
	if err := json.Unmarshal(document, &quotas); err != nil {
		return Quirks{}, err
	}
	merged.Quotas = maps.Clone(q.Quotas)
	for name, n := range quotas.Quotas {
		if n == nil {
			delete(merged.Quotas, name)
			continue
		}
		if merged.Quotas == nil {
			merged.Quotas = map[string]int{}
		}
		merged.Quotas[name] = *n
	}
	return merged, merged.validate()
}

// decodeStrict decodes exactly one JSON document and refuses fields that dst does not have, so that a misspelt
// switch is an error and not a test that proves nothing.
func decodeStrict(document []byte, dst any) error {
	decoder := json.NewDecoder(strings.NewReader(string(document)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(dst); err != nil {
		return err
	}
	if decoder.More() {
		return fmt.Errorf("more than one JSON document")
	}
	return nil
}
